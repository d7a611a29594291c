"""What decides whether one student may have many of one teacher's times: read at once, unlocked for previews, locked for
commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, false, func, or_, select, union_all
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking import facts
from guitaronline.booking.facts import Scene
from guitaronline.booking.models import Booking
from guitaronline.booking.rules import ActiveBooking, Place, Student
from guitaronline.booking.series_rules import Occurrence
from guitaronline.errors import NotFound
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import BUFFER_MINUTES_MAX, SLOT_MINUTES_MAX
from guitaronline.teachers.queries import is_active_teacher

REACH = timedelta(minutes=SLOT_MINUTES_MAX + BUFFER_MINUTES_MAX)  # no slot with its pause is longer


@dataclass(frozen=True)
class Ground:
    """The facts as they stood at one moment."""

    student: Student
    teacher_id: UUID
    zone: ZoneInfo
    is_teacher_active: bool
    standing: list[Slot]
    active: list[ActiveBooking]
    packages: list[Package]
    away: list[tuple[datetime, datetime]]
    closed: list[tuple[datetime, datetime, str]]
    day_counts: Counter[date]  # the teacher's live bookings; counted only where there is a limit
    now: datetime

    @property
    def scene(self) -> Scene:
        """For the release of lapsed holds, which asks for no place."""
        nowhere = Place(UUID(int=0), self.teacher_id, self.now, self.now, SlotStatus.OPEN, self.is_teacher_active)
        return Scene(self.student, nowhere, self.active, self.packages, self.now)


def read_ground(
    session: Session,
    *,
    student_id: UUID,
    teacher_id: UUID,
    dates: Sequence[Occurrence],
    now: datetime,
    package_ids: Sequence[UUID] = (),
    moving: Sequence[Booking] = (),
    lock: bool = False,
) -> Ground:
    """The facts around these dates; with `lock`: packages → slots, and only then what stands on them. The caller has locked
    the people. Raises NotFound for a student, teacher or package that is not there."""
    student = facts.read_student(session, student_id)
    teacher = session.get(User, teacher_id)
    if student is None or teacher is None:
        raise NotFound()
    spans = [(each.start_at, each.end_at) for each in dates if each.start_at and each.end_at]
    slots = [each.id for each in _standing(session, teacher_id, spans)] + [each.slot_id for each in moving]
    packages = _wallet(session, student_id, package_ids, slots, moving, now, lock=lock)
    if not set(package_ids) <= {each.id for each in packages if each.student_id == student_id}:
        raise NotFound()
    if lock:
        session.execute(select(Slot.id).where(Slot.id.in_(slots)).order_by(Slot.id).with_for_update(key_share=True))
    standing = _standing(session, teacher_id, spans)
    first, last = min((start for start, _ in spans), default=now), max((end for _, end in spans), default=now)
    zone = ZoneInfo(teacher.timezone)
    return Ground(
        student=student,
        teacher_id=teacher_id,
        zone=zone,
        is_teacher_active=is_active_teacher(session, teacher_id),
        standing=standing,
        active=facts.read_active_around(session, {each.id for each in standing}, {student_id}, now),
        packages=packages,
        away=_away(session, teacher_id, first, last),
        closed=_closed(session, first, last),
        day_counts=_day_counts(session, teacher_id, zone, first, last, now),
        now=now,
    )


def _standing(session: Session, teacher_id: UUID, spans: Sequence[tuple[datetime, datetime]]) -> list[Slot]:
    """The teacher's slots, withdrawn ones aside, that touch one of the spans. ix_availability_slots_teacher_start"""
    touching = [
        and_(Slot.start_at > start - REACH, Slot.start_at < end, func.coalesce(Slot.busy_until, Slot.end_at) > start)
        for start, end in spans
    ]
    query = select(Slot).where(Slot.teacher_id == teacher_id, Slot.status != SlotStatus.WITHDRAWN)
    found = query.where(or_(false(), *touching)).order_by(Slot.start_at)
    return list(session.scalars(found, execution_options=facts.FRESH))


def _wallet(  # noqa: PLR0917
    session: Session,
    student_id: UUID,
    named: Sequence[UUID],
    slots: Sequence[UUID],
    moving: Sequence[Booking],
    now: datetime,
    *,
    lock: bool,
) -> list[Package]:
    """As `facts.read_wallet`, for many slots: what may pay, what paid before, and where lapsed holds in the way go back."""
    own = select(Package.id).where(Package.student_id == student_id)
    lapsed = select(Booking.package_id).where(facts.lapsed(now))
    ids = union_all(
        own.where(Package.id.in_(named)) if named else own.where(Package.status == PackageStatus.ACTIVE),
        own.where(Package.id.in_({each.package_id for each in moving})),
        lapsed.where(Booking.slot_id.in_(slots)),
        lapsed.where(Booking.student_id == student_id),
    )
    query = select(Package).where(Package.id.in_(ids)).order_by(Package.id)
    query = query.with_for_update(key_share=True) if lock else query
    return list(session.scalars(query, execution_options=facts.FRESH))


def _away(session: Session, teacher_id: UUID, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    query = select(TimeOff.start_at, TimeOff.end_at).where(  # ix_time_off_teacher_end
        TimeOff.teacher_id == teacher_id, TimeOff.status == AbsenceStatus.PLANNED
    )
    return [(row[0], row[1]) for row in session.execute(query.where(TimeOff.end_at > start, TimeOff.start_at < end))]


def _closed(session: Session, start: datetime, end: datetime) -> list[tuple[datetime, datetime, str]]:
    query = select(Closure.start_at, Closure.end_at, Closure.name).where(Closure.status == AbsenceStatus.PLANNED)
    query = query.where(Closure.end_at > start, Closure.start_at < end).order_by(Closure.end_at)  # ix_closures_end
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def _day_counts(  # noqa: PLR0917
    session: Session, teacher_id: UUID, zone: ZoneInfo, start: datetime, end: datetime, now: datetime
) -> Counter[date]:
    if policy.current().BOOKING_MAX_PER_TEACHER_DAY == 0:
        return Counter()
    around = select(Booking.start_at).where(  # ix_bookings_teacher_start
        Booking.teacher_id == teacher_id,
        Booking.start_at > start - timedelta(days=2),
        Booking.start_at < end + timedelta(days=2),
        facts.live(now),
    )
    return Counter(moment.astimezone(zone).date() for moment in session.scalars(around))
