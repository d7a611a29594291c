"""From what happened to messages: who is told, once, and why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.booking.substitution import substitute_booking
from guitaronline.db import new_id, technical_transaction
from guitaronline.identity.models import User
from guitaronline.identity.service import add_guardian, deactivate_person, edit_person
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson, edit_report
from guitaronline.notifications import planning
from guitaronline.notifications.happened import Happened
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Channel, Message, Preference
from guitaronline.notifications.preferences import set_preferences
from tests.concurrency import at_once
from tests.notifications.telling import forget, mail_to, readers, rows, tell_all, told
from tests.world import World, as_actor


def happened(db: Session, topic: str) -> Happened:
    db.rollback()
    event = db.scalars(select(OutboxEvent).where(OutboxEvent.topic == topic).order_by(OutboxEvent.id.desc())).first()
    assert event is not None
    return Happened(event.id, event.topic, event.record_type, event.record_id, dict(event.payload), event.created_at)


def child_of(world: World, *, receives_messages: bool = True) -> User:
    mia = world.person("Mia", Role.STUDENT, email=None)
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.ben.id, receives_messages=receives_messages)
    return mia


def test_a_booking_is_told_to_student_and_teacher_by_mail_and_in_the_list(db: Session, world: World) -> None:
    world.package()
    forget(db)
    world.booking()

    tell_all(db)

    found = {(row.kind, row.person_id, row.channel.value) for row in rows(db, channel=None)}
    assert found == {
        ("booking_confirmed", person.id, channel)
        for person in (world.ann, world.tom)
        for channel in ("email", "in_app")
    }


def test_the_guardian_of_a_child_is_told_and_the_child_has_nowhere_to_get_mail(db: Session, world: World) -> None:
    mia = child_of(world)
    world.package(mia)
    forget(db)
    world.booking(student=mia)

    tell_all(db)

    assert readers(db, "booking_confirmed") == ["Ben", "Tom"]
    assert (mail_to(db, mia, "booking_confirmed").status, mail_to(db, mia, "booking_confirmed").suppressed_because) == (
        "suppressed",
        "no_address",
    )


def test_a_guardian_who_wants_no_messages_gets_none(db: Session, world: World) -> None:
    mia = child_of(world, receives_messages=False)
    world.package(mia)
    forget(db)
    world.booking(student=mia)

    tell_all(db)

    assert readers(db, "booking_confirmed") == ["Tom"]


def test_an_event_told_twice_is_one_message(db: Session, world: World) -> None:
    world.package()
    world.booking()
    event = happened(db, "booking.confirmed")

    assert (planning.plan(event, world.now), planning.plan(event, world.now)) == (4, 0)


def test_two_who_tell_the_same_event_at_once_make_one_message(app: Flask, db: Session, world: World) -> None:
    world.package()
    world.booking()
    event, now = happened(db, "booking.confirmed"), world.now

    made = at_once(app, lambda: planning.plan(event, now), lambda: planning.plan(event, now))

    assert sorted(made) == [0, 4]
    assert len(rows(db, "booking_confirmed", channel=None)) == 4


def test_without_on_conflict_the_second_would_fail(db: Session, world: World) -> None:
    """What the first test relies on is in the database, not in the code that asks."""
    world.package()
    world.booking()
    planning.plan(happened(db, "booking.confirmed"), world.now)
    first = rows(db)[0]
    twin = {name: getattr(first, name) for name in ("event_id", "kind", "person_id", "channel", "record_type")}
    more = {"record_id": first.record_id, "facts": {}, "happened_at": world.now, "available_at": world.now}

    db.add(Message(id=new_id(), **twin, **more))
    with pytest.raises(IntegrityError, match="uq_messages_once"):
        db.flush()
    db.rollback()


def test_a_move_is_one_message_to_each(db: Session, world: World) -> None:
    world.package()
    old, target = world.booking(), world.slot(hours=72)
    forget(db)
    reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    tell_all(db)

    assert told(db) == [("booking_moved", "Ann"), ("booking_moved", "Tom")]


def test_whose_lesson_is_moved_to_another_teacher_hears_that_it_is_gone(db: Session, world: World) -> None:
    world.package()
    old, target = world.booking(), world.slot(world.tina, hours=72)
    forget(db)
    reschedule_booking(as_actor(world.ann), old.id, new_slot_id=target.id)

    tell_all(db)

    assert told(db) == [("booking_moved", "Ann"), ("booking_moved", "Tina"), ("lesson_moved_away", "Tom")]


def test_a_substitution_is_told_to_all_three(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    assert world.tina
    forget(db)
    substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")

    tell_all(db)

    assert told(db) == [("lesson_given_away", "Tom"), ("teacher_changed", "Ann"), ("teacher_changed", "Tina")]


def test_what_is_switched_off_is_kept_as_suppressed(db: Session, world: World) -> None:
    package = world.package(expires_at=world.now + timedelta(days=40))
    set_preferences(as_actor(world.ann), world.ann.id, wanted={Preference.PACKAGES: False})
    facts = Happened(new_id(), "package.expiring", "packages", package.id, {"days": 30}, world.now)

    planning.plan(facts, world.now)

    assert {(row.status, row.suppressed_because) for row in rows(db, "package_expiring", channel=None)} == {
        ("suppressed", "switched_off")
    }


def test_who_is_deactivated_is_not_written_to(db: Session, world: World) -> None:
    world.package()
    world.booking()
    deactivate_person(as_actor(world.ada), world.ann.id, reason="moved away")

    tell_all(db)

    assert mail_to(db, world.ann, "booking_confirmed").suppressed_because == "inactive"


def test_news_that_came_too_late_is_not_sent(db: Session, world: World) -> None:
    world.package()
    world.booking()
    event = happened(db, "booking.confirmed")

    planning.plan(event, world.now + timedelta(days=8))

    assert {(row.status, row.suppressed_because) for row in rows(db)} == {("suppressed", "too_late")}


def test_a_report_is_told_once_however_often_it_is_edited(db: Session, world: World) -> None:
    world.package()
    with clock.moved_by(timedelta(days=-3)):
        booking = world.booking(world.slot(hours=48))
    lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
    forget(db)
    complete_lesson(as_actor(world.tom), lesson.id)
    edit_report(as_actor(world.tom), lesson.id, changes={"homework": "F major"})
    edit_report(as_actor(world.tom), lesson.id, changes={"homework": "F major, slowly"})

    tell_all(db)

    assert told(db) == [("report_ready", "Ann")]


def test_a_report_written_before_the_end_is_told_with_the_outcome(db: Session, world: World) -> None:
    world.package()
    with clock.moved_by(timedelta(days=-3)):
        booking = world.booking(world.slot(hours=48))
    lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
    edit_report(as_actor(world.tom), lesson.id, changes={"topic": "Barre chords"})
    forget(db)
    complete_lesson(as_actor(world.tom), lesson.id)

    tell_all(db)

    assert told(db) == [("report_ready", "Ann")]


def test_a_private_note_is_no_report(db: Session, world: World) -> None:
    world.package()
    with clock.moved_by(timedelta(days=-3)):
        booking = world.booking(world.slot(hours=48))
    lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
    forget(db)
    complete_lesson(as_actor(world.tom), lesson.id)
    edit_report(as_actor(world.tom), lesson.id, changes={"private_note": "tired today"})

    tell_all(db)

    assert told(db) == []


def test_a_letter_of_staff_reaches_exactly_those_named(db: Session, world: World) -> None:
    assert world.ben
    with technical_transaction() as session:
        made = planning.queue(
            session, KINDS["from_staff"], event_id=new_id(), person_ids=[world.ann.id], record_type="users",
            record_id=world.ann.id, facts={"subject": "Hello", "text": "…"}, happened_at=world.now,
        )  # fmt: skip

    assert made == 2
    assert readers(db, "from_staff") == ["Ann"]


def test_a_letter_to_a_child_reaches_who_stands_for_it(db: Session, world: World) -> None:
    mia = child_of(world)
    with technical_transaction() as session:
        planning.queue(
            session, "from_staff", event_id=new_id(), person_ids=[mia.id], record_type="users",
            record_id=mia.id, facts={"subject": "Hello", "text": "…"}, happened_at=world.now,
        )  # fmt: skip

    assert readers(db, "from_staff") == ["Ben"]


def test_a_change_close_to_the_lesson_also_goes_to_the_phone(db: Session, world: World) -> None:
    edit_person(as_actor(world.ada), world.tom.id, changes={"phone": "+49 30 1234567"})
    world.package()
    near, far = world.booking(world.slot(hours=11)), world.booking(world.slot(hours=13))
    forget(db)
    cancel_booking(as_actor(world.ann), near.id)
    cancel_booking(as_actor(world.ann), far.id)

    with policy.changed(SMS_API_BASE="https://sms.example"):
        tell_all(db)

    assert [(row.record_id, row.person_id) for row in rows(db, channel=Channel.SMS)] == [(near.id, world.tom.id)]


def test_quiet_kinds_wait_for_the_morning_of_the_reader(db: Session, world: World) -> None:
    package = world.package(expires_at=datetime(2027, 3, 1, tzinfo=UTC))
    night = datetime(2027, 1, 30, 23, 30, tzinfo=UTC)
    facts = Happened(new_id(), "package.expiring", "packages", package.id, {"days": 30}, night)

    planning.plan(facts, night)

    assert {row.available_at for row in rows(db, channel=None)} == {datetime(2027, 1, 31, 8, tzinfo=UTC)}
