"""Each invariant is broken by hand once, and its check finds exactly that."""

from __future__ import annotations

import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.billing.service import refund_payment, set_payment_status
from guitaronline.booking.service import cancel_booking
from guitaronline.lessons.service import mark_no_show
from tests.billing.books import paid
from tests.invariants import Invariants
from tests.owner import tamper
from tests.world import World, as_actor


@pytest.fixture
def school(world: World, db: Session) -> World:
    """A hold, a confirmed booking, a canceled one, a paid package with a partial refund."""
    world.package(lessons=5)
    world.hold(world.slot(hours=48))
    world.booking(world.slot(hours=72))
    canceled = world.booking(world.slot(hours=96))
    cancel_booking(as_actor(world.ann), canceled.id)
    bought = world.package(world.ben, lessons=10, origin="purchase", price_minor=40_000, currency="USD")
    payment = paid(world, bought, 40_000)
    refund_payment(as_actor(world.finn), payment.id, amount_minor=1_000, reason="goodwill")
    return world


BREAKS = {
    "I1 buckets": "UPDATE packages SET available = available - 1, expired = expired + 1 WHERE status = 'active'",
    "I1 buckets, entry gone": "DELETE FROM credit_entries WHERE kind = 'grant'",
    "I1 running balance": "UPDATE credit_entries SET available = available + 1, reserved = reserved - 1",
    "I1 running balance, gap": "UPDATE credit_entries SET sequence = sequence + 1000 WHERE sequence > 1",
    "I2 reserved": "UPDATE bookings SET status = 'expired' WHERE status = 'hold'",
    "I2 entries of a booking, no booking": "UPDATE credit_entries SET booking_id = gen_random_uuid() WHERE kind = 'hold'",
    "I2 entries of a booking, not returned": "UPDATE bookings SET refund_returned = false WHERE status = 'canceled'",
    "I2 entries of a booking, not used": "UPDATE lessons SET is_returned = true WHERE status = 'scheduled'",
    "I2 entries without a booking": "UPDATE credit_entries SET booking_id = NULL WHERE kind = 'consume'",
    "I3 overlap": """
        UPDATE bookings SET start_at = start_at - interval '1 day', student_id = gen_random_uuid() WHERE status = 'confirmed'""",
    "I4 lessons, none": "DELETE FROM lessons WHERE status = 'scheduled'",
    "I4 lessons, canceled": "UPDATE lessons SET status = 'canceled' WHERE status = 'scheduled'",
    "I4 lessons, of a canceled booking": "UPDATE lessons SET status = 'scheduled' WHERE status = 'canceled'",
    "I5 refunds, too much": "UPDATE refunds SET amount_minor = 40001",
    "I5 refunds, another currency": "UPDATE refunds SET currency = 'EUR'",
    "I5 refunds, not refunded": "UPDATE payments SET status = 'refunded'",
    "I6 payment history": "UPDATE payments SET status = 'failed'",
    "I6 payment history, none": "DELETE FROM payment_transitions",
    "I6 payment history, illegal": "UPDATE payment_transitions SET to_status = 'refunded' WHERE from_status = 'pending'",
    "I7 grants, none": "DELETE FROM credit_entries WHERE kind = 'grant' AND package_id IN (SELECT package_id FROM payments)",
    "I7 grants, not paid": "DELETE FROM payments",
    "I7 grants, at another time": "UPDATE payments SET paid_at = paid_at + interval '1 second'",
    "I8 told once, never": "DELETE FROM outbox_events WHERE topic = 'booking.confirmed'",
    "I8 told once, twice": """
        INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at)
        SELECT gen_random_uuid(), topic, record_type, record_id, payload, action_id, created_at, available_at
          FROM outbox_events WHERE topic = 'booking.canceled'""",
    "I8 told in time": """
        UPDATE outbox_events SET available_at = available_at - interval '1 hour' WHERE topic = 'slot.created';
        UPDATE audit_actions SET recorded_at = recorded_at - interval '1 hour'""",
    "I11 last version": "UPDATE users SET level = 'changed by nobody' WHERE role = 'student'",
    "I11 last version, personal values aside, status": "UPDATE availability_slots SET version = version + 1",
    "I11 last version, gone": "DELETE FROM users WHERE role = 'finance'",
    "I11 last version, untold": "DELETE FROM audit_changes WHERE table_name = 'packages'",
}


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_an_invariant_is_found(
    school: World, db: Session, owner: Connection, invariants: Invariants, name: str
) -> None:
    assert checks.run_all(db) == []
    db.rollback()

    tamper(owner, BREAKS[name])

    found = {finding.check for finding in checks.run_all(db)}
    assert name.partition(",")[0] in found
    assert {finding.check for finding in invariants.broken(db)} == found  # the planned ones find the same


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("trigger", ["audit_guard", "audit_row"])
def test_a_table_that_left_the_audit_is_found(world: World, db: Session, owner: Connection, trigger: str) -> None:
    db.rollback()
    with owner.cursor() as cursor:
        cursor.execute(f"ALTER TABLE payments DISABLE TRIGGER {trigger}")
        try:
            found = [finding.facts for finding in checks.run_all(db) if finding.check == "I11 triggers"]
            db.rollback()
        finally:
            cursor.execute(f"ALTER TABLE payments ENABLE TRIGGER {trigger}")

    assert found == [{"table_name": "payments", "trigger_name": trigger}]


def test_a_returned_lesson_is_no_finding(world: World, db: Session) -> None:
    from guitaronline import clock

    world.package()
    booking = world.booking()
    lesson_id = db.execute(text("SELECT id FROM lessons")).scalar_one()

    with clock.standing_at(booking.end_at):
        mark_no_show(as_actor(world.tom), lesson_id, side="teacher", reason="ill")

    assert checks.run_all(db) == []


def test_a_whole_refund_is_no_finding(school: World, db: Session) -> None:
    payment_id = db.execute(text("SELECT id FROM payments")).scalar_one()
    refund_id = db.execute(text("SELECT id FROM refunds")).scalar_one()
    from guitaronline.billing.service import settle_refund

    settle_refund(as_actor(school.finn), refund_id, succeeded=True, reason="sent")
    set_payment_status(as_actor(school.finn), payment_id, status="refunded", reason="the rest too")

    assert checks.run_all(db) == []


def test_a_run_is_kept_with_what_it_found(world: World, db: Session) -> None:
    checks.run_and_keep()

    row = db.execute(text("SELECT findings, seconds FROM check_runs")).one()
    assert row.findings == {"findings": [], "ran": [check.name for check in checks.EVERY]}
    assert row.seconds >= 0


def test_every_check_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({check.name for check in checks.CHECKS}) == len(checks.CHECKS)
    assert all(check.sentence.endswith(".") for check in checks.CHECKS)
