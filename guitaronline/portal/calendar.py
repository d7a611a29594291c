"""The teacher's week: seven columns on a desk, one day at a time on a phone; every time leads to where it can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import flask
from flask.typing import ResponseReturnValue

from guitaronline.booking.calendar import Stretch, TimeState, time_of_teachers
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.portal import times
from guitaronline.portal.gate import page
from guitaronline.scheduling.planning import Absence
from guitaronline.scheduling.queries import absences_of
from guitaronline.signed_in import now, viewer

WEEK = timedelta(days=7)
SHOWN = 600  # slots of a week; a quarter of an hour each would be 672
STATES = {  # class, word
    TimeState.OPEN: ("open", "open"),
    TimeState.HELD: ("held", "held"),
    TimeState.BOOKED: ("booked", "booked"),
    TimeState.BLOCKED: ("blocked", "blocked"),
}


@dataclass(frozen=True)
class Entry:
    """One slot on its day."""

    start: str
    end: str
    kind: str  # open · held · booked · blocked · past
    words: str
    url: str


@dataclass(frozen=True)
class Away:
    """Time off or a closure, as far as it lies on the day."""

    words: str
    url: str | None


@dataclass(frozen=True)
class Day:
    on: date
    is_today: bool
    is_chosen: bool
    away: list[Away]
    entries: list[Entry]

    @property
    def lessons(self) -> int:
        return sum(each.kind == "booked" for each in self.entries)


@page("/calendar", Permission.READ_BOOKINGS)
def calendar() -> ResponseReturnValue:
    chosen = times.asked_day(flask.request.args.get("day"), times.today())
    monday = chosen - chosen.weekday() * times.DAY
    start, end = times.midnight(monday), times.midnight(monday + WEEK)
    stretches = time_of_teachers(session(), now=now(), start=start, end=end, teacher_id=viewer().id, limit=SHOWN)
    absences = absences_of(session(), viewer().id, start=start, end=end)
    days = [_day(monday + number * times.DAY, chosen, stretches, absences) for number in range(7)]
    return flask.render_template("portal/calendar.html", days=days, chosen=chosen, week=WEEK, one=times.DAY)


def _day(on: date, chosen: date, stretches: Sequence[Stretch], absences: Sequence[Absence]) -> Day:
    start, end = times.midnight(on), times.midnight(on + times.DAY)
    entries = [_entry(each) for each in stretches if times.local_day(each.start_at) == on]
    away = [_away(each, start, end) for each in absences if each.start_at < end and each.end_at > start]
    return Day(on, on == times.today(), on == chosen, away, entries)


def _entry(each: Stretch) -> Entry:
    kind, word = STATES[each.state]
    if each.state is TimeState.OPEN and each.start_at <= now():
        kind, word = "past", "free, over"
    if each.booking_id is not None:
        words = f"{each.student_name}" if each.state is TimeState.BOOKED else f"{each.student_name} (held)"
        url = flask.url_for("portal.booking", id=each.booking_id)
        return Entry(times.clock_of(each.start_at), times.clock_of(each.end_at), kind, words, url)
    url = flask.url_for("portal.slot", id=each.slot_id)
    return Entry(times.clock_of(each.start_at), times.clock_of(each.end_at), kind, word, url)


def _away(absence: Absence, start: datetime, end: datetime) -> Away:
    """`Time off`, with its hours where it is not the whole day."""
    is_off = absence.code == "time_off"
    name = "Time off" if is_off else absence.detail.removesuffix(".")
    first, last = max(absence.start_at, start), min(absence.end_at, end)
    hours = "" if (first, last) == (start, end) else f", {times.clock_of(first)}–{times.clock_of(last)}"
    return Away(f"{name}{hours}", flask.url_for("portal.time_off") if is_off else None)
