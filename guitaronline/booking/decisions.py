"""What people say about bookings that an absence touches, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.errors import Conflict, DomainError, Invalid, Reason
from guitaronline.unit_of_work import Work


class Way(StrEnum):
    LATER = "later"  # it waits among those that need a decision
    CANCEL = "cancel"  # and the lesson returns
    MOVE = "move"
    KEEP = "keep"  # the lesson is given all the same


@dataclass(frozen=True)
class Chosen:
    """One decision of a person."""

    booking_id: UUID
    way: Way
    new_slot_id: UUID | None = None


class DecisionsNeeded(Conflict):
    detail = "Bookings lie in this time. Say for each what becomes of it; `later` is an answer too."


class DecisionInvalid(Invalid):
    detail = "This cannot be decided like this."


class NothingToDecide(Conflict):
    detail = "Nothing stands against this booking: it needs no decision."


class CannotKeep(Conflict):
    detail = "The teacher is not active, so the lesson cannot be kept. Move or cancel it, or enable the teacher."


def slot_problems(work: Work, chosen: Chosen) -> list[Reason]:
    """A move names a slot that there is, and nothing else names one."""
    if chosen.way is not Way.MOVE:
        return [] if chosen.new_slot_id is None else [SLOT_NOT_EXPECTED]
    if chosen.new_slot_id is None:
        return [SLOT_MISSING]
    return [] if facts.teacher_of(work.session, chosen.new_slot_id) else [SLOT_UNKNOWN]  # slots are never deleted


def choice_problems(work: Work, chosen: Sequence[Chosen], inside: Sequence[Booking]) -> list[Reason]:
    """Everything that is wrong with these decisions about the bookings inside an absence, each with its place."""
    known, seen = {each.id for each in inside}, set[UUID]()
    found = []
    for number, each in enumerate(chosen):
        place = f"/decisions/{number}"
        found += [replace(reason, pointer=place + reason.pointer) for reason in slot_problems(work, each)]
        if each.booking_id not in known:
            found.append(replace(NOT_AFFECTED, pointer=f"{place}/booking_id"))
        elif each.booking_id in seen:
            found.append(replace(DECIDED_TWICE, pointer=f"{place}/booking_id"))
        seen.add(each.booking_id)
    return found


def undecided_problems(chosen: Sequence[Chosen], inside: Sequence[Booking]) -> list[Reason]:
    """A rule: the bookings inside for which no decision is named."""
    named = {each.booking_id for each in chosen}
    return [
        Reason(
            "decision_needed",
            f"{each.reference} starts {each.start_at:%Y-%m-%d %H:%M} UTC.",
            "Say `later`, `cancel`, `move` or `keep`.",
            "/decisions",
            {"booking_id": str(each.id)},
        )
        for each in inside
        if each.id not in named
    ]


def pointed(refusal: DomainError, number: int, chosen: Chosen) -> DomainError:
    """The refusal of one decision among many says which one it was."""
    place = f"/decisions/{number}" + ("/new_slot_id" if chosen.way is Way.MOVE else "")
    reasons = refusal.reasons or [Reason(refusal.code, refusal.text)]
    refusal.reasons = [replace(each, pointer=place) for each in reasons]
    return refusal


SLOT_MISSING = Reason("slot_missing", "Say to which slot it moves.", "Choose a slot.", "/new_slot_id")
SLOT_NOT_EXPECTED = Reason("slot_not_expected", "Only a move goes to a slot.", "Leave it out.", "/new_slot_id")
SLOT_UNKNOWN = Reason("slot_not_found", "There is no such slot.", "Choose another one.", "/new_slot_id")
NOT_AFFECTED = Reason(
    "booking_not_affected", "No booking ahead with this id lies in this time.", "Ask again which ones do."
)
DECIDED_TWICE = Reason("decided_twice", "This booking is decided about twice.", "Say one thing.")
