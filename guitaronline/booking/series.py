"""Weekly lessons: previewed per date, booked all at once, and extended. Each lesson is an ordinary confirmed booking.

A lesson that is canceled, moved or restored by the ordinary commands stays one of its series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.booking import facts, series_rules, series_steps, steps
from guitaronline.booking.cancellation import REASON_MISSING
from guitaronline.booking.models import Booking
from guitaronline.booking.refusals import BookingInvalid
from guitaronline.booking.series_ground import Ground, read_ground
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.series_refusals import (
    EXTENSION,
    NOTHING_LEFT,
    REPEATED_PACKAGES,
    UNKNOWN_DATES,
    SeriesConflicts,
    SeriesInvalid,
    SeriesOver,
    conflicts,
)
from guitaronline.booking.series_rules import PACKAGES_MAX, Occurrence, Term
from guitaronline.booking.series_walk import Judged, Walk
from guitaronline.booking.service import require_liberties
from guitaronline.errors import Busy, NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command


@dataclass(frozen=True)
class Wanted:
    """Lessons of one student with one teacher, on every date of the term that is not left out."""

    student_id: UUID
    teacher_id: UUID
    term: Term
    package_ids: tuple[UUID, ...] = ()  # in the order of their use; none: any that fits, the earliest expiry first
    skip: frozenset[date] = frozenset()
    override: bool = False  # notice and length; how far ahead never counts


@dataclass(frozen=True)
class SeriesPreview:
    """Everything that says no, and what becomes of each date."""

    problems: list[Reason]
    dates: list[Judged]

    @property
    def is_possible(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> list[Reason]:
        return self.problems + conflicts(self.dates)


@dataclass(frozen=True)
class SeriesBooked:
    series: LessonSeries
    bookings: list[Booking]


def preview_series(session: Session, actor: Actor, wanted: Wanted) -> SeriesPreview:
    """What `create_series` would do now, by its rule. Raises NotAllowed, NotFound."""
    _require_staff(actor)
    problems = _problems(wanted)
    return SeriesPreview(problems, []) if problems else _judge(_on_ground(session, wanted, clock.read(session)), wanted)


@command("series.create", creates="lesson_series")
def create_series(work: Work, *, wanted: Wanted, reason: str) -> SeriesBooked:
    """The series stands and every date that was not left out is a confirmed booking, or nothing has happened.

    Staff only. Slots that are missing are made. Locks student and teacher, packages, slots.
    Raises SeriesInvalid, SeriesConflicts with every reason of every date, NotATeacher, TeacherNotActive."""
    _require_staff(work.actor, reason=reason, override=wanted.override)
    _refuse(_problems(wanted))
    facts.lock_people(work.session, wanted.student_id, wanted.teacher_id)
    teacher = require_active_teacher(work, wanted.teacher_id)
    term = wanted.term
    series = LessonSeries(
        id=work.record_id,
        student_id=wanted.student_id,
        teacher_id=wanted.teacher_id,
        weekday=term.first_day.weekday(),
        start_local=term.start_local,
        zone=teacher.timezone,
        lesson_minutes=term.lesson_minutes,
        interval_weeks=term.interval_weeks,
        first_day=term.first_day,
        last_day=series_rules.days_of(term)[-1],
        package_ids=list(wanted.package_ids),
        status=SeriesStatus.ACTIVE,
    )
    ground = _on_ground(work.session, wanted, work.now, lock=True)
    judged = _judged_or_refused(ground, wanted)
    work.create(series, **series_steps.parties(series), lessons=len(judged))
    work.session.flush()  # the bookings' foreign key
    steps.release_lapsed(work, ground.scene)
    return SeriesBooked(series, series_steps.book(work, series, ground, judged, override=wanted.override))


def preview_extension(session: Session, actor: Actor, series: LessonSeries, wanted: Wanted) -> SeriesPreview:
    """What `extend_series` would do now, by its rule; `wanted` as `extension` makes it."""
    _require_staff(actor)
    problems = _extension_problems(series) + _problems(wanted)
    return SeriesPreview(problems, []) if problems else _judge(_on_ground(session, wanted, clock.read(session)), wanted)


@command("series.extend", on="lesson_series")
def extend_series(
    work: Work,
    series_id: UUID,
    *,
    reason: str,
    last_day: date | None = None,
    count: int | None = None,
    package_ids: Sequence[UUID] | None = None,
    skip: frozenset[date] = frozenset(),
    override: bool = False,
) -> SeriesBooked:
    """More dates follow the series' last one, each a confirmed booking, by its rule and its packages (or these).

    Locks student and teacher, series, packages, slots. Raises as `create_series`, SeriesOver."""
    _require_staff(work.actor, reason=reason, override=override)
    known = work.find(LessonSeries, series_id)
    teacher_id = known.teacher_id
    facts.lock_people(work.session, known.student_id, teacher_id)
    teacher = require_active_teacher(work, teacher_id)
    series = work.lock(LessonSeries, series_id)
    if series.teacher_id != teacher_id:
        raise Busy()  # it went to another teacher just now
    if _extension_problems(series):
        raise SeriesOver(status=series.status.value)
    wanted = extension(
        series, work.now, last_day=last_day, count=count, package_ids=package_ids, skip=skip, override=override
    )
    _refuse(_problems(wanted))
    ground = _on_ground(work.session, wanted, work.now, lock=True)
    judged = _judged_or_refused(ground, wanted)
    series.last_day = series_rules.days_of(wanted.term)[-1]
    series.zone = teacher.timezone
    series.package_ids = list(wanted.package_ids)
    work.emit("series.extended", series, **series_steps.parties(series), lessons=len(judged))
    work.session.flush()
    steps.release_lapsed(work, ground.scene)
    return SeriesBooked(series, series_steps.book(work, series, ground, judged, override=override))


def extension(
    series: LessonSeries,
    now: datetime,
    *,
    last_day: date | None,
    count: int | None,
    package_ids: Sequence[UUID] | None = None,
    skip: frozenset[date] = frozenset(),
    override: bool = False,
) -> Wanted:
    """More of the same, from its last day on, but not in the past."""
    today = now.astimezone(ZoneInfo(series.zone)).date()
    return Wanted(
        series.student_id,
        series.teacher_id,
        series_rules.more(series, today, last_day=last_day, count=count),
        tuple(series.package_ids if package_ids is None else package_ids),
        skip,
        override,
    )


def _require_staff(actor: Actor, *, reason: str = "asked beforehand", override: bool = False) -> None:
    """Whoever books anybody's lessons and makes anybody's slots; with a reason, for a term reaches further than rules do."""
    access.require(actor, Permission.BOOK)
    access.require(actor, Permission.MANAGE_SLOTS)
    require_liberties(actor, override=override, reason=reason)
    if not reason.strip():
        raise BookingInvalid(reasons=[REASON_MISSING])


def _problems(wanted: Wanted) -> list[Reason]:
    """A rule: what keeps this from being a series before any date is looked at."""
    problems = series_rules.term_problems(wanted.term)
    ids = wanted.package_ids
    if len(ids) > PACKAGES_MAX or len(set(ids)) < len(ids):
        problems.append(REPEATED_PACKAGES)
    if problems:
        return problems
    days = set(series_rules.days_of(wanted.term))
    found = [(not wanted.skip <= days, UNKNOWN_DATES), (days <= wanted.skip, NOTHING_LEFT)]
    return [reason for applies, reason in found if applies]


def _extension_problems(series: LessonSeries) -> list[Reason]:
    return [] if series.status is SeriesStatus.ACTIVE else [EXTENSION]


def _refuse(problems: list[Reason]) -> None:
    if problems:
        raise SeriesInvalid(reasons=problems)


def _dates(wanted: Wanted, zone: ZoneInfo) -> list[Occurrence]:
    term = wanted.term
    return [
        series_rules.occurrence(day, term.start_local, term.lesson_minutes, zone) for day in series_rules.days_of(term)
    ]


def _on_ground(session: Session, wanted: Wanted, now: datetime, *, lock: bool = False) -> Ground:
    teacher = session.get(User, wanted.teacher_id)
    if teacher is None:
        raise NotFound()
    return read_ground(
        session,
        student_id=wanted.student_id,
        teacher_id=wanted.teacher_id,
        dates=_dates(wanted, ZoneInfo(teacher.timezone)),
        now=now,
        package_ids=wanted.package_ids,
        lock=lock,
    )


def _judge(ground: Ground, wanted: Wanted) -> SeriesPreview:
    """The rule: each date on what those before it leave."""
    walk = Walk(ground, order=wanted.package_ids, override=wanted.override)
    judged = [
        Judged(each, is_left_out=True) if each.day in wanted.skip else walk.book(each)
        for each in _dates(wanted, ground.zone)
    ]
    return SeriesPreview([], judged)


def _judged_or_refused(ground: Ground, wanted: Wanted) -> list[Judged]:
    preview = _judge(ground, wanted)
    if preview.reasons:
        raise SeriesConflicts(reasons=preview.reasons)
    return [each for each in preview.dates if each.is_fine]
