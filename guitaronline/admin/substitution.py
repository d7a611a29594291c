"""Somebody else gives a booked lesson: who can, in which order and why; and the student's no to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.bookings import BookingCommand, about
from guitaronline.admin.command_page import Consequences, Done, commands
from guitaronline.admin.filters import people_matching
from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.booking.substitutes import (
    booking_problems,
    booking_with_lesson,
    decline_decision,
    decline_problems,
    preview_substitution,
    substitutes_for,
)
from guitaronline.booking.substitution import decline_substitute, substitute_booking
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.models import TeacherProfile

OFFERED = 8
FOUND = 5


class SubstituteForm(forms.CommandForm):
    linkable = frozenset({"teacher_id", "find"})
    find = forms.line("Another teacher", most=100, help="A name, for somebody who is not offered: it is said why not.")
    teacher_id = people_picker.chosen("Who gives the lesson")
    reason = forms.reason()


class SubstituteBooking(BookingCommand):
    path = "bookings/<uuid:id>/substitute"
    title = "Substitute"
    button = "Give the lesson to them"
    permission = Permission.MANAGE_SLOTS
    form = SubstituteForm
    looks = "Show what will happen"
    lead = "The booking stays as it is; another teacher gives it. Whoever is offered is free then, the best first."

    def refused_because(self, record: Any) -> str | None:
        problems = booking_problems(record, record.lesson, gate.now())
        return problems[0].detail if problems else None

    def prepare(self, form: Any, record: Any) -> None:
        form.teacher_id.choices = forms.choices(_offered(record, form))

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        teacher_id = people_picker.id_of(form.teacher_id)
        if teacher_id is None or _profile(teacher_id) is None:
            return Consequences([*about(record), ("Then", "Choose a teacher below and look.")])
        found = preview_substitution(session(), actor, record.id, teacher_id=teacher_id)
        if found.reasons or found.stage is None:
            return Consequences(about(record), blockers=found.reasons)
        slot = found.stage.slot
        taken = show.html("Their slot {} is taken.", _slot_link(slot.slot_id)) if slot else "A slot is made for it."
        lines = [
            *about(record),
            ("Then", show.html("{} gives it. {}", show.link_to("users", teacher_id, found.stage.teacher.name), taken)),
            ("The old slot", _old_slot(record)),
            ("The student", "May decline until the start; the lesson then returns whatever the notice."),
            ("Who is told", "The student and both teachers."),
        ]
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        teacher_id = people_picker.picked(form.teacher_id)
        return substitute_booking(actor, record.id, teacher_id=teacher_id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        name = session().scalar(select(User.full_name).where(User.id == result.teacher_id))
        return Done(f"{result.reference} is given by {name}.", show.record_url("bookings", result.id) or "")


def _offered(record: Booking, form: Any) -> Sequence[tuple[str, str]]:
    """The ranked ones, then those who were looked for by name, and who was chosen already."""
    ranked = substitutes_for(session(), record, gate.now(), limit=OFFERED)
    offered = {each.teacher_id: f"{each.name}: {each.because()}" for each in ranked}
    others = _by_name(form.find.data)
    already = people_picker.id_of(form.teacher_id)
    if already and already not in offered:
        others = [already, *others]
    names = select(TeacherProfile.user_id, TeacherProfile.display_name).where(TeacherProfile.user_id.in_(others))
    for user_id, name in session().execute(names):
        offered.setdefault(user_id, name)
    return [(str(teacher_id), words) for teacher_id, words in offered.items()]


def _by_name(words: str | None) -> list[UUID]:
    if not words:
        return []
    query = select(User.id).where(User.role == Role.TEACHER, User.id.in_(people_matching(words)))
    return list(session().scalars(query.order_by(User.full_name).limit(FOUND)))


def _profile(user_id: UUID) -> UUID | None:
    return session().scalar(select(TeacherProfile.id).where(TeacherProfile.user_id == user_id))


def _slot_link(slot_id: UUID) -> Any:
    return show.link(session().get(Slot, slot_id))


def _old_slot(booking: Booking) -> str:
    """What becomes of it, by the rule that offers slots."""
    place = facts.read_place(session(), booking.slot_id, now=gate.now())
    if not place.is_teacher_active:
        return "Free, but not offered: its teacher is not active."
    if place.is_teacher_away or place.closed_for:
        return "Free, but not offered: its teacher is away." if place.is_teacher_away else "Free, but not offered."
    return "Free again at once."


class DeclineSubstitute(BookingCommand):
    path = "bookings/<uuid:id>/decline"
    title = "Decline the substitute"
    is_rare = True
    button = "The student declines"
    tone = "danger"
    permission = Permission.BOOK
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        problems = decline_problems(record, record.lesson, gate.now())
        return problems[0].detail if problems else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        booking, lesson = booking_with_lesson(session(), record.id)
        problems = decline_problems(booking, lesson, gate.now())
        if problems:
            return Consequences(about(record), blockers=problems)
        decision = decline_decision(booking, booking.package, gate.now())
        original = show.link(booking.original_teacher)
        lines = [*about(record), ("Booked with", original), ("The lesson", decision.sentence())]
        return Consequences([*lines, ("Slot", "Free again at once.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return decline_substitute(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        sentence = (result.decision or {}).get("sentence", "")
        return Done(f"{result.reference} is canceled. {sentence}", show.record_url("bookings", result.id) or "")


commands.add(SubstituteBooking, DeclineSubstitute)
