"""What must hold for disputes and credits is looked at every night: whatever breaks it is found."""

from __future__ import annotations

import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.billing.service import credit_payment, decide_dispute, open_dispute, refund_payment
from tests.billing.books import paid
from tests.owner import tamper
from tests.world import World, as_actor


@pytest.fixture
def school(world: World) -> World:
    """A dispute that was lost, one that is open, a credit and a refund of one payment; one payment in euros besides."""
    finn = as_actor(world.finn)
    made = paid(world, world.package(lessons=10, price_minor=40_000), 40_000)
    lost = open_dispute(finn, made.id, amount_minor=10_000, reason="not known to the payer")
    decide_dispute(finn, lost.id, won=False, reason="the bank's letter")
    credit_payment(finn, made.id, amount_minor=8_000, reason="a teacher fell ill")
    refund_payment(finn, made.id, amount_minor=4_000, reason="goodwill")
    open_dispute(finn, made.id, amount_minor=10_000, reason="not known to the payer")
    return world


BREAKS = {
    "I5 disputes, too much": "UPDATE disputes SET amount_minor = 39000 WHERE status = 'open'",
    "I5 disputes, another currency": "UPDATE disputes SET currency = 'EUR' WHERE status = 'open'",
    "I5 disputes, lessons": "UPDATE disputes SET lessons_revoked = lessons_revoked + 1 WHERE status = 'lost'",
    "I5 disputes, thawed": "UPDATE packages SET frozen_at = NULL, frozen_reason = NULL WHERE frozen_at IS NOT NULL",
    "I5 credits, too much": "UPDATE refund_credits SET amount_minor = 36001",
    "I5 credits, another currency": "UPDATE refund_credits SET currency = 'EUR'",
    "I5 credits, lessons taken": "UPDATE refund_credits SET lessons_revoked = lessons_revoked + 1",
    "I5 credits, lessons given": "UPDATE refund_credits SET lessons_granted = lessons_granted + 1",
    "I5 credits, a price": "UPDATE packages SET price_minor = 1 WHERE price_minor = 0",
}


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_it_is_found(school: World, db: Session, owner: Connection, name: str) -> None:
    assert checks.run_all(db) == []
    db.rollback()

    tamper(owner, BREAKS[name])

    assert name.partition(",")[0] in {finding.check for finding in checks.run_all(db)}
