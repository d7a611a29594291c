"""Blocking and withdrawing a slot: they ask about bookings, so they live here. Unblocking lives with the slots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, rules, steps
from guitaronline.booking.models import Booking
from guitaronline.booking.refusals import SlotOccupied
from guitaronline.booking.rules import ActiveBooking
from guitaronline.errors import DomainError, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.refusals import ReasonRequired
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.states import IllegalMove
from guitaronline.unit_of_work import Work, command

OUT_REFUSALS: dict[str, type[DomainError]] = {"slot_occupied": SlotOccupied, "illegal_move": IllegalMove}


@command("slot.block", on="availability_slots")
def block_slot(work: Work, slot_id: UUID, *, reason: str) -> Slot:
    """The slot is kept back and stays so whatever happens to bookings. Repeat: no-op. Raises SlotOccupied, IllegalMove."""
    return _take_out(work, slot_id, SlotStatus.BLOCKED, reason)


@command("slot.withdraw", on="availability_slots")
def withdraw_slot(work: Work, slot_id: UUID, *, reason: str) -> Slot:
    """The slot is gone for good. Repeat: no-op. Raises SlotOccupied."""
    return _take_out(work, slot_id, SlotStatus.WITHDRAWN, reason)


def _take_out(work: Work, slot_id: UUID, target: SlotStatus, reason: str) -> Slot:
    """Locks the package of a lapsed hold, then the slot; looks at the bookings again under the slot's lock."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=True)
    _require_reason(reason)
    packages = work.lock_all(Package, _packages_of_lapsed(work, slot_id))
    slot = work.lock(Slot, slot_id)
    access.require(work.actor, Permission.MANAGE_SLOTS, own=slot.teacher_id == work.actor.id)
    if slot.status is target:
        return slot
    standing = facts.read_active(work.session, slot_id=slot_id, student_id=None, now=work.now)
    for problem in out_problems(slot, standing, target, work.now):
        raise OUT_REFUSALS[problem.code](reasons=[problem], **problem.facts)
    for occupying in standing:
        _release(work, occupying, packages, work.now)
    work.move(slot, target, teacher_id=str(slot.teacher_id))
    return slot


def out_problems(slot: Slot, standing: Sequence[ActiveBooking], target: SlotStatus, now: datetime) -> list[Reason]:
    """A rule: why the slot cannot be blocked or withdrawn. A lapsed hold is in nobody's way."""
    live = [each for each in standing if not rules.is_lapsed(each, now)]
    if not Slot.states.events(slot.status, target):
        return [Reason("illegal_move", f"It is {slot.status.value}: {Slot.states.meanings[slot.status]}.")]
    return [
        Reason(
            "slot_occupied",
            SlotOccupied.detail,
            "Cancel or move the booking first.",
            facts={"booking_id": str(each.id)},
        )
        for each in live
    ]


def _release(work: Work, occupying: ActiveBooking, packages: list[Package], now: datetime) -> None:
    """A lapsed hold is in nobody's way; anything else occupies the slot until it is decided."""
    package = next((each for each in packages if each.id == occupying.package_id), None)
    if package is None or not rules.is_lapsed(occupying, now):
        raise SlotOccupied(booking_id=str(occupying.id))
    steps.expire(work, work.lock(Booking, occupying.id), package)


def _packages_of_lapsed(work: Work, slot_id: UUID) -> list[UUID]:
    lapsed = select(Booking.package_id).where(Booking.slot_id == slot_id, facts.lapsed(work.now))
    return list(work.session.scalars(lapsed))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonRequired(reasons=[cancellation.REASON_MISSING])
    if len(reason) > cancellation.REASON_LENGTH:
        raise ReasonRequired(reasons=[cancellation.REASON_TOO_LONG])
