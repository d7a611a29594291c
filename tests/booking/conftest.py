"""Both ways of doing it, statements counted, and what a refusal said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from guitaronline import unit_of_work
from guitaronline.db import database
from guitaronline.errors import DomainError

Counting = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture
def without_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold and confirm run as the commands they are."""
    monkeypatch.setattr(unit_of_work, "_try_shortcut", lambda work, shortcut: None)


@pytest.fixture(params=["shortcut", "command"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs with the one-statement twins and without them."""
    if request.param == "command":
        monkeypatch.setattr(unit_of_work, "_try_shortcut", lambda work, shortcut: None)


@pytest.fixture
def statements(app: Flask, db: Session) -> Counting:
    """`with statements() as seen:` collects the SQL that is sent; BEGIN and COMMIT are not among it."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(database.engine, "before_cursor_execute", note)

    return counting


@contextmanager
def refused(*reasons: str, code: str | None = None) -> Iterator[None]:
    """The body is refused, for exactly these reasons; the first one names the refusal unless `code` does."""
    with pytest.raises(DomainError) as refusal:
        yield
    told = [reason.code for reason in refusal.value.reasons] or [refusal.value.code]
    assert (refusal.value.code, sorted(told)) == (code or reasons[0], sorted(reasons))
