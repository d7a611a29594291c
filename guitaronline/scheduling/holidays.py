"""A calendar file (.ics) of public holidays, read: the whole days on which nobody works, and what could not be used and why.

Only whole days count. What comes back every year on the same day is told for the next two years."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from icalendar import Calendar
from icalendar.prop import vDDDLists, vDDDTypes, vRecur, vText

from guitaronline.errors import Invalid

FILE_BYTES_MAX = 1_000_000
EVENTS_MAX = 500
UID_LENGTH = 255
YEARS_AHEAD = 2
DAY = timedelta(days=1)
RULE_READ = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY"}


class CalendarUnreadable(Invalid):
    detail = "This is not a calendar file (.ics)."


@dataclass(frozen=True)
class Holiday:
    """Whole days, both included. `uid` is the event's own, of a yearly one with the day, so that it is known again."""

    uid: str
    name: str
    first_day: date
    last_day: date


@dataclass(frozen=True)
class Unusable:
    name: str
    why: str


@dataclass(frozen=True)
class Found:
    holidays: list[Holiday]
    unusable: list[Unusable]


class _Odd(Exception):
    """Why an event cannot be used."""


def read_calendar(content: bytes, *, today: date) -> Found:
    """What the file holds, in its order. Raises CalendarUnreadable when it is no calendar, or too large."""
    found = Found([], [])
    seen: set[str] = set()
    for event in _events(content):
        name = _text(event, "SUMMARY")[:200] or "an event without a name"
        try:
            holidays = _new(list(_holidays(event, today)), seen)
        except _Odd as odd:
            found.unusable.append(Unusable(name if name.isprintable() else "an event with an odd name", str(odd)))
            continue
        seen |= {each.uid for each in holidays}
        found.holidays.extend(holidays)
    if len(found.holidays) > EVENTS_MAX:
        raise CalendarUnreadable(f"It has more than {EVENTS_MAX} holidays. Divide the file.")
    return found


def _new(holidays: list[Holiday], seen: set[str]) -> list[Holiday]:
    if seen & {each.uid for each in holidays}:
        raise _Odd("Its UID stands twice in the file.")
    return holidays


def _events(content: bytes) -> list[Any]:
    if len(content) > FILE_BYTES_MAX:
        raise CalendarUnreadable("The file is larger than 1 MB.")
    try:
        text = content.decode("utf-8-sig")
        if text.upper().count("BEGIN:VEVENT") > 4 * EVENTS_MAX:  # before it is read, which takes a while
            raise CalendarUnreadable(f"It has more than {EVENTS_MAX} holidays. Divide the file.")
        calendar = Calendar.from_ical(text)
    except UnicodeDecodeError:
        raise CalendarUnreadable("The file is not in UTF-8.") from None
    except ValueError:  # what the library raises for anything that is not iCalendar
        raise CalendarUnreadable() from None
    if not isinstance(calendar, Calendar):
        raise CalendarUnreadable()
    return list(calendar.walk("VEVENT"))


def _holidays(event: Any, today: date) -> Iterator[Holiday]:
    uid, name = _text(event, "UID"), _text(event, "SUMMARY")
    if not 0 < len(uid) <= UID_LENGTH - len("#2027-01-01") or not uid.isprintable():
        raise _Odd("It has no UID by which it would be known again.")
    if not 0 < len(name) <= 200 or not name.isprintable():
        raise _Odd("It has no name of 1 to 200 plain characters.")
    if _text(event, "STATUS").upper() == "CANCELLED":
        raise _Odd("It is canceled in the calendar.")
    if "RECURRENCE-ID" in event or "RDATE" in event:
        raise _Odd("It changes single days of another event; that is not read here.")
    first, length = _days(event)
    if "RRULE" not in event:
        if first + length < today:
            raise _Odd("It is over.")
        yield Holiday(uid, name, first, first + length)
        return
    starts = [day for day in _yearly(event, first, today) if day + length >= today]
    if not starts:
        raise _Odd(f"It does not come again within {YEARS_AHEAD} years.")
    yield from (Holiday(f"{uid}#{day.isoformat()}", name, day, day + length) for day in starts)


def _days(event: Any) -> tuple[date, timedelta]:
    """The first day, and how much later the last one is. DTEND is the day after the last."""
    first = _day(event, "DTSTART")
    if "DTEND" in event:
        length = _day(event, "DTEND") - first - DAY
    elif "DURATION" in event:
        duration = _value(event, "DURATION", vDDDTypes).dt
        if not isinstance(duration, timedelta) or duration % DAY:
            raise _Odd("It does not last whole days.")
        length = duration - DAY
    else:
        length = timedelta()
    if length == -DAY:  # some programs write a single day so
        length = timedelta()
    if length < timedelta():
        raise _Odd("It ends before it starts.")
    if length > 366 * DAY or first.year > 9000:
        raise _Odd("Its days are too many or too far away.")
    return first, length


def _yearly(event: Any, first: date, today: date) -> Iterator[date]:
    """The first days of a yearly event up to two years ahead."""
    rule = _value(event, "RRULE", vRecur)
    interval, count = _number(rule, "INTERVAL", 1), _number(rule, "COUNT", 10_000)
    same_day = rule.get("BYMONTH", [first.month]) == [first.month] and rule.get("BYMONTHDAY", [first.day]) == [
        first.day
    ]
    if rule.get("FREQ") != ["YEARLY"] or set(rule) - RULE_READ or not same_day or interval < 1:
        raise _Odd("It repeats in a way that is not read here: only once a year on the same day is.")
    until = min([_as_day(each) for each in rule.get("UNTIL", [])], default=date.max)
    away = _excluded(event)
    for year in range(first.year, today.year + YEARS_AHEAD + 1, interval):
        day = _in_year(first, year)
        if day is None:
            continue
        if day > until or count == 0 or day > _in_two_years(today):
            return
        count -= 1
        if day not in away:
            yield day


def _in_year(day: date, year: int) -> date | None:
    """The same day in that year; None for 29 February of a year without one."""
    is_leap_day = (day.month, day.day) == (2, 29)
    return None if is_leap_day and not _is_leap(year) else day.replace(year=year)


def _in_two_years(today: date) -> date:
    return _in_year(today, today.year + YEARS_AHEAD) or date(today.year + YEARS_AHEAD, 3, 1)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _excluded(event: Any) -> set[date]:
    given = event.get("EXDATE", [])
    lists = given if isinstance(given, list) else [given]
    if not all(isinstance(each, vDDDLists) for each in lists):
        raise _Odd("Its EXDATE cannot be read.")
    return {_as_day(day.dt) for each in lists for day in each.dts}


def _number(rule: Any, name: str, usual: int) -> int:
    given = rule.get(name, [usual])
    return int(given[0]) if len(given) == 1 else 0


def _as_day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


def _day(event: Any, name: str) -> date:
    value = _value(event, name, vDDDTypes).dt
    if isinstance(value, datetime) or not isinstance(value, date):
        raise _Odd("It is at a time of day; a closure is whole days.")
    return value


def _value(event: Any, name: str, kind: type[Any]) -> Any:
    """Properties that stand there twice or cannot be read are of another type."""
    found = event.get(name)
    if not isinstance(found, kind):
        raise _Odd(f"Its {name} is missing, cannot be read, or stands there twice.")
    return found


def _text(event: Any, name: str) -> str:
    found = event.get(name)
    return " ".join(str(found).split()) if isinstance(found, vText) else ""
