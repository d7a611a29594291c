"""Bookings: looked up, held, confirmed, canceled with their consequences shown before, and moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, messages, show, slot_picker, standing_in
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.cancellations import canceled_facts, why_nothing_is_left
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.decide import AGAINST, decision_section
from guitaronline.admin.filters import Choice, Days, Person, State, Whose, record_or_people
from guitaronline.admin.holding import HoldSlot
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.admin.slots import slot_commands
from guitaronline.admin.waiting import Waiting
from guitaronline.billing.models import Package
from guitaronline.booking import facts as booking_facts
from guitaronline.booking import queries, service, waiting
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.rules import effective_status
from guitaronline.booking.series_models import LessonSeries
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.scheduling.models import Slot

CAUSES = [(str(cause), show.word(cause)) for cause in CancelCause]


def booking_state(booking: Booking) -> Any:
    """As it reads now: a lapsed hold is expired before any job has run."""
    return show.state(booking, effective_status(booking, gate.now()))


def _clause(state: str, now: datetime) -> ColumnElement[bool]:
    lapsed = booking_facts.lapsed(now)
    special = {
        "hold": and_(Booking.status == BookingStatus.HOLD, ~lapsed),
        "expired": (Booking.status == BookingStatus.EXPIRED) | lapsed,
    }
    return special.get(state, Booking.status == state)


class BookingsDesk(Desk):
    model_of = Booking
    path = "bookings"
    title = "Bookings"
    one = "Booking"
    permission = Permission.READ_BOOKINGS
    empty = "No booking yet. Take the first one for somebody on the phone."
    search_words = "BK-…, student or teacher"
    columns = (
        Column("reference", "Booking", show.link),
        Column(
            "start_at",
            "Starts",
            lambda booking: show.span(booking.start_at, booking.end_at, booking.student, booking.teacher),
            sort=Booking.start_at,
        ),
        Column("student", "Student", lambda booking: show.link(booking.student)),
        Column("teacher", "Teacher", lambda booking: show.link(booking.teacher)),
        Column("status", "State", booking_state),
        Column("cancel_cause", "Because of", lambda booking: show.text(booking.cancel_cause)),
        Column("id", "Booked", lambda booking: show.stamp(booking.created_at), sort=Booking.id),
        Column("end_at", "Ends", lambda booking: show.when(booking.end_at), is_default=False),
        Column("confirmed_at", "Confirmed", lambda booking: show.stamp(booking.confirmed_at), is_default=False),
        Column("canceled_at", "Canceled", lambda booking: show.stamp(booking.canceled_at), is_default=False),
        Column("reason", "Reason", lambda booking: show.text(booking.cancellation_reason), is_default=False),
        Column("package", "Package", lambda booking: show.link(booking.package), is_default=False),
    )
    filters = (
        State(Booking.status, BookingStatus, _clause),
        Waiting(waiting.BOOKINGS),
        Days("day", "Day of the lesson", Booking.start_at),
        Choice("cause", "Canceled because of", list(CancelCause), lambda value: Booking.cancel_cause == value),
        Person("student", "Student", Booking.student_id),
        Person("teacher", "Teacher", Booking.teacher_id),
        Whose("package", "Package", Booking.package_id, Package),
        Whose("series", "Series", Booking.series_id, LessonSeries),
        Counted("bookings", Booking.id),
    )
    exported = exported.BOOKINGS
    default_order = (Booking.start_at, True)
    row_actions = staticmethod(buttons_of)
    load = (
        selectinload(Booking.student),
        selectinload(Booking.teacher),
        selectinload(Booking.package),
        selectinload(Booking.lesson),  # whether its buttons are possible
    )

    def prepare_rows(self, rows: list[Any]) -> None:
        AGAINST.look(rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(Booking.reference, words, Booking.student_id, Booking.teacher_id)

    def list_extras(self) -> dict[str, Any]:
        from guitaronline.admin.new_booking import NewBooking
        from guitaronline.admin.series_pages import NewSeries

        return {"buttons": [button_of(commands.named(kind)) for kind in (NewBooking, NewSeries)]}

    def record_page(self, booking: Any) -> dict[str, Any]:
        from guitaronline.admin.series import series_buttons

        return whole(
            booking,
            Page(
                _facts(booking),
                state=booking_state(booking),
                sections=[
                    *decision_section(booking),
                    _lesson_section(booking),
                    *_moved(booking),
                    *messages.of_record(booking),
                ],
                also=series_buttons(booking),
            ),
        )


def _facts(booking: Booking) -> list[show.Fact]:
    people = (booking.student, booking.teacher)
    found = facts(
        ("Student", show.link(booking.student)),
        ("Teacher", standing_in.given_by(booking)),
        ("Starts", show.when(booking.start_at, *people)),
        ("Length", show.minutes(booking.end_at - booking.start_at)),
        ("Slot", show.link(booking.slot)),
        ("Package", show.link(booking.package)),
        ("Booked", show.when(booking.created_at)),
        ("Held until", show.when(booking.hold_expires_at)),
        ("Confirmed", show.when(booking.confirmed_at)),
    )
    if booking.series is not None:
        found += facts(("Weekly lessons", show.link(booking.series)))
    return found if booking.canceled_at is None else found + canceled_facts(booking)


def _lesson_section(booking: Booking) -> Section:
    found = [booking.lesson] if booking.lesson else []
    return Section(
        "Lesson",
        ("Lesson", "Starts", "State"),
        rows(found, show.link, lambda each: show.when(each.scheduled_start_at), show.state),
        "None: it was never confirmed." if booking.canceled_at else "Comes with the confirmation.",
    )


def _moved(booking: Booking) -> list[Section]:
    """Where it came from and where it went: moved, or canceled by mistake and restored."""
    before = {
        booking.rescheduled_from_booking_id: "moved from",
        booking.restored_from_booking_id: "restored from",
    }
    after = or_(
        Booking.rescheduled_from_booking_id == booking.id, Booking.restored_from_booking_id == booking.id
    )  # bookings_one_successor, bookings_one_restoration
    query = select(Booking).where(or_(after, Booking.id.in_([each for each in before if each]))).order_by(Booking.id)
    found = list(session().scalars(query.limit(4)))
    if not found:
        return []

    def word(each: Booking) -> str:
        later = "moved to" if each.rescheduled_from_booking_id == booking.id else "restored as"
        return before.get(each.id, later)

    return [
        Section(
            "Moved or restored",
            ("", "Booking", "Starts", "State"),
            rows(found, word, show.link, lambda each: show.when(each.start_at), booking_state),
        )
    ]


def about(booking: Booking) -> list[tuple[str, Any]]:
    """Which booking it is, for somebody who acts on it."""
    return [
        ("Lesson", show.span(booking.start_at, booking.end_at, booking.student, booking.teacher)),
        ("Student", show.link(booking.student)),
        ("Teacher", show.link(booking.teacher)),
    ]


class BookingCommand(CommandPage):
    record = Booking
    permission = Permission.CANCEL

    def refused_because(self, record: Any) -> str | None:
        """By the state that it has now, lapsed holds told."""
        status = effective_status(record, gate.now())
        if any(record.states.events(status, target) for target in self.targets):
            return None
        return f"It is {show.word(status)}: {record.states.meanings[status]}."

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is {show.word(result.status)}.", show.record_url("bookings", result.id) or "")


class ConfirmBooking(BookingCommand):
    path = "bookings/<uuid:id>/confirm"
    title = "Confirm"
    permission = Permission.BOOK
    targets = (BookingStatus.CONFIRMED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                *about(record),
                ("Then", f"One lesson is made, {show.minutes(record.end_at - record.start_at)}."),
                ("Package", show.html("The reserved lesson of {} is used.", show.link(record.package))),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.confirm_booking(actor, record.id)


class CancelForm(forms.CommandForm):
    linkable = frozenset({"cause"})
    cause = forms.choice("Because of", CAUSES, help="Whose doing it is decides what becomes of the lesson; see above.")
    waive = forms.BooleanField("Give the lesson back although the notice was too short")
    reason = forms.reason()


class CancelBooking(BookingCommand):
    path = "bookings/<uuid:id>/cancel"
    title = "Cancel"
    button = "Cancel the booking"
    tone = "danger"
    form = CancelForm
    targets = (BookingStatus.CANCELED,)

    def initial(self, record: Any) -> dict[str, Any]:
        return {"cause": str(CancelCause.STUDENT)}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """What becomes of the lesson, for every cause that may be chosen, by the rule that decides."""
        waive = bool(form.waive.data)
        found = [
            (words, queries.preview_cancel(session(), actor, record.id, cause=cause, waive=waive))
            for cause, words in CAUSES
        ]
        table = [(words, each.decision.sentence()) for words, each in found if each.decision]
        lines = [*about(record), ("Slot", "Free again at once.")] if table else about(record)
        return Consequences(
            lines,
            table=[("Because of", "What becomes of the lesson"), *table] if table else (),
            blockers=found[0][1].reasons,
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.cancel_booking(
            actor, record.id, reason=form.reason.data, cause=form.cause.data, waive=form.waive.data
        )

    def done(self, result: Any) -> Done:
        sentence = (result.decision or {}).get("sentence", "")
        return Done(f"{result.reference} is canceled. {sentence}", show.record_url("bookings", result.id) or "")


class RescheduleForm(forms.CommandForm):
    linkable = frozenset({"new_slot_id", "teacher_find", "day"})
    teacher_find = forms.line("Teacher", most=100, help="Empty: any teacher.")
    day = forms.line("Day", most=24, help="tomorrow, thursday, next week, 2026-11-23 …; empty: the soonest.")
    new_slot_id = slot_picker.chosen("New slot")
    cause = forms.choice("Because of", CAUSES)
    waive = forms.BooleanField("Keep the lesson although the notice was too short")
    override = forms.BooleanField("Override notice, horizon and lesson length")
    reason = forms.reason()


class RescheduleBooking(BookingCommand):
    path = "bookings/<uuid:id>/reschedule"
    title = "Move"
    button = "Move the booking"
    form = RescheduleForm
    looks = "Look for slots, show what will happen"
    targets = (BookingStatus.CANCELED,)

    def initial(self, record: Any) -> dict[str, Any]:
        return {"cause": str(CancelCause.STUDENT), "teacher_find": record.teacher.full_name}

    def refused_because(self, record: Any) -> str | None:
        if effective_status(record, gate.now()) is BookingStatus.HOLD:
            return "Only a confirmed booking can be moved. Confirm it first."
        return super().refused_because(record)

    def prepare(self, form: Any, record: Any) -> None:
        slot_picker.fill(form.new_slot_id, teacher=form.teacher_find.data, days=form.day.data, without=record.slot_id)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        now_at = about(record)
        slot_id = slot_picker.id_of(form.new_slot_id)
        if slot_id is None:
            return Consequences([*now_at, ("Then", "Choose a slot below and look.")])
        found = queries.preview_reschedule(
            session(),
            actor,
            record.id,
            new_slot_id=slot_id,
            cause=form.cause.data,
            waive=bool(form.waive.data),
            override=bool(form.override.data),
        )
        slot = session().get(Slot, slot_id)
        then = (
            show.html("{} with {}", show.when(slot.start_at, record.student), show.link(slot.teacher)) if slot else "–"
        )
        lines = [*now_at, ("Then", then)]
        if found.decision:
            paid = session().get(Package, found.package_id)
            lines += [
                ("The old lesson", found.decision.sentence()),
                ("The new lesson", show.html("is paid by {}", show.link(paid))),
            ]
        elif any(each.code == "no_lessons_left" for each in found.reasons):
            lines += why_nothing_is_left(actor, record, form)
        return Consequences(lines, blockers=found.reasons)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.reschedule_booking(
            actor,
            record.id,
            new_slot_id=slot_picker.picked(form.new_slot_id),
            reason=form.reason.data,
            cause=form.cause.data,
            waive=form.waive.data,
            override=form.override.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"Moved: {result.reference} takes its place.", show.record_url("bookings", result.id) or "")


commands.add(HoldSlot, *slot_commands, ConfirmBooking, RescheduleBooking, CancelBooking)
