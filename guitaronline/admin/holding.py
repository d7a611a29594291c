"""A slot is kept for somebody while they decide or pay."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from guitaronline import policy
from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done
from guitaronline.booking import facts as booking_facts
from guitaronline.booking import service
from guitaronline.booking.rules import Liberties, is_lapsed, slot_problems
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot


class HoldForm(forms.CommandForm):
    linkable = frozenset({"find", "student_id"})
    find = people_picker.find("Student: name, e-mail or USR-…")
    student_id = people_picker.chosen("Student")
    hold_minutes = forms.number(
        "Minutes to hold",
        least=1,
        most=24 * 60,
        required=False,
        help="Empty: the usual time. Up to 24 hours while money is awaited.",
    )
    override = forms.BooleanField("Override notice, horizon and lesson length")
    reason = forms.reason(required=False, help="Needed when rules are overridden.")


class HoldSlot(CommandPage):
    """Keep a slot for somebody while they decide or pay."""

    record = Slot
    path = "slots/<uuid:id>/hold"
    title = "Hold for a student"
    button = "Hold the slot"
    permission = Permission.BOOK
    form = HoldForm
    looks = "Look for the student, show what will happen"

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.student_id, form.find.data, role=Role.STUDENT)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        student_id = people_picker.id_of(form.student_id)
        minutes = form.hold_minutes.data or policy.current().BOOKING_HOLD_MINUTES
        lines = [
            ("Slot", show.span(record.start_at, record.end_at, record.teacher)),
            (
                "Kept for",
                f"{minutes} minutes; one lesson of a fitting package is reserved, the one that expires first.",
            ),
        ]
        return Consequences(lines, blockers=explained(record.id, student_id, override=bool(form.override.data)))

    def refused_because(self, record: Any) -> str | None:
        """What no staff can override."""
        place = booking_facts.read_place(session(), record.id, now=gate.now())
        active = booking_facts.read_active(session(), slot_id=record.id, student_id=None, now=gate.now())
        live = [each for each in active if not is_lapsed(each, gate.now())]
        reasons = slot_problems(
            place, live, now=gate.now(), settings=policy.current(), liberties=Liberties(override=True)
        )
        return reasons[0].detail if reasons else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.hold_slot(
            actor,
            record.id,
            student_id=people_picker.picked(form.student_id),
            override=form.override.data,
            hold_minutes=form.hold_minutes.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} holds the slot.", show.record_url("bookings", result.id) or "")


def explained(slot_id: UUID, student_id: UUID | None, *, override: bool = False) -> list[Reason]:
    """Why this student cannot book this slot, by the rule that decides; nothing while nobody is chosen."""
    if student_id is None or session().get(User, student_id) is None:
        return []
    scene = booking_facts.read_scene(session(), slot_id, student_id=student_id, now=gate.now())
    return scene.judge(scene.purses(), Liberties(override=override))[1]
