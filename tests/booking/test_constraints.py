"""The database says no by itself: every named constraint of bookings and lessons, proved by plain SQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking
from guitaronline.db import new_id
from guitaronline.lessons.models import Lesson
from tests.by_hand import BEGIN, by_hand
from tests.world import World


def refused_by(db: Session, statement: str, **values: Any) -> str:
    """The name of the constraint that refuses the statement within an opened action."""
    db.rollback()
    with pytest.raises(IntegrityError) as refusal:
        by_hand(db, statement, **values)
    return str(refusal.value.orig.diag.constraint_name)  # type: ignore[union-attr]


COPY = """
INSERT INTO bookings (id, slot_id, student_id, teacher_id, package_id, start_at, end_at, status, hold_expires_at, confirmed_at, policy, created_at, updated_at)
SELECT gen_random_uuid(), coalesce(:slot, slot_id), coalesce(:student, student_id), teacher_id, coalesce(:package, package_id), start_at, end_at,
       CAST(:status AS text), start_at, start_at, policy, created_at, updated_at FROM bookings WHERE id = :id"""


def copied(booking: Booking, **changed: Any) -> dict[str, Any]:
    return {"id": booking.id, "slot": None, "student": None, "package": None, "status": "confirmed", **changed}


@pytest.mark.parametrize("status", ["hold", "confirmed"])
def test_two_active_bookings_on_one_slot(db: Session, world: World, status: str) -> None:
    world.package()
    theirs = world.package(world.ben)
    booking = world.booking()

    assert (
        refused_by(db, COPY, **copied(booking, student=world.ben.id, package=theirs.id, status=status))
        == "bookings_one_active_per_slot"
    )


@pytest.mark.parametrize("status", ["hold", "confirmed"])
def test_two_overlapping_bookings_of_one_student(db: Session, world: World, status: str) -> None:
    world.package()
    booking = world.booking()
    other = world.slot(world.tina, start_at=booking.start_at + timedelta(minutes=59))
    statement = COPY.replace("start_at, end_at,\n", ":start, :end,\n").replace(
        "teacher_id, coalesce(:package", ":teacher, coalesce(:package"
    )

    values = copied(booking, slot=other.id, status=status)
    assert (
        refused_by(db, statement, **values, teacher=world.tina.id, start=other.start_at, end=other.end_at)
        == "bookings_no_student_overlap"
    )


def test_adjacent_bookings_and_ended_ones_are_no_conflict(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    db.execute(BEGIN)
    db.execute(text(COPY), copied(booking, status="expired"))
    db.rollback()
    after = world.booking(world.slot(world.tina, start_at=booking.end_at))

    assert after.start_at == booking.end_at


@pytest.mark.parametrize(
    "column",
    [
        "teacher_id = gen_random_uuid()",
        "start_at = start_at - interval '1 minute'",
        "end_at = end_at + interval '1 minute'",
    ],
)
def test_a_bookings_teacher_and_times_are_its_slots(db: Session, world: World, column: str) -> None:
    world.package()
    booking = world.booking()

    assert refused_by(db, f"UPDATE bookings SET {column} WHERE id = :id", id=booking.id) == "fk_bookings_slot_whole"


def test_a_slots_times_cannot_slip_away_under_its_booking(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()

    moved = "UPDATE availability_slots SET start_at = start_at + interval '1 minute' WHERE id = :id"
    assert refused_by(db, moved, id=booking.slot_id) == "fk_bookings_slot_whole"


def test_a_booking_is_paid_by_its_students_package(db: Session, world: World) -> None:
    world.package()
    theirs = world.package(world.ben)
    booking = world.booking()

    assert (
        refused_by(db, "UPDATE bookings SET package_id = :package WHERE id = :id", id=booking.id, package=theirs.id)
        == "fk_bookings_own_package"
    )


def test_one_booking_has_one_successor(db: Session, world: World) -> None:
    world.package()
    first, second, third = (world.booking(world.slot(hours=hours)) for hours in (50, 60, 70))

    statement = "UPDATE bookings SET rescheduled_from_booking_id = :first WHERE id IN (:second, :third)"
    assert refused_by(db, statement, first=first.id, second=second.id, third=third.id) == "bookings_one_successor"


def test_one_booking_is_restored_once(db: Session, world: World) -> None:
    world.package()
    first, second, third = (world.booking(world.slot(hours=hours)) for hours in (50, 60, 70))

    statement = "UPDATE bookings SET restored_from_booking_id = :first WHERE id IN (:second, :third)"
    assert refused_by(db, statement, first=first.id, second=second.id, third=third.id) == "bookings_one_restoration"


@pytest.mark.parametrize(
    ("table", "change", "constraint"),
    [
        ("bookings", "status = 'hold', hold_expires_at = NULL", "ck_bookings_hold_ends"),
        ("bookings", "confirmed_at = NULL", "ck_bookings_confirmed_at_some_time"),
        ("bookings", "canceled_at = now()", "ck_bookings_canceled_at_some_time"),
        ("bookings", "status = 'canceled'", "ck_bookings_canceled_at_some_time"),
        ("bookings", "student_id = teacher_id", "ck_bookings_two_people"),
        ("bookings", "status = 'lost'", "ck_bookings_status_known"),
        ("bookings", "rescheduled_from_booking_id = gen_random_uuid()", "fk_bookings_rescheduled_from_booking_id"),
        ("bookings", "restored_from_booking_id = gen_random_uuid()", "fk_bookings_restored_from_booking_id"),
        ("bookings", "cancel_cause = 'weather'", "ck_bookings_cause_known"),
        ("bookings", "series_day = DATE '2026-11-30'", "ck_bookings_series_has_day"),
        (
            "bookings",
            "series_id = '01a21d20-6b8b-7420-bbfc-75e7e4a0b8fa', series_day = DATE '2026-11-30'",
            "bookings_one_active_per_series_day",
        ),
        (
            "bookings",
            "series_id = gen_random_uuid(), series_day = CAST(start_at AS date) + CAST(extract(epoch FROM start_at) AS int) % 997",
            "fk_bookings_series_id",
        ),
        ("bookings", "substituted_from_id = teacher_id", "ck_bookings_substitute_is_another"),
        ("bookings", "substituted_from_id = gen_random_uuid()", "fk_bookings_substituted_from_id"),
        ("bookings", "reference = (SELECT max(reference) FROM bookings)", "uq_bookings_reference"),
        ("lessons", "status = 'no_show'", "ck_lessons_no_show_has_side"),
        ("lessons", "no_show_side = 'student'", "ck_lessons_no_show_has_side"),
        ("lessons", "status = 'lost'", "ck_lessons_status_known"),
        ("lessons", "no_show_side = 'nobody', status = 'no_show'", "ck_lessons_side_known"),
        (
            "lessons",
            "booking_id = (SELECT CAST(max(CAST(booking_id AS text)) AS uuid) FROM lessons)",
            "uq_lessons_booking_id",
        ),
        ("lessons", "reference = (SELECT max(reference) FROM lessons)", "uq_lessons_reference"),
        ("lessons", "booking_id = gen_random_uuid()", "fk_lessons_booking_id"),
        ("lessons", "package_id = gen_random_uuid()", "fk_lessons_package_id"),
        ("lessons", "student_id = gen_random_uuid()", "fk_lessons_student_id"),
        ("lessons", "teacher_id = gen_random_uuid()", "fk_lessons_teacher_id"),
    ],
)
def test_what_cannot_be(db: Session, world: World, table: str, change: str, constraint: str) -> None:
    world.package()
    world.booking(world.slot(hours=50))
    world.booking(world.slot(hours=60))

    assert refused_by(db, f"UPDATE {table} SET {change}") == constraint


def test_a_student_that_is_none(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()

    assert refused_by(db, COPY, **copied(booking, student=new_id(), status="expired")) in (
        "fk_bookings_student_id",
        "fk_bookings_own_package",
    )


def test_no_constraint_is_forgotten_here() -> None:
    """Every named constraint of both tables is mentioned in this file, primary keys and NOT NULL aside."""
    source = Path(__file__).read_text()
    names = {
        str(constraint.name)
        for model in (Booking, Lesson)
        for constraint in model.__table__.constraints  # type: ignore[attr-defined]
        if isinstance(constraint, CheckConstraint | UniqueConstraint | ExcludeConstraint)
        or "fk_" in str(constraint.name)
    }
    names |= {str(index.name) for model in (Booking, Lesson) for index in model.__table__.indexes if index.unique}  # type: ignore[attr-defined]

    assert {name for name in names if name not in source} == set()
