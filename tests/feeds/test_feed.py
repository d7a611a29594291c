"""A calendar feed says what the school knows, in words that two independent readers understand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import icalendar
import pytest
import vobject
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.booking import feeds, ical
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.identity.models import User
from guitaronline.identity.service import add_guardian, deactivate_person, edit_person
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import set_join_url
from tests.world import World, as_actor

BEFORE_SPRING = datetime(2027, 3, 20, 9, tzinfo=UTC)
BEFORE_AUTUMN = datetime(2026, 10, 17, 9, tzinfo=UTC)


def text_for(db: Session, person: User) -> bytes:
    """What the person's calendar gets, at the test's moment."""
    url = feeds.new_feed(as_actor(person))
    db.rollback()
    return ical.ical_of(feeds.read_feed(db, secret_in(url), clock.read(db)))


def secret_in(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".ics")


def read(text: bytes) -> dict[str, Any]:
    """By icalendar: UID → event."""
    return {str(each["UID"]): each for each in icalendar.Calendar.from_ical(text).walk("VEVENT")}


def read_in_utc(text: bytes) -> list[tuple[datetime, datetime]]:
    """By icalendar, in the order of the file."""
    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    return [(each.start.astimezone(UTC), each.end.astimezone(UTC)) for each in events]


def read_anew(text: bytes) -> dict[str, tuple[datetime, datetime, str]]:
    """By vobject, whose zones are those that the file itself describes: UID → start and end in UTC, summary."""
    vars(vobject.icalendar)["__tzidMap"].clear()  # it would go on with zones of an earlier file
    calendar = vobject.readOne(text.decode())
    return {
        each.uid.value: (each.dtstart.value.astimezone(UTC), each.dtend.value.astimezone(UTC), each.summary.value)
        for each in calendar.vevent_list
    }


def uid(booking: Any) -> str:
    return f"{booking.id}@guitaronline"


def test_a_lesson_stands_in_the_students_and_the_teachers_calendar(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    lesson = db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
    set_join_url(as_actor(world.ada), lesson.id, join_url="https://meet.example/tom")

    seen, taught = read(text_for(db, world.ann))[uid(booking)], read(text_for(db, world.tom))[uid(booking)]

    assert (str(seen["SUMMARY"]), str(taught["SUMMARY"])) == ("Guitar lesson with Tom", "Guitar lesson: Ann")
    assert (seen.start, seen.end) == (booking.start_at, booking.end_at)
    assert (str(seen["URL"]), str(seen["LOCATION"])) == ("https://meet.example/tom", "https://meet.example/tom")
    assert (str(seen["STATUS"]), seen["SEQUENCE"]) == ("CONFIRMED", booking.revision)
    assert seen["LAST-MODIFIED"].dt == seen["DTSTAMP"].dt
    assert read(text_for(db, world.ben)) == {}


def test_a_canceled_lesson_keeps_its_uid_and_says_so(db: Session, world: World) -> None:
    world.package()
    booking = world.booking()
    before = read(text_for(db, world.ann))[uid(booking)]
    cancel_booking(as_actor(world.ann), booking.id, reason="ill")

    after = read(text_for(db, world.ann))[uid(booking)]

    assert (str(before["STATUS"]), str(after["STATUS"])) == ("CONFIRMED", "CANCELLED")
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after["LAST-MODIFIED"].dt >= before["LAST-MODIFIED"].dt
    assert "URL" not in after


def test_a_moved_lesson_is_canceled_there_and_stands_here(db: Session, world: World) -> None:
    world.package()
    old = world.booking()
    new = reschedule_booking(as_actor(world.ann), old.id, new_slot_id=world.slot(hours=90).id, reason="a party")

    events = read(text_for(db, world.ann))

    assert {key: str(each["STATUS"]) for key, each in events.items()} == {uid(old): "CANCELLED", uid(new): "CONFIRMED"}


def test_holds_are_no_lessons_whatever_becomes_of_them(db: Session, world: World) -> None:
    world.package()
    held = world.hold()
    assert read(text_for(db, world.ann)) == {}

    cancel_booking(as_actor(world.ann), held.id)

    assert read(text_for(db, world.ann)) == {}


def test_who_stands_for_a_child_sees_whose_lesson_it_is(db: Session, world: World) -> None:
    mia = world.person("Mia", Role.STUDENT, email=None)
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.ben.id)
    world.package(mia)
    booking = world.booking(world.slot(), mia)

    [event] = read(text_for(db, world.ben)).values()

    assert (str(event["UID"]), str(event["SUMMARY"])) == (uid(booking), "Mia: guitar lesson with Tom")


def test_it_reaches_90_days_back_and_a_year_ahead(db: Session, world: World) -> None:
    world.package()
    now = world.now
    with clock.standing_at(now - timedelta(days=100)):
        gone = world.booking(world.slot(start_at=now - timedelta(days=91)))
        kept = world.booking(world.slot(start_at=now - timedelta(days=89)))

    with clock.standing_at(now):
        events = read(text_for(db, world.ann))

    assert set(events) == {uid(kept)}
    assert uid(gone) not in events


@pytest.mark.parametrize(
    ("now", "zone", "locals_"),
    [
        (BEFORE_SPRING, "Europe/Berlin", ["2027-03-27 15:00", "2027-03-28 01:00", "2027-03-28 03:00", "2027-03-28 03:59", "2027-03-29 15:00"]),
        (BEFORE_AUTUMN, "Europe/Berlin", ["2026-10-24 15:00", "2026-10-25 01:30", "2026-10-25 03:00", "2026-10-26 15:00"]),
        (BEFORE_SPRING, "Australia/Lord_Howe", ["2027-04-03 15:00", "2027-04-04 01:00", "2027-04-04 02:15", "2027-04-05 15:00"]),
        (datetime(2026, 9, 25, tzinfo=UTC), "Australia/Lord_Howe", ["2026-10-04 01:30", "2026-10-04 02:30", "2026-10-05 15:00"]),
        (BEFORE_SPRING, "Asia/Kathmandu", ["2027-03-27 15:00", "2027-04-27 15:00"]),
        (BEFORE_SPRING, "UTC", ["2027-03-28 02:30"]),
    ],
)  # fmt: skip
def test_both_readers_see_the_right_moment_on_either_side_of_a_clock_change(
    db: Session, world: World, now: datetime, zone: str, locals_: list[str]
) -> None:
    starts = [datetime.fromisoformat(each).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for each in locals_]
    facts = [_lesson(world, start, number) for number, start in enumerate(starts)]
    feed = feeds.Feed(world.ann.id, "Ann", zone, now - feeds.BACK, now + feeds.AHEAD, facts)

    text = ical.ical_of(feed)

    wanted = [(start, start + timedelta(minutes=45)) for start in starts]
    assert read_in_utc(text) == wanted
    assert [each[:2] for each in read_anew(text).values()] == wanted
    assert f"TZID={zone}:{locals_[0].replace('-', '').replace(' ', 'T').replace(':', '')}00".encode() in text or (
        zone == "UTC"
    )


def test_an_hour_that_the_clock_shows_twice_is_told_apart(db: Session, world: World) -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, for the first time
    second = first + timedelta(hours=1)
    feed = feeds.Feed(
        world.ann.id, "Ann", "Europe/Berlin", BEFORE_AUTUMN - feeds.BACK, BEFORE_AUTUMN + feeds.AHEAD,
        [_lesson(world, first, 0), _lesson(world, second, 1)],
    )  # fmt: skip

    text = ical.ical_of(feed)

    assert [start for start, _ in read_in_utc(text)] == [first, second]
    assert [start for start, _, _ in read_anew(text).values()] == [first, second]


def test_lines_are_folded_and_end_as_they_must(db: Session, world: World) -> None:
    edit_person(as_actor(world.ada), world.ann.id, changes={"full_name": "Ännchen; von, der " + "Tharau " * 20})
    world.package()
    world.booking()

    text = text_for(db, world.tom)

    lines = text.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(len(line) for line in lines) <= 75
    [[_, _, summary]] = read_anew(text).values()
    assert summary.startswith("Guitar lesson: Ännchen; von, der Tharau")


def test_the_same_facts_have_the_same_tag_and_another_zone_another(db: Session, world: World) -> None:
    world.package()
    world.booking()
    secret = secret_in(feeds.new_feed(as_actor(world.ann)))
    now = world.now

    tags = [feeds.read_feed(db, secret, now).tag, feeds.read_feed(db, secret, now).tag]
    edit_person(as_actor(world.ann), world.ann.id, changes={"timezone": "America/New_York"})
    db.rollback()
    moved = feeds.read_feed(db, secret, now).tag

    assert tags[0] == tags[1] != moved


def test_somebody_deactivated_has_no_feed(db: Session, world: World) -> None:
    secret = secret_in(feeds.new_feed(as_actor(world.ann)))
    deactivate_person(as_actor(world.ada), world.ann.id, reason="moved away")

    with pytest.raises(feeds.NotFound):
        feeds.read_feed(db, secret, world.now)


def _lesson(world: World, start: datetime, number: int) -> feeds.FeedLesson:
    return feeds.FeedLesson(
        UUID(int=number), start, start + timedelta(minutes=45), False, 1, start,
        world.ann.id, "Ann", world.tom.id, "Tom", None,
    )  # fmt: skip


def test_a_line_break_in_a_name_or_link_begins_no_line(world: World) -> None:
    start = BEFORE_SPRING
    bad = feeds.FeedLesson(
        UUID(int=1), start, start + timedelta(hours=1), False, 1, start, world.ann.id, "Ann\r\nX-EVIL:1", world.tom.id,
        "Tom", "https://meet.example/\nX-EVIL:2",
    )  # fmt: skip
    feed = feeds.Feed(world.tom.id, "Tom", "UTC", start - feeds.BACK, start + feeds.AHEAD, [bad])

    text = ical.ical_of(feed)

    assert b"\r\nX-EVIL" not in text
    assert len(read(text)) == 1
