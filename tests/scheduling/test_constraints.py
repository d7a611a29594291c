"""What the database refuses by itself, each rule by its name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from tests.by_hand import by_hand, refused_by
from tests.world import World

pytestmark = pytest.mark.breaks_invariants  # rows made by hand have no event in the outbox

INSERT = (
    "INSERT INTO availability_slots (id, teacher_id, start_at, end_at, status, created_at, updated_at)"
    " VALUES (coalesce(:id, gen_random_uuid()), :teacher, :start, :end, :status, now(), now())"
)


def insert(db: Session, world: World, start: str, end: str, *, status: str = "open", **more: Any) -> None:
    by_hand(db, INSERT, **{"id": None, "teacher": world.tom.id, "start": start, "end": end, "status": status, **more})


@pytest.mark.parametrize(
    ("start", "end"), [("10:00+00", "10:15+00"), ("10:00+00", "14:00+00"), ("10:00:01+00", "11:00:01+00")]
)
def test_slots_that_keep_every_rule_are_stored(world: World, db: Session, start: str, end: str) -> None:
    insert(db, world, f"2030-01-01 {start}", f"2030-01-01 {end}")


@pytest.mark.parametrize(
    ("start", "end", "constraint"),
    [
        ("2030-01-01 10:00+00", "2030-01-01 10:14:59+00", "ck_availability_slots_length"),
        ("2030-01-01 10:00+00", "2030-01-01 14:00:01+00", "ck_availability_slots_length"),
        ("2030-01-01 11:00+00", "2030-01-01 10:00+00", "ck_availability_slots_length"),
        ("2030-01-01 10:00:00.5+00", "2030-01-01 11:00:00.5+00", "ck_availability_slots_whole_seconds"),
        ("9998-12-31 23:30+00", "9999-01-01 00:30+00", "ck_availability_slots_finite"),
    ],
)
def test_times_that_are_no_slot_are_refused(world: World, db: Session, start: str, end: str, constraint: str) -> None:
    with refused_by(constraint):
        insert(db, world, start, end)


@pytest.mark.parametrize(
    ("start", "end"), [("-infinity", "2030-01-01"), ("2030-01-01", "infinity"), ("infinity", "infinity")]
)
def test_infinite_times_are_refused(world: World, db: Session, start: str, end: str) -> None:
    with pytest.raises(Exception, match=r"ck_availability_slots_|infinite"):
        insert(db, world, start, end)


@pytest.mark.parametrize("first", ["open", "blocked"])
def test_standing_slots_of_one_teacher_never_overlap(world: World, db: Session, first: str) -> None:
    insert(db, world, "2030-01-01 10:00+00", "2030-01-01 11:00+00", status=first)
    insert(db, world, "2030-01-01 11:00+00", "2030-01-01 12:00+00")
    insert(db, world, "2030-01-01 10:00+00", "2030-01-01 11:00+00", teacher=world.tina.id)

    with refused_by("slots_no_teacher_overlap"):
        insert(db, world, "2030-01-01 10:59:59+00", "2030-01-01 11:30+00", status="blocked")


def test_a_withdrawn_slot_is_in_nobodys_way_and_cannot_come_back_into_one(world: World, db: Session) -> None:
    gone = uuid4()
    insert(db, world, "2030-01-01 10:00+00", "2030-01-01 11:00+00", id=gone, status="withdrawn")
    insert(db, world, "2030-01-01 10:30+00", "2030-01-01 11:30+00")

    with refused_by("slots_no_teacher_overlap"):
        by_hand(db, "UPDATE availability_slots SET status = 'open' WHERE id = :id", id=gone)


def test_an_unknown_status_an_unknown_teacher_and_a_second_reference_are_refused(world: World, db: Session) -> None:
    start, end = "2030-01-01 10:00+00", "2030-01-01 11:00+00"
    with refused_by("ck_availability_slots_status_known"):
        insert(db, world, start, end, status="held")
    with refused_by("fk_availability_slots_teacher_id"):
        insert(db, world, start, end, teacher=uuid4())
    slot = world.slot()
    insert(db, world, start, end)
    with refused_by("uq_availability_slots_reference"):
        by_hand(
            db,
            "UPDATE availability_slots SET reference = :reference WHERE start_at = :start",
            reference=world.again(slot).reference,
            start=start,
        )


def test_a_slot_is_not_deleted_by_the_application(world: World, db: Session) -> None:
    world.slot()

    with pytest.raises(Exception, match="permission denied"):
        by_hand(db, "DELETE FROM availability_slots")


def test_times_are_stored_and_read_in_utc(world: World, db: Session) -> None:
    slot = world.slot(start_at=datetime(2030, 7, 1, 10, tzinfo=UTC))

    assert world.again(slot).start_at == datetime(2030, 7, 1, 10, tzinfo=UTC)
