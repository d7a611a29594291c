"""What the database refuses of disputes, credits and the queue by itself, each rule by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.service import credit_payment, open_dispute
from tests.billing.books import paid
from tests.by_hand import by_hand, refused_by
from tests.world import World, as_actor


@pytest.fixture
def dispute(world: World) -> Dispute:
    made = paid(world, world.package(lessons=5, price_minor=49_000))
    return open_dispute(as_actor(world.finn), made.id, amount_minor=49_000, reason="not known to the payer")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("amount_minor = 0", "ck_disputes_amount_range"),
        ("amount_minor = 1000000000001", "ck_disputes_amount_range"),
        ("fee_minor = -1", "ck_disputes_fee_range"),
        ("currency = 'usd'", "ck_disputes_currency_code"),
        ("status = 'won', freezes = false", "ck_disputes_decided_at_some_time"),
        ("decided_at = now()", "ck_disputes_decided_at_some_time"),
        ("lessons_revoked = 1", "ck_disputes_only_lost_takes_lessons"),
        ("status = 'won', decided_at = now()", "ck_disputes_only_open_freezes"),
        ("evidence_due_at = 'infinity'", "ck_disputes_due_finite"),
        ("status = 'refunded', decided_at = now(), freezes = false", "ck_disputes_status_known"),
        ("payment_id = gen_random_uuid()", "fk_disputes_payment_id"),
        ("owner_id = gen_random_uuid()", "fk_disputes_owner_id"),
    ],
)
def test_a_dispute_that_cannot_be_is_refused(db: Session, dispute: Dispute, change: str, constraint: str) -> None:
    with refused_by(constraint):
        by_hand(db, f"UPDATE disputes SET {change} WHERE id = :id", id=dispute.id)


COPY = (
    "INSERT INTO disputes (id, payment_id, amount_minor, currency, status, reason, provider_reference, created_at, updated_at)"
    " SELECT gen_random_uuid(), payment_id, 1, currency, 'open', reason, 'dp_1', now(), now() FROM disputes, generate_series(1, 2)"
)


def test_a_providers_dispute_is_noted_once(db: Session, dispute: Dispute) -> None:
    with refused_by("uq_disputes_provider_reference"):
        by_hand(db, COPY)


ADD = (
    "INSERT INTO refund_credits (id, payment_id, package_id, amount_minor, currency, lessons_revoked, lessons_granted, reason, created_at)"
    " SELECT gen_random_uuid(), payment_id, {package}, {amount}, currency, {revoked}, {granted}, reason, now() FROM refund_credits"
)
PLAIN = {"package": "(SELECT id FROM packages WHERE price_minor > 0)", "amount": "1", "revoked": "0", "granted": "1"}


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"amount": "0"}, "ck_refund_credits_amount_positive"),
        ({"granted": "0"}, "ck_refund_credits_gives_lessons"),
        ({"revoked": "-1"}, "ck_refund_credits_takes_no_less_than_none"),
        ({"package": "package_id"}, "uq_refund_credits_package_id"),
        ({"package": "gen_random_uuid()"}, "fk_refund_credits_package_id"),
    ],
)
def test_a_credit_that_cannot_be_is_refused(world: World, db: Session, wrong: dict[str, str], constraint: str) -> None:
    made = paid(world, world.package(lessons=5, price_minor=49_000))
    assert isinstance(credit_payment(as_actor(world.finn), made.id, reason="x"), RefundCredit)

    with refused_by(constraint):
        by_hand(db, ADD.format(**{**PLAIN, **wrong}))


NAMES = text(
    "SELECT c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
    " WHERE t.relname IN ('disputes', 'refund_credits') AND c.contype IN ('c', 'u', 'f', 'x')"
)
OTHERWISE = {  # as everywhere: a reference is its own, and a person or payment that is named exists
    "uq_disputes_reference",
    "uq_refund_credits_reference",
    "fk_refund_credits_payment_id",
    "fk_refund_credits_requested_by",
    "fk_refund_credits_approval_id",
}


def test_every_constraint_of_these_tables_is_proved_here(db: Session) -> None:
    named = {name for (name,) in db.execute(NAMES)}
    written = Path(__file__).read_text()

    assert sorted(name for name in named - OTHERWISE if f'"{name}"' not in written) == []
