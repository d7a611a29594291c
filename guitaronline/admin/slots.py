"""The teachers' time: slots, made one by one or many at once, blocked, withdrawn, and held for a student."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from sqlalchemy import exists, func, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement
from wtforms import SelectMultipleField
from wtforms.validators import InputRequired, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from guitaronline.actor import Actor, Role
from guitaronline.admin import exported, forms, gate, people_picker, show
from guitaronline.admin.base import Column, Desk, Selection
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Choice, Days, Person, record_or_people
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.booking import facts as booking_facts
from guitaronline.booking import slots as booking_slots
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.forms import WEEKDAYS
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling import service
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import BULK_DAYS_MAX, SLOT_MINUTES_MAX, SLOT_MINUTES_MIN, Window, days_between

SHOWN_SKIPPED = 5
SHOWN_PLACES = 25  # of a preview


def occupants(slot_ids: list[UUID]) -> dict[UUID, Booking]:
    """The live booking of each of these slots; a lapsed hold occupies nothing."""
    if not slot_ids:
        return {}
    query = select(Booking).where(Booking.slot_id.in_(slot_ids), booking_facts.live(gate.now()))
    return {each.slot_id: each for each in session().scalars(query)}


def slot_state(slot: Slot, occupant: Booking | None) -> Any:
    """Held or booked follows from the booking that occupies the slot."""
    if occupant is None:
        return show.state(slot)
    return show.chip("held" if occupant.status is BookingStatus.HOLD else "booked", f"by {occupant.reference}")


def _clause(state: str) -> ColumnElement[bool]:
    """Free time ahead comes before all that is booked; the last booking's start lets the list begin there. ix_bookings_start"""
    last = select(func.max(Booking.start_at)).where(Booking.status == BookingStatus.CONFIRMED).scalar_subquery()
    taken = exists().where(Booking.slot_id == Slot.id, booking_facts.live(gate.now()))
    by_booking = {
        "held": taken.where(Booking.status == BookingStatus.HOLD),
        "booked": taken.where(Booking.status == BookingStatus.CONFIRMED) & (Slot.start_at <= last),
    }
    return by_booking.get(state, (Slot.status == state) & ~taken)


class SlotsDesk(Desk):
    model_of = Slot
    path = "slots"
    title = "Slots"
    one = "Slot"
    permission = Permission.READ_BOOKINGS
    empty = "No teacher has offered time yet. Make slots one by one or for a whole term."
    search_words = "SLT-… or teacher"
    columns = (
        Column("reference", "Slot", show.link),
        Column(
            "start_at", "Starts", lambda slot: show.span(slot.start_at, slot.end_at, slot.teacher), sort=Slot.start_at
        ),
        Column("teacher", "Teacher", lambda slot: show.link(slot.teacher)),
        Column("status", "State", lambda slot: slot_state(slot, flask.g.occupants.get(slot.id))),
        Column("booking", "Booking", lambda slot: show.link(flask.g.occupants.get(slot.id))),
        Column("end_at", "Ends", lambda slot: show.when(slot.end_at), is_default=False),
        Column("id", "Made", lambda slot: show.stamp(slot.created_at), sort=Slot.id, is_default=False),
    )
    filters = (
        Choice("state", "State", ["open", "held", "booked", "blocked", "withdrawn"], _clause),
        Days("day", "Day", Slot.start_at),
        Person("teacher", "Teacher", Slot.teacher_id),
        Counted("slots", Slot.id),
    )
    exported = exported.SLOTS
    default_order = (Slot.start_at, True)
    load = (selectinload(Slot.teacher),)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(Slot.reference, words, Slot.teacher_id)

    def counts_in_order(self, asked: Selection) -> bool:
        """Most of what was ever open is taken: of the newest, few are."""
        return asked.filters.get("state") == "open"

    def prepare_rows(self, rows: list[Any]) -> None:
        flask.g.occupants = occupants([slot.id for slot in rows])

    def list_extras(self) -> dict[str, Any]:
        from guitaronline.admin.block_range import BlockRange

        return {"buttons": [button_of(commands.named(kind)) for kind in (CreateSlot, CreateSlots, BlockRange)]}

    def record_page(self, slot: Any) -> dict[str, Any]:
        from guitaronline.admin.bookings import booking_state
        from guitaronline.admin.new_booking import NewBooking

        query = select(Booking).where(Booking.slot_id == slot.id).order_by(Booking.id.desc()).limit(10)
        found = session().scalars(query.options(selectinload(Booking.student)))
        section = Section(
            "Bookings of this slot",
            ("Booking", "Student", "State"),
            rows(found, show.link, lambda b: show.link(b.student), booking_state),
        )
        lines = facts(
            ("Teacher", show.link(slot.teacher)),
            ("Starts", show.when(slot.start_at, slot.teacher)),
            ("Ends", show.when(slot.end_at, slot.teacher)),
            ("Length", show.minutes(slot.end_at - slot.start_at)),
            ("Made", show.when(slot.created_at)),
        )
        return whole(
            slot,
            Page(
                lines,
                state=slot_state(slot, occupants([slot.id]).get(slot.id)),
                sections=[section],
                also=[button_of(commands.named(NewBooking), slot_id=slot.id)],
            ),
        )


class TeacherForm(forms.CommandForm):
    linkable = frozenset({"find", "teacher_id"})
    find = people_picker.find("Teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher")


def exists_locally(form: Any, field: Any) -> None:
    """A wall-clock time that the clock jumps over, in spring, is no time."""
    if not (form.day.data and field.data):
        return
    zone = form.zone()
    wall = datetime.combine(form.day.data, field.data)
    moment = wall.replace(tzinfo=zone)
    if moment.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) != wall:
        raise ValidationError(f"The clocks jump over {field.data:%H:%M} on that day in {zone.key}.")


class SlotForm(TeacherForm):
    day = forms.DateField("Day", validators=[InputRequired("A day is needed.")])
    start = forms.TimeField("Starts at", validators=[InputRequired("A time is needed."), exists_locally])
    minutes = forms.number("Minutes", least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX, default=60)
    clock = forms.choice("These times are on", [("teacher", "the teacher's clock"), ("mine", "my clock")])

    def zone(self: Any) -> ZoneInfo:
        person = session().get(User, people_picker.id_of(self.teacher_id)) if self.clock.data == "teacher" else None
        return ZoneInfo(person.timezone if person else gate.viewer().timezone)

    def start_at(self: Any) -> datetime:
        """Of a time that happens twice, the first."""
        return datetime.combine(self.day.data, self.start.data, self.zone())


class CreateSlot(CommandPage):
    path = "slots/new"
    title = "New slot"
    parent = "desk_slots.index_view"
    button = "Make the slot"
    permission = Permission.MANAGE_SLOTS
    form = SlotForm
    looks = "Look for the person"

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.teacher_id, form.find.data, role=Role.TEACHER)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        start = form.start_at()
        end = start.astimezone(ZoneInfo("UTC")) + timedelta(minutes=form.minutes.data)
        return service.create_slot(actor, teacher_id=people_picker.picked(form.teacher_id), start_at=start, end_at=end)

    def done(self, result: Any) -> Done:
        return Done(f"Slot {result.reference} is made.", show.record_url("availability_slots", result.id) or "")


def days_in(typed: str | None) -> frozenset[date]:
    """`2026-12-24, 2026-12-28..2027-01-02` → those days. Raises ValueError for anything else, and for more than a year."""
    found: set[date] = set()
    for part in (typed or "").replace(",", " ").split():
        first, dots, last = part.partition("..")
        start, end = date.fromisoformat(first), date.fromisoformat(last if dots else first)
        if not 0 <= (end - start).days < BULK_DAYS_MAX:
            raise ValueError
        found |= set(days_between(start, end))
    return frozenset(found)


def days_typed(form: Any, field: Any) -> None:
    try:
        days_in(field.data)
    except (ValueError, OverflowError):
        raise ValidationError("Write days like 2026-12-24, and stretches like 2026-12-28..2027-01-02.") from None


class SlotsForm(TeacherForm):
    first_day = forms.DateField("First day", validators=[InputRequired("A day is needed.")])
    last_day = forms.DateField("Last day", validators=[InputRequired("A day is needed.")])
    weekdays = SelectMultipleField(
        "Weekdays",
        choices=forms.choices((str(number), day) for number, day in enumerate(WEEKDAYS)),
        coerce=int,
        option_widget=CheckboxInput(),
        widget=ListWidget(),
        validators=[InputRequired("Choose at least one.")],
    )
    start_local = forms.TimeField(
        "From", validators=[InputRequired("A time is needed.")], description="On the teacher's clock."
    )
    end_local = forms.TimeField(
        "Until",
        validators=[InputRequired("A time is needed.")],
        description="00:00 is midnight; an earlier time means the next day.",
    )
    lesson_minutes = forms.number("Minutes a lesson", least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX, default=60)
    buffer_minutes = forms.number("Pause between, minutes", least=0, most=240, default=0)
    without = forms.line(
        "Days to leave out",
        most=2000,
        checks=[Optional(), days_typed],
        help="Such as 2026-12-24, 2026-12-28..2027-01-02. Time off and closures are left out by themselves.",
    )

    def wanted(self: Any) -> service.Wanted:
        window = Window(
            frozenset(self.weekdays.data),
            self.start_local.data,
            self.end_local.data,
            self.lesson_minutes.data,
            self.buffer_minutes.data,
        )
        return service.Wanted(window, self.first_day.data, self.last_day.data, days_in(self.without.data))


class CreateSlots(CommandPage):
    path = "slots/many"
    title = "Many slots"
    parent = "desk_slots.index_view"
    button = "Make the slots"
    permission = Permission.MANAGE_SLOTS
    form = SlotsForm
    looks = "Look, show what will be made"
    lead = "The same hours on chosen weekdays, cut into lessons. Places that overlap a slot, lie in time off or a closure, or have passed are left out and reported."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.teacher_id, form.find.data, role=Role.TEACHER)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        names = ("first_day", "last_day", "start_local", "end_local", "lesson_minutes", "buffer_minutes")
        typed = {name: form[name].data for name in names}
        typed |= {"weekdays": form.weekdays.data, "without": days_in(form.without.data)}
        return service.create_slots(actor, teacher_id=people_picker.picked(form.teacher_id), **typed)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """Once everything is typed: what would be made now, by the command's own rule."""
        chosen = people_picker.id_of(form.teacher_id) if form.is_submitted() else None
        teacher = session().get(User, chosen) if chosen else None
        if teacher is None or not form.validate():
            return Consequences()
        try:
            found = service.places_for(session(), teacher, form.wanted(), gate.now())
        except service.WindowInvalid as refusal:
            return Consequences(blockers=refusal.reasons)
        table = [["When", "Left out because"], *([f"{each.local:%a %d %b %Y, %H:%M}", each.detail] for each in found.skipped[:SHOWN_PLACES])]  # fmt: skip
        made = f"{len(found.free)} slots on {teacher.full_name}'s clock ({teacher.timezone})"
        if found.free:
            made += f", from {found.free[0].local:%a %d %b %Y, %H:%M} to {found.free[-1].local:%a %d %b %Y, %H:%M}"
        return Consequences([("Made", made), ("Left out", len(found.skipped))], table if found.skipped else [])

    def done_with(self, result: Any, form: Any) -> Done:
        words = f"{len(result.made)} slots are made."
        if result.skipped:
            some = "; ".join(f"{each.local:%a %d %b %H:%M}: {each.detail}" for each in result.skipped[:SHOWN_SKIPPED])
            words += f" {len(result.skipped)} places were left out: {some}{' …' if len(result.skipped) > SHOWN_SKIPPED else ''}"
        return Done(words, flask.url_for("desk_slots.index_view", teacher=people_picker.picked(form.teacher_id)))


class SlotCommand(CommandPage):
    record = Slot
    permission = Permission.MANAGE_SLOTS

    def done(self, result: Any) -> Done:
        return Done(
            f"Slot {result.reference} is {show.word(result.status)}.",
            show.record_url("availability_slots", result.id) or "",
        )

    def refused_because(self, record: Any) -> str | None:
        return super().refused_because(record) or occupied(record)


def occupied(slot: Slot) -> str | None:
    """An occupied slot stays until its booking is decided."""
    booking = occupants([slot.id]).get(slot.id)
    return f"{booking.reference} occupies it; cancel or move that first." if booking else None


class BlockSlot(SlotCommand):
    path = "slots/<uuid:id>/block"
    title = "Block"
    form = forms.ReasonForm
    targets = (SlotStatus.BLOCKED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Offered", "Not any more, until it is unblocked.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return booking_slots.block_slot(actor, record.id, reason=form.reason.data)


class UnblockSlot(SlotCommand):
    path = "slots/<uuid:id>/unblock"
    title = "Unblock"
    form = forms.MaybeReasonForm
    targets = (SlotStatus.OPEN,)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.unblock_slot(actor, record.id, reason=form.reason.data)


class WithdrawSlot(SlotCommand):
    path = "slots/<uuid:id>/withdraw"
    title = "Withdraw"
    tone = "danger"
    form = forms.ReasonForm
    targets = (SlotStatus.WITHDRAWN,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Offered", "Never again; another slot may be made at this time.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return booking_slots.withdraw_slot(actor, record.id, reason=form.reason.data)


commands.add(CreateSlot, CreateSlots)
slot_commands = (BlockSlot, UnblockSlot, WithdrawSlot)  # after "Hold for a student", which bookings.py adds
