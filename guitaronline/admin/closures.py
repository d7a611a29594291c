"""Closures: days on which the school gives no lessons, made by hand or taken from a calendar of public holidays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import flask
from sqlalchemy import func, select
from wtforms.validators import InputRequired

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.bookings import booking_state
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Dates, State, contains
from guitaronline.admin.record_page import SHOWN, Page, Section, facts, rows, whole
from guitaronline.booking import absences
from guitaronline.booking.absence_models import KeptBooking
from guitaronline.booking.absence_rules import NAME_LENGTH, closure_problems, closure_times, school_day
from guitaronline.booking.impact import affected, count_affected
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure

COUNT_UP_TO = 1000


def days_of(closure: Closure) -> Any:
    if closure.first_day == closure.last_day:
        return show.day(closure.first_day)
    return show.html("{} – {}", show.day(closure.first_day), show.day(closure.last_day))


class ClosuresDesk(Desk):
    model_of = Closure
    path = "closures"
    title = "Closures"
    one = "Closure"
    permission = Permission.READ_BOOKINGS
    intro = (
        "Days on which the school gives no lessons. Nothing is offered then; bookings that lie inside need a decision."
    )
    empty = "The school is never closed. Import the public holidays, or make a closure."
    search_words = "Name"
    columns = (
        Column("name", "Closure", show.link),
        Column("first_day", "Days", days_of, sort=Closure.first_day),
        Column("status", "State", show.state),
        Column("uid", "From a calendar", lambda closure: show.yes(closure.uid is not None)),
        Column("id", "Made", lambda closure: show.stamp(closure.created_at), sort=Closure.id),
        Column("reference", "Reference", lambda closure: closure.reference, is_default=False),
    )
    filters = (State(Closure.status, AbsenceStatus), Dates("days", "Last day", Closure.last_day))
    exported = exported.CLOSURES
    default_order = (Closure.first_day, True)
    row_actions = staticmethod(buttons_of)

    def search_clauses(self, words: str) -> list[Any]:
        return [contains(Closure.name, words), Closure.reference == words.upper()]

    def list_extras(self) -> dict[str, Any]:
        from guitaronline.admin.holidays import ImportHolidays

        return {"buttons": [button_of(commands.named(CreateClosure)), button_of(commands.named(ImportHolidays))]}

    def record_page(self, closure: Any) -> dict[str, Any]:
        found = facts(
            ("Days", days_of(closure)),
            ("From", show.when(closure.start_at)),
            ("Until", show.when(closure.end_at)),
            ("From a calendar", closure.uid),
            ("Kept all the same", kept_words(closure)),
        )
        sections = [_inside(closure)] if closure.status is AbsenceStatus.PLANNED else []
        return whole(closure, Page(found, state=show.state(closure), sections=sections))


def kept_words(closure: Closure) -> str:
    """How many bookings were kept in spite of it; of a canceled one that means nothing any more."""
    query = (
        select(KeptBooking.id).where(KeptBooking.closure_id == closure.id).limit(COUNT_UP_TO)
    )  # uq_kept_bookings_closure
    number = session().scalar(select(func.count()).select_from(query.subquery())) or 0
    words = f"{number} {'booking' if number == 1 else 'bookings'}" if number else "no booking"
    return words if closure.status is AbsenceStatus.PLANNED or not number else f"{words}; void, as it was called off"


def _inside(closure: Closure) -> Section:
    return impact_section(closure.start_at, closure.end_at)


def impact_section(start: datetime, end: datetime) -> Section:
    """The bookings ahead inside, the soonest of them with their people."""
    found = affected(session(), None, start, end, gate.now(), limit=SHOWN)
    number = count_affected(session(), None, start, end, gate.now(), up_to=COUNT_UP_TO)
    more = flask.url_for("desk_bookings.index_view", waiting="needs_a_decision") if number > SHOWN else ""
    return Section(
        f"Bookings inside: {counted(number)}", HEADINGS, booking_rows(found), "No booking lies inside.", more
    )


HEADINGS = ("Booking", "Starts", "Student", "Teacher", "State")


def booking_rows(found: Sequence[Booking]) -> list[list[Any]]:
    return rows(
        found,
        show.link,
        lambda each: show.when(each.start_at, each.student, each.teacher),
        lambda each: show.link(each.student),
        lambda each: show.link(each.teacher),
        booking_state,
    )


def counted(number: int) -> str:
    return f"{number}" if number <= COUNT_UP_TO else f"more than {COUNT_UP_TO:,}"


class ClosureForm(forms.CommandForm):
    linkable = frozenset({"first_day", "last_day"})
    name = forms.line("Name", required=True, most=NAME_LENGTH)
    first_day = forms.DateField("First day", validators=[InputRequired("A day is needed.")])
    last_day = forms.DateField(
        "Last day",
        validators=[InputRequired("A day is needed.")],
        description="The same as the first for a single day.",
    )
    reason = forms.reason(required=False)


class CreateClosure(CommandPage):
    path = "closures/new"
    title = "New closure"
    parent = "desk_closures.index_view"
    button = "Close the school"
    permission = Permission.MANAGE_SLOTS
    form = ClosureForm
    looks = "Show what will happen"
    lead = "Nothing is offered on these days from the moment it is saved. Bookings inside stand until somebody decides."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        first, last = form.first_day.data, form.last_day.data
        if not isinstance(first, date) or not isinstance(last, date):
            return Consequences()
        today = school_day(gate.now())
        problems = closure_problems(form.name.data or "a name", first, last, today=today)
        if problems:
            return Consequences(blockers=problems)
        start, end = closure_times(first, last)
        found = affected(session(), None, start, end, gate.now(), limit=SHOWN)
        number = count_affected(session(), None, start, end, gate.now(), up_to=COUNT_UP_TO)
        lines = [
            ("Closed", show.html("{} until {}", show.when(start), show.when(end))),
            ("Bookings inside", f"{counted(number)}: each waits for a decision" if number else "none"),
        ]
        return Consequences(lines, table=[HEADINGS, *booking_rows(found)] if found else ())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        typed = {name: form[name].data for name in ("name", "first_day", "last_day", "reason")}
        return absences.create_closure(actor, **typed)

    def done(self, result: Any) -> Done:
        return Done(f"The school is closed: {result.name}.", show.record_url("closures", result.id) or "")


class CancelClosure(CommandPage):
    record = Closure
    path = "closures/<uuid:id>/cancel"
    title = "Call off"
    button = "Call the closure off"
    tone = "danger"
    permission = Permission.MANAGE_SLOTS
    form = forms.ReasonForm
    targets = (AbsenceStatus.CANCELED,)

    def refused_because(self, record: Any) -> str | None:
        over = "Its days have passed." if record.end_at <= gate.now() else None
        return super().refused_because(record) or over

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        number = count_affected(session(), None, record.start_at, record.end_at, gate.now(), up_to=COUNT_UP_TO)
        return Consequences(
            [
                ("Days", days_of(record)),
                ("Offered", "The teachers' hours on these days again, within minutes."),
                ("Bookings inside", f"{counted(number)}: ordinary ones again, none waits because of it"),
                ("Kept all the same", f"{kept_words(record)}; the decision to keep means nothing any more"),
                ("What was moved or canceled", "Stays so."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return absences.cancel_closure(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.name} is called off.", show.record_url("closures", result.id) or "")


commands.add(CreateClosure, CancelClosure)
