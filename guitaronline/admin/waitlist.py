"""Who waits for a time that is taken: the line, and what it was offered."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import flask
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement
from wtforms.validators import InputRequired

from guitaronline.actor import Actor, Role
from guitaronline.admin import exported, forms, gate, people_picker, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Days, Person, State, record_or_people
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.booking import waitlist
from guitaronline.booking.models import Booking
from guitaronline.booking.waitlist_models import WaitlistEntry, WaitlistOffer, WaitStatus
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX, SLOT_MINUTES_MIN

DAY = timedelta(days=1)


def status_of(entry: WaitlistEntry) -> WaitStatus:
    return waitlist.effective_status(entry, entry.booking, gate.now())


def wanted(entry: WaitlistEntry) -> str:
    return f"{entry.lesson_minutes} min" if entry.lesson_minutes else "any length"


class WaitlistDesk(Desk):
    model_of = WaitlistEntry
    path = "waitlist"
    title = "Waitlist"
    one = "Wait"
    permission = Permission.READ_BOOKINGS
    empty = "Nobody waits. A student joins in the app, or is added here while on the phone."
    search_words = "WL-…, a name"
    columns = (
        Column("reference", "Wait", show.link),
        Column("student", "Student", lambda each: show.link(each.student)),
        Column("teacher", "Teacher", lambda each: show.link(each.teacher)),
        Column("from_at", "From", lambda each: show.stamp(each.from_at)),
        Column("until_at", "Until", lambda each: show.stamp(each.until_at)),
        Column("lesson_minutes", "Length", wanted),
        Column("status", "State", lambda each: show.chip(status_of(each))),
        Column("id", "Waits since", lambda each: show.stamp(each.created_at), sort=WaitlistEntry.id),
    )
    filters = (
        State(WaitlistEntry.status, WaitStatus),
        Days("until", "Until", WaitlistEntry.until_at),
        Person("student", "Student", WaitlistEntry.student_id),
        Person("teacher", "Teacher", WaitlistEntry.teacher_id),
    )
    exported = exported.WAITLIST
    default_order = (WaitlistEntry.id, True)
    row_actions = staticmethod(buttons_of)
    load = (
        selectinload(WaitlistEntry.student),
        selectinload(WaitlistEntry.teacher),
        selectinload(WaitlistEntry.booking),
    )

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(WaitlistEntry.reference, words, WaitlistEntry.student_id, WaitlistEntry.teacher_id)

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(JoinWaitlist))]}

    def record_page(self, entry: Any) -> dict[str, Any]:
        found = facts(
            ("Student", show.link(entry.student)),
            ("Teacher", show.link(entry.teacher)),
            ("From", show.when(entry.from_at, entry.student)),
            ("Until", show.when(entry.until_at, entry.student)),
            ("Length", wanted(entry)),
            ("Offered", show.link(entry.booking)),
            ("Passed over, the last time", show.word(entry.passed_because) if entry.passed_because else None),
            ("Waits since", show.when(entry.created_at)),
        )
        return whole(entry, Page(found, state=show.chip(status_of(entry)), sections=[_offers(entry)]))


def _offers(entry: WaitlistEntry) -> Section:
    from guitaronline.admin.bookings import booking_state

    query = select(Booking).join(WaitlistOffer, WaitlistOffer.booking_id == Booking.id)
    made = session().scalars(query.where(WaitlistOffer.entry_id == entry.id).order_by(Booking.id.desc()).limit(20))
    columns = ("Booking", "Starts", "Held until", "State")
    cells = rows(
        made, show.link, lambda b: show.stamp(b.start_at), lambda b: show.stamp(b.hold_expires_at), booking_state
    )
    return Section("What was offered", columns, cells)


class WaitForm(forms.CommandForm):
    linkable = frozenset({"student_id", "teacher_id"})
    find_student = people_picker.find("Student: name, e-mail or USR-…")
    student_id = people_picker.chosen("Student")
    find_teacher = people_picker.find("Teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher")
    first_day = forms.DateField("First day", validators=[InputRequired("A day is needed.")])
    last_day = forms.DateField(
        "Last day", validators=[InputRequired("A day is needed.")], description="Days of the student's calendar."
    )
    lesson_minutes = forms.number(
        "Minutes", least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX, required=False, help="Empty: any length."
    )


class JoinWaitlist(CommandPage):
    path = "waitlist/new"
    title = "Add to the waitlist"
    parent = "desk_waitlist.index_view"
    button = "Add to the line"
    permission = Permission.BOOK
    form = WaitForm
    looks = "Look for the people"
    lead = "What comes free is offered to the first in line who can take it, as a hold that lapses."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.student_id, form.find_student.data, role=Role.STUDENT)
        people_picker.fill(form.teacher_id, form.find_teacher.data, role=Role.TEACHER)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        student_id = people_picker.picked(form.student_id)
        person = session().get(User, student_id)
        zone = ZoneInfo(person.timezone if person else gate.viewer().timezone)
        return waitlist.join_waitlist(
            actor,
            student_id=student_id,
            teacher_id=people_picker.picked(form.teacher_id),
            from_at=datetime.combine(form.first_day.data, time(), zone).astimezone(UTC),
            until_at=datetime.combine(form.last_day.data + DAY, time(), zone).astimezone(UTC),
            lesson_minutes=form.lesson_minutes.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} waits, last in line.", show.record_url("waitlist_entries", result.id) or "")


class LeaveWaitlist(CommandPage):
    path = "waitlist/<uuid:id>/leave"
    title = "Take off the waitlist"
    tone = "danger"
    record = WaitlistEntry
    permission = Permission.BOOK
    form = forms.MaybeReasonForm
    targets = (WaitStatus.CANCELED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        lines = [("Place in the line", "Lost; who joins again is last.")]
        if status_of(record) is WaitStatus.OFFERED:
            lines.append(("What is offered", "Released, and offered to the next in line."))
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return waitlist.leave_waitlist(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} does not wait any more.", flask.url_for("desk_waitlist.index_view"))


commands.add(JoinWaitlist, LeaveWaitlist)
