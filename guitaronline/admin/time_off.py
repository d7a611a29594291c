"""Time off: when teachers are away, entered or called off by staff, with the bookings that it touches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import and_, func, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor, Role
from guitaronline.admin import exported, forms, gate, people_picker, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, Days, Person, record_or_people
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.admin.stretches import StretchForm
from guitaronline.booking import absence_rules, absences, impact
from guitaronline.booking import facts as booking_facts
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus

SHOWN = 25


def _clause(when: str) -> ColumnElement[bool]:
    """ix_time_off_end for what is not over."""
    planned, now = TimeOff.status == AbsenceStatus.PLANNED, gate.now()
    return {
        "current": and_(planned, TimeOff.end_at > now, TimeOff.start_at <= now),
        "upcoming": and_(planned, TimeOff.end_at > now, TimeOff.start_at > now),
        "over": and_(planned, TimeOff.end_at <= now),
        "canceled": TimeOff.status == AbsenceStatus.CANCELED,
    }[when]


def standing(off: TimeOff) -> str:
    """What it is as the clock stands: `planned` says too little in a list."""
    if off.status is AbsenceStatus.CANCELED:
        return "canceled"
    return "over" if off.end_at <= gate.now() else "current" if off.start_at <= gate.now() else "upcoming"


def why_away(off: TimeOff) -> Any:
    """The teacher's own words may be about their health: for those who look after slots."""
    return show.text(off.reason) if gate.may(Permission.MANAGE_SLOTS) else show.NOTHING


class TimeOffDesk(Desk):
    model_of = TimeOff
    path = "time-off"
    title = "Time off"
    one = "Time off"
    permission = Permission.READ_BOOKINGS
    empty = (
        "Nobody has been away. Enter time off here or on a teacher's page; bookings inside then wait for a decision."
    )
    search_words = "OFF-… or teacher"
    columns = (
        Column("reference", "Time off", show.link),
        Column("teacher", "Teacher", lambda off: show.link(off.teacher)),
        Column("start_at", "From", lambda off: show.when(off.start_at, off.teacher), sort=TimeOff.start_at),
        Column("end_at", "Until", lambda off: show.when(off.end_at, off.teacher), sort=TimeOff.end_at),
        Column("status", "State", lambda off: show.chip(standing(off), off.states.meanings[off.status])),
        Column("reason", "Reason", why_away, is_default=False),
        Column("id", "Made", lambda off: show.stamp(off.created_at), sort=TimeOff.id, is_default=False),
    )
    filters = (
        Choice("state", "State", ["upcoming", "current", "over", "canceled"], _clause),
        Days("day", "From", TimeOff.start_at),
        Person("teacher", "Teacher", TimeOff.teacher_id),
    )
    exported = exported.TIME_OFF
    default_order = (TimeOff.start_at, True)
    load = (selectinload(TimeOff.teacher),)
    row_actions = staticmethod(buttons_of)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(TimeOff.reference, words, TimeOff.teacher_id)

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(CreateTimeOff))]}

    def record_page(self, off: Any) -> dict[str, Any]:
        lines = facts(
            ("Teacher", show.link(off.teacher)),
            ("From", show.when(off.start_at, off.teacher)),
            ("Until", show.when(off.end_at, off.teacher)),
            ("Reason", why_away(off)),
            ("Made", show.when(off.created_at)),
        )
        found = affected(off.teacher_id, off.start_at, off.end_at) if standing(off) in ("upcoming", "current") else []
        section = Section(
            "Bookings inside, ahead",
            ("Starts", "Booking", "Student"),
            rows(
                found, lambda b: show.when(b.start_at, b.student, b.teacher), show.link, lambda b: show.link(b.student)
            ),
            "None.",
            waiting_url(),
        )
        return whole(off, Page(lines, state=show.chip(standing(off), off.states.meanings[off.status]), sections=[section]))  # fmt: skip


def affected(teacher_id: UUID, start: datetime, end: datetime) -> Sequence[Booking]:
    """One more than is shown."""
    return impact.affected(session(), teacher_id, start, end, gate.now(), limit=SHOWN + 1)


def waiting_url() -> str:
    """The queue of bookings that need a decision."""
    return flask.url_for("desk_bookings.index_view", waiting="needs_a_decision")


class TimeOffForm(StretchForm):
    reason = forms.reason(required=False, help="In the teacher's words; students do not read it.")


class CreateTimeOff(CommandPage):
    path = "time-off/new"
    title = "New time off"
    parent = "desk_time-off.index_view"
    button = "Enter the time off"
    permission = Permission.MANAGE_SLOTS
    form = TimeOffForm
    looks = "Look, show what it touches"
    lead = "Nothing of the teacher's is offered then. Bookings inside stand until each is decided."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.teacher_id, form.find.data, role=Role.TEACHER)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if not form.is_whole:
            return Consequences()
        teacher_id, start, end = people_picker.picked(form.teacher_id), form.start_at(), form.end_at()
        problems = absence_rules.time_off_problems(start, end, gate.now(), form.reason.data)
        if problems:
            return Consequences(blockers=problems)
        found = affected(teacher_id, start, end)
        lines = [
            ("Away", show.html("{} – {}", show.when(start), show.when(end))),
            ("Open slots inside", f"{_open_inside(teacher_id, start, end)} are not offered any more"),
            ("Bookings inside", _in_words(len(found))),
        ]
        return Consequences(lines, _table(found))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return absences.create_time_off(
            actor,
            teacher_id=people_picker.picked(form.teacher_id),
            start_at=form.start_at(),
            end_at=form.end_at(),
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is entered. Bookings inside wait on Today.", _url(result))


def _in_words(number: int) -> Any:
    if not number:
        return "none"
    many = f"{number if number <= SHOWN else f'more than {SHOWN}'}"
    return show.html('{} wait for a decision: <a href="{}">the queue</a>', many, waiting_url())


def _table(found: Sequence[Booking]) -> list[list[Any]]:
    if not found:
        return []
    heading: list[Any] = ["Starts", "Booking", "Student"]
    return [heading, *([show.when(each.start_at, each.student), show.link(each), show.link(each.student)] for each in found[:SHOWN])]  # fmt: skip


def _open_inside(teacher_id: UUID, start: datetime, end: datetime) -> int:
    """Nobody has them. ix_availability_slots_open_teacher_start"""
    taken = select(Booking.id).where(Booking.slot_id == Slot.id, booking_facts.live(gate.now())).exists()
    query = select(func.count()).where(
        Slot.teacher_id == teacher_id,
        Slot.status == SlotStatus.OPEN,
        Slot.start_at > max(gate.now(), start - booking_facts.LONGEST),
        Slot.start_at < end,
        Slot.end_at > start,
        ~taken,
    )
    return session().scalar(query) or 0


class CancelTimeOff(CommandPage):
    record = TimeOff
    path = "time-off/<uuid:id>/cancel"
    title = "Call off"
    tone = "danger"
    permission = Permission.MANAGE_SLOTS
    form = forms.ReasonForm
    targets = (AbsenceStatus.CANCELED,)

    def refused_because(self, record: Any) -> str | None:
        over = "It is over." if standing(record) == "over" else None
        return super().refused_because(record) or over

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Teacher", show.link(record.teacher)),
                ("Away", show.html("{} – {}", show.when(record.start_at), show.when(record.end_at))),
                ("Slots", "What the weekly hours ask for is offered again, where nothing else lies by now."),
                (
                    "Bookings inside",
                    "Those that still wait for a decision need none any more; decided ones stay decided.",
                ),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return absences.cancel_time_off(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is called off.", _url(result))


def _url(off: TimeOff) -> str:
    return show.record_url("time_off", off.id) or ""


commands.add(CreateTimeOff, CancelTimeOff)
