"""A teacher is ill today: the time off and what becomes of each lesson in it, looked at as a whole and done in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from sqlalchemy import func, select
from wtforms import HiddenField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.bulk import shown
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, commands
from guitaronline.booking import facts, impact
from guitaronline.booking.absence_rules import time_off_problems
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.access import Permission
from guitaronline.office import bulk, bulk_forecast
from guitaronline.office.bulk_absences import CANCEL, KEEP, MOVE, SUBSTITUTE
from guitaronline.office.bulk_actions import ACTIONS
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.illness import (
    ACTION,
    LATER,
    ROWS_MOST,
    Affected,
    IllReport,
    affected_lessons,
    arguments_of,
    report_ill,
)
from guitaronline.teachers.models import TeacherProfile

ROW = "row-"
TEACHERS_SHOWN = 100
AHEAD = timedelta(hours=24)
PLAIN = {CANCEL: "Cancel: the lesson goes back to its package", KEEP: "Keep: it is given all the same", LATER: "Later"}


@dataclass(frozen=True)
class Row:
    """A lesson on the page: its choices, which one stands, and what that would come to."""

    name: str
    starts: Any
    booking: Any
    student: Any
    options: Sequence[tuple[str, Sequence[tuple[str, str]]]]  # by kind
    chosen: str
    outcome: Any
    sentence: str


def moment(day: date | None, at: time | None, zone: ZoneInfo) -> datetime | None:
    """Of a time that happens twice, the first."""
    return datetime.combine(day, at, zone) if day is not None and at is not None else None


def exists_locally(form: Any, field: Any) -> None:
    """A wall-clock time that the clock jumps over, in spring, is no time."""
    day = form[field.name.replace("time", "day")].data
    if day and field.data:
        wall = datetime.combine(day, field.data)
        if (
            wall.replace(tzinfo=form.zone).astimezone(ZoneInfo("UTC")).astimezone(form.zone).replace(tzinfo=None)
            != wall
        ):
            raise ValidationError(f"The clocks jump over {field.data:%H:%M} on that day in {form.zone.key}.")


class IllForm(forms.CommandForm):
    zone: ZoneInfo
    from_day = forms.DateField("From day", validators=[InputRequired("A day is needed.")])
    from_time = forms.TimeField("From time", validators=[InputRequired("A time is needed."), exists_locally])
    until_day = forms.DateField("Until day", validators=[InputRequired("A day is needed.")])
    until_time = forms.TimeField(
        "Until time",
        validators=[InputRequired("A time is needed."), exists_locally],
        description="00:00 is the day's beginning.",
    )
    digest = HiddenField(validators=[Optional(), Length(max=64)])
    seen = HiddenField(validators=[Optional(), Length(max=2 * ROWS_MOST * bulk_forecast.MARK)])
    reason = forms.reason(help="Why; it stands with each lesson that is decided about.")

    def span(self) -> tuple[datetime, datetime] | None:
        """From and until; None while they cannot be read."""
        start = moment(self.from_day.data, self.from_time.data, self.zone)
        end = moment(self.until_day.data, self.until_time.data, self.zone)
        return (start, end) if start and end else None


class TeacherIll(CommandPage):
    record = TeacherProfile
    path = "teachers/<uuid:id>/ill"
    title = "Ill today"
    button = "Save the time off and do this"
    permission = Permission.MANAGE_SLOTS
    form = IllForm
    looks = "Show what will happen"
    template = "admin/ill.html"

    def heading(self, record: Any) -> str:
        return f"{record.display_name} is ill"

    def refused_because(self, record: Any) -> str | None:
        if record.is_teaching:
            return None
        return "Nothing of theirs is offered anyway: they are not active."

    def initial(self, record: Any) -> dict[str, Any]:
        """Now, until the end of the teacher's day."""
        now = gate.now().astimezone(ZoneInfo(record.user.timezone)).replace(second=0, microsecond=0, tzinfo=None)
        return {
            "from_day": now.date(),
            "from_time": now.time(),
            "until_day": now.date() + timedelta(days=1),
            "until_time": time(),
        }

    def prepare(self, form: Any, record: Any) -> None:
        form.zone = ZoneInfo(record.user.timezone)
        form.lessons = []

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        span = _span(form)
        if span is None:
            return Consequences(blockers=[NO_TIMES])
        problems = time_off_problems(*span, gate.now())
        if problems:
            return Consequences(blockers=problems)
        lessons = affected_lessons(session(), record.user_id, *span, gate.now())
        chosen = _chosen(lessons, _posted())
        arguments = arguments_of(record.user_id, *span, chosen)
        decided = [each.booking.id for each in lessons if str(each.booking.id) in arguments["rows"]]
        try:
            forecasts = bulk.foresee(session(), actor, ACTION, decided, arguments=arguments, now=gate.now())
        except DomainError as refusal:
            return Consequences(blockers=forms.reasons_of(refusal))
        form.digest.data = bulk_forecast.digest(ACTION, arguments, forecasts)
        form.seen.data = bulk_forecast.marks(forecasts)
        foreseen = {each.record_id: each for each in forecasts}
        form.lessons = [_row(each, chosen[each.booking.id], foreseen.get(each.booking.id)) for each in lessons]
        return _told(record, span, lessons, forecasts)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        start, end = form.span()
        return report_ill(
            actor,
            teacher_id=record.user_id,
            start_at=start,
            end_at=end,
            rows=_posted(),
            digest=form.digest.data or "",
            seen=form.seen.data or "",
            reason=form.reason.data,
        )

    def done_with(self, result: Any, form: Any) -> Done:
        report: IllReport = result
        if report.run is not None:
            words = f"{report.time_off.reference} is saved; {report.run.reference} is on its way."
            return Done(words, show.record_url("bulk_runs", report.run.id) or "")
        profile = select(TeacherProfile.id).where(TeacherProfile.user_id == report.time_off.teacher_id)
        url = show.record_url("teacher_profiles", session().scalars(profile).one()) or ""
        return Done(f"{report.time_off.reference} is saved.", url)


def _span(form: Any) -> tuple[datetime, datetime] | None:
    span: tuple[datetime, datetime] | None = form.span()
    return span


def _posted() -> dict[UUID, dict[str, str]]:
    """What was chosen for each lesson; what cannot be read was not chosen."""
    given = [(name, value) for name, value in flask.request.form.items() if name.startswith(ROW)][: 2 * ROWS_MOST]
    read = [(forms.id_or_none(name.removeprefix(ROW)), _decision(value)) for name, value in given]
    return {booking_id: row for booking_id, row in read if booking_id is not None and row is not None}


def _decision(value: str) -> dict[str, str] | None:
    way, _, given = value.partition(":")
    if way in PLAIN and not given:
        return {"way": way}
    names = {SUBSTITUTE: "teacher_id", MOVE: "new_slot_id"}
    found = forms.id_or_none(given)
    return {"way": way, names[way]: str(found)} if way in names and found else None


def _chosen(lessons: Sequence[Affected], posted: Mapping[UUID, Mapping[str, str]]) -> dict[UUID, Mapping[str, str]]:
    """What was chosen, else what is proposed."""
    return {each.booking.id: posted.get(each.booking.id) or _proposed(each) for each in lessons}


def _proposed(lesson: Affected) -> Mapping[str, str]:
    way, teacher_id = lesson.proposed
    return {"way": way, "teacher_id": str(teacher_id)} if teacher_id else {"way": way}


def _row(lesson: Affected, chosen: Mapping[str, str], foreseen: Forecast | None) -> Row:
    booking = lesson.booking
    substitutes = [(f"{SUBSTITUTE}:{each.teacher_id}", f"{each.name}: {each.because()}") for each in lesson.substitutes]
    slots = [
        (f"{MOVE}:{each.slot_id}", f"{_at(each.start_at)}, {each.teacher_name}: {each.words}") for each in lesson.slots
    ]
    value = ":".join([chosen["way"], *(chosen[name] for name in ("teacher_id", "new_slot_id") if name in chosen)])
    known = {each for each, _ in [*substitutes, *slots]} | set(PLAIN)
    also = [] if value in known else [(value, "What you had chosen")]
    if foreseen is None:
        outcome, sentence = show.chip("later"), "It waits among those that need a decision."
    else:
        outcome = show.chip("will happen" if foreseen.is_possible else "refused")
        sentence = foreseen.sentence
    options = (("Give it to", substitutes), ("Move it to", slots), ("Or", [*PLAIN.items(), *also]))
    return Row(
        f"{ROW}{booking.id}",
        show.when(booking.start_at, booking.student, booking.teacher),
        show.link(booking),
        show.link(booking.student),
        [each for each in options if each[1]],
        value,
        outcome,
        sentence,
    )


def _at(moment: datetime) -> str:
    local = moment.astimezone(show.zone())
    return f"{local:%a} {local.day} {local:%b %H:%M %Z}"


def _told(
    record: Any, span: tuple[datetime, datetime], lessons: Sequence[Affected], forecasts: Sequence[Forecast]
) -> Consequences:
    """What it comes to, in numbers."""
    inside = impact.count_affected(session(), record.user_id, *span, gate.now())
    lines: list[tuple[str, Any]] = [
        ("Away", show.html("{} until {}", show.when(span[0], record.user), show.when(span[1], record.user))),
        ("At once", "Nothing of theirs in this time is offered any more, from the moment it is saved."),
        ("Lessons inside", f"{inside}" if inside else "None."),
    ]
    waiting = inside - len(forecasts)
    if waiting:
        lines.append(("Left for later", f"{waiting}; they wait among those that need a decision."))
    if not forecasts:
        return Consequences(lines)
    told = shown(ACTIONS[ACTION], forecasts)
    return Consequences([*lines, *told.lines], blockers=told.blockers)


NO_TIMES = Reason("times_missing", "Say from when until when.", "Fill in the days and times.")


class WhoIsIll(ConsolePage):
    """The teachers who have lessons in the next day, for somebody who rings up."""

    path = "ill"
    title = "Teacher ill today"
    permission = Permission.MANAGE_SLOTS

    def page(self) -> Any:
        now = gate.now()
        query = (  # ix_bookings_start
            select(TeacherProfile, func.count(), func.min(Booking.start_at))
            .join(Booking, Booking.teacher_id == TeacherProfile.user_id)
            .where(Booking.start_at > now, Booking.start_at < now + AHEAD, facts.live(now))
            .group_by(TeacherProfile.id)
            .order_by(func.min(Booking.start_at), TeacherProfile.id)
        )
        found = session().execute(query.limit(TEACHERS_SHOWN)).all()
        ill = commands.named(TeacherIll)
        rows = [
            (show.html('<a href="{}">{}</a>', ill.url_for(profile), profile.display_name), number, show.when(first))
            for profile, number, first in found
        ]
        return self.render("admin/who_is_ill.html", rows=rows)


def who_is_ill() -> Button:
    """Leads to the page, for those who may."""
    why_not = gate.why_not_allowed(Permission.MANAGE_SLOTS) or gate.why_not_while_viewing()
    return Button(WhoIsIll.title, flask.url_for("desk_ill.index"), why_not, "")


commands.add(TeacherIll)
