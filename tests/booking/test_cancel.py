"""Calling off: what becomes of the lesson is decided by the terms of the booking, and stored."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing.service import revoke_package
from guitaronline.booking.models import BookingStatus, CancelCause
from guitaronline.booking.queries import preview_cancel
from guitaronline.booking.service import cancel_booking
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.lessons.service import complete_lesson
from tests.booking.conftest import refused
from tests.world import World, as_actor


def test_in_time_the_lesson_comes_back(db: Session, world: World) -> None:
    package = world.package(lessons=3)
    booking = world.booking(world.slot(hours=30))
    with clock.standing_at(booking.start_at - timedelta(hours=24)):
        canceled = cancel_booking(as_actor(world.ann), booking.id, reason="a concert")

    assert (canceled.status, canceled.refund_returned, canceled.cancel_cause) == (
        BookingStatus.CANCELED,
        True,
        CancelCause.STUDENT,
    )
    assert canceled.cancellation_reason == "a concert"
    assert canceled.decision is not None
    assert {
        key: canceled.decision[key]
        for key in ("actor_id", "actor_role", "cause", "outcome", "minutes_of_notice", "waived")
    } == {
        "actor_id": str(world.ann.id),
        "actor_role": "student",
        "cause": "student",
        "outcome": "returned",
        "minutes_of_notice": 24 * 60,
        "waived": False,
    }
    assert canceled.decision["policy"]["refund_window_hours"] == 24
    assert package.reference in canceled.decision["sentence"]
    assert (world.again(package).available, world.again(package).consumed) == (3, 0)
    assert db.scalars(select(Lesson)).one().status is LessonStatus.CANCELED
    topics = set(db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_id == booking.id)))
    assert topics == {"booking.held", "booking.confirmed", "booking.canceled"}


def test_a_moment_late_it_does_not(world: World) -> None:
    package = world.package(lessons=3)
    booking = world.booking(world.slot(hours=30))
    with clock.standing_at(booking.start_at - timedelta(hours=24) + timedelta(microseconds=1)):
        canceled = cancel_booking(as_actor(world.ann), booking.id)

    assert (canceled.refund_returned, canceled.decision["outcome"]) == (False, "forfeited")  # type: ignore[index]
    assert (world.again(package).available, world.again(package).consumed) == (2, 1)


def test_the_terms_are_those_of_the_day_it_was_booked(world: World) -> None:
    world.package()
    with policy.changed(BOOKING_REFUND_WINDOW_HOURS=2):
        booking = world.booking(world.slot(hours=30))

    with clock.standing_at(booking.start_at - timedelta(hours=3)):
        assert cancel_booking(as_actor(world.ann), booking.id).refund_returned is True


def test_canceling_again_changes_nothing(db: Session, world: World) -> None:
    package = world.package(lessons=3)
    booking = world.booking()
    first = cancel_booking(as_actor(world.ann), booking.id, reason="ill")
    again = cancel_booking(as_actor(world.ann), booking.id, reason="still ill")

    assert (again.cancellation_reason, again.canceled_at, again.version) == ("ill", first.canceled_at, first.version)
    assert world.again(package).available == 3


def test_a_hold_is_released(db: Session, world: World) -> None:
    package = world.package(lessons=1)
    held = world.hold()
    canceled = cancel_booking(as_actor(world.ann), held.id)

    assert (canceled.status, canceled.refund_returned, canceled.decision["outcome"]) == (
        BookingStatus.CANCELED,
        True,
        "released",
    )  # type: ignore[index]
    assert (world.again(package).available, world.again(package).reserved) == (1, 0)
    assert "booking.hold_released" in db.scalars(select(OutboxEvent.topic)).all()


def test_a_lapsed_hold_is_expired_and_says_so(world: World) -> None:
    package = world.package(lessons=1)
    held = world.hold()
    with clock.moved_by(timedelta(minutes=10)):
        with refused("hold_expired"):
            cancel_booking(as_actor(world.ann), held.id)
        with refused("hold_expired"):
            cancel_booking(as_actor(world.ann), held.id)

    assert world.again(held).status is BookingStatus.EXPIRED
    assert world.again(package).available == 1


@pytest.mark.parametrize(
    ("who", "cause"),
    [("tom", None), ("tom", "technical"), ("sue", None), ("sue", "teacher"), ("sue", "goodwill"), ("ada", "technical")],
)
def test_every_cause_but_the_students_returns_the_lesson_however_late(
    world: World, who: str, cause: str | None
) -> None:
    package = world.package(lessons=3)
    booking = world.booking(world.slot(hours=30))
    with clock.standing_at(booking.start_at - timedelta(minutes=1)):
        canceled = cancel_booking(as_actor(getattr(world, who)), booking.id, reason="storm", cause=cause)

    assert canceled.refund_returned is True
    assert canceled.cancel_cause == (cause or {"tom": "teacher", "sue": "school"}[who])
    assert world.again(package).available == 3


def test_staff_may_speak_for_the_student_and_waive(world: World) -> None:
    package = world.package(lessons=3)
    kept, waived = world.booking(world.slot(hours=30)), world.booking(world.slot(hours=32))
    with clock.moved_by(timedelta(hours=29)):
        first = cancel_booking(as_actor(world.sue), kept.id, reason="she called", cause="student")
        second = cancel_booking(as_actor(world.sue), waived.id, reason="first time", cause="student", waive=True)

    assert (first.refund_returned, second.refund_returned) == (False, True)
    assert second.decision["waived"] is True  # type: ignore[index]
    assert world.again(package).available == 2


@pytest.mark.parametrize(
    ("who", "said", "reasons"),
    [
        ("ann", {"cause": "student"}, ["cause_not_allowed"]),
        ("ann", {"waive": True, "cause": "school"}, ["cause_not_allowed", "waive_not_allowed"]),
        ("tom", {"cause": "school"}, ["cause_not_allowed"]),
        ("tom", {"cause": "student"}, ["cause_not_allowed"]),
        ("tom", {"waive": True}, ["waive_not_allowed"]),
        ("sue", {"cause": "weather", "reason": "rain"}, ["cause_not_allowed"]),
        ("sue", {"cause": "school"}, ["reason_required"]),
        ("sue", {"cause": "school", "reason": "  "}, ["reason_required"]),
        ("ann", {"reason": "x" * 501}, ["reason_too_long"]),
    ],
)
def test_nobody_says_more_than_their_role_may(
    world: World, who: str, said: dict[str, object], reasons: list[str]
) -> None:
    world.package()
    booking = world.booking()

    with refused(*reasons, code="cancellation_invalid"):
        cancel_booking(as_actor(getattr(world, who)), booking.id, **said)  # type: ignore[arg-type]
    assert world.again(booking).status is BookingStatus.CONFIRMED


def test_others_bookings_do_not_exist(world: World) -> None:
    world.package()
    booking = world.booking()

    for stranger in (world.ben, world.tina):
        with refused("not_found"):
            cancel_booking(as_actor(stranger), booking.id)
    for role in (world.finn, world.audrey):
        with refused("not_allowed"):
            cancel_booking(as_actor(role), booking.id, reason="because")


def test_after_the_start_nothing_is_called_off(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    lesson = db.scalars(select(Lesson)).one()

    with clock.standing_at(booking.start_at):
        with refused("lesson_already_started", code="cancellation_window_closed"):
            cancel_booking(as_actor(world.ann), booking.id)
        complete_lesson(as_actor(world.tom), lesson.id)
        with refused("lesson_already_started", "outcome_already_recorded", code="cancellation_window_closed"):
            cancel_booking(as_actor(world.sue), booking.id, reason="too late")


def test_a_package_that_was_taken_back_keeps_what_returns(world: World) -> None:
    package = world.package(lessons=3)
    booking = world.booking()
    revoke_package(as_actor(world.ada), package.id, reason="a mistake")

    canceled = cancel_booking(as_actor(world.tom), booking.id)

    assert (canceled.refund_returned, canceled.decision["outcome"]) == (True, "revoked_bucket")  # type: ignore[index]
    assert (world.again(package).revoked, world.again(package).available) == (3, 0)


def test_the_schools_fault_lets_the_package_live_another_month(world: World) -> None:
    start = world.now + timedelta(hours=48)
    package = world.package(lessons=3, expires_at=start)
    booking = world.booking(world.slot(start_at=start))
    with clock.standing_at(start - timedelta(hours=1)):
        canceled = cancel_booking(as_actor(world.tom), booking.id)

    assert world.again(package).expires_at == start - timedelta(hours=1) + timedelta(days=30)
    assert canceled.decision["package_expires_at"] == world.again(package).expires_at.isoformat()  # type: ignore[index]


@pytest.mark.parametrize(("hours", "outcome"), [(30, "returned"), (3, "forfeited")])
def test_the_preview_says_what_will_be(db: Session, world: World, hours: float, outcome: str) -> None:
    world.package()
    booking = world.booking(world.slot(hours=40))
    with clock.standing_at(booking.start_at - timedelta(hours=hours)):
        preview = preview_cancel(db, as_actor(world.ann), booking.id)
        canceled = cancel_booking(as_actor(world.ann), booking.id)

    assert preview.possible
    assert preview.decision is not None
    assert (preview.decision.outcome, preview.decision.sentence()) == (outcome, canceled.decision["sentence"])  # type: ignore[index]


def test_the_preview_of_what_cannot_be_says_why(db: Session, world: World) -> None:
    world.package()
    booking, held = world.booking(), world.hold(world.slot(hours=70))

    with clock.standing_at(booking.start_at):
        assert [each.code for each in preview_cancel(db, as_actor(world.ann), booking.id).reasons] == [
            "lesson_already_started"
        ]
        assert [each.code for each in preview_cancel(db, as_actor(world.ann), held.id).reasons] == ["hold_expired"]
    assert [each.code for each in preview_cancel(db, as_actor(world.ann), booking.id, cause="school").reasons] == [
        "cause_not_allowed"
    ]
    with refused("not_found"):
        preview_cancel(db, as_actor(world.ben), booking.id)
    cancel_booking(as_actor(world.ann), booking.id)
    assert [each.code for each in preview_cancel(db, as_actor(world.ann), booking.id).reasons] == ["booking_canceled"]
