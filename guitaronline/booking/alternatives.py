"""Where a booking could go instead: slots to which the rule would let it move, the nearest to what was agreed first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.models import Package
from guitaronline.booking import facts, queries
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.moving import judge_move
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.models import TeacherProfile

LOOKED_AROUND = timedelta(days=21)
OTHERS_LOOKED_AT = 20  # teachers who share a tag, most tags first
CANDIDATES = 4  # times as many are looked at as are asked for: some will not fit the student or the package


@dataclass(frozen=True)
class FreeSlot:
    """A slot to which the booking could move, and what speaks for it."""

    slot_id: UUID
    teacher_id: UUID
    teacher_name: str
    start_at: datetime
    end_at: datetime
    shift: timedelta  # from the time that was agreed
    is_same_teacher: bool
    shared_tags: int = 0

    @property
    def words(self) -> str:
        who = "same teacher" if self.is_same_teacher else f"{_tags(self.shared_tags)} in common"
        return f"{who}, {_away(self.shift)}"


def free_slots_for(session: Session, booking: Booking, now: datetime, *, limit: int = 10) -> list[FreeSlot]:
    """Up to `limit` slots of the booking's length to which it could be moved for the teacher's or the school's cause, best
    first: the same teacher's, the nearest in time; then those of teachers who share a tag. Judged by the rule of the move, so
    what is listed here is possible. A dozen statements at most, whatever the school's size."""
    if booking.status is not BookingStatus.CONFIRMED:
        return []
    found = _of_same_teacher(session, booking, now, limit * CANDIDATES)
    fitting = possible(session, booking, rank(found), now)[:limit]
    if len(fitting) == limit:
        return fitting
    others = rank(_of_others(session, booking, now, limit * CANDIDATES))
    return [*fitting, *possible(session, booking, others, now)][:limit]


def rank(found: Iterable[FreeSlot]) -> list[FreeSlot]:
    """A rule: same teacher before others, then the nearest time, then more in common; the earlier of two as near."""
    return sorted(
        found,
        key=lambda each: (not each.is_same_teacher, abs(each.shift), -each.shared_tags, each.start_at, each.slot_id),
    )


def possible(session: Session, booking: Booking, found: Sequence[FreeSlot], now: datetime) -> list[FreeSlot]:
    """Those to which the rule of the move lets the booking go; in their order."""
    scenes = facts.read_scenes_of_slots(session, [each.slot_id for each in found], booking, now)
    package = session.get_one(Package, booking.package_id)
    lesson = session.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one_or_none()

    def fits(slot: FreeSlot) -> bool:
        move = judge_move(
            scenes[slot.slot_id], booking, lesson, package, cause=CancelCause.SCHOOL, waive=False, override=False
        )
        return not move.reasons

    return [each for each in found if fits(each)]


def _of_same_teacher(session: Session, booking: Booking, now: datetime, most: int) -> list[FreeSlot]:
    rows = _around(session, booking, [booking.teacher_id], now, most)
    return [replace(each, is_same_teacher=True) for each in rows]


def _of_others(session: Session, booking: Booking, now: datetime, most: int) -> list[FreeSlot]:
    """Of teachers who share a tag with the booking's. A school has hundreds of teachers: the index of tags, then few of them."""
    own = session.scalar(select(TeacherProfile.tags).where(TeacherProfile.user_id == booking.teacher_id)) or []
    if not own:
        return []
    query = select(TeacherProfile.user_id, TeacherProfile.tags).where(  # ix_teacher_profiles_tags
        TeacherProfile.tags.overlap(own), TeacherProfile.user_id != booking.teacher_id
    )
    shared = {row.user_id: len(set(row.tags) & set(own)) for row in session.execute(query)}
    most_alike = sorted(shared, key=lambda each: (-shared[each], each))[:OTHERS_LOOKED_AT]
    rows = _around(session, booking, most_alike, now, most) if most_alike else []
    return [replace(each, shared_tags=shared[each.teacher_id]) for each in rows]


def _around(session: Session, booking: Booking, teachers: Sequence[UUID], now: datetime, most: int) -> list[FreeSlot]:
    """Offered slots of the booking's length, the nearest in time; ix_availability_slots_open_teacher_start."""
    query = (
        select(Slot.id, Slot.teacher_id, TeacherProfile.display_name, Slot.start_at, Slot.end_at)
        .join(TeacherProfile, TeacherProfile.user_id == Slot.teacher_id)
        .where(
            Slot.teacher_id.in_(teachers),
            Slot.start_at > booking.start_at - LOOKED_AROUND,
            Slot.start_at < booking.start_at + LOOKED_AROUND,
            Slot.end_at - Slot.start_at == booking.end_at - booking.start_at,
            Slot.id != booking.slot_id,
            queries.offered(now, policy.current()),
        )
        .order_by(func.abs(func.extract("epoch", Slot.start_at - booking.start_at)), Slot.id)
        .limit(most)
    )
    return [FreeSlot(*row, row.start_at - booking.start_at, is_same_teacher=False) for row in session.execute(query)]


def _tags(number: int) -> str:
    return f"{number} {'tag' if number == 1 else 'tags'}"


def _away(shift: timedelta) -> str:
    minutes = int(abs(shift).total_seconds() // 60)
    days, hours = minutes // 1440, minutes // 60
    if minutes == 0:
        return "at the same time"
    length = (
        f"{days} {'day' if days == 1 else 'days'}"
        if days
        else f"{hours} {'hour' if hours == 1 else 'hours'}"
        if hours
        else f"{minutes} minutes"
    )
    return f"{length} {'later' if shift > timedelta() else 'earlier'}"
