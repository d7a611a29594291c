"""A refund to credit: lessons instead of money, worth no more than the money, and never both."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing import queries
from guitaronline.billing.models import (
    Approval,
    ApprovalStatus,
    Package,
    PackageOrigin,
    PackageStatus,
    Payment,
    PaymentStatus,
)
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.refusals import CreditTooLarge, NothingToCredit, NothingToRefund, RefundExceedsPayment
from guitaronline.billing.rules import credit_lessons, refund_figures
from guitaronline.billing.service import credit_payment, credit_preview, decide_approval, refund_payment, settle_refund
from guitaronline.errors import NotAllowed
from tests.billing.books import buckets, is_refund, paid
from tests.world import World, as_actor


def is_credit(result: object) -> RefundCredit:
    assert isinstance(result, RefundCredit)
    return result


def given(db: Session, credit: RefundCredit) -> Package:
    db.rollback()
    return db.get_one(Package, credit.package_id, populate_existing=True)


@pytest.fixture
def made(world: World) -> Payment:
    return paid(world, world.package(lessons=10, price_minor=49_000, lesson_minutes=60))


def test_the_lessons_move_into_a_package_that_costs_nothing(world: World, db: Session, made: Payment) -> None:
    credit = is_credit(credit_payment(as_actor(world.finn), made.id, reason="wants another teacher later"))

    new = given(db, credit)
    assert (credit.amount_minor, credit.lessons_revoked, credit.lessons_granted) == (49_000, 10, 10)
    assert (new.origin, new.status, new.price_minor, new.lesson_minutes, new.student_id) == (
        PackageOrigin.GRANTED,
        PackageStatus.ACTIVE,
        0,
        60,
        world.ann.id,
    )
    assert buckets(new) == {"available": 10}
    assert buckets(world.reloaded(Package, made.package_id)) == {"revoked": 10}


def test_no_money_left_so_it_is_no_refund(world: World, db: Session, made: Payment) -> None:
    credit_payment(as_actor(world.finn), made.id, reason="x")

    assert world.again(made).status is PaymentStatus.SUCCEEDED
    assert queries.refunds_of(db, made.id) == []


def test_what_became_lessons_cannot_become_money_too(world: World, made: Payment) -> None:
    credit_payment(as_actor(world.finn), made.id, amount_minor=24_500, reason="half")

    with pytest.raises(RefundExceedsPayment):
        refund_payment(as_actor(world.finn), made.id, amount_minor=24_501, reason="a cent too much")
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="the rest"))
    assert (refund.amount_minor, refund.lessons_revoked) == (24_500, 5)
    settle_refund(as_actor(world.finn), refund.id, succeeded=True)

    assert world.again(made).status is PaymentStatus.SUCCEEDED  # half of it never went back
    with pytest.raises(NothingToRefund):
        credit_payment(as_actor(world.finn), made.id, reason="more")


def test_staff_may_give_fewer_lessons_and_never_more_than_the_amount_is_worth(world: World, made: Payment) -> None:
    finn = as_actor(world.finn)

    with pytest.raises(CreditTooLarge) as refusal:
        credit_payment(finn, made.id, amount_minor=24_500, lessons=6, reason="generous")
    assert refusal.value.facts == {"limit": 5, "asked": 6}
    with pytest.raises(CreditTooLarge):
        credit_payment(finn, made.id, amount_minor=24_500, lessons=0, reason="mean")
    assert (
        is_credit(credit_payment(finn, made.id, amount_minor=24_500, lessons=4, reason="agreed")).lessons_granted == 4
    )


def test_less_than_a_lesson_is_no_credit(world: World, made: Payment) -> None:
    with pytest.raises(NothingToCredit):
        credit_payment(as_actor(world.finn), made.id, amount_minor=4_899, reason="almost a lesson")


def test_money_that_came_twice_can_be_taken_in_lessons(world: World, db: Session, made: Payment) -> None:
    twice = paid(world, world.reloaded(Package, made.package_id))

    credit = is_credit(credit_payment(as_actor(world.finn), twice.id, reason="paid twice, wants more lessons"))

    assert (credit.lessons_revoked, credit.lessons_granted) == (0, 10)
    assert buckets(world.reloaded(Package, made.package_id)) == {"available": 10}


@pytest.mark.parametrize(
    ("amount", "revoked", "offered", "most"),
    [(49_000, 10, 10, 10), (24_500, 5, 5, 5), (24_500, 2, 2, 5), (24_500, 0, 5, 5), (4_899, 0, 0, 0), (4_899, 1, 1, 1)],
)
def test_the_rule_offers_what_is_taken_or_what_the_amount_is_worth(
    amount: int, revoked: int, offered: int, most: int
) -> None:
    figures = refund_figures(paid_minor=49_000, committed_minor=0, lessons_total=10, delivered=0, price_minor=49_000)

    found = credit_lessons(figures, amount, revoked=revoked)

    assert (found.offered, found.most) == (offered, most)


def test_the_preview_says_what_the_credit_does(world: World, db: Session, made: Payment) -> None:
    preview = credit_preview(db, made.id, now=world.now, amount_minor=24_500)

    credit = is_credit(credit_payment(as_actor(world.finn), made.id, amount_minor=24_500, reason="half"))
    assert (preview.refund.lessons_revoked, preview.lessons.offered) == (credit.lessons_revoked, credit.lessons_granted)


def test_an_amount_worth_no_lesson_is_refused_before_as_it_is_then(world: World, db: Session, made: Payment) -> None:
    with pytest.raises(NothingToCredit):
        credit_preview(db, made.id, now=world.now, amount_minor=4_899)
    with pytest.raises(NothingToCredit):
        credit_payment(as_actor(world.finn), made.id, amount_minor=4_899, reason="almost one")


def test_above_the_limit_another_person_allows_exactly_that(world: World, db: Session, made: Payment) -> None:
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = credit_payment(as_actor(world.finn), made.id, amount_minor=24_500, lessons=4, reason="agreed")
        assert isinstance(asked, Approval)
        assert db.scalars(select(RefundCredit)).all() == []
        decide_approval(as_actor(world.ada), asked.id, approve=True)

    (credit,) = db.scalars(select(RefundCredit))
    assert world.again(asked).status is ApprovalStatus.APPROVED
    assert (credit.amount_minor, credit.lessons_granted, credit.requested_by, credit.approval_id) == (
        24_500,
        4,
        world.finn.id,
        asked.id,
    )


def test_support_gives_no_credit(world: World, made: Payment) -> None:
    with pytest.raises(NotAllowed):
        credit_payment(as_actor(world.sue), made.id, reason="x")
