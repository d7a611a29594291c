"""Who asks is not who approves: each pair of the school, tried past the application, by SQL (docs/separation.md)."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.billing.models import Approval, Payment
from guitaronline.billing.reconciliation.service import prepare_period
from guitaronline.billing.service import credit_payment, decide_approval, refund_payment, set_payment_status
from guitaronline.identity import service as identity
from tests.billing.books import payment
from tests.by_hand import by_hand, refused_by
from tests.world import World, as_actor

AS = text(
    "SELECT begin_action(gen_random_uuid(), :who, 'admin', 'test.by_hand', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)
LARGE = 70_000


@pytest.fixture
def received(world: World) -> Payment:
    """A large payment, which Finn saw and Ada allowed."""
    made = payment(world, world.package(lessons=5, price_minor=LARGE), LARGE)
    wanted = set_payment_status(as_actor(world.finn), made.id, status="succeeded", reason="seen")
    decide_approval(as_actor(world.ada), wanted.id, approve=True)
    return made


@pytest.fixture
def asked(world: World, received: Payment) -> Approval:
    """Finn asked to give all of it back."""
    found = refund_payment(as_actor(world.finn), received.id, amount_minor=LARGE, reason="ill")
    assert isinstance(found, Approval)
    return found


def test_nobody_allows_what_they_asked_for(db: Session, asked: Approval) -> None:
    with refused_by("ck_approvals_four_eyes"):
        by_hand(db, "UPDATE approvals SET status = 'approved', decided_by = requested_by WHERE id = :id", id=asked.id)


@pytest.mark.parametrize(
    "change",
    [
        "requested_by = (SELECT id FROM users WHERE full_name = 'Ada')",
        "amount_minor = amount_minor + 1",
        "wish = wish || '{\"settle\": true}'",
        "reason = 'another'",
        "kind = 'payment_succeeded'",
    ],
)
def test_what_was_asked_for_stays_as_it_was_asked(db: Session, world: World, asked: Approval, change: str) -> None:
    assert world.ada

    with refused_by("approvals_stay_as_asked"):
        by_hand(db, f"UPDATE approvals SET {change} WHERE id = :id", id=asked.id)


REFUND = (
    "INSERT INTO refunds (id, payment_id, amount_minor, currency, status, reason, requested_by, approval_id, created_at, updated_at)"
    " SELECT gen_random_uuid(), payment_id, amount_minor, currency, 'pending', reason, {by}, id, now(), now() FROM approvals WHERE id = :id"
)
CREDIT = (
    "INSERT INTO refund_credits (id, payment_id, package_id, amount_minor, currency, lessons_revoked, lessons_granted, reason,"
    " requested_by, approval_id, created_at)"
    " SELECT gen_random_uuid(), a.payment_id, p.package_id, 1, a.currency, 0, 1, a.reason, a.requested_by, a.id, now()"
    " FROM approvals a JOIN payments p ON p.id = a.payment_id WHERE a.id = :id"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (REFUND.format(by="requested_by"), "refunds_allowed_by_another"),
        (REFUND.format(by="NULL"), "refunds_allowed_by_another"),
        (CREDIT, "refund_credits_allowed_by_another"),
    ],
)
def test_no_money_goes_out_under_an_approval_that_nobody_gave(
    db: Session, asked: Approval, statement: str, constraint: str
) -> None:
    with refused_by(constraint):
        by_hand(db, statement, id=asked.id)


def test_money_goes_out_under_an_approval_that_another_gave(db: Session, world: World, asked: Approval) -> None:
    decide_approval(as_actor(world.ada), asked.id, approve=True)

    names = db.execute(text("SELECT requested_by, approval_id FROM refunds")).all()
    assert [tuple(each) for each in names] == [(world.finn.id, asked.id)]


def test_lessons_for_much_money_are_given_under_an_approval_that_another_gave(
    db: Session, world: World, received: Payment
) -> None:
    wanted = credit_payment(as_actor(world.finn), received.id, amount_minor=LARGE, lessons=5, reason="ill")

    decide_approval(as_actor(world.ada), wanted.id, approve=True)

    names = db.execute(text("SELECT requested_by, approval_id FROM refund_credits")).all()
    assert [tuple(each) for each in names] == [(world.finn.id, wanted.id)]


def test_nobody_gives_themselves_a_role(db: Session, world: World) -> None:
    ann = world.ann.id
    db.execute(AS, {"who": ann})

    with refused_by("users_role_by_another"):
        db.execute(text("UPDATE users SET role = 'admin' WHERE id = :id"), {"id": ann})
    db.rollback()


def test_somebody_else_gives_it(world: World) -> None:
    assert identity.set_role(as_actor(world.ada), world.ann.id, role=Role.SUPPORT, reason="hired").role is Role.SUPPORT


def test_nobody_signs_a_period_that_they_proved(db: Session, world: World) -> None:
    day = world.now.date().replace(year=world.now.year - 1)
    period = prepare_period(as_actor(world.finn), first_on=day, last_on=day)

    with refused_by("ck_reconciliation_periods_two_people"):
        by_hand(
            db,
            "UPDATE reconciliation_periods SET status = 'closed', reviewed_by = prepared_by WHERE id = :id",
            id=period.id,
        )


STATEMENT = (
    "INSERT INTO teacher_statements (id, teacher_id, month, approved_by, approved_at, created_at, updated_at)"
    " SELECT gen_random_uuid(), id, date_trunc('month', now()), id, now(), now(), now() FROM users WHERE id = :id"
)
EXTRA = (
    "INSERT INTO statement_extras (id, teacher_id, month, kind, amount_minor, currency, reason, made_by, created_at, updated_at)"
    " SELECT gen_random_uuid(), id, date_trunc('month', now()), 'work', 1, 'USD', 'x', id, now(), now() FROM users WHERE id = :id"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [(STATEMENT, "ck_teacher_statements_four_eyes"), (EXTRA, "ck_statement_extras_by_another")],
)
def test_nobody_adds_to_their_own_pay_or_approves_it(
    db: Session, world: World, statement: str, constraint: str
) -> None:
    with refused_by(constraint):
        by_hand(db, statement, id=world.tom.id)
