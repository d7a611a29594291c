"""A feed as iCalendar (RFC 5545): what calendars on phones and desks read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import cast
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, vText

from guitaronline.booking.feeds import Feed, FeedLesson

PRODUCER = "-//GuitarOnline//Lessons//EN"
ASK_AGAIN = timedelta(hours=1)
HOUR = timedelta(hours=1)


def ical_of(feed: Feed) -> bytes:
    """The feed's text. The same facts give the same bytes."""
    zone = ZoneInfo(feed.timezone)
    calendar = Calendar()
    calendar.add("PRODID", PRODUCER)
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", "Guitar lessons")
    calendar.add("X-WR-TIMEZONE", feed.timezone)
    calendar.add("REFRESH-INTERVAL", ASK_AGAIN, {"VALUE": "DURATION"})
    calendar.add_component(_timezone(zone, _hour(feed.first), _hour(feed.last)))
    for lesson in feed.lessons:
        calendar.add_component(_event(lesson, feed, zone))
    return cast(bytes, calendar.to_ical())


def _event(lesson: FeedLesson, feed: Feed, zone: ZoneInfo) -> Event:
    event = Event()
    event.add("UID", f"{lesson.booking_id}@guitaronline")
    event.add("SEQUENCE", lesson.sequence)
    event.add("DTSTAMP", lesson.changed_at)  # of what is published: when it last changed
    event.add("LAST-MODIFIED", lesson.changed_at)
    event.add("DTSTART", _written(lesson.start_at, zone))
    event.add("DTEND", _written(lesson.end_at, zone))
    event.add("SUMMARY", title_of(lesson, feed))
    event.add("STATUS", "CANCELLED" if lesson.is_canceled else "CONFIRMED")
    event.add("TRANSP", "TRANSPARENT" if lesson.is_canceled else "OPAQUE")
    if lesson.join_url and not lesson.is_canceled:
        event.add("LOCATION", vText(lesson.join_url))
        event.add("URL", lesson.join_url)
    return event


def title_of(lesson: FeedLesson, feed: Feed) -> str:
    """The other person's name; for who stands for a child also whose lesson it is."""
    if lesson.teacher_id == feed.person_id:
        return f"Guitar lesson: {lesson.student_name}"
    if lesson.student_id == feed.person_id:
        return f"Guitar lesson with {lesson.teacher_name}"
    return f"{lesson.student_name}: guitar lesson with {lesson.teacher_name}"


def _written(moment: datetime, zone: ZoneInfo) -> datetime:
    """On the person's clock; in UTC where that clock shows the same time twice, for only the first can be written so."""
    local = moment.astimezone(zone)
    return moment.astimezone(UTC) if local.fold else local


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


@lru_cache(maxsize=256)
def _timezone(zone: ZoneInfo, first: datetime, last: datetime) -> Timezone:
    """The zone's offsets over these days, each change by itself: no rule is guessed that might not hold next year.

    `DTSTART` is what the clock shows by the offset before the change, as RFC 5545 asks; `Timezone.from_tzinfo` of the
    library writes it by the offset after it, which puts lessons of that hour in spring an hour off."""
    made = Timezone()
    made.add("TZID", zone.key)
    begin = first - timedelta(days=2)
    made.add_component(_observance(zone, begin, begin))
    for change in _changes(zone, begin, last + timedelta(days=2)):
        made.add_component(_observance(zone, change - timedelta(seconds=1), change))
    return made


def _observance(zone: ZoneInfo, before: datetime, since: datetime) -> TimezoneStandard | TimezoneDaylight:
    old, new = before.astimezone(zone), since.astimezone(zone)
    made = TimezoneDaylight() if new.dst() else TimezoneStandard()
    offset_from = cast(timedelta, old.utcoffset())
    made.add("DTSTART", (since.astimezone(UTC) + offset_from).replace(tzinfo=None))
    made.add("TZOFFSETFROM", offset_from)
    made.add("TZOFFSETTO", cast(timedelta, new.utcoffset()))
    made.add("TZNAME", new.tzname() or zone.key)
    return made


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """The moments within at which the zone's offset changes."""
    moment = first
    while moment < last:
        following = moment + timedelta(days=1)
        if _offset(moment, zone) != _offset(following, zone):
            yield _change_between(zone, moment, following)
        moment = following


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if _offset(middle, zone) == _offset(before, zone) else (before, middle)
    return after


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()
