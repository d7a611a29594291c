"""One slot of the teacher's: kept back, given free again, taken away; and a slot more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, TimeField
from wtforms.validators import InputRequired, NumberRange, ValidationError

from guitaronline.booking.slots import block_slot, out_problems, withdraw_slot
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity.access import Permission
from guitaronline.portal import fields, queries, times
from guitaronline.portal.doing import carry_out
from guitaronline.portal.gate import page
from guitaronline.scheduling import rules, service
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.signed_in import now, viewer

ORIGINS = {
    SlotOrigin.GENERATED: "your weekly hours",
    SlotOrigin.MADE: "made by hand",
    SlotOrigin.REPLACED: "your weekly hours, before they changed",
}
Command = Callable[[str], Any]


class SlotForm(fields.CommandForm):
    reason = fields.reason(help="Kept in the history.")


class FreeForm(fields.CommandForm):
    reason = fields.reason(required=False)


@page("/slots/<uuid:id>", Permission.MANAGE_SLOTS)
def slot(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    found = queries.own_slot(session(), viewer().id, id)
    return _page(found, SlotForm.about(found, reason="I am not free then"))


@page("/slots/<uuid:id>/block", Permission.MANAGE_SLOTS, "POST")
def block(id: UUID) -> ResponseReturnValue:  # noqa: A002
    return _change(id, SlotForm(), lambda why: block_slot(viewer().actor, id, reason=why), "is kept back")


@page("/slots/<uuid:id>/unblock", Permission.MANAGE_SLOTS, "POST")
def unblock(id: UUID) -> ResponseReturnValue:  # noqa: A002
    form = FreeForm()
    return _change(id, form, lambda why: service.unblock_slot(viewer().actor, id, reason=why or None), "is open again")


@page("/slots/<uuid:id>/withdraw", Permission.MANAGE_SLOTS, "POST")
def withdraw(id: UUID) -> ResponseReturnValue:  # noqa: A002
    return _change(id, SlotForm(), lambda why: withdraw_slot(viewer().actor, id, reason=why), "is taken away")


def _change(slot_id: UUID, form: Any, command: Command, words: str) -> ResponseReturnValue:
    found = queries.own_slot(session(), viewer().id, slot_id)
    return carry_out(
        form,
        lambda: command(form.reason.data or ""),
        record=found,
        to=lambda done: flask.url_for("portal.calendar", day=times.local_day(done.start_at)),
        say=lambda done: f"{times.moment(done.start_at)} {words}.",
        again=lambda refusal: _page(found, form, refusal),
    )


def _page(found: Slot, form: Any, refusal: DomainError | None = None) -> str:
    booked = queries.live_booking_of(session(), found.id, now())
    return flask.render_template(
        "portal/slot.html",
        slot=found,
        booking=booked,
        form=form,
        refusal=refusal,
        when=times.stretch(found.start_at, found.end_at),
        origin=ORIGINS[found.origin],
        pause=int((found.ends_busy - found.end_at).total_seconds() // 60),
        may={target: _may(found, booked, target) for target in SlotStatus},
    )


def _may(found: Slot, booked: Any, target: SlotStatus) -> bool:
    """Which buttons there are; a slot that has passed is left alone."""
    if found.start_at <= now() or booked is not None:
        return False
    if target is SlotStatus.OPEN:
        return found.status is SlotStatus.BLOCKED
    return not out_problems(found, [], target, now())


def exists_locally(form: Any, field: Any) -> None:
    """A wall-clock time that the clock jumps over, in spring, is no time."""
    if form.day.data and field.data:
        wall = datetime.combine(form.day.data, field.data)
        if rules.FIRST_YEAR < wall.year < rules.LAST_YEAR and rules.local_to_utc(wall, times.zone()) is None:
            raise ValidationError(f"The clocks jump over {field.data:%H:%M} on that day.")


def is_a_day_of_ours(form: Any, field: Any) -> None:
    """Other years cannot be turned into a moment."""
    if field.data is not None and not rules.FIRST_YEAR < field.data.year < rules.LAST_YEAR:
        raise ValidationError(f"Days lie between the years {rules.FIRST_YEAR} and {rules.LAST_YEAR}.")


class NewSlotForm(fields.CommandForm):
    day = DateField("Day", validators=[InputRequired("A day is needed."), is_a_day_of_ours])
    start = TimeField("Starts at", validators=[InputRequired("A time is needed."), exists_locally])
    minutes = IntegerField(
        "Minutes",
        validators=[
            InputRequired("Minutes are needed."),
            NumberRange(rules.SLOT_MINUTES_MIN, rules.SLOT_MINUTES_MAX),
        ],
    )

    def start_at(self) -> datetime:
        """Of a time that happens twice, the first."""
        assert self.day.data is not None
        assert self.start.data is not None
        return datetime.combine(self.day.data, self.start.data, times.zone()).astimezone(UTC)


@page("/slots/new", Permission.MANAGE_SLOTS, "GET", "POST")
def new_slot() -> ResponseReturnValue:
    on = times.asked_day(flask.request.args.get("day"), times.today() + times.DAY)
    form = NewSlotForm.about(day=on, minutes=60)

    def again(refusal: DomainError | None = None) -> str:
        return flask.render_template("portal/new_slot.html", form=form, refusal=refusal)

    if flask.request.method == "GET":
        return again()
    return carry_out(
        form,
        lambda: _make(form),
        to=lambda made: flask.url_for("portal.calendar", day=times.local_day(made.start_at)),
        say=lambda made: f"{times.moment(made.start_at)} is open.",
        again=again,
    )


def _make(form: Any) -> Slot:
    start = form.start_at()
    end = start + timedelta(minutes=form.minutes.data)
    return service.create_slot(viewer().actor, teacher_id=viewer().id, start_at=start, end_at=end)
