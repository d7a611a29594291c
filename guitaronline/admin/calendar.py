"""The calendar: teachers' time by day or week. It shows and leads on; moving a booking is its command page's business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.admin import gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.bookings import CancelBooking, RescheduleBooking
from guitaronline.admin.command_page import CommandPage, button_of, commands
from guitaronline.admin.dates import A_DAY
from guitaronline.admin.filters import people_matching
from guitaronline.admin.new_booking import NewBooking
from guitaronline.booking.calendar import Away, AwayKind, Stretch, TimeState, time_away, time_of_teachers
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.web import allow_own_styles

MOST_DAYS = 45
MOST_EVENTS = 2000
LISTED = 300  # rows of the list below the calendar
OFFERED_TEACHERS = 200
A_DAY_LONG = timedelta(days=1)
USUAL_HOURS = (8, 20)  # shown also when nothing is there
ICONS = {TimeState.OPEN: "plus", TimeState.HELD: "clock", TimeState.BOOKED: "check", TimeState.BLOCKED: "lock"}
MEANINGS = {
    TimeState.OPEN: "may be booked",
    TimeState.HELD: "kept for a student for some minutes",
    TimeState.BOOKED: "a lesson will be given",
    TimeState.BLOCKED: "kept back by the teacher or staff",
}
AWAY_MEANINGS = {
    AwayKind.TIME_OFF: "the teacher is away; open slots then are not offered and not shown",
    AwayKind.CLOSURE: "the school gives no lessons; open slots then are not offered and not shown",
}
MOST_AWAY = 100
NOBODY = UUID(int=0)
VIEWS = {"day": 1, "week": 7}

feed = Blueprint("calendar_feed", __name__, url_prefix=gate.PREFIX)


@dataclass(frozen=True)
class Asked:
    """Which part of the calendar: days in the viewer's zone."""

    teacher: User | None
    view: str
    day: date

    @property
    def first(self) -> date:
        return self.day if self.view == "day" else self.day - self.day.weekday() * A_DAY_LONG

    @property
    def days(self) -> int:
        return VIEWS[self.view]

    @property
    def with_open(self) -> bool:
        """Open time of everybody over a week is too much to look at."""
        return self.teacher is not None or self.view == "day"

    def url(self, **other: Any) -> str:
        teacher = str(self.teacher.id) if self.teacher else None
        return flask.url_for("desk_calendar.index", **{"teacher": teacher, "view": self.view, "day": self.day, **other})


class Calendar(ConsolePage):
    path = "calendar"
    title = "Calendar"
    permission = Permission.READ_BOOKINGS

    def page(self) -> Any:
        allow_own_styles()  # FullCalendar writes its style element itself
        asked = _asked()
        end = asked.first + asked.days * A_DAY_LONG
        found = _time(asked.first, end, asked.teacher, with_open=asked.with_open, limit=LISTED + 1)
        hours = _hours(found) if len(found) <= LISTED else (0, 24)
        return self.render(
            "admin/calendar.html",
            asked=asked,
            teachers=_teachers(asked.teacher),
            step=asked.days * A_DAY_LONG,
            today=_today(),
            last=asked.first + (asked.days - 1) * A_DAY_LONG,
            by_day=[
                (day, list(rows)) for day, rows in groupby(found[:LISTED], lambda each: _local(each.start_at).date())
            ],
            number=len(found),
            listed=LISTED,
            hours=hours,
            now=_local(gate.now()),
            icons=ICONS,
            meanings=MEANINGS,
            away=_away(asked.first, end, asked.teacher),
            away_meanings=AWAY_MEANINGS,
            local=_local,
            links=Links(),
            buttons=[button_of(commands.named(NewBooking))],
        )


@feed.get("/calendar/events")
@gate.needs(Permission.READ_BOOKINGS)
def calendar_events() -> ResponseReturnValue:
    """What the calendar draws, as JSON: wall-clock times in the viewer's zone. `end` is the first day not shown; `taken=1`
    leaves out open time."""
    given = flask.request.args
    start, end = _day(given.get("start", "")), _day(given.get("end", ""))
    if start is None or end is None:
        return _refused("Say from which day to which: start=2026-11-23&end=2026-11-30.")
    if not A_DAY_LONG <= end - start <= MOST_DAYS * A_DAY_LONG:
        return _refused(f"Ask for 1 to {MOST_DAYS} days; `end` comes after `start`.")
    teacher = _teacher(given.get("teacher", ""))
    if teacher is None and given.get("teacher"):
        return _refused("There is no such teacher.")
    found = _time(start, end, teacher, with_open=given.get("taken") != "1", limit=MOST_EVENTS)
    links = Links()
    events = [_event(each, links, with_teacher=teacher is None) for each in found]
    away = [_background(each) for each in _away(start, end, teacher) if teacher or each.kind is AwayKind.CLOSURE]
    return flask.jsonify(events=events, away=away, is_cut=len(found) >= MOST_EVENTS)


def _refused(words: str) -> ResponseReturnValue:
    return flask.jsonify(error=words), 422


def _asked() -> Asked:
    """What the address asks for; what means nothing is told and left out."""
    given = flask.request.args
    teacher = _teacher(given.get("teacher", "")) or _one_called(given.get("find", ""))
    if teacher is None and (given.get("teacher") or given.get("find")):
        flask.flash("No teacher, or more than one, is meant by that; here are all.", "warning")
    usual = "week" if teacher else "day"
    view, day = given.get("view") or usual, _day(given.get("day", ""))
    if (given.get("day") and day is None) or view not in VIEWS:
        flask.flash("That is not a day or view of the calendar; here is the usual one.", "warning")
    return Asked(teacher, view if view in VIEWS else usual, day or _today())


def _day(given: str) -> date | None:
    """None when it is no day; the years beside the edge of the calendar are none either."""
    if not A_DAY.fullmatch(given):
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _teacher(given: str) -> User | None:
    try:
        found = session().get(User, UUID(given))
    except ValueError:
        return None
    return found if found and found.role is Role.TEACHER else None


def _one_called(words: str) -> User | None:
    words = " ".join(words.split())
    if not words or not words.isprintable() or len(words) > 100:
        return None
    named = User.id.in_(people_matching(words)) | (User.reference == words.upper())
    found = session().scalars(select(User).where(User.role == Role.TEACHER, named).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _teachers(chosen: User | None) -> Sequence[Any]:
    """Teachers to choose from, by name (ix_users_role_name); one more than OFFERED_TEACHERS tells that there are more."""
    query = select(User.id, User.full_name).where(User.role == Role.TEACHER, User.is_active)
    found = list(session().execute(query.order_by(User.full_name, User.id).limit(OFFERED_TEACHERS + 1)))
    missing = chosen is not None and chosen.id not in {each.id for each in found}
    return [*([chosen] if missing else []), *found]


def _time(first: date, end: date, teacher: User | None, *, with_open: bool, limit: int) -> list[Stretch]:
    return time_of_teachers(
        session(),
        now=gate.now(),
        start=_midnight(first),
        end=_midnight(end),
        teacher_id=teacher.id if teacher else None,
        with_open=with_open,
        limit=limit,
    )


def _away(first: date, end: date, teacher: User | None) -> list[Away]:
    whose = teacher.id if teacher else None
    return time_away(session(), start=_midnight(first), end=_midnight(end), teacher_id=whose, limit=MOST_AWAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), show.zone())


def _local(moment: datetime) -> datetime:
    return moment.astimezone(show.zone())


def _today() -> date:
    return _local(gate.now()).date()


def _hours(found: Sequence[Stretch]) -> tuple[int, int]:
    """The hours of the day that are shown: the usual ones, and whatever lies outside of them."""
    first, last = USUAL_HOURS
    starts, ends = [_local(each.start_at) for each in found], [_local(each.end_at) for each in found]
    over_midnight = any(end.date() > start.date() for start, end in zip(starts, ends, strict=True))
    first = min([first, *(each.hour for each in starts)], default=first)
    last = max([last, *(each.hour + 1 for each in ends)], default=last)
    return (0, 24) if over_midnight else (first, min(last, 24))


class Links:
    """Where stretches lead. Addresses are made once an answer: two thousand take longer to make than to read."""

    def __init__(self) -> None:
        self._records = {
            table: _pattern(show.record_url(table, NOBODY)) for table in ("bookings", "availability_slots")
        }
        self._actions: dict[TimeState, list[tuple[str, str]]] = {
            TimeState.BOOKED: self._allowed(RescheduleBooking, CancelBooking),
            TimeState.HELD: self._allowed(CancelBooking),
            TimeState.OPEN: self._allowed(NewBooking),
        }

    def _allowed(self, *kinds: type[CommandPage]) -> list[tuple[str, str]]:
        pages = [commands.named(kind) for kind in kinds]
        return [(page.title, _pattern(_address(page))) for page in pages if gate.may(page.permission)]

    def url_of(self, each: Stretch) -> str:
        """The record that a stretch is about: the booking, or the slot that nobody has."""
        if each.booking_id:
            return self._records["bookings"].format(each.booking_id)
        return self._records["availability_slots"].format(each.slot_id)

    def away_url(self, each: Away) -> str | None:
        """The record of time off; of a closure where it has a page."""
        table = "time_off" if each.kind is AwayKind.TIME_OFF else "closures"
        return show.record_url(table, each.record_id)

    def actions_of(self, each: Stretch) -> list[tuple[str, str]]:
        """Where the viewer may go on from here; each page decides for itself whether it can be done."""
        if each.end_at <= gate.now():
            return []
        return [
            (title, url.format(each.booking_id or each.slot_id)) for title, url in self._actions.get(each.state, [])
        ]


def _address(page: CommandPage) -> str:
    about: dict[str, Any] = {"id": NOBODY} if page.record else {"slot_id": NOBODY}
    return flask.url_for(page.endpoint, **about)


def _pattern(url: str | None) -> str:
    return (url or "").replace(str(NOBODY), "{}")


def _event(each: Stretch, links: Links, *, with_teacher: bool) -> dict[str, Any]:
    wall = _local(each.start_at).replace(tzinfo=None)
    actions = dict(links.actions_of(each))
    who = [name for name in (each.student_name, each.teacher_name if with_teacher else None) if name]
    return {
        "id": str(each.slot_id),
        "title": " · ".join(who),
        "start": wall.isoformat(),
        "end": (
            wall + (each.end_at - each.start_at)
        ).isoformat(),  # on the night of the clocks the end may read earlier
        "url": links.url_of(each),
        "state": each.state,
        "icon": ICONS[each.state],
        "is_over": each.end_at <= gate.now(),
        "teacher": str(each.teacher_id),
        "teacher_name": each.teacher_name,
        "move_url": actions.get(RescheduleBooking.title),
    }


def _background(each: Away) -> dict[str, Any]:
    """A stretch that is drawn behind the slots, for the whole width of the day."""
    start, end = (_local(moment).replace(tzinfo=None) for moment in (each.start_at, each.end_at))
    words = f"closed: {each.name}" if each.kind is AwayKind.CLOSURE else "time off"
    return {
        "id": str(each.record_id),
        "title": words,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "kind": each.kind,
    }
