"""Asked again at sending: what is not true any more is not said."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.booking.restoring import restore_booking
from guitaronline.booking.service import cancel_booking, confirm_booking, expire_holds, reschedule_booking
from guitaronline.booking.substitution import substitute_booking, take_back_substitution
from guitaronline.identity.service import deactivate_person
from guitaronline.notifications.models import Preference
from guitaronline.notifications.preferences import set_preferences
from guitaronline.notifications.reminders import remind
from tests.notifications.telling import because, mail_to, outcomes, rows, tell_all, words
from tests.world import World, as_actor


def test_a_confirmation_of_a_canceled_lesson_is_not_sent(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    tell_all(db)
    cancel_booking(as_actor(world.ann), booking.id)

    assert because(db, mail_to(db, world.ann, "booking_confirmed")) == "canceled"


def test_a_confirmation_of_a_moved_lesson_is_not_sent(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    tell_all(db)
    reschedule_booking(as_actor(world.ann), booking.id, new_slot_id=world.slot(hours=90).id)

    assert because(db, mail_to(db, world.ann, "booking_confirmed")) == "moved"


def test_a_confirmation_with_the_teacher_of_before_is_not_sent(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    tell_all(db)
    substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")

    assert because(db, mail_to(db, world.ann, "booking_confirmed")) == "changed"
    assert because(db, mail_to(db, world.tom, "booking_confirmed")) == "changed"


def test_what_was_true_when_it_was_planned_and_still_is_goes(db: Session, world: World) -> None:
    world.package()
    world.booking()
    tell_all(db)

    assert outcomes(db, rows(db, "booking_confirmed")) == ["true", "true"]


def test_a_confirmation_after_the_start_makes_no_sense(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    tell_all(db)

    message = mail_to(db, world.ann, "booking_confirmed")
    assert because(db, message, now=booking.start_at) == "too_late"


def test_a_cancellation_that_was_taken_back_is_not_told(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    cancel_booking(as_actor(world.ann), booking.id)
    tell_all(db)
    restore_booking(as_actor(world.ada), booking.id, reason="a mistake")
    tell_all(db)

    assert because(db, mail_to(db, world.ann, "booking_canceled")) == "restored"
    assert words(db, mail_to(db, world.ann, "booking_restored")).subject.startswith("The lesson takes place after all")


def test_a_lesson_that_came_back_was_not_given_away(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")
    tell_all(db)
    take_back_substitution(as_actor(world.ada), booking.id, teacher_id=world.tom.id, reason="well again")

    assert because(db, mail_to(db, world.tom, "lesson_given_away")) == "changed"
    assert because(db, mail_to(db, world.tina, "teacher_changed")) == "changed"


def test_a_lapsed_hold_is_not_told_to_who_has_the_lesson_after_all(db: Session, world: World) -> None:
    world.package()
    slot = world.slot()
    held = world.hold(slot)
    with clock.moved_by(timedelta(minutes=11)):
        expire_holds(SYSTEM, limit=10)
        tell_all(db)
        again = world.hold(slot)
        confirm_booking(as_actor(world.ann), again.id)

    assert held.id != again.id
    assert because(db, mail_to(db, world.ann, "hold_lapsed")) == "booked_again"


def test_a_lapsed_hold_is_told(db: Session, world: World) -> None:
    world.package()
    world.hold()
    with clock.moved_by(timedelta(minutes=11)):
        expire_holds(SYSTEM, limit=10)
    tell_all(db)

    assert "Nothing was used" in words(db, mail_to(db, world.ann, "hold_lapsed")).text


def test_a_reminder_of_a_canceled_lesson_never_goes(db: Session, world: World) -> None:
    world.package()
    booking = world.booking(world.slot(hours=60))
    with clock.moved_by(timedelta(hours=13)):
        remind(48)
        cancel_booking(as_actor(world.ann), booking.id)

    assert set(outcomes(db, rows(db, "lesson_reminder"))) == {"canceled"}


def test_a_reminder_of_a_moved_lesson_never_goes(db: Session, world: World) -> None:
    world.package()
    booking = world.booking(world.slot(hours=60))
    target = world.slot(hours=90)
    with clock.moved_by(timedelta(hours=13)):
        remind(48)
        reschedule_booking(as_actor(world.ann), booking.id, new_slot_id=target.id)

    assert set(outcomes(db, rows(db, "lesson_reminder"))) == {"moved"}


def test_who_gave_the_lesson_away_is_not_reminded_and_the_student_is(db: Session, world: World) -> None:
    world.package()
    booking = world.booking(world.slot(hours=60))
    with clock.moved_by(timedelta(hours=13)):
        remind(48)
        substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")

    assert because(db, mail_to(db, world.tom, "lesson_reminder")) == "not_theirs"
    assert "Tina" in words(db, mail_to(db, world.ann, "lesson_reminder")).text


def test_what_was_switched_off_after_planning_does_not_go(db: Session, world: World) -> None:
    world.package()
    world.booking(world.slot(hours=60))
    with clock.moved_by(timedelta(hours=13)):
        remind(48)
    set_preferences(as_actor(world.ann), world.ann.id, wanted={Preference.REMINDERS: False})

    assert because(db, mail_to(db, world.ann, "lesson_reminder")) == "switched_off"


def test_who_was_deactivated_after_planning_gets_nothing(db: Session, world: World) -> None:
    world.package()
    world.booking()
    tell_all(db)
    deactivate_person(as_actor(world.ada), world.ann.id, reason="moved away")

    assert because(db, mail_to(db, world.ann, "booking_confirmed")) == "inactive"
