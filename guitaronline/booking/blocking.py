"""Keeping a stretch of a teacher's time free: every open slot in it that nobody has is blocked, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, steps
from guitaronline.booking.models import Booking
from guitaronline.errors import Invalid, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.refusals import ReasonRequired
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR
from guitaronline.unit_of_work import Work, command

DAYS_MAX = 92
SLOTS_MAX = 1_000


class RangeInvalid(Invalid):
    detail = "This stretch of time cannot be blocked."


@dataclass(frozen=True)
class InRange:
    """The teacher's open slots that touch a stretch of time: those that nobody has, and those that are held or booked."""

    free: list[Slot]
    occupied: list[tuple[Slot, Booking]]


@command("slot.block_range", on="users")
def block_range(work: Work, teacher_id: UUID, *, start_at: datetime, end_at: datetime, reason: str) -> InRange:
    """No open slot that nobody has touches `[start_at, end_at)` any more; held and booked ones stay and are reported.

    Locks the teacher, the packages of lapsed holds, then the slots, and looks at the bookings again. Raises RangeInvalid."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=work.actor.id == teacher_id)
    if not reason.strip():
        raise ReasonRequired(reasons=[cancellation.REASON_MISSING])
    if len(reason) > cancellation.REASON_LENGTH:
        raise ReasonRequired(reasons=[cancellation.REASON_TOO_LONG])
    problems = range_problems(start_at, end_at)
    if problems:
        raise RangeInvalid(reasons=problems)
    work.lock(User, teacher_id)
    known = _open_slots(work.session, teacher_id, start_at, end_at, work.now)
    packages = {each.id: each for each in work.lock_all(Package, _packages_of_lapsed(work, known))}
    slots = [each for each in work.lock_all(Slot, known) if each.status is SlotStatus.OPEN]
    found = _sorted_out(work.session, slots, work.now)
    lapsed = _lapsed(work, [each.id for each in found.free], list(packages))
    for booking in work.lock_all(Booking, lapsed):
        steps.expire(work, booking, packages[booking.package_id])
    still = facts.read_standing(work.session, [each.id for each in found.free])
    blocked = [each for each in found.free if each.id not in still]  # a hold that lapsed just now: the next click
    for slot in blocked:
        work.move(slot, SlotStatus.BLOCKED, teacher_id=str(teacher_id))
    return InRange(blocked, found.occupied)


def slots_in_range(
    session: Session, teacher_id: UUID, *, start_at: datetime, end_at: datetime, now: datetime
) -> InRange:
    """Query: what `block_range` would do now. Raises RangeInvalid."""
    problems = range_problems(start_at, end_at)
    if problems:
        raise RangeInvalid(reasons=problems)
    ids = _open_slots(session, teacher_id, start_at, end_at, now)
    return _sorted_out(session, list(session.scalars(select(Slot).where(Slot.id.in_(ids)))), now)


def range_problems(start_at: datetime, end_at: datetime) -> list[Reason]:
    """A rule: everything that keeps this from being a stretch that can be blocked."""
    if not (FIRST_YEAR < start_at.year < LAST_YEAR and FIRST_YEAR < end_at.year < LAST_YEAR):
        return [Reason("time_out_of_range", f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}.", pointer="/first_day")]  # fmt: skip
    if end_at <= start_at:
        return [Reason("ends_before_start", "It ends before it starts.", pointer="/last_day")]
    if end_at - start_at > timedelta(days=DAYS_MAX):
        detail = f"At most {DAYS_MAX} days at a time; for longer, use time off."
        return [Reason("too_many_days", detail, pointer="/last_day", facts={"limit": DAYS_MAX})]
    return []


def _open_slots(session: Session, teacher_id: UUID, start: datetime, end: datetime, now: datetime) -> list[UUID]:
    """Ids, ahead only. ix_availability_slots_open_teacher_start. Raises RangeInvalid for too many."""
    query = select(Slot.id).where(Slot.teacher_id == teacher_id, Slot.status == SlotStatus.OPEN, Slot.start_at > now)
    touching = query.where(Slot.start_at > start - facts.LONGEST, Slot.start_at < end, Slot.end_at > start)
    found = list(session.scalars(touching.order_by(Slot.start_at).limit(SLOTS_MAX + 1)))
    if len(found) > SLOTS_MAX:
        detail = f"That would be more than {SLOTS_MAX} slots."
        raise RangeInvalid(reasons=[Reason("too_many_slots", detail, "Take fewer days.", "/last_day")])
    return found


def _sorted_out(session: Session, slots: Sequence[Slot], now: datetime) -> InRange:
    query = select(Booking).where(Booking.slot_id.in_([each.id for each in slots]), facts.live(now))
    taken = {each.slot_id: each for each in session.scalars(query, execution_options=facts.FRESH)}
    ordered = sorted(slots, key=lambda each: each.start_at)
    return InRange(
        [each for each in ordered if each.id not in taken],
        [(each, taken[each.id]) for each in ordered if each.id in taken],
    )


def _packages_of_lapsed(work: Work, slot_ids: Sequence[UUID]) -> list[UUID]:
    lapsed = select(Booking.package_id).where(Booking.slot_id.in_(slot_ids), facts.lapsed(work.now))
    return list(work.session.scalars(lapsed))


def _lapsed(work: Work, slot_ids: Sequence[UUID], package_ids: Sequence[UUID]) -> list[UUID]:
    """Holds that ended and whose package is locked: they can be released on the way."""
    query = select(Booking.id).where(Booking.slot_id.in_(slot_ids), facts.lapsed(work.now))
    return list(work.session.scalars(query.where(Booking.package_id.in_(package_ids))))
