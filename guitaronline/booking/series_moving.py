"""A series moves to another weekday, time or teacher: all that is ahead of it, or from one lesson on.

Each lesson stays in its week and is moved by the rule of the single move; all of them, or none with every conflict listed.
The series says from then on when its lessons are; where each one was, its booking says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.booking import cancellation, facts, series_rules, series_steps, steps
from guitaronline.booking.models import Booking, CancelCause
from guitaronline.booking.series_canceling import ASKED
from guitaronline.booking.series_ground import Ground, read_ground
from guitaronline.booking.series_lessons import Fate, cause_of, lessons_of, locked, read_lessons
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.series_refusals import (
    BAD_TIME,
    BAD_WEEKDAY,
    EXTENSION,
    NOTHING_AHEAD,
    SAME_TIME,
    UNKNOWN_DATES,
    SeriesConflicts,
    SeriesInvalid,
    SeriesOver,
    conflicts,
)
from guitaronline.booking.series_rules import Occurrence
from guitaronline.booking.series_walk import Judged, Walk
from guitaronline.booking.service import require_liberties
from guitaronline.errors import Busy, NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.teachers.service import require_active_teacher
from guitaronline.unit_of_work import Work, command


@dataclass(frozen=True)
class NewTime:
    """Where the lessons go. `skip`: days of the series that stay where they are."""

    weekday: int
    start_local: time  # on the (new) teacher's wall clock
    teacher_id: UUID | None = None  # None: the same
    from_booking: UUID | None = None  # None: all that is ahead
    skip: frozenset[date] = frozenset()
    cause: str | None = None
    waive: bool = False
    override: bool = False


@dataclass(frozen=True)
class MovePreview:
    problems: list[Reason]
    dates: list[Judged]
    kept: list[Fate]  # begun, with an outcome, or there already

    @property
    def is_possible(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> list[Reason]:
        return self.problems + conflicts(self.dates)


@dataclass(frozen=True)
class SeriesMoved:
    series: LessonSeries
    bookings: list[Booking]  # those that took the places of the old ones
    kept: list[Fate]


@dataclass(frozen=True)
class _Lessons:
    """What moves, what does not, and where to."""

    moving: list[tuple[Booking, Occurrence]]
    kept: list[Fate]

    @property
    def bookings(self) -> list[Booking]:
        return [booking for booking, _ in self.moving]

    @property
    def dates(self) -> list[Occurrence]:
        return [date for _, date in self.moving]


def preview_move_series(session: Session, actor: Actor, series_id: UUID, *, to: NewTime) -> MovePreview:
    """What `move_series` would do now, lesson by lesson. Raises NotAllowed, NotFound, CancellationInvalid, SeriesInvalid."""
    chosen = _require(actor, to, ASKED)
    series = session.get(LessonSeries, series_id)
    teacher = session.get(User, to.teacher_id or (series.teacher_id if series else None))
    if series is None or teacher is None:
        raise NotFound()
    now = clock.read(session)
    problems = _problems(series, to)
    if problems:
        return MovePreview(problems, [], [])
    bookings = read_lessons(session, series, from_booking=to.from_booking, now=now)
    known = lessons_of(session, bookings)
    lessons = _sorted(series, bookings, known, teacher, to, now)
    return _judge(_ground(session, series, teacher, lessons, now), lessons, known, to, chosen)


@command("series.move", on="lesson_series")
def move_series(work: Work, series_id: UUID, *, to: NewTime, reason: str) -> SeriesMoved:
    """The lessons ahead, all or from one on, stand at the new time, each linked to the one it took the place of; or none.

    Own slots that overlap the new ones are withdrawn. Staff only. Locks student and teacher, series, packages, slots,
    bookings, lessons. Raises SeriesConflicts, SeriesInvalid, SeriesOver, CancellationInvalid, NotATeacher, TeacherNotActive."""
    chosen = _require(work.actor, to, reason)
    known = work.find(LessonSeries, series_id)
    teacher_id = to.teacher_id or known.teacher_id
    facts.lock_people(work.session, known.student_id, teacher_id)
    teacher = require_active_teacher(work, teacher_id)
    series = work.lock(LessonSeries, series_id)
    if to.teacher_id is None and series.teacher_id != teacher_id:
        raise Busy()  # it went to another teacher just now
    problems = _problems(series, to)
    if problems:
        raise SeriesOver(reasons=problems) if EXTENSION in problems else SeriesInvalid(reasons=problems)
    bookings = read_lessons(work.session, series, from_booking=to.from_booking, now=work.now)
    ground = _ground(work.session, series, teacher, _here(series, bookings, teacher, to), work.now, lock=True)
    bookings = locked(work, bookings)
    lessons = lessons_of(work.session, bookings, lock=True)
    preview = _judge(ground, _sorted(series, bookings, lessons, teacher, to, work.now), lessons, to, chosen)
    if preview.problems:
        raise SeriesInvalid(reasons=preview.problems)
    if preview.reasons:
        raise SeriesConflicts(reasons=preview.reasons)
    steps.release_lapsed(work, ground.scene)
    fine = [each for each in preview.dates if each.is_fine]
    successors = series_steps.move(work, series, ground, fine, lessons, override=to.override, reason=reason)
    _follow(work, series, teacher, to, len(successors))
    return SeriesMoved(series, successors, preview.kept)


def _require(actor: Actor, to: NewTime, reason: str) -> CancelCause:
    access.require(actor, Permission.BOOK)
    access.require(actor, Permission.MANAGE_SLOTS)
    require_liberties(actor, override=to.override, reason=reason)
    return cause_of(actor, cause=to.cause, waive=to.waive, reason=reason)


def _problems(series: LessonSeries, to: NewTime) -> list[Reason]:
    """A rule: what keeps the series from moving there before any lesson is looked at."""
    wall = to.start_local
    found = [
        (series.status is not SeriesStatus.ACTIVE, EXTENSION),
        (not 0 <= to.weekday <= 6, BAD_WEEKDAY),
        (wall.tzinfo is not None or bool(wall.microsecond), BAD_TIME),
    ]
    return [reason for applies, reason in found if applies]


def _here(series: LessonSeries, bookings: Sequence[Booking], teacher: User, to: NewTime) -> _Lessons:
    """Each lesson in its own week."""
    zone = ZoneInfo(teacher.timezone)
    days = [series_rules.in_the_week_of(_series_day(each), to.weekday) for each in bookings]
    dates = [series_rules.occurrence(day, to.start_local, series.lesson_minutes, zone) for day in days]
    return _Lessons(list(zip(bookings, dates, strict=True)), [])


def _sorted(  # noqa: PLR0917
    series: LessonSeries,
    bookings: Sequence[Booking],
    lessons: dict[UUID, Lesson],
    teacher: User,
    to: NewTime,
    now: datetime,
) -> _Lessons:
    """Begun ones and those that are there already stay as they are."""
    moving, kept = [], []
    for booking, there in _here(series, bookings, teacher, to).moving:
        reasons = cancellation.cancel_problems(booking, lessons.get(booking.id), now)
        if (booking.teacher_id, booking.start_at, booking.end_at) == (teacher.id, there.start_at, there.end_at):
            reasons.append(SAME_TIME)
        if reasons:
            kept.append(Fate(booking, None, reasons))
        else:
            moving.append((booking, there))
    return _Lessons(moving, kept)


def _ground(
    session: Session, series: LessonSeries, teacher: User, lessons: _Lessons, now: datetime, *, lock: bool = False
) -> Ground:
    return read_ground(
        session,
        student_id=series.student_id,
        teacher_id=teacher.id,
        dates=lessons.dates,
        now=now,
        moving=lessons.bookings,
        lock=lock,
    )


def _judge(
    ground: Ground, lessons: _Lessons, known: dict[UUID, Lesson], to: NewTime, cause: CancelCause
) -> MovePreview:
    """The rule: each lesson on what those before it leave."""
    days = {_series_day(each) for each in lessons.bookings}
    found = [(not to.skip <= days, UNKNOWN_DATES), (days <= to.skip, NOTHING_AHEAD)]
    walk = Walk(ground, override=to.override)
    judged = [
        Judged(there, is_left_out=True, booking=booking)
        if _series_day(booking) in to.skip
        else walk.move(there, booking, known.get(booking.id), cause=cause, waive=to.waive)
        for booking, there in lessons.moving
    ]
    return MovePreview([reason for applies, reason in found if applies], judged, lessons.kept)


def _follow(work: Work, series: LessonSeries, teacher: User, to: NewTime, lessons: int) -> None:
    """The series is from now on where its lessons went."""
    series.weekday, series.start_local = to.weekday, to.start_local
    series.teacher_id, series.zone = teacher.id, teacher.timezone
    series.last_day = series_rules.in_the_week_of(series.last_day, to.weekday)
    series.first_day = min(series.first_day, series.last_day)
    work.emit("series.moved", series, **series_steps.parties(series), lessons=lessons)


def _series_day(booking: Booking) -> date:
    if booking.series_day is None:
        raise ValueError(f"{booking.reference} is of no series")
    return booking.series_day
