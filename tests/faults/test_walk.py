"""The random walk of `make faults`, a short one: product and model agree, and a guard that is gone is seen."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from bench.faults.walk import Walk
from guitaronline.billing import rules

SEED = 7


def test_the_product_does_what_the_model_does(db: Session) -> None:
    result = Walk(SEED).run(300)

    assert result.wrong == []
    assert min(result.done[each] for each in ("hold", "confirm", "cancel", "reschedule", "refund", "expire_holds")) > 0
    assert len(result.refused) > 5


def test_a_refund_that_leaves_its_lessons_parts_them(db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "lessons_to_revoke", lambda *args, **more: 0)

    result = Walk(SEED).run(300)

    assert "refund" in result.wrong[0]
