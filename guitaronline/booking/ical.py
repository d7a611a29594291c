"""A feed as iCalendar (RFC 5545): what calendars on phones and desks read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import cast
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vText
from icalendar.parser import Contentline

from guitaronline.booking.feeds import Feed, FeedLesson

PRODUCER = "-//GuitarOnline//Lessons//EN"
AS_UTC, AS_LOCAL = "%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S"
A_DAY = timedelta(days=1)
LINE_BYTES = 75


def ical_of(feed: Feed) -> bytes:
    """The feed's text. The same facts give the same bytes."""
    zone = ZoneInfo(feed.timezone)
    head = [f"PRODID:{PRODUCER}", "VERSION:2.0", "METHOD:PUBLISH", "X-WR-CALNAME:Guitar lessons"]
    head += [f"X-WR-TIMEZONE:{zone.key}", "REFRESH-INTERVAL;VALUE=DURATION:PT1H"]
    events = [line for lesson in feed.lessons for line in _event(lesson, feed, zone)]
    zones = _timezone(zone, feed.first.date(), feed.last.date())
    return b"".join([_lines("BEGIN:VCALENDAR", *head), zones, _lines(*events, "END:VCALENDAR")])


def attachment_of(feed: Feed) -> bytes:
    """A few lessons as a file that a mail carries: no calendar of its own, nothing to ask for again."""
    zone = ZoneInfo(feed.timezone)
    events = [line for lesson in feed.lessons for line in _event(lesson, feed, zone)]
    head = _lines("BEGIN:VCALENDAR", f"PRODID:{PRODUCER}", "VERSION:2.0", "METHOD:PUBLISH")
    zones = _timezone(zone, feed.first.date(), feed.last.date())
    return b"".join([head, zones, _lines(*events, "END:VCALENDAR")])


def _lines(*lines: str) -> bytes:
    return b"".join(_folded(line) + b"\r\n" for line in lines)


def _folded(line: str) -> bytes:
    short = line.encode()
    return short if len(short) <= LINE_BYTES else bytes(Contentline(line).to_ical())  # type: ignore[no-untyped-call]


def _event(lesson: FeedLesson, feed: Feed, zone: ZoneInfo) -> Iterator[str]:
    """Line by line, as the library's components take twenty times as long: a teacher's feed has hundreds of lessons."""
    changed = lesson.changed_at.astimezone(UTC).strftime(AS_UTC)
    yield "BEGIN:VEVENT"
    yield f"UID:{lesson.booking_id}@guitaronline"
    yield f"SEQUENCE:{lesson.sequence}"
    yield f"DTSTAMP:{changed}"  # of what is published: when it last changed
    yield f"LAST-MODIFIED:{changed}"
    yield f"DTSTART{_written(lesson.start_at, zone)}"
    yield f"DTEND{_written(lesson.end_at, zone)}"
    yield f"SUMMARY:{_text(title_of(lesson, feed))}"
    yield f"STATUS:{'CANCELLED' if lesson.is_canceled else 'CONFIRMED'}"
    yield f"TRANSP:{'TRANSPARENT' if lesson.is_canceled else 'OPAQUE'}"
    if lesson.join_url and not lesson.is_canceled:
        yield f"LOCATION:{_text(lesson.join_url)}"
        yield f"URL:{_one_line(lesson.join_url)}"
    yield "END:VEVENT"


def _text(words: str) -> str:
    return vText(_one_line(words)).to_ical().decode()


def _one_line(words: str) -> str:
    """A line break would begin a line of its own."""
    return " ".join(words.split())


def title_of(lesson: FeedLesson, feed: Feed) -> str:
    """The other person's name; for who stands for a child also whose lesson it is."""
    if lesson.teacher_id == feed.person_id:
        return f"Guitar lesson: {lesson.student_name}"
    if lesson.student_id == feed.person_id:
        return f"Guitar lesson with {lesson.teacher_name}"
    return f"{lesson.student_name}: guitar lesson with {lesson.teacher_name}"


def _written(moment: datetime, zone: ZoneInfo) -> str:
    """On the person's clock; in UTC where that clock shows the same time twice, for only the first can be written so."""
    local = moment.astimezone(zone)
    return f":{moment.astimezone(UTC):{AS_UTC}}" if local.fold else f";TZID={zone.key}:{local:{AS_LOCAL}}"


@lru_cache(maxsize=256)
def _timezone(zone: ZoneInfo, first_day: date, last_day: date) -> bytes:
    """The zone's offsets over these days, each change by itself: no rule is guessed that might not hold next year.

    `DTSTART` is what the clock shows by the offset before the change, as RFC 5545 asks; `Timezone.from_tzinfo` of the
    library writes another time there, by which strict readers put lessons of that hour in spring an hour off."""
    made = Timezone()
    made.add("TZID", zone.key)
    begin, end = (datetime.combine(day, time(), UTC) for day in (first_day - 2 * A_DAY, last_day + 2 * A_DAY))
    made.add_component(_observance(zone, begin, begin))
    for change in _changes(zone, begin, end):
        made.add_component(_observance(zone, change - timedelta(seconds=1), change))
    return bytes(made.to_ical())


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
        following = moment + A_DAY
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
