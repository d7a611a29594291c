"""The waitlist: joining and leaving it, and offering what comes free to the first in line, as a hold that lapses.

An offer is an ordinary hold, so it can overbook nothing; what became of it is read from its booking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from guitaronline import db, policy
from guitaronline.actor import Role
from guitaronline.booking import facts, queries, rules, service, steps, waitlist_line
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.rules import Liberties
from guitaronline.booking.waitlist_line import MINUTE, Place
from guitaronline.booking.waitlist_models import WaitlistEntry, WaitlistOffer, WaitStatus
from guitaronline.errors import Conflict, Invalid, NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.scheduling.models import Slot
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR, SLOT_MINUTES_MAX, SLOT_MINUTES_MIN
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command

RANGE_DAYS_MAX = 366
ASKED_AT_ONCE = 50  # entries of one line that are looked at for one slot
OPEN = (WaitStatus.WAITING, WaitStatus.OFFERED)


@dataclass(frozen=True)
class Round:
    """What one look at a slot's line came to; nothing is written when it is empty."""

    offered_to: WaitlistEntry | None = None
    passed_over: int = 0
    is_opened: bool = False  # it was kept, and nobody in line can take it

    def __bool__(self) -> bool:
        return self.offered_to is not None or self.passed_over > 0 or self.is_opened


class WaitInvalid(Invalid):
    detail = "The waitlist cannot be joined like this."


class TooManyWaits(Conflict):
    detail = "This student waits for enough already."


class WaitIsOver(Conflict):
    detail = "This wait is over."


@command("waitlist.join", creates="waitlist_entries")
def join_waitlist(
    work: Work,
    *,
    teacher_id: UUID,
    from_at: datetime,
    until_at: datetime,
    lesson_minutes: int | None = None,
    student_id: UUID | None = None,
    reason: str | None = None,
) -> WaitlistEntry:
    """The student waits, last in line, for a lesson of the teacher that starts within `[from_at, until_at)`.

    Locks student and teacher. Raises WaitInvalid with every reason, TooManyWaits, NotATeacher, TeacherNotActive."""
    access.require(work.actor, Permission.BOOK, own=student_id in (None, work.actor.id))
    chosen = work.actor.id if student_id is None and work.actor.role is Role.STUDENT else student_id
    problems = wait_problems(from_at, until_at, lesson_minutes, now=work.now)
    if chosen is None:
        problems.append(Reason("student_missing", "Say for which student.", "Name the student.", "/student_id"))
    if problems or chosen is None:
        raise WaitInvalid(reasons=problems)
    facts.lock_people(work.session, chosen, teacher_id)
    student = facts.read_student(work.session, chosen)
    if student is None:
        raise NotFound()
    require_active_teacher(work, teacher_id)
    if not student.is_active:
        raise WaitInvalid(reasons=[rules.STUDENT_NOT_ACTIVE])
    most = policy.current().WAITLIST_MAX_PER_STUDENT
    mine = select(func.count()).where(WaitlistEntry.student_id == chosen, WaitlistEntry.status.in_(OPEN))
    if (work.session.scalar(mine) or 0) >= most:
        raise TooManyWaits(f"At most {most} times are waited for at once.", limit=most)
    entry = WaitlistEntry(
        id=work.record_id,
        student_id=chosen,
        teacher_id=teacher_id,
        from_at=from_at,
        until_at=until_at,
        lesson_minutes=lesson_minutes,
        status=WaitStatus.WAITING,
    )
    work.create(entry, student_id=str(chosen), teacher_id=str(teacher_id))
    return entry


@command("waitlist.leave", on="waitlist_entries")
def leave_waitlist(work: Work, entry_id: UUID, *, reason: str | None = None) -> WaitlistEntry:
    """The student does not wait any more; a hold that was offered is released. Repeat: no-op. Raises WaitIsOver.

    Locks the package of the offer, the entry after its booking."""
    known = work.find(WaitlistEntry, entry_id)
    access.require(work.actor, Permission.BOOK, own=known.student_id == work.actor.id)
    if known.booking_id is not None:
        package, booking = service.lock_booking(work, known.booking_id)
        entry = work.lock(WaitlistEntry, entry_id)
        is_theirs = entry.status is WaitStatus.OFFERED and entry.booking_id == booking.id
        if is_theirs and booking.status is BookingStatus.CONFIRMED:
            raise WaitIsOver("The offer was taken; cancel the booking instead.", booking_id=str(booking.id))
        if is_theirs and booking.status is BookingStatus.HOLD and not rules.is_lapsed(booking, work.now):
            _move(work, entry, WaitStatus.CANCELED)
            work.session.flush()
            service.cancel(work, booking, package, cause=CancelCause.STUDENT, reason=reason)
            return entry
    entry = work.lock(WaitlistEntry, entry_id)
    if entry.status in (WaitStatus.FULFILLED, WaitStatus.EXPIRED):
        raise WaitIsOver(status=entry.status.value)
    if entry.status is not WaitStatus.CANCELED:
        _move(work, entry, WaitStatus.CANCELED)
    return entry


@command("waitlist.offer", quiet=True)
def offer_slot(work: Work, slot_id: UUID) -> Round:
    """The slot is held for the first in line who can take it, until the offer lapses; when nobody can, everybody may have
    it. Several at once do no harm: who comes second finds it taken.

    Locks student → packages → slot → entry."""
    access.require(work.actor, Permission.ADMINISTER)
    passed = 0
    for entry in waitlist_line.first_in_line(work.session, slot_id, limit=ASKED_AT_ONCE):
        scene = facts.read_scene(work.session, slot_id, student_id=entry.student_id, now=work.now)
        _, reasons = scene.judge(scene.purses(), Liberties(waited=True))
        if not reasons:
            return Round(_offer(work, slot_id, entry.id, entry.student_id), passed)
        if is_slots_fault(reasons):
            return Round(None, passed)
        passed += _pass_over(work, entry, reasons[0])
    return Round(None, passed, _open_to_all(work, slot_id))


def _offer(work: Work, slot_id: UUID, entry_id: UUID, student_id: UUID) -> WaitlistEntry | None:
    scene = facts.read_scene(work.session, slot_id, student_id=student_id, now=work.now, lock=True)
    purse, reasons = scene.judge(scene.purses(), Liberties(waited=True))
    entry = work.lock(WaitlistEntry, entry_id)
    if reasons or purse is None or entry.status is not WaitStatus.WAITING:
        return None  # somebody was quicker; the next round looks again
    steps.release_lapsed(work, scene)
    settings = policy.current()
    ends = rules.hold_ends(scene.place, work.now, settings.WAITLIST_OFFER_MINUTES)
    booking = steps.make_hold(work, scene, purse, booking_id=db.new_id(), expires_at=ends)
    work.session.flush()
    work.session.add(
        WaitlistOffer(id=db.new_id(), entry_id=entry.id, slot_id=slot_id, booking_id=booking.id, created_at=work.now)
    )
    entry.booking_id, entry.passed_because = booking.id, None
    _move(work, entry, WaitStatus.OFFERED, booking_id=str(booking.id))
    slot = work.lock(Slot, slot_id)  # ours already
    slot.kept_until = ends + settings.WAITLIST_KEEP_MINUTES * MINUTE  # should it lapse, the next in line comes first
    return entry


@command("waitlist.settle", quiet=True)
def settle_offers(work: Work, *, limit: int = 200) -> int:
    """Offers that were taken fulfil their entries; those that lapsed or were declined put them back into the line, whose
    place they keep; entries whose time has passed are expired. How many. Several at once do no harm.

    Locks entries only, passing over what somebody else is busy with."""
    access.require(work.actor, Permission.ADMINISTER)
    over = (
        select(WaitlistEntry)
        .outerjoin(Booking, Booking.id == WaitlistEntry.booking_id)
        .where(
            or_(
                (WaitlistEntry.status == WaitStatus.OFFERED)
                & ((Booking.status != BookingStatus.HOLD) | (Booking.hold_expires_at <= work.now)),
                (WaitlistEntry.status == WaitStatus.WAITING) & (WaitlistEntry.until_at <= work.now),
            ),
            WaitlistEntry.status.in_(OPEN),  # ix_waitlist_entries_due
        )
        .order_by(WaitlistEntry.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=WaitlistEntry)
    )
    entries = list(work.session.scalars(over, execution_options=facts.FRESH))
    for entry in entries:
        _settle(work, entry)
    return len(entries)


def _settle(work: Work, entry: WaitlistEntry) -> None:
    if entry.status is WaitStatus.WAITING:
        _move(work, entry, WaitStatus.EXPIRED)
        return
    assert entry.booking_id is not None
    booking = work.find(Booking, entry.booking_id)
    _move(work, entry, WaitStatus.FULFILLED if booking.confirmed_at is not None else WaitStatus.WAITING)


def kept_slots(session: Session, now: datetime, *, limit: int) -> list[UUID]:
    """Free slots that are kept for the line. ix_availability_slots_kept"""
    taken = select(Booking.id).where(Booking.slot_id == Slot.id, facts.live(now)).exists()
    query = select(Slot.id).where(Slot.kept_until > now, Slot.start_at > now, ~taken)
    return list(session.scalars(query.order_by(Slot.kept_until, Slot.id).limit(limit)))


def slots_for_line(session: Session, now: datetime, *, after: Place | None = None, limit: int) -> list[Place]:
    """What could be offered to somebody who waits, kept or public, soonest first."""
    offered = queries.offered(now, policy.current(), kept_too=True)
    return waitlist_line.awaited_slots(session, offered=offered, after=after, limit=limit)


def entries_of(
    session: Session, student_id: UUID, *, after: UUID | None = None, offset: int = 0, limit: int = 20
) -> list[WaitlistEntry]:
    """What the student waits or waited for, the latest first. ix_waitlist_entries_student"""
    query = select(WaitlistEntry).where(WaitlistEntry.student_id == student_id)
    if after is not None:
        query = query.where(WaitlistEntry.id < after)
    query = query.order_by(WaitlistEntry.id.desc()).offset(offset).limit(limit)
    return list(session.scalars(query.options(joinedload(WaitlistEntry.booking))))


def effective_status(entry: WaitlistEntry, booking: Booking | None, now: datetime) -> WaitStatus:
    """The status that doors show: what became of the offer counts before the job has written it down."""
    if entry.status is WaitStatus.OFFERED and booking is not None:
        if booking.confirmed_at is not None:
            return WaitStatus.FULFILLED
        if booking.status is not BookingStatus.HOLD or rules.is_lapsed(booking, now):
            return WaitStatus.WAITING if entry.until_at > now else WaitStatus.EXPIRED
    if entry.status is WaitStatus.WAITING and entry.until_at <= now:
        return WaitStatus.EXPIRED
    return entry.status


def wait_problems(from_at: datetime, until_at: datetime, lesson_minutes: int | None, *, now: datetime) -> list[Reason]:
    """A rule: everything that keeps this from being a wait."""
    found = [
        Reason("time_out_of_range", f"Times lie in the years {FIRST_YEAR} to {LAST_YEAR}.", pointer=f"/{field}")
        for field, moment in (("from", from_at), ("to", until_at))
        if not FIRST_YEAR < moment.year < LAST_YEAR
    ]
    if not found and until_at <= from_at:
        found.append(Reason("ends_before_start", "The range ends before it starts.", pointer="/to"))
    if not found and until_at <= now:
        found.append(Reason("in_the_past", "This time has passed.", pointer="/to"))
    if not found and until_at - from_at > timedelta(days=RANGE_DAYS_MAX):
        found.append(Reason("too_long", f"At most {RANGE_DAYS_MAX} days are waited for.", pointer="/to"))
    if lesson_minutes is not None and not SLOT_MINUTES_MIN <= lesson_minutes <= SLOT_MINUTES_MAX:
        detail = f"A lesson takes {SLOT_MINUTES_MIN} to {SLOT_MINUTES_MAX} minutes."
        found.append(Reason("bad_lesson_minutes", detail, pointer="/lesson_minutes"))
    return found


SLOTS_FAULTS = frozenset(
    "slot_blocked slot_withdrawn teacher_not_active slot_started too_short_notice beyond_horizon slot_taken"
    " teacher_away school_closed teacher_day_full".split()
)


def is_slots_fault(reasons: list[Reason]) -> bool:
    """Whether nobody could have the slot."""
    return any(reason.code in SLOTS_FAULTS for reason in reasons)


def _pass_over(work: Work, entry: WaitlistEntry, reason: Reason) -> bool:
    """It stays in line; what kept it from this slot is written down, if that is news."""
    if entry.passed_because == reason.code:
        return False
    statement = (
        update(WaitlistEntry)
        .where(WaitlistEntry.id == entry.id, WaitlistEntry.status == WaitStatus.WAITING)
        .values(passed_because=reason.code, version=WaitlistEntry.version + 1, updated_at=work.now)
        .execution_options(synchronize_session=False)
    )
    return bool(work.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def _open_to_all(work: Work, slot_id: UUID) -> bool:
    slot = work.lock(Slot, slot_id)
    if slot.kept_until is None or slot.kept_until <= work.now:
        return False
    slot.kept_until = None
    return True


def _move(work: Work, entry: WaitlistEntry, target: WaitStatus, **more: str) -> None:
    work.move(entry, target, student_id=str(entry.student_id), teacher_id=str(entry.teacher_id), **more)
