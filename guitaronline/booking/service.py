"""Bookings: held, confirmed, canceled, moved, expired.

Lock order, everywhere: student → packages → slots → bookings → lessons. Ids are read first, rows locked, facts read
again under the locks, the rules asked, and only then is anything moved.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from guitaronline import db, policy
from guitaronline.actor import Actor, Role
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, fast, rules, steps
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.moving import judge_move
from guitaronline.booking.refusals import (
    AlreadyRescheduled,
    BookingCanceled,
    BookingInvalid,
    BookingNotConfirmed,
    CancellationInvalid,
    HoldExpired,
    SameSlot,
    refusal,
)
from guitaronline.booking.rules import Liberties
from guitaronline.errors import NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.lessons.service import lock_lesson_of
from guitaronline.unit_of_work import Work, command


@command("booking.hold", creates="bookings", shortcut=fast.hold)
def hold_slot(
    work: Work,
    slot_id: UUID,
    *,
    student_id: UUID | None = None,
    package_id: UUID | None = None,
    override: bool = False,
    hold_minutes: int | None = None,
    reason: str | None = None,
) -> Booking:
    """The slot is kept for the student and a lesson reserved. Lapsed holds in the way are released first.

    Staff name the student, may `override` notice, horizon and length with a reason, and set `hold_minutes`.
    Raises what `rules.hold_problems` finds, all at once."""
    access.require(work.actor, Permission.BOOK, own=student_id in (None, work.actor.id))
    require_liberties(work.actor, override=override, hold_minutes=hold_minutes, reason=reason)
    return hold(
        work,
        slot_id,
        student_id=_for_whom(work.actor, student_id),
        package_id=package_id,
        override=override,
        minutes=hold_minutes,
    )


def hold(
    work: Work, slot_id: UUID, *, student_id: UUID, package_id: UUID | None, override: bool, minutes: int | None = None
) -> Booking:
    """A step: the hold inside somebody's transaction; its id is the action's record."""
    scene = facts.read_scene(
        work.session, slot_id, student_id=student_id, now=work.now, package_id=package_id, lock=True
    )
    purse, reasons = scene.judge(scene.purses(), Liberties(override=override))
    if reasons or purse is None:
        raise refusal(reasons)
    steps.release_lapsed(work, scene)
    minutes = minutes or policy.current().BOOKING_HOLD_MINUTES
    ends = rules.hold_ends(scene.place, work.now, minutes)
    return steps.make_hold(work, scene, purse, booking_id=work.record_id, expires_at=ends, override=override)


@command("booking.confirm", on="bookings", shortcut=fast.confirm)
def confirm_booking(work: Work, booking_id: UUID) -> Booking:
    """The hold is confirmed and exactly one lesson exists. Repeat: no-op with the same answer.

    Locks package and booking. A lapsed hold is refused, and slot and lesson are free from then on.
    Raises HoldExpired, BookingCanceled."""
    access.require(work.actor, Permission.BOOK, own=True)
    package, booking = lock_booking(work, booking_id)
    access.require(work.actor, Permission.BOOK, own=booking.student_id == work.actor.id)
    if booking.status is BookingStatus.CONFIRMED:
        return booking
    refuse_ended(work, booking, package)
    if booking.status is BookingStatus.CANCELED:
        raise BookingCanceled(canceled_at=booking.canceled_at)
    steps.confirm(work, booking, package)
    return booking


@command("booking.cancel", on="bookings")
def cancel_booking(
    work: Work, booking_id: UUID, *, reason: str | None = None, cause: str | None = None, waive: bool = False
) -> Booking:
    """The booking is canceled and what becomes of its lesson is decided and stored. Repeat: no-op.

    Locks package, booking, lesson. Raises CancellationInvalid, CancellationWindowClosed, HoldExpired."""
    access.require(work.actor, Permission.CANCEL, own=True)
    package, booking = lock_booking(work, booking_id)
    access.require(work.actor, Permission.CANCEL, own=is_own(work.actor, booking))
    chosen = cause_said(work.actor, cause=cause, waive=waive, reason=reason)
    if booking.status is BookingStatus.CANCELED:
        return booking
    refuse_ended(work, booking, package)
    return cancel(work, booking, package, cause=chosen, waive=waive, reason=reason)


def cancel(
    work: Work, booking: Booking, package: Package, *, cause: CancelCause, waive: bool = False, reason: str | None
) -> Booking:
    """A step: the live booking, locked with its package, is canceled; what becomes of its lesson is decided and stored.

    Locks the lesson. Raises CancellationWindowClosed."""
    lesson = lock_lesson_of(work, booking.id)
    problems = cancellation.cancel_problems(booking, lesson, work.now)
    if problems:
        raise refusal(problems)
    days = policy.current().PACKAGE_REINSTATE_DAYS
    decision = cancellation.cancel_decision(
        booking, package, cause=cause, waive=waive, now=work.now, reinstate_days=days
    )
    steps.call_off(work, booking, lesson, package, decision, reason=reason)
    return booking


@command("booking.reschedule", on="bookings")
def reschedule_booking(
    work: Work,
    booking_id: UUID,
    *,
    new_slot_id: UUID,
    reason: str | None = None,
    cause: str | None = None,
    waive: bool = False,
    override: bool = False,
) -> Booking:
    """The booking is moved: canceled, and followed by a confirmed one on the new slot, which is the answer.

    A repeat to the same slot answers with the live successor. A refused target changes nothing. Locks student,
    packages, new slot, bookings, lesson. Raises AlreadyRescheduled, BookingNotConfirmed, SameSlot,
    CancellationWindowClosed, and what `rules.hold_problems` finds."""
    access.require(work.actor, Permission.CANCEL, own=True)
    known = work.find(Booking, booking_id)
    access.require(work.actor, Permission.CANCEL, own=is_own(work.actor, known))
    require_liberties(work.actor, override=override, reason=reason)
    chosen = cause_said(work.actor, cause=cause, waive=waive, reason=reason)
    scene = facts.read_scene(
        work.session, new_slot_id, student_id=known.student_id, now=work.now, moving=known, lock=True
    )
    booking = work.lock(Booking, booking_id)
    package = next(each for each in scene.packages if each.id == booking.package_id)
    if booking.status is BookingStatus.CANCELED:
        return live_successor(work, booking, new_slot_id)
    refuse_ended(work, booking, package)
    return move(work, scene, booking, cause=chosen, waive=waive, override=override, reason=reason)


def move(
    work: Work,
    scene: facts.Scene,
    booking: Booking,
    *,
    cause: CancelCause,
    waive: bool = False,
    override: bool = False,
    reason: str | None,
) -> Booking:
    """A step: the live, locked booking is canceled, and followed by a confirmed one on the slot of the locked scene.

    Locks the lesson. Raises BookingNotConfirmed, SameSlot, CancellationWindowClosed, and what `rules.hold_problems` finds."""
    if booking.status is not BookingStatus.CONFIRMED:
        raise BookingNotConfirmed()
    if booking.slot_id == scene.place.slot_id:
        raise SameSlot()
    package = next(each for each in scene.packages if each.id == booking.package_id)
    lesson = lock_lesson_of(work, booking.id)
    found = judge_move(scene, booking, lesson, package, cause=cause, waive=waive, override=override)
    if found.reasons or found.purse is None:
        raise refusal(found.reasons)
    steps.release_lapsed(work, scene)
    successor_id = db.new_id()
    steps.call_off(work, booking, lesson, package, found.decision, reason=reason, successor_id=successor_id)
    work.session.flush()  # the constraints must see it gone before the new one comes
    return steps.make_successor(work, scene, found.purse, moved=booking, booking_id=successor_id, override=override)


@command("booking.expire_holds", quiet=True)
def expire_holds(work: Work, *, limit: int = 500) -> int:
    """Up to `limit` lapsed holds are expired, the longest lapsed first; how many. Several at once do no harm.

    Locks packages, then bookings, passing over what somebody else is busy with."""
    access.require(work.actor, Permission.ADMINISTER)
    due = select(Booking.id, Booking.package_id).where(facts.lapsed(work.now)).order_by(Booking.hold_expires_at)
    found = work.session.execute(due.limit(limit)).all()  # ix_bookings_lapsing
    if not found:
        return 0
    free = select(Package).where(Package.id.in_({row.package_id for row in found})).order_by(Package.id)
    packages = {
        each.id: each
        for each in work.session.scalars(
            free.with_for_update(key_share=True, skip_locked=True), execution_options=facts.FRESH
        )
    }
    still = select(Booking).where(
        Booking.id.in_([row.id for row in found]), Booking.package_id.in_(packages), facts.lapsed(work.now)
    )
    still = still.order_by(Booking.id).with_for_update(key_share=True, skip_locked=True)
    lapsed = list(work.session.scalars(still, execution_options=facts.FRESH))
    for booking in lapsed:
        steps.expire(work, booking, packages[booking.package_id])
    return len(lapsed)


def is_own(actor: Actor, booking: Booking) -> bool:
    """A teacher's own are those they give, a student's those they take."""
    return actor.id == (booking.teacher_id if actor.role is Role.TEACHER else booking.student_id)


def require_liberties(
    actor: Actor, *, override: bool, hold_minutes: int | None = None, reason: str | None = None
) -> None:
    """Only the school overrides rules (with a reason) and keeps slots for longer. Raises NotAllowed, BookingInvalid."""
    if override:
        access.require(actor, Permission.OVERRIDE)
    most = policy.current().BOOKING_STAFF_HOLD_MAX_MINUTES
    problems = []
    if override and not (reason or "").strip():
        problems.append(cancellation.REASON_MISSING)
    if len(reason or "") > cancellation.REASON_LENGTH:
        problems.append(cancellation.REASON_TOO_LONG)
    if hold_minutes is not None and not (actor.is_staff or actor.is_system):
        problems.append(
            Reason("hold_minutes_not_allowed", "Only the school sets this.", "Leave it out.", "/hold_minutes")
        )
    elif hold_minutes is not None and not 1 <= hold_minutes <= most:
        facts_ = {"limit": most, "asked": hold_minutes}
        problems.append(
            Reason("hold_minutes_out_of_range", f"A hold lasts 1 to {most} minutes.", "", "/hold_minutes", facts_)
        )
    if problems:
        raise BookingInvalid(reasons=problems)


def _for_whom(actor: Actor, student_id: UUID | None) -> UUID:
    if student_id is None and actor.role is Role.STUDENT:
        student_id = actor.id
    if student_id is None:
        named = Reason("student_missing", "Say for which student.", "Name the student.", "/student_id")
        raise BookingInvalid(reasons=[named])
    return student_id


def cause_said(actor: Actor, *, cause: str | None, waive: bool, reason: str | None) -> CancelCause:
    """Who is behind it, as the actor says or by who they are. Raises CancellationInvalid, NotAllowed."""
    problems = cancellation.cause_problems(actor, cause=cause, waive=waive, reason=reason)
    if problems:
        raise CancellationInvalid(reasons=problems)
    if waive:
        access.require(actor, Permission.OVERRIDE)
    return CancelCause(cause) if cause is not None else cancellation.own_cause(actor)


def lock_booking(work: Work, booking_id: UUID) -> tuple[Package, Booking]:
    """A step: the booking and the package that pays for it, locked in the one order. Raises NotFound."""
    package = work.session.scalars(
        facts.package_of_booking, {"booking": booking_id}, execution_options=facts.FRESH
    ).one_or_none()
    if package is None:
        raise NotFound()
    return package, work.lock(Booking, booking_id)


def refuse_ended(work: Work, booking: Booking, package: Package) -> None:
    """A step: an expired hold is refused; one that has just lapsed is released with that, and stays so."""
    if booking.status is BookingStatus.EXPIRED:
        raise HoldExpired(expired_at=booking.hold_expires_at)
    if rules.is_lapsed(booking, work.now):
        steps.expire(work, booking, package)
        raise work.refuse_but_keep(HoldExpired(expired_at=booking.hold_expires_at))


def live_successor(work: Work, moved: Booking, new_slot_id: UUID) -> Booking:
    """A step: the booking that took the place of the one that moved, if that is where it was to go."""
    query = select(Booking).where(Booking.rescheduled_from_booking_id == moved.id)
    successor = work.session.scalars(query, execution_options=facts.FRESH).one_or_none()
    if successor is None:
        raise BookingCanceled(canceled_at=moved.canceled_at)
    if successor.slot_id != new_slot_id or successor.status is BookingStatus.CANCELED:
        raise AlreadyRescheduled(booking_id=str(successor.id), reference=successor.reference)
    return successor
