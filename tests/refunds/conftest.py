from __future__ import annotations

import pytest

from guitaronline.billing import refund_asking
from tests.refunds.scripted import Scripted


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Whoever is asked for refunds."""
    scripted = Scripted()
    monkeypatch.setattr(refund_asking, "provider_of", lambda name: scripted)
    return scripted
