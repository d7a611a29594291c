"""A refund with the bookings still to come: each canceled or kept, with the refund or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.models import Approval, Payment
from guitaronline.billing.refusals import BookingsChanged
from guitaronline.billing.service import decide_approval, settle_refund
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.refunding import (
    Decided,
    With,
    credit_preview_with_bookings,
    credit_with_bookings,
    preview_with_bookings,
    refund_with_bookings,
)
from guitaronline.booking.service import cancel_booking
from tests.billing.books import buckets, is_refund, paid
from tests.world import World, as_actor


def cancel(*bookings: Booking) -> list[Decided]:
    return [Decided(each.id, With.CANCEL) for each in bookings]


@pytest.fixture
def made(world: World) -> Payment:
    return paid(world, world.package(lessons=5, price_minor=49_000))


def test_what_is_canceled_goes_back_with_the_refund_and_what_is_kept_is_given(
    world: World, db: Session, made: Payment
) -> None:
    soon, later, held = world.booking(world.slot(hours=3)), world.booking(), world.hold(world.slot(hours=60))
    chosen = [*cancel(soon, held), Decided(later.id, With.KEEP)]
    preview = preview_with_bookings(db, made.id, now=world.now, bookings=chosen)

    refund = is_refund(refund_with_bookings(as_actor(world.finn), made.id, bookings=chosen, reason="moved away"))
    settle_refund(as_actor(world.finn), refund.id, succeeded=True)

    assert preview.lessons_revoked == refund.lessons_revoked == 4
    canceled = world.again(soon)
    assert (canceled.status, canceled.cancel_cause, canceled.refund_returned) == (
        BookingStatus.CANCELED,
        CancelCause.GOODWILL,  # three hours before: their own doing would have cost the lesson
        True,
    )
    assert (world.again(held).status, world.again(later).status) == (BookingStatus.CANCELED, BookingStatus.CONFIRMED)
    assert buckets(world.again(later).package) == {"consumed": 1, "revoked": 4}


def test_without_a_word_about_them_all_bookings_stay(world: World, made: Payment) -> None:
    booked = world.booking()

    refund = is_refund(refund_with_bookings(as_actor(world.finn), made.id, reason="moved away"))

    assert (refund.lessons_revoked, world.again(booked).status) == (4, BookingStatus.CONFIRMED)


def test_half_a_refund_takes_half_of_the_lessons_also_with_a_booking(world: World, made: Payment) -> None:
    booked = world.booking()

    refund = is_refund(
        refund_with_bookings(as_actor(world.finn), made.id, amount_minor=24_500, bookings=cancel(booked), reason="half")
    )

    assert refund.lessons_revoked == 2
    assert buckets(world.again(booked).package) == {"available": 3, "revoked": 2}


def test_a_booking_that_is_gone_meanwhile_stops_all_of_it(world: World, made: Payment) -> None:
    gone, stays = world.booking(), world.booking(world.slot(hours=60))
    cancel_booking(as_actor(world.sue), gone.id, reason="called")

    with pytest.raises(BookingsChanged) as refusal:
        refund_with_bookings(as_actor(world.finn), made.id, bookings=cancel(gone, stays), reason="x")

    assert [each.facts["booking_id"] for each in refusal.value.reasons] == [str(gone.id)]
    assert world.again(stays).status is BookingStatus.CONFIRMED


def test_nobody_elses_booking_is_canceled_with_it(world: World, made: Payment) -> None:
    world.package(world.ben)
    bens = world.booking(student=world.ben)

    with pytest.raises(BookingsChanged):
        refund_with_bookings(as_actor(world.finn), made.id, bookings=cancel(bens), reason="x")
    assert world.again(bens).status is BookingStatus.CONFIRMED


def test_a_lesson_that_has_begun_is_not_canceled_with_it(world: World, made: Payment) -> None:
    booked = world.booking()

    with clock.standing_at(booked.start_at + timedelta(seconds=1)), pytest.raises(BookingsChanged):
        refund_with_bookings(as_actor(world.finn), made.id, bookings=cancel(booked), reason="x")


def test_a_lapsed_hold_is_over_and_its_lesson_goes_with_the_refund(world: World, made: Payment) -> None:
    held = world.hold()

    with clock.moved_by(timedelta(minutes=11)):
        refund = is_refund(refund_with_bookings(as_actor(world.finn), made.id, bookings=cancel(held), reason="x"))

    assert (world.again(held).status, refund.lessons_revoked) == (BookingStatus.EXPIRED, 5)


def test_above_the_limit_the_bookings_wait_with_the_refund(world: World, made: Payment) -> None:
    booked = world.booking()
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = refund_with_bookings(as_actor(world.finn), made.id, bookings=cancel(booked), reason="moved away")
        assert isinstance(asked, Approval)
        assert world.again(booked).status is BookingStatus.CONFIRMED

        decide_approval(as_actor(world.ada), asked.id, approve=True)

    assert world.again(booked).status is BookingStatus.CANCELED
    assert buckets(world.again(booked).package) == {"revoked": 5}


def test_an_approval_whose_booking_is_gone_does_nothing(world: World, made: Payment) -> None:
    booked = world.booking()
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = refund_with_bookings(as_actor(world.finn), made.id, bookings=cancel(booked), reason="moved away")
        assert isinstance(asked, Approval)
        cancel_booking(as_actor(world.sue), booked.id, reason="called")

        with pytest.raises(BookingsChanged):
            decide_approval(as_actor(world.ada), asked.id, approve=True)

    assert buckets(world.again(booked).package) == {"available": 5}


def test_a_credit_takes_the_canceled_lessons_along(world: World, db: Session, made: Payment) -> None:
    booked = world.booking()
    preview = credit_preview_with_bookings(db, made.id, now=world.now, bookings=cancel(booked))

    credit = credit_with_bookings(as_actor(world.finn), made.id, bookings=cancel(booked), reason="another teacher")

    assert preview.lessons.offered == credit.lessons_granted == 5  # type: ignore[union-attr]
    assert buckets(world.again(booked).package) == {"revoked": 5}
