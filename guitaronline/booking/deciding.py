"""What becomes of a booking whose teacher is away or not active, or on whose day the school is closed: moved, canceled, or
kept. (A substitute is another command: the booking then has another teacher and waits no more.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, or_, select

from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking import cancellation, facts, impact, service
from guitaronline.booking.absence_models import KeptBooking
from guitaronline.booking.decisions import CannotKeep, Chosen, DecisionInvalid, NothingToDecide, Way, slot_problems
from guitaronline.booking.impact import Why
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.refusals import BookingCanceled
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.hours_models import Closure, TimeOff
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.unit_of_work import Work, command


@command("booking.decide", on="bookings")
def decide_booking(
    work: Work, booking_id: UUID, *, decision: Way, new_slot_id: UUID | None = None, reason: str | None = None
) -> Booking:
    """What stands against the booking is answered: it is canceled and its lesson returned, moved (the answer is the new
    booking), or kept in spite of every absence that it lies in. Repeat: no-op with the same answer.

    Staff give a reason; a teacher decides about their own lessons. Locks as `lock_for_decisions`. Raises DecisionInvalid,
    NothingToDecide, CannotKeep, BookingCanceled, HoldExpired, and what a move may meet."""
    known = _own(work, booking_id)
    chosen = Chosen(booking_id, decision, new_slot_id)
    problems = [
        *slot_problems(work, chosen),
        *cancellation.cause_problems(work.actor, cause=None, waive=False, reason=reason),
    ]
    if decision is Way.LATER:
        problems.append(Reason("not_a_decision", "It waits already.", "Move, cancel or keep it.", "/decision"))
    if problems:
        raise DecisionInvalid(reasons=problems)
    packages = lock_for_decisions(work, [chosen], [known])
    booking = known  # fresh by now
    if booking.status is BookingStatus.CANCELED:
        return _decided_before(work, booking, chosen)
    service.refuse_ended(work, booking, packages[booking.package_id])
    found = impact.whys(work.session, [booking], work.now)[booking.id]
    if not impact.undecided(found):
        if decision is Way.KEEP and found:
            return booking
        raise NothingToDecide()
    return carry_out(work, chosen, booking, packages, impact.undecided(found), reason=reason)


@command("booking.unkeep", on="bookings")
def unkeep_booking(work: Work, booking_id: UUID, *, reason: str | None = None) -> Booking:
    """The decision to keep the booking is taken back: it waits for one again. Repeat: no-op. Locks the booking."""
    _own(work, booking_id)
    booking = work.lock(Booking, booking_id)
    work.session.execute(delete(KeptBooking).where(KeptBooking.booking_id == booking_id))
    return booking


def carry_out(
    work: Work,
    chosen: Chosen,
    booking: Booking,
    packages: dict[UUID, Package],
    found: Sequence[Why],
    *,
    reason: str | None,
) -> Booking:
    """A step: the decision about the live booking is done; `found` stands against it. All is locked by `lock_for_decisions`."""
    words = reason or found[0].words
    cause = impact.cause_of(found)
    if chosen.way is Way.CANCEL:
        return service.cancel(work, booking, packages[booking.package_id], cause=cause, reason=words)
    if chosen.way is Way.MOVE and chosen.new_slot_id is not None:
        return _move(work, booking, chosen.new_slot_id, cause=cause, reason=words)
    if chosen.way is Way.KEEP:
        _keep(work, booking, found, reason)
    return booking


def _move(work: Work, booking: Booking, new_slot_id: UUID, *, cause: CancelCause, reason: str) -> Booking:
    scene = facts.read_scene(
        work.session, new_slot_id, student_id=booking.student_id, now=work.now, moving=booking, lock=True
    )
    return service.move(work, scene, booking, cause=cause, reason=reason)


def _keep(work: Work, booking: Booking, found: Sequence[Why], reason: str | None) -> None:
    if any(each.absence is None for each in found):
        raise CannotKeep()
    for each in found:
        work.add(
            KeptBooking(
                booking_id=booking.id,
                time_off_id=each.absence.id if isinstance(each.absence, TimeOff) else None,
                closure_id=each.absence.id if isinstance(each.absence, Closure) else None,
                reason=reason,
            )
        )


def lock_for_decisions(
    work: Work, chosen: Iterable[Chosen], bookings: Sequence[Booking], *, away: TimeOff | None = None
) -> dict[UUID, Package]:
    """A step: everything that these decisions touch is locked in the one order, and the bookings are fresh; the packages.

    People (`away`: its teacher, and whoever moves) → packages → slots (targets, and what the hours take away) → bookings →
    lessons; each kind in the order of ids."""
    decided = {each.booking_id: each for each in chosen if each.way is not Way.LATER}
    ending = [each for each in bookings if each.id in decided]
    moving = [each for each in ending if decided[each.id].way is Way.MOVE]
    targets = {slot for each in moving if (slot := decided[each.id].new_slot_id)}
    students = {each.student_id for each in moving}
    teachers = set(work.session.scalars(select(Slot.teacher_id).where(Slot.id.in_(targets)))) if targets else set()
    work.lock_all(User, students | teachers | ({away.teacher_id} if away else set()))
    in_the_way = _lapsed(work, students, targets)
    packages = _lock_packages(work, ending, students, in_the_way)
    work.lock_all(Slot, targets | (_free_inside(work, away) if away else set()))
    work.lock_all(Booking, {each.id for each in [*ending, *in_the_way]})
    lessons = work.session.scalars(select(Lesson.id).where(Lesson.booking_id.in_(decided)))
    work.lock_all(Lesson, lessons)
    return packages


def _lapsed(work: Work, students: set[UUID], targets: set[UUID]) -> list[Booking]:
    """Lapsed holds that a move releases on its way."""
    if not targets:
        return []
    theirs = or_(Booking.student_id.in_(students), Booking.slot_id.in_(targets))
    return list(work.session.scalars(select(Booking).where(facts.lapsed(work.now), theirs)))


def _lock_packages(
    work: Work, ending: Sequence[Booking], students: set[UUID], lapsed: Sequence[Booking]
) -> dict[UUID, Package]:
    usable = select(Package.id).where(Package.student_id.in_(students), Package.status == PackageStatus.ACTIVE)
    ids = {each.package_id for each in [*ending, *lapsed]} | set(work.session.scalars(usable) if students else ())
    return {each.id: each for each in work.lock_all(Package, ids)}


def _free_inside(work: Work, away: TimeOff) -> set[UUID]:
    """Generated slots that the absence will take away, if nobody is on them. ix_availability_slots_open_teacher_start"""
    query = select(Slot.id).where(
        Slot.teacher_id == away.teacher_id,
        Slot.status == SlotStatus.OPEN,
        Slot.origin == SlotOrigin.GENERATED,
        Slot.start_at > away.start_at - facts.LONGEST,
        Slot.start_at < away.end_at,
        Slot.end_at > away.start_at,
    )
    return set(work.session.scalars(query))


def _own(work: Work, booking_id: UUID) -> Booking:
    """The booking, if the actor decides about it: staff about any, a teacher about their own."""
    access.require(work.actor, Permission.MANAGE_SLOTS, own=True)
    known = work.find(Booking, booking_id)
    access.require(work.actor, Permission.MANAGE_SLOTS, own=known.teacher_id == work.actor.id)
    return known


def _decided_before(work: Work, booking: Booking, chosen: Chosen) -> Booking:
    if chosen.way is Way.CANCEL:
        return booking
    if chosen.way is Way.MOVE and chosen.new_slot_id is not None:
        return service.live_successor(work, booking, chosen.new_slot_id)
    raise BookingCanceled(canceled_at=booking.canceled_at)
