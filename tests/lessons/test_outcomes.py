"""A lesson's outcome: once, after its start, settled in the ledger, and correctable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing.models import CreditEntry
from guitaronline.booking.service import cancel_booking
from guitaronline.db import new_id
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide
from guitaronline.lessons.service import complete_lesson, correct_outcome, mark_no_show
from tests.booking.conftest import refused
from tests.world import World, as_actor


def lesson_of(db: Session, world: World, *, hours: float = 48) -> Lesson:
    booking = world.booking(world.slot(hours=hours))
    return db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()


def keys(db: Session, lesson: Lesson) -> list[str]:
    """The ledger's words about the lesson, in order."""
    db.rollback()
    query = select(CreditEntry.op_key).where(CreditEntry.booking_id == lesson.booking_id).order_by(CreditEntry.sequence)
    return [key.replace(str(lesson.booking_id), "B") for key in db.scalars(query)]


def test_completed_from_the_start_on_and_not_before(db: Session, world: World) -> None:
    package = world.package(lessons=2)
    lesson = lesson_of(db, world)

    with clock.standing_at(lesson.scheduled_start_at - timedelta(microseconds=1)), refused("lesson_not_started"):
        complete_lesson(as_actor(world.tom), lesson.id)
    with clock.standing_at(lesson.scheduled_start_at):
        done = complete_lesson(as_actor(world.tom), lesson.id)
    assert (done.status, done.outcome_at) == (LessonStatus.COMPLETED, lesson.scheduled_start_at)
    assert world.again(package).consumed == 1


def test_completing_again_changes_nothing(db: Session, world: World) -> None:
    world.package()
    lesson = lesson_of(db, world)
    with clock.moved_by(timedelta(hours=49)):
        first = complete_lesson(as_actor(world.tom), lesson.id)
        again = complete_lesson(as_actor(world.sue), lesson.id)
        with refused("outcome_already_recorded"):
            mark_no_show(as_actor(world.tom), lesson.id)

    assert (again.outcome_at, again.version) == (first.outcome_at, first.version)
    assert len(db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "lesson.completed")).all()) == 1


@pytest.mark.parametrize(
    ("side", "consumed", "returned"), [("student", 1, False), ("teacher", 0, True), ("technical", 0, True)]
)
def test_whose_absence_costs_the_lesson(db: Session, world: World, side: str, consumed: int, returned: bool) -> None:
    package = world.package(lessons=2)
    lesson = lesson_of(db, world)
    with clock.moved_by(timedelta(hours=49)):
        missed = mark_no_show(as_actor(world.tom), lesson.id, side=side)
        again = mark_no_show(as_actor(world.tom), lesson.id, side=side)

    assert (missed.status, missed.no_show_side, missed.is_returned) == (LessonStatus.NO_SHOW, side, returned)
    assert again.version == missed.version
    assert world.again(package).consumed == consumed
    assert keys(db, lesson) == ["hold:B", "settle:B:1"] + ["return:B:1"] * returned


def test_the_teachers_absence_lets_an_expired_package_live_again(db: Session, world: World) -> None:
    slot = world.slot(hours=48)
    package = world.package(lessons=2, expires_at=slot.start_at)
    booking = world.booking(slot)
    lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()

    with clock.standing_at(slot.start_at + timedelta(hours=2)):
        mark_no_show(as_actor(world.tom), lesson.id, side="teacher")

    package = world.again(package)
    assert (package.status, package.available, package.expired) == ("active", 1, 1)
    assert package.expires_at == slot.start_at + timedelta(hours=2, days=30)


def test_a_wrong_outcome_is_reversed_and_posted_anew(db: Session, world: World) -> None:
    package = world.package(lessons=2)
    lesson, sue = lesson_of(db, world), as_actor(world.sue)
    with clock.moved_by(timedelta(hours=49)):
        complete_lesson(as_actor(world.tom), lesson.id)
        correct_outcome(sue, lesson.id, status="no_show", side="teacher", reason="he overslept")
        assert world.again(package).available == 2
        correct_outcome(sue, lesson.id, status="completed", reason="he had not")
        assert world.again(package).available == 1
        corrected = correct_outcome(sue, lesson.id, status="no_show", side="technical", reason="the line was dead")

    assert (corrected.settlement, corrected.is_returned, corrected.no_show_side) == (2, True, NoShowSide.TECHNICAL)
    assert keys(db, lesson) == ["hold:B", "settle:B:1", "return:B:1", "settle:B:2", "return:B:2"]
    told = db.scalars(
        select(OutboxEvent).where(OutboxEvent.topic == "lesson.outcome_corrected").order_by(OutboxEvent.id)
    ).all()
    assert [(each.payload["before"], each.payload["side"]) for each in told] == [
        ("completed", "teacher"),
        ("teacher", None),
        ("completed", "technical"),
    ]


def test_a_correction_that_costs_the_same_posts_nothing(db: Session, world: World) -> None:
    world.package()
    lesson = lesson_of(db, world)
    with clock.moved_by(timedelta(hours=49)):
        complete_lesson(as_actor(world.tom), lesson.id)
        first = correct_outcome(as_actor(world.sue), lesson.id, status="no_show", side="student", reason="not there")
        again = correct_outcome(as_actor(world.sue), lesson.id, status="no_show", side="student", reason="not there")

    assert again.version == first.version
    assert keys(db, lesson) == ["hold:B", "settle:B:1"]


def test_a_lesson_that_was_spent_since_cannot_be_charged_again(db: Session, world: World) -> None:
    world.package(lessons=1)
    lesson, sue = lesson_of(db, world), as_actor(world.sue)
    with clock.moved_by(timedelta(hours=49)):
        mark_no_show(as_actor(world.tom), lesson.id, side="teacher")
        world.booking(world.slot(hours=60))
        with refused("no_lessons_left"):
            correct_outcome(sue, lesson.id, status="completed", reason="it was given")

    assert world.again(lesson).no_show_side is NoShowSide.TEACHER


def test_a_canceled_lesson_has_no_outcome(db: Session, world: World) -> None:
    world.package()
    lesson = lesson_of(db, world)
    cancel_booking(as_actor(world.ann), lesson.booking_id)
    with clock.moved_by(timedelta(hours=49)):
        with refused("lesson_canceled"):
            complete_lesson(as_actor(world.tom), lesson.id)
        with refused("no_outcome_yet"):
            correct_outcome(as_actor(world.sue), lesson.id, status="completed", reason="it was given")


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ({"status": "scheduled", "reason": "x"}, ["unknown_outcome"]),
        ({"status": "no_show", "reason": "x"}, ["side_mismatch"]),
        ({"status": "completed", "side": "student", "reason": ""}, ["side_mismatch", "reason_required"]),
        ({"status": "no_show", "side": "cat", "reason": "x"}, ["unknown_side"]),
    ],
)
def test_what_is_no_outcome(db: Session, world: World, said: dict[str, str], reasons: list[str]) -> None:
    world.package()
    lesson = lesson_of(db, world)

    with refused(*reasons, code="outcome_invalid"):
        correct_outcome(as_actor(world.sue), lesson.id, **said)


def test_only_its_teacher_and_support_record_it(db: Session, world: World) -> None:
    world.package()
    lesson = lesson_of(db, world)
    with clock.moved_by(timedelta(hours=49)):
        with refused("not_found"):
            complete_lesson(as_actor(world.tina), lesson.id)
        with refused("not_found"):
            complete_lesson(as_actor(world.tom), new_id())
        for nobody in (world.ann, world.finn, world.audrey):
            with refused("not_allowed"):
                complete_lesson(as_actor(nobody), lesson.id)
        with refused("not_allowed"):
            correct_outcome(as_actor(world.tom), lesson.id, status="completed", reason="x")
        assert complete_lesson(as_actor(world.sue), lesson.id).status is LessonStatus.COMPLETED
