"""For many messages at once everything is read in a few queries, and then the words of none of them ask the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.notifications.lookups import read_ahead
from guitaronline.notifications.models import Message
from guitaronline.notifications.reminders import remind
from guitaronline.notifications.rendered import Rendered
from tests.notifications.telling import answer, outcomes, rows, tell_all
from tests.statements import statements
from tests.world import World, as_actor


@pytest.fixture
def messages(db: Session, world: World) -> list[Message]:
    """Confirmations, a move and reminders."""
    world.package(lessons=9)
    world.booking(world.slot(hours=60))
    moved, target = world.booking(world.slot(hours=72)), world.slot(hours=96)
    tell_all(db)
    reschedule_booking(as_actor(world.ann), moved.id, new_slot_id=target.id)
    tell_all(db)
    with clock.moved_by(timedelta(hours=13)):
        remind(48)
    kinds = ("booking_confirmed", "booking_moved", "lesson_reminder")
    return [row for row in rows(db) if row.kind in kinds]


def test_what_is_said_is_the_same(db: Session, messages: list[Message]) -> None:
    now = clock.read(db)
    one_by_one = [answer(db, each, now=now) for each in messages]

    kept = read_ahead(db, messages)

    assert [answer(db, each, now=now) for each in messages] == one_by_one
    assert {type(each) for each in one_by_one} > {Rendered}
    assert kept.records


def test_nothing_is_asked_for_each_message(db: Session, messages: list[Message]) -> None:
    now = clock.read(db)
    true = [each for each in messages if isinstance(answer(db, each, now=now), Rendered)]
    kept = read_ahead(db, true)
    assert kept.records

    with statements() as asked:
        said = [answer(db, each, now=now) for each in true]

    assert (len(said), asked) == (6, [])


def test_what_is_not_kept_is_not_believed(db: Session, world: World, messages: list[Message]) -> None:
    kept = read_ahead(db, messages)
    reminder = next(each for each in messages if each.kind == "lesson_reminder")
    assert outcomes(db, [reminder]) == ["true"]

    db.rollback()
    cancel_booking(as_actor(world.ann), reminder.record_id)
    del kept

    assert outcomes(db, [reminder]) == ["canceled"]
