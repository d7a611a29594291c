"""Time off: what lies ahead, what it does to lessons that are booked, and calling it off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from wtforms import DateField, HiddenField, TimeField
from wtforms.validators import InputRequired, Optional

from guitaronline.booking.absence_rules import time_off_problems
from guitaronline.booking.absences import cancel_time_off as call_off
from guitaronline.booking.absences import create_time_off
from guitaronline.booking.impact import affected
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.access import Permission
from guitaronline.portal import fields, queries, times
from guitaronline.portal.decisions import affected_rows, chosen, digest
from guitaronline.portal.doing import carry_out
from guitaronline.portal.gate import page
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR, end_utc, local_to_utc
from guitaronline.signed_in import now, viewer

SHOWN_BACK = timedelta(days=180)
FIELD_OF = {"/start_at": "first_day", "/end_at": "last_day", "/reason": "reason"}


class TimeOffForm(fields.CommandForm):
    first_day = DateField("First day", validators=[InputRequired("A day is needed.")])
    last_day = DateField("Last day", validators=[InputRequired("A day is needed.")])
    start = TimeField("From", validators=[Optional()], description="Empty: the whole first day.")
    end = TimeField("Until", validators=[Optional()], description="Empty: the whole last day.")
    reason = fields.reason(required=False, help="For the school; students do not see it.")
    seen = HiddenField()  # the bookings inside that were shown

    def start_at(self) -> datetime:
        """A time that the clocks jump over begins when they have jumped."""
        assert self.first_day.data is not None
        local = datetime.combine(self.first_day.data, self.start.data or time())
        return local_to_utc(local, times.zone()) or end_utc(local, times.zone())

    def end_at(self) -> datetime:
        assert self.last_day.data is not None
        if self.end.data is None:
            return datetime.combine(self.last_day.data + times.DAY, time(), times.zone()).astimezone(UTC)
        return end_utc(datetime.combine(self.last_day.data, self.end.data), times.zone())


@page("/time-off", Permission.MANAGE_SLOTS)
def time_off() -> ResponseReturnValue:
    found = queries.times_off(session(), viewer().id, ends_after=now() - SHOWN_BACK)
    ahead = [each for each in found if each.status is AbsenceStatus.PLANNED and each.end_at > now()]
    return flask.render_template(
        "portal/time_off.html",
        ahead=[(each, times.stretch(each.start_at, each.end_at)) for each in ahead],
        behind=[(each, times.stretch(each.start_at, each.end_at)) for each in reversed(found) if each not in ahead],
        now=now(),
    )


@page("/time-off/new", Permission.MANAGE_SLOTS, "GET", "POST")
def new_time_off() -> ResponseReturnValue:
    on = times.asked_day(flask.request.args.get("day"), times.today() + times.DAY)
    form: TimeOffForm = TimeOffForm.about(first_day=on, last_day=on)

    def again(refusal: DomainError | None = None, inside: Sequence[Booking] | None = None) -> str:
        rows = None if inside is None else affected_rows(inside, form.start_at(), form.end_at(), refusal)
        return flask.render_template("portal/new_time_off.html", form=form, refusal=refusal, inside=rows)

    if flask.request.method == "GET":
        return again()
    if not form.validate() or not _is_usable(form):
        return again(), 422
    inside = affected(session(), viewer().id, form.start_at(), form.end_at(), now())
    is_seen = form.seen.data == digest(inside)
    form.seen.data = digest(inside)
    if "look" in flask.request.form or (inside and not is_seen):
        return again(inside=inside)
    decisions = chosen(inside)
    return carry_out(
        form,
        lambda: create_time_off(
            viewer().actor,
            teacher_id=viewer().id,
            start_at=form.start_at(),
            end_at=form.end_at(),
            reason=form.reason.data,
            decisions=decisions,
        ),
        to=lambda _: flask.url_for("portal.time_off"),
        say=lambda made: f"You are away {times.stretch(made.start_at, made.end_at)}.",
        again=lambda refusal: again(refusal, inside),
    )


def _is_usable(form: TimeOffForm) -> bool:
    """What the rule says of these times stands at the fields; years that no clock shows are not turned into moments."""
    for field in (form.first_day, form.last_day):
        if field.data is not None and not FIRST_YEAR < field.data.year < LAST_YEAR:
            field.errors = [f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}."]
            return False
    problems = time_off_problems(form.start_at(), form.end_at(), now(), form.reason.data)
    for each in problems:
        _at_its_field(form, each)
    return not problems


def _at_its_field(form: Any, reason: Reason) -> None:
    field = form[FIELD_OF.get(reason.pointer, "first_day")]
    field.errors = [*field.errors, reason.detail]


@page("/time-off/<uuid:id>/cancel", Permission.MANAGE_SLOTS, "GET", "POST")
def cancel_time_off(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    found: TimeOff = queries.own_time_off(session(), viewer().id, id)
    form = fields.CommandForm.about(found)

    def again(refusal: DomainError | None = None) -> str:
        return flask.render_template(
            "portal/cancel_time_off.html",
            off=found,
            when=times.stretch(found.start_at, found.end_at),
            form=form,
            refusal=refusal,
        )

    if flask.request.method == "GET":
        return again()
    return carry_out(
        form,
        lambda: call_off(viewer().actor, id),
        record=found,
        to=lambda _: flask.url_for("portal.time_off"),
        say=lambda _: "You are there after all; your hours offer lessons again.",
        again=again,
    )
