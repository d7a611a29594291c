"""Reminders are found by how things stand: nobody is forgotten, nobody is told twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.service import adjust_lessons
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.substitution import substitute_booking
from guitaronline.db import new_id, technical_transaction
from guitaronline.identity.service import edit_person
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson
from guitaronline.notifications import reminders, staff_mail
from guitaronline.notifications.models import Preference
from guitaronline.notifications.preferences import set_preferences
from jobs import notifications as job
from tests.notifications.telling import because, mail_to, readers, rows, words
from tests.world import World, as_actor

HOUR = timedelta(hours=1)
START = datetime(2026, 12, 2, 15, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def booking(world: World) -> Booking:
    """Booked a week before."""
    with clock.standing_at(START - timedelta(days=7)):
        world.package()
        return world.booking(world.slot(start_at=START))


def test_people_are_reminded_when_it_is_time(db: Session, booking: Booking) -> None:
    with clock.standing_at(START - 48 * HOUR):
        assert reminders.remind(48) == 1

    assert readers(db, "lesson_reminder") == ["Ann", "Tom"]
    assert {row.available_at for row in rows(db, "lesson_reminder")} == {START - 48 * HOUR}


def test_not_before(db: Session, booking: Booking) -> None:
    """Rows may be made ahead by the length of the night; they are due when they are due."""
    with clock.standing_at(START - 60 * HOUR):
        assert reminders.remind(48) == 0
    with clock.standing_at(START - 59 * HOUR):
        reminders.remind(48)

    assert {row.available_at for row in rows(db, "lesson_reminder")} == {START - 48 * HOUR}


def test_nobody_is_reminded_twice(db: Session, booking: Booking) -> None:
    with clock.standing_at(START - 47 * HOUR):
        assert (reminders.remind(48), reminders.remind(48)) == (1, 0)

    assert len(rows(db, "lesson_reminder")) == 2


def test_whoever_was_forgotten_while_the_job_stood_still_is_found(db: Session, booking: Booking) -> None:
    with clock.standing_at(START - 30 * HOUR):
        assert reminders.remind(48) == 1

    assert {row.available_at for row in rows(db, "lesson_reminder")} == {START - 30 * HOUR}


def test_where_the_nearer_one_is_due_already_one_is_enough(db: Session, booking: Booking) -> None:
    with clock.standing_at(START - HOUR):
        assert job.remind() == 1

    assert {row.facts["hours"] for row in rows(db, "lesson_reminder")} == {2}


def test_a_reminder_that_was_not_sent_gives_way_to_the_nearer_one(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(START - 48 * HOUR):
        reminders.remind(48)

    message = mail_to(db, world.ann, "lesson_reminder")
    assert because(db, message, now=START - 2 * HOUR + timedelta(seconds=1)) == "too_late"


def test_who_booked_after_the_moment_needs_no_reminder_of_it(world: World) -> None:
    with clock.standing_at(START - 40 * HOUR):
        world.package()
        world.booking(world.slot(start_at=START))

        assert (reminders.remind(48), reminders.remind(2)) == (0, 0)
    with clock.standing_at(START - 2 * HOUR):
        assert reminders.remind(2) == 1


def test_a_canceled_lesson_is_not_found(world: World, booking: Booking) -> None:
    with clock.standing_at(START - 60 * HOUR):
        cancel_booking(as_actor(world.ann), booking.id)
    with clock.standing_at(START - 48 * HOUR):
        assert reminders.remind(48) == 0


def test_a_substitute_is_reminded_too(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(START - 48 * HOUR):
        reminders.remind(48)
    with clock.standing_at(START - 47 * HOUR):
        substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")
        reminders.remind(48)

    assert readers(db, "lesson_reminder") == ["Ann", "Tina", "Tom"]


def test_it_says_until_when_canceling_is_free_and_where_the_lesson_is(
    db: Session, world: World, booking: Booking
) -> None:
    with clock.standing_at(START - 48 * HOUR):
        reminders.remind(48)

        text_48 = words(db, mail_to(db, world.ann, "lesson_reminder")).text

    assert "You can cancel free of charge until Tuesday, 1 December 2026, 15:00" in text_48


def test_when_it_is_too_late_to_cancel_free_it_says_so(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(START - 2 * HOUR):
        reminders.remind(2)

        text_2 = words(db, mail_to(db, world.ann, "lesson_reminder")).text

    assert "Less than 24 hours are left before the lesson: if it is canceled now, it counts as used." in text_2


def test_whoever_sleeps_when_it_is_due_hears_in_the_morning(db: Session, world: World) -> None:
    start = datetime(2026, 12, 2, 9, tzinfo=UTC)
    with clock.standing_at(start - timedelta(days=7)):
        world.package()
        world.booking(world.slot(start_at=start))
    with clock.standing_at(start - 2 * HOUR):  # 07:00
        reminders.remind(2)

    assert {row.available_at for row in rows(db, "lesson_reminder")} == {start - HOUR}


def test_before_a_lesson_in_the_night_one_hears_in_the_evening(db: Session, world: World) -> None:
    """07:30 in Berlin: 05:30 is too early to ring, and after 08:00 it is over."""
    start = datetime(2026, 12, 2, 6, 30, tzinfo=UTC)
    with clock.standing_at(start - timedelta(days=7)):
        edit_person(as_actor(world.ada), world.ann.id, changes={"timezone": "Europe/Berlin"})
        world.package()
        world.booking(world.slot(start_at=start))
    with clock.standing_at(datetime(2026, 12, 1, 19, tzinfo=UTC)):
        reminders.remind(2)

    assert mail_to(db, world.ann, "lesson_reminder").available_at == datetime(2026, 12, 1, 20, tzinfo=UTC)


def test_whoever_switched_reminders_off_gets_none_and_is_not_found_again(
    db: Session, world: World, booking: Booking
) -> None:
    set_preferences(as_actor(world.ann), world.ann.id, wanted={Preference.REMINDERS: False})
    set_preferences(as_actor(world.tom), world.tom.id, wanted={Preference.REMINDERS: False})
    with clock.standing_at(START - 48 * HOUR):
        assert (reminders.remind(48), reminders.remind(48)) == (1, 0)

    assert readers(db, "lesson_reminder") == []


def test_those_who_want_none_do_not_keep_others_waiting(db: Session, world: World, booking: Booking) -> None:
    """A batch that is full of them is over the next time."""
    set_preferences(as_actor(world.ann), world.ann.id, wanted={Preference.REMINDERS: False})
    with clock.standing_at(START - timedelta(days=6)):
        world.package(world.ben)
        world.booking(world.slot(start_at=START + 2 * HOUR), world.ben)
    with clock.standing_at(START - 46 * HOUR):
        assert (reminders.remind(48, limit=1), reminders.remind(48, limit=1)) == (1, 1)

    assert "Ben" in readers(db, "lesson_reminder")


def test_how_long_before_is_a_setting(world: World, booking: Booking) -> None:
    with policy.changed(REMINDER_HOURS="2,24,72"):
        assert reminders.reminder_hours() == [72, 24, 2]
    with policy.changed(REMINDER_HOURS="off"):
        assert reminders.reminder_hours() == []


STUDENTS = """
INSERT INTO users (id, email, email_key, full_name, timezone, role, is_active, created_at, updated_at)
SELECT gen_random_uuid(), 's' || n || '@people.example', 's' || n || '@people.example', 'Student ' || n, 'UTC', 'student', true, now(), now()
  FROM generate_series(1, %(number)s) n
"""
BOOKINGS = """
INSERT INTO bookings (id, slot_id, student_id, teacher_id, package_id, start_at, end_at, status, confirmed_at, policy, created_at, updated_at)
SELECT gen_random_uuid(), gen_random_uuid(), u.id, %(teacher)s, gen_random_uuid(), %(start)s, %(start)s + interval '1 hour', 'confirmed',
       %(start)s - interval '7 days', '{"refund_window_hours": 24}', now(), now()
  FROM users u WHERE u.full_name LIKE 'Student %%'
"""


@pytest.mark.breaks_invariants
def test_ten_thousand_due_at_once_are_all_planned(db: Session, world: World, owner: Connection) -> None:
    """Put into the database past its guards: only how many there are matters here."""
    facts = {"number": 10_000, "teacher": str(world.tom.id), "start": world.now + HOUR}
    with owner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(STUDENTS, facts)
        cursor.execute(BOOKINGS, facts)
        cursor.execute("SET session_replication_role = origin")

    assert job.remind() == 10_000

    told = text(
        "SELECT count(*), count(DISTINCT person_id) FROM messages WHERE kind = 'lesson_reminder' AND status = 'queued'"
    )
    assert db.execute(told).one() == (4 * 10_000, 10_001)


def test_a_teacher_is_asked_for_a_missing_outcome_once(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(START + 12 * HOUR + 59 * timedelta(minutes=1)):
        assert reminders.ask_for_outcomes() == 0
    with clock.standing_at(START + 13 * HOUR):
        assert (reminders.ask_for_outcomes(), reminders.ask_for_outcomes()) == (1, 0)

    assert readers(db, "outcome_missing") == ["Tom"]


def test_an_outcome_that_came_meanwhile_is_not_asked_for(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(START + 20 * HOUR):
        reminders.ask_for_outcomes()
        lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
        complete_lesson(as_actor(world.tom), lesson.id)

        assert because(db, mail_to(db, world.tom, "outcome_missing")) == "done"


def test_who_has_one_lesson_left_is_told_once(db: Session, world: World) -> None:
    package = world.package(lessons=5)
    assert reminders.warn_of_low_packages() == 0
    adjust_lessons(as_actor(world.ada), package.id, lessons=-4, reason="for the test")

    assert (reminders.warn_of_low_packages(), reminders.warn_of_low_packages()) == (1, 0)
    assert words(db, mail_to(db, world.ann, "package_low")).subject == "1 lesson left"


def test_of_a_single_lesson_nobody_runs_low(world: World) -> None:
    world.package(lessons=1)

    assert reminders.warn_of_low_packages() == 0


def test_admins_are_told_of_dead_letters_once_a_day(db: Session, world: World) -> None:
    world.package()
    assert world.ada
    with technical_transaction() as session:
        session.execute(
            text("UPDATE outbox_events SET status = 'dead', closed_at = now() WHERE topic = 'package.activated'")
        )

    assert (staff_mail.tell_staff(), staff_mail.tell_staff()) == (2, 0)
    assert readers(db, "dead_letters") == ["Ada"]
    assert words(db, mail_to(db, world.ada, "dead_letters")).subject == "1 message did not arrive"


def test_dead_letters_that_are_gone_are_not_told(db: Session, world: World) -> None:
    world.package()
    with technical_transaction() as session:
        session.execute(
            text("UPDATE outbox_events SET status = 'dead', closed_at = now() WHERE topic = 'package.activated'")
        )
    staff_mail.tell_staff()
    with technical_transaction() as session:
        session.execute(text("UPDATE outbox_events SET status = 'done' WHERE topic = 'package.activated'"))

    assert because(db, mail_to(db, world.ada, "dead_letters")) == "done"


def test_failed_checks_are_told_to_those_who_read_them(db: Session, world: World) -> None:
    assert {world.ada, world.finn, world.audrey, world.sue}
    with technical_transaction() as session:
        session.execute(
            text("INSERT INTO check_runs (id, at, seconds, findings) VALUES (:id, now(), 1, CAST(:found AS jsonb))"),
            {"id": new_id(), "found": '{"findings": [{"check": "I1", "facts": {}}], "ran": []}'},
        )

    staff_mail.tell_staff()

    assert readers(db, "failed_checks") == ["Ada", "Audrey", "Finn"]


def test_the_job_does_all_of_it(world: World, booking: Booking) -> None:
    with clock.standing_at(START - 2 * HOUR):
        assert job.remind() == 1
