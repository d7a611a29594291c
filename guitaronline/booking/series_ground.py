"""What decides whether one student may have many of one teacher's times, read at once, and the dates judged one after the
other: each by the rule of every hold, on what the dates before it leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, false, func, or_, select, union_all
from sqlalchemy.orm import Session

from guitaronline import db, policy
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking import facts, rules
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.facts import Scene
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.moving import judge_move, purses_after
from guitaronline.booking.rules import ActiveBooking, Liberties, Place, Purse, Student
from guitaronline.booking.series_rules import NO_SUCH_TIME, Occurrence
from guitaronline.errors import NotFound, Reason
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
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


@dataclass(frozen=True)
class Judged:
    """What becomes of one date. Nothing of a date that is left out was judged."""

    date: Occurrence
    scene: Scene | None = None
    is_new_slot: bool = False
    purse: Purse | None = None
    reasons: list[Reason] = field(default_factory=list)
    is_left_out: bool = False
    booking: Booking | None = None  # the one that moves here
    decision: Decision | None = None  # what becomes of its lesson
    vacated: Slot | None = None  # its own slot, which lies in the way and goes

    @property
    def is_fine(self) -> bool:
        return not self.is_left_out and not self.reasons


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


class Walk:
    """The dates are gone through in order; what a date takes, or gives back, is so for those after it."""

    def __init__(self, ground: Ground, *, order: Sequence[UUID] = (), override: bool = False) -> None:
        self.ground, self.order, self.override = ground, list(order), override
        lapsed = [each for each in ground.active if rules.is_lapsed(each, ground.now)]
        self.active = {each.id: each for each in ground.active if each not in lapsed}
        own = [each for each in ground.packages if each.student_id == ground.student.id]
        self.purses = {each.id: each for each in rules.purses(own, lapsed)}
        self.day_counts = Counter(ground.day_counts)

    def book(self, date: Occurrence) -> Judged:
        """The date as a new booking."""
        if date.start_at is None or date.end_at is None:
            return Judged(date, reasons=[NO_SUCH_TIME])
        place, is_new, in_the_way = self._place(date.start_at, date.end_at, None)
        scene = self._scene(place)
        purse, reasons = scene.judge(
            self._payers(place), Liberties(override=self.override, far_ahead=True), to_confirm=True
        )
        return self._taken(Judged(date, scene, is_new, purse, [*map(_overlap, in_the_way), *reasons]))

    def move(
        self, date: Occurrence, booking: Booking, lesson: Lesson | None, *, cause: CancelCause, waive: bool
    ) -> Judged:
        """The date as the booking's new one."""
        if date.start_at is None or date.end_at is None:
            return Judged(date, reasons=[NO_SUCH_TIME], booking=booking)
        place, is_new, touching = self._place(date.start_at, date.end_at, booking)
        vacated = next((each for each in touching if each.id == booking.slot_id), None)
        scene = self._scene(place)
        package = cast(Package, self.purses[booking.package_id])
        move = judge_move(
            scene, booking, lesson, package, cause=cause, waive=waive, override=self.override, far_ahead=True
        )
        others = [_overlap(each) for each in touching if each is not vacated]
        judged = Judged(
            date, scene, is_new, move.purse, others + move.reasons,
            booking=booking, decision=move.decision, vacated=vacated,
        )  # fmt: skip
        if judged.is_fine:
            self.purses = {each.id: each for each in purses_after(scene, package.id, move.decision)}
            self.active.pop(booking.id, None)
            if booking.teacher_id == place.teacher_id:
                self.day_counts[self._day(booking.start_at)] -= 1
        return self._taken(judged)

    def _taken(self, judged: Judged) -> Judged:
        """What a fine date takes is gone for the next."""
        if not judged.is_fine or judged.scene is None or judged.purse is None:
            return judged
        place, purse = judged.scene.place, self.purses[judged.purse.id]
        self.purses[purse.id] = replace(purse, available=purse.available - 1)
        self.day_counts[self._day(place.start_at)] += 1
        booked = ActiveBooking(
            db.new_id(), place.slot_id, self.ground.student.id, purse.id, place.start_at, place.end_at,
            BookingStatus.CONFIRMED, None,
        )  # fmt: skip
        self.active[booked.id] = booked
        return judged

    def _scene(self, place: Place) -> Scene:
        packages = cast("list[Package]", list(self.purses.values()))  # the rules read of both the same
        return Scene(self.ground.student, place, list(self.active.values()), packages, self.ground.now)

    def _payers(self, place: Place) -> list[Purse]:
        """The packages in the order that was asked for: the first that fits alone; without an order, or a fit, all."""
        asked = [self.purses[each] for each in self.order]
        liberties = Liberties(override=self.override)
        for purse in asked:
            if not rules.choose_package(place, [purse], now=self.ground.now, liberties=liberties)[1]:
                return [purse]
        return asked or list(self.purses.values())

    def _place(self, start: datetime, end: datetime, moving: Booking | None) -> tuple[Place, bool, list[Slot]]:
        """The slot at exactly these times, else one that will be made, and what of the teacher's lies in its way."""
        touching = [each for each in self.ground.standing if each.start_at < end and each.ends_busy > start]
        exact = next((each for each in touching if (each.start_at, each.end_at) == (start, end)), None)
        same_day = self._day(start)
        own = moving is not None and moving.teacher_id == self.ground.teacher_id
        leaves = moving is not None and own and self._day(moving.start_at) == same_day
        place = Place(
            slot_id=exact.id if exact else db.new_id(),
            teacher_id=self.ground.teacher_id,
            start_at=start,
            end_at=end,
            status=exact.status if exact else SlotStatus.OPEN,
            is_teacher_active=self.ground.is_teacher_active,
            kept_until=exact.kept_until if exact else None,
            is_teacher_away=any(first < end and last > start for first, last in self.ground.away),
            closed_for=next((name for first, last, name in self.ground.closed if first < end and last > start), None),
            teacher_bookings_that_day=self.day_counts[same_day] - leaves,
        )
        return place, exact is None, [] if exact else touching

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.ground.zone).date()


def _overlap(slot: Slot) -> Reason:
    return Reason(
        "slot_overlap",
        f"The teacher has another slot at this time: {slot.reference}.",
        "Leave this date out, choose another time, or withdraw that slot first.",
        facts={"slot_id": str(slot.id), "reference": slot.reference},
    )
