"""What people read: in their language, in their zone, with what was decided in words, and nothing that breaks a mail."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from icalendar import Calendar
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import Role
from guitaronline.booking.models import Booking
from guitaronline.booking.series import Wanted, create_series
from guitaronline.booking.series_canceling import cancel_series
from guitaronline.booking.series_rules import Term
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.booking.substitution import substitute_booking
from guitaronline.db import new_id, technical_transaction
from guitaronline.errors import NotFound
from guitaronline.identity.models import User
from guitaronline.identity.service import add_guardian, edit_person
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import set_join_url
from guitaronline.notifications import planning, rendering
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Message
from tests.notifications.telling import forget, mail_to, rows, tell_all, told, words
from tests.world import World, as_actor

MONDAY = datetime(2026, 11, 30, 14, tzinfo=UTC)  # 15:00 in Berlin


@pytest.fixture
def booking(db: Session, world: World) -> Booking:
    """Ann's lesson with Tom on Monday at 15:00 in Berlin."""
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        world.package(expires_at=datetime(2027, 5, 1, tzinfo=UTC))
        forget(db)
        return world.booking(world.slot(start_at=MONDAY))


def change(world: World, person: User, **changes: str) -> None:
    edit_person(as_actor(world.ada), person.id, changes=dict(changes))


def test_times_are_in_the_readers_zone_which_is_named(db: Session, world: World, booking: Booking) -> None:
    change(world, world.ann, timezone="America/New_York")
    change(world, world.tom, timezone="Europe/Berlin")
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        tell_all(db)

        ann, tom = (words(db, mail_to(db, each, "booking_confirmed")) for each in (world.ann, world.tom))

    assert "When: Monday, 30 November 2026, 09:00 (Eastern Standard Time)" in ann.text
    assert "When: Monday, 30 November 2026, 15:00 (Central European Standard Time)" in tom.text


def test_until_when_canceling_is_free_comes_from_the_bookings_own_terms(
    db: Session, world: World, booking: Booking
) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)), policy.changed(BOOKING_REFUND_WINDOW_HOURS=72):
        tell_all(db)

        text = words(db, mail_to(db, world.ann, "booking_confirmed")).text

    assert "You can cancel free of charge until Sunday, 29 November 2026, 14:00" in text


def test_a_teacher_reads_nothing_of_packages(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        tell_all(db)

        text = words(db, mail_to(db, world.tom, "booking_confirmed")).text

    assert "Lesson with Ann" in text
    assert "free of charge" not in text


def test_a_guardian_reads_whose_lesson_it_is(db: Session, world: World) -> None:
    mia = world.person("Mia", Role.STUDENT, email=None)
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.ben.id)
    world.package(mia)
    world.booking(student=mia)
    tell_all(db)

    text = words(db, mail_to(db, world.ben, "booking_confirmed")).text

    assert text.startswith("Hello Ben,")
    assert "Lesson of Mia with Tom" in text


def test_german_readers_read_german(db: Session, world: World, booking: Booking) -> None:
    change(world, world.ann, language="Deutsch", timezone="Europe/Berlin")
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        tell_all(db)

        mail = words(db, mail_to(db, world.ann, "booking_confirmed"))

    assert mail.language == "de"
    assert mail.subject == "Unterricht gebucht: Mo., 30. Nov. 2026, 15:00 (Berlin)"
    assert "Kostenlos absagen kannst du bis Sonntag, 29. November 2026, 15:00" in mail.text
    assert '<html lang="de">' in (mail.html or "")


def test_a_cancellation_in_time_says_that_the_lesson_is_back(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 13, tzinfo=UTC)):
        cancel_booking(as_actor(world.ann), booking.id)
        tell_all(db)

        text = words(db, mail_to(db, world.ann, "booking_canceled")).text

    assert "It was canceled by the student." in text
    assert "The lesson is back in package PKG-" in text
    assert "which is valid until 1 May 2027." in text


def test_a_late_cancellation_says_that_the_lesson_counts_as_used(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(MONDAY - timedelta(hours=3)):
        cancel_booking(as_actor(world.ann), booking.id)
        tell_all(db)

        ann, tom = (words(db, mail_to(db, each, "booking_canceled")).text for each in (world.ann, world.tom))

    assert "less than 24 hours before the start, so the lesson counts as used." in ann
    assert "counts as used" not in tom


def test_a_move_says_where_it_was_and_where_it_is(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 13, tzinfo=UTC)):
        target = world.slot(start_at=MONDAY + timedelta(days=1))
        reschedule_booking(as_actor(world.ann), booking.id, new_slot_id=target.id)
        tell_all(db)

        mail = words(db, mail_to(db, world.ann, "booking_moved"))

    assert "Before: Monday, 30 November 2026, 14:00 (Coordinated Universal Time)" in mail.text
    assert "Now: Tuesday, 1 December 2026, 14:00 (Coordinated Universal Time)" in mail.text


def test_a_moved_lesson_is_off_and_on_in_the_calendar(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 13, tzinfo=UTC)):
        target = world.slot(start_at=MONDAY + timedelta(days=1))
        new = reschedule_booking(as_actor(world.ann), booking.id, new_slot_id=target.id)
        tell_all(db)
        calendar = words(db, mail_to(db, world.ann, "booking_moved")).calendar

    events = {str(each["UID"]): str(each["STATUS"]) for each in Calendar.from_ical(calendar or "").walk("VEVENT")}
    assert events == {f"{booking.id}@guitaronline": "CANCELLED", f"{new.id}@guitaronline": "CONFIRMED"}


def test_the_calendar_file_has_the_readers_zone_and_the_link(db: Session, world: World, booking: Booking) -> None:
    change(world, world.ann, timezone="Europe/Berlin")
    lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
    with clock.standing_at(datetime(2026, 11, 23, 13, tzinfo=UTC)):
        set_join_url(as_actor(world.tom), lesson.id, join_url="https://meet.example/tom")
        tell_all(db)
        mail = words(db, mail_to(db, world.ann, "booking_confirmed"))

    [event] = Calendar.from_ical(mail.calendar or "").walk("VEVENT")
    assert event["DTSTART"].params["TZID"] == "Europe/Berlin"
    assert (str(event["URL"]), str(event["SUMMARY"])) == ("https://meet.example/tom", "Guitar lesson with Tom")
    assert "Join here: https://meet.example/tom" in mail.text
    assert '<a href="https://meet.example/tom"' in (mail.html or "")


def test_for_who_gave_the_lesson_away_it_is_off_in_the_calendar(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 13, tzinfo=UTC)):
        substitute_booking(as_actor(world.ada), booking.id, teacher_id=world.tina.id, reason="ill")
        tell_all(db)
        calendar = words(db, mail_to(db, world.tom, "lesson_given_away")).calendar

    [event] = Calendar.from_ical(calendar or "").walk("VEVENT")
    assert str(event["STATUS"]) == "CANCELLED"


def test_a_series_is_one_message_with_all_its_lessons(db: Session, world: World) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        world.package(lessons=4)
        forget(db)
        term = Term(datetime(2026, 11, 30, tzinfo=UTC).date(), time(15), 60, count=3)
        create_series(as_actor(world.ada), wanted=Wanted(world.ann.id, world.tom.id, term), reason="weekly")
        tell_all(db)

        assert told(db) == [("series_booked", "Ann"), ("series_booked", "Tom")]
        mail = words(db, mail_to(db, world.ann, "series_booked"))

    assert mail.subject == "3 weekly lessons booked"
    assert "- Mon, 14 Dec 2026, 15:00 (UTC)" in mail.text
    assert len(Calendar.from_ical(mail.calendar or "").walk("VEVENT")) == 3


def test_a_canceled_series_is_one_message_with_what_became_of_each_lesson(db: Session, world: World) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 12, tzinfo=UTC)):
        world.package(lessons=4)
        term = Term(datetime(2026, 11, 30, tzinfo=UTC).date(), time(15), 60, count=3)
        made = create_series(as_actor(world.ada), wanted=Wanted(world.ann.id, world.tom.id, term), reason="weekly")
        forget(db)
    with clock.standing_at(datetime(2026, 11, 24, 12, tzinfo=UTC)):
        cancel_series(as_actor(world.ada), made.series.id, reason="moved away")
        tell_all(db)

        assert told(db) == [("series_canceled", "Ann"), ("series_canceled", "Tom")]
        mail = words(db, mail_to(db, world.ann, "series_canceled"))

    assert mail.subject == "3 weekly lessons canceled"
    assert mail.text.count("The lesson is back in package") == 3


@pytest.mark.parametrize(
    "name",
    ["Ann\r\nBcc: everybody@people.example", "A" * 200, "<script>alert(1)</script>", "{{ 7 * 7 }} {% raw %}", "Änn 🎸"],
)
def test_whatever_somebody_is_called_the_mail_stays_whole(
    db: Session, world: World, booking: Booking, name: str
) -> None:
    with technical_transaction() as session:
        person = session.get(User, world.ann.id)
        assert person is not None
        session.expunge(person)
        person.full_name = name
    message = Message(
        kind="from_staff", person_id=person.id, record_type="users", record_id=person.id,
        facts={"subject": "About {name}", "text": "Hello {name}"},
    )  # fmt: skip

    mail = rendering.render(db, message, person, world.now)

    assert isinstance(mail, rendering.Rendered)
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject
    assert len(mail.subject) <= rendering.SUBJECT_LENGTH
    assert "<script>" not in (mail.html or "")
    assert "49" not in mail.subject


def test_a_letter_has_no_second_greeting(db: Session, world: World) -> None:
    message = Message(
        kind="from_staff", person_id=world.ann.id, record_type="users", record_id=world.ann.id,
        facts={"subject": "Hello", "text": "Dear {name},\n\nplease call us.\n\nYour school", "is_news": True},
    )  # fmt: skip

    mail = rendering.render(db, message, world.ann, world.now)

    assert isinstance(mail, rendering.Rendered)
    assert mail.text.startswith("Dear Ann,\n\nplease call us.")
    assert "Hello Ann" not in mail.text
    assert mail.unsubscribe_url is not None


def test_what_cannot_be_switched_off_has_no_link_for_it(db: Session, world: World, booking: Booking) -> None:
    with clock.standing_at(datetime(2026, 11, 23, 13, tzinfo=UTC)):
        tell_all(db)

        assert words(db, mail_to(db, world.ann, "booking_confirmed")).unsubscribe_url is None


def test_every_kind_about_a_booking_can_be_previewed_in_every_language(
    db: Session, world: World, booking: Booking
) -> None:
    names = [name for name in KINDS if rendering.record_type_of(name) == "bookings"]

    made = {
        (name, language): rendering.preview(db, name, booking.id, world.ann, language)
        for name in names
        for language in ("en", "de")
    }

    assert len(made) == 2 * len(names) >= 18
    assert all(mail.subject and mail.text and mail.html for mail in made.values())


def test_a_preview_of_what_is_not_there_is_refused(db: Session, world: World) -> None:
    with pytest.raises(NotFound):
        rendering.preview(db, "booking_confirmed", new_id(), world.ann, "en")


def test_a_preview_is_kept_nowhere(db: Session, world: World, booking: Booking) -> None:
    rendering.preview(db, "booking_confirmed", booking.id, world.ann, "en")
    db.commit()

    assert rows(db, channel=None) == []


def test_a_test_of_a_template_comes_in_the_language_asked_for(db: Session, world: World, booking: Booking) -> None:
    with technical_transaction() as session:
        planning.queue(
            session, "template_test", event_id=new_id(), person_ids=[world.ada.id], record_type="bookings",
            record_id=booking.id, facts={"template": "booking_confirmed", "language": "de"}, happened_at=world.now,
        )  # fmt: skip

    assert words(db, mail_to(db, world.ada, "template_test")).subject.startswith("Unterricht gebucht")


def test_a_kind_without_a_template_fails_alone(
    db: Session, world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivery counts it as that message's failure; the next one is rendered as ever."""
    from jinja2 import TemplateNotFound

    monkeypatch.setitem(KINDS, "broken", KINDS["from_staff"].__class__("broken", None, ()))
    message = Message(kind="broken", person_id=world.ann.id, record_type="users", record_id=world.ann.id, facts={})

    with pytest.raises(TemplateNotFound):
        rendering.render(db, message, world.ann, world.now)

    assert rendering.preview(db, "booking_confirmed", booking.id, world.ann, "en").subject
