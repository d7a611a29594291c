"""Both ways of doing it, and what a refusal said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from guitaronline import unit_of_work
from guitaronline.errors import DomainError


@pytest.fixture
def without_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold and confirm run as the commands they are."""
    monkeypatch.setattr(unit_of_work, "_try_shortcut", lambda work, shortcut: None)


@pytest.fixture(params=["shortcut", "command"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs with the one-statement twins and without them."""
    if request.param == "command":
        monkeypatch.setattr(unit_of_work, "_try_shortcut", lambda work, shortcut: None)


@contextmanager
def refused(*reasons: str, code: str | None = None) -> Iterator[None]:
    """The body is refused, for exactly these reasons; the first one names the refusal unless `code` does."""
    with pytest.raises(DomainError) as refusal:
        yield
    told = [reason.code for reason in refusal.value.reasons] or [refusal.value.code]
    assert (refusal.value.code, sorted(told)) == (code or reasons[0], sorted(reasons))
