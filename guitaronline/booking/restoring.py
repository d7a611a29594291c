"""A cancellation by mistake is taken back: a new booking on the same slot, paid by the same package's lesson.

It is compensation, not a new sale: notice, horizon and length were agreed when it was booked, so only what has changed
since can say no (the slot, the student's time, the package). See docs/decisions/0008.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guitaronline.booking import cancellation, facts, rules, steps
from guitaronline.booking.facts import Scene
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.refusals import BookingInvalid, refusal
from guitaronline.booking.rules import ActiveBooking, Liberties, Purse
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.lessons.service import lock_lesson_of
from guitaronline.unit_of_work import Work, command


@dataclass(frozen=True)
class Restoration:
    """Whether the booking can stand again, which package pays, and everything that says no."""

    purse: Purse | None
    reasons: list[Reason]


@dataclass(frozen=True)
class Followers:
    """What came after a canceled booking."""

    moved_to: str | None = None  # reference
    restored_as: str | None = None


@command("booking.restore", on="bookings")
def restore_booking(work: Work, booking_id: UUID, *, reason: str, despite_absence: bool = False) -> Booking:
    """The canceled booking stands again; the new one, which is the answer, is confirmed, or a hold as it was before.

    `despite_absence`: though its teacher is away or the school closed; it then waits for a decision, as it did before.
    Its lesson is used once: a returned one is taken again, a forfeited one is not charged twice. Repeat: the same
    answer while the new one lives. Locks student, package, slot, booking, lesson. Raises BookingNotCanceled,
    BookingWasMoved, AlreadyRestored, HoldExpired, and what `rules.hold_problems` finds."""
    access.require(work.actor, Permission.BOOK)
    access.require(work.actor, Permission.OVERRIDE)
    if not reason.strip():
        raise BookingInvalid(reasons=[cancellation.REASON_MISSING])
    known = work.find(Booking, booking_id)
    scene = facts.read_scene(
        work.session,
        known.slot_id,
        student_id=known.student_id,
        now=work.now,
        package_id=known.package_id,
        lock=True,
    )
    booking = work.lock(Booking, booking_id)
    again = select(Booking).where(Booking.restored_from_booking_id == booking.id, Booking.status.in_(facts.ACTIVE))
    restored = work.session.scalars(again, execution_options=facts.FRESH).one_or_none()
    if restored is not None:
        return restored
    lesson = lock_lesson_of(work, booking.id)
    followers = read_followers(work.session, [booking.id])[booking.id]
    found = judge_restoration(scene, booking, followers, despite_absence=despite_absence)
    if found.reasons or found.purse is None:
        raise refusal(found.reasons)
    steps.release_lapsed(work, scene)
    return steps.make_restored(work, scene, found.purse, canceled=booking, lesson=lesson)


def judge_restoration(
    scene: Scene, booking: Booking, followers: Followers, *, taken: int = 0, despite_absence: bool = False
) -> Restoration:
    """A rule: whether the booking can stand again on the scene's slot. `taken`: lessons of its package that others, restored
    before it in the same breath, will have used."""
    own = _own_problems(booking, followers, scene.now)
    if own:
        return Restoration(None, own)
    liberties = Liberties(override=True, preferred_package=booking.package_id)
    own_purse = _purse(scene, booking)
    purses = [replace(own_purse, available=own_purse.available - taken)]
    is_hold = booking.status_before is BookingStatus.HOLD
    purse, reasons = scene.judge(purses, liberties, to_confirm=not is_hold)
    if despite_absence:
        reasons = [each for each in reasons if each.code not in ABSENCES]
    return Restoration(purse, reasons)


def is_forfeited(booking: Booking) -> bool:
    """Canceled too late to get the lesson back: it is used already, so restoring takes none."""
    return booking.confirmed_at is not None and booking.refund_returned is False


def _own_problems(booking: Booking, followers: Followers, now: datetime) -> list[Reason]:
    held_until = booking.hold_expires_at
    is_over = booking.confirmed_at is None and held_until is not None and held_until <= now
    found = [
        (
            followers.moved_to is not None,
            Reason("booking_was_moved", f"It was moved to {followers.moved_to}, not called off.", "Look at that one."),
        ),
        (
            followers.restored_as is not None,
            Reason("already_restored", f"It was restored already, as {followers.restored_as}.", "Look at that one."),
        ),
        (booking.status is not BookingStatus.CANCELED, NOT_CANCELED),
        (booking.status is BookingStatus.CANCELED and is_over, HOLD_OVER),
    ]
    return [reason for applies, reason in found if applies][:1]


def _purse(scene: Scene, booking: Booking) -> Purse:
    """Its package, with lapsed holds and the forfeited lesson back in it."""
    package = next(each for each in scene.packages if each.id == booking.package_id)
    more = sum(each.package_id == package.id for each in scene.lapsed)
    if not is_forfeited(booking):
        return rules.purse_of(package, more=more)
    return cancellation.package_after_return(package, now=scene.now, students_fault=True, reinstate_days=0, more=more)


def preview_restores(
    session: Session, booking_ids: Sequence[UUID], now: datetime, *, despite_absence: bool = False
) -> list[tuple[Booking, Restoration]]:
    """What `restore_booking` would answer for each, one after the other in this order: two that need the same lesson, slot
    or hour are not both promised. A handful of statements whatever the number."""
    found = {each.id: each for each in session.scalars(select(Booking).where(Booking.id.in_(booking_ids)))}
    bookings = [found[each] for each in booking_ids if each in found]
    followers = read_followers(session, booking_ids)
    scenes = facts.read_scenes(session, bookings, now)
    taken: Counter[UUID] = Counter()
    answers = []
    by_slot: dict[UUID, list[ActiveBooking]] = defaultdict(list)
    by_student: dict[UUID, list[ActiveBooking]] = defaultdict(list)
    for booking in bookings:
        scene = scenes[booking.id]
        planned = by_slot[booking.slot_id] + by_student[booking.student_id]
        scene = replace(scene, active=[*scene.active, *planned])
        answer = judge_restoration(
            scene,
            booking,
            followers[booking.id],
            taken=taken[booking.package_id],
            despite_absence=despite_absence,
        )
        answers.append((booking, answer))
        if not answer.reasons:
            taken[booking.package_id] += 0 if is_forfeited(booking) else 1
            stands = facts.active_like(booking)
            by_slot[booking.slot_id].append(stands)
            by_student[booking.student_id].append(stands)
    return answers


def read_followers(session: Session, booking_ids: Sequence[UUID]) -> dict[UUID, Followers]:
    """Indexes: bookings_one_successor, bookings_one_restoration."""
    columns = (Booking.reference, Booking.rescheduled_from_booking_id, Booking.restored_from_booking_id)
    came_after = or_(
        Booking.rescheduled_from_booking_id.in_(booking_ids), Booking.restored_from_booking_id.in_(booking_ids)
    )
    found = dict.fromkeys(booking_ids, Followers())
    for reference, moved_from, restored_from in session.execute(select(*columns).where(came_after)):
        if moved_from in found:
            found[moved_from] = replace(found[moved_from], moved_to=reference)
        if restored_from in found:
            found[restored_from] = replace(found[restored_from], restored_as=reference)
    return found


NOT_CANCELED = Reason("booking_not_canceled", "It is not canceled.", "There is nothing to restore.")
HOLD_OVER = Reason("hold_expired", "It was a hold, and its time is over by now.", "Hold the slot again.")
ABSENCES = frozenset({"teacher_away", "school_closed"})
