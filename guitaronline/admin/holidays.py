"""A calendar file of public holidays: what is in it and what would become of each, then the import."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import flask
from wtforms import FileField, HiddenField
from wtforms.validators import InputRequired, Length

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.booking.absence_rules import closure_times, school_day
from guitaronline.booking.absences import ClosureInvalid
from guitaronline.booking.holidays import Judged, Standing, import_closures, judge_holidays
from guitaronline.booking.impact import count_affected
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.scheduling.holidays import CalendarUnreadable, Found, Holiday, Unusable, read_calendar

WORDS = {
    Standing.NEW: "new",
    Standing.KNOWN: "known",
    Standing.CHANGED: "changed",
    Standing.CALLED_OFF: "called off here",
    Standing.UNUSABLE: "not usable",
}
INSIDE_COUNTED = 40  # of so many holidays the bookings inside are counted


class HolidaysForm(forms.CommandForm):
    file = FileField(
        "Calendar file (.ics)", description="Up to 1 MB. Whole days count, and what comes every year on the same day."
    )
    events = HiddenField(validators=[InputRequired("Choose a file and look at it first."), Length(max=400_000)])
    reason = forms.reason(required=False)

    unusable: Sequence[Unusable] = ()
    trouble: Sequence[Reason] = ()

    def holidays(self: Any) -> list[Holiday]:
        """What the last look found; typed by nobody, so anything odd is refused as a whole."""
        return read_events(self.events.data or "[]")


def read_events(text: str) -> list[Holiday]:
    """Raises ClosureInvalid."""
    try:
        rows = json.loads(text)
        return [Holiday(_word(uid), _word(name), _date(first), _date(last)) for uid, name, first, last in rows]
    except (ValueError, TypeError, RecursionError):
        raise ClosureInvalid("Choose the file again and look at it.") from None


def _word(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 255 or not value.isprintable():
        raise ValueError
    return value


def _date(value: Any) -> date:
    return date.fromisoformat(value)


def written(holidays: Sequence[Holiday]) -> str:
    rows = [[each.uid, each.name, each.first_day.isoformat(), each.last_day.isoformat()] for each in holidays]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


class ImportHolidays(CommandPage):
    path = "closures/import"
    title = "Import holidays"
    parent = "desk_closures.index_view"
    button = "Import"
    permission = Permission.MANAGE_SLOTS
    form = HolidaysForm
    looks = "Show what is in it"
    template = "admin/holidays.html"
    lead = "Look at the file first: nothing is saved by that. Holidays are known by their UID, so the same file may come again."

    def prepare(self, form: Any, record: Any) -> None:
        """A new file takes the place of what the last one held."""
        given = flask.request.files.get("file")
        if given is None or not given.filename:
            return
        try:
            found = read_calendar(given.read(), today=school_day(gate.now()))
        except CalendarUnreadable as refusal:
            form.trouble = forms.reasons_of(refusal)
            found = Found([], [])
        form.events.data = written(found.holidays) if found.holidays else ""
        form.unusable = found.unusable

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        try:
            judged = judge_holidays(session(), form.holidays(), gate.now())
        except ClosureInvalid as refusal:
            return Consequences(blockers=forms.reasons_of(refusal))
        if not judged and not form.unusable:
            return Consequences(blockers=form.trouble)
        table = [
            *_table(judged),
            *((each.name, show.NOTHING, _chip(Standing.UNUSABLE), each.why, "") for each in form.unusable),
        ]
        counts = {each: sum(one.standing is each for one in judged) for each in Standing}
        counts[Standing.UNUSABLE] += len(form.unusable)
        lines = [("In the file", ", ".join(f"{number} {WORDS[each]}" for each, number in counts.items() if number))]
        blockers = [reason for each in judged for reason in each.reasons]
        return Consequences(lines, table=[("Holiday", "Days", "Is", "", "Bookings inside"), *table], blockers=blockers)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return import_closures(actor, holidays=form.holidays(), reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(result.words, flask.url_for("desk_closures.index_view"))


def _table(judged: Sequence[Judged]) -> list[tuple[Any, ...]]:
    return [
        (each.holiday.name, _days(each.holiday), _chip(each.standing), each.words, _inside(each, number))
        for number, each in enumerate(judged)
    ]


def _inside(judged: Judged, number: int) -> str:
    """How many bookings will need a decision."""
    if judged.standing not in (Standing.NEW, Standing.CHANGED) or number >= INSIDE_COUNTED:
        return ""
    start, end = closure_times(judged.holiday.first_day, judged.holiday.last_day)
    return str(count_affected(session(), None, start, end, gate.now()) or "none")


def _days(holiday: Holiday) -> Any:
    if holiday.first_day == holiday.last_day:
        return show.day(holiday.first_day)
    return show.html("{} – {}", show.day(holiday.first_day), show.day(holiday.last_day))


def _chip(standing: Standing) -> Any:
    return show.chip(standing, WORDS[standing])


commands.add(ImportHolidays)
