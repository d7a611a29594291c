"""A series is called off: all that is ahead of it, or from one lesson on. Each lesson is decided by the rule of the single
cancellation; what has begun or has an outcome stays and is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import Actor
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, series_steps, steps
from guitaronline.booking.models import Booking, CancelCause
from guitaronline.booking.rules import Purse, purse_of
from guitaronline.booking.series_lessons import Fate, cause_of, day_of, lessons_of, locked, read_lessons
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.errors import NotFound
from guitaronline.lessons.models import Lesson
from guitaronline.unit_of_work import Work, command

ASKED = "asked beforehand"


@dataclass(frozen=True)
class SeriesCanceled:
    series: LessonSeries
    canceled: list[Booking]
    kept: list[Fate]  # begun, or with an outcome


def preview_cancel_series(
    session: Session,
    actor: Actor,
    series_id: UUID,
    *,
    from_booking: UUID | None = None,
    cause: str | None = None,
    waive: bool = False,
) -> list[Fate]:
    """What `cancel_series` would do now, lesson by lesson. Raises NotAllowed, NotFound, CancellationInvalid, SeriesInvalid."""
    chosen = cause_of(actor, cause=cause, waive=waive, reason=ASKED)
    series = session.get(LessonSeries, series_id)
    if series is None:
        raise NotFound()
    now = clock.read(session)
    bookings = read_lessons(session, series, from_booking=from_booking, now=now)
    paying = select(Package).where(Package.id.in_({each.package_id for each in bookings}))
    packages = list(session.scalars(paying, execution_options=facts.FRESH))
    return fates(bookings, lessons_of(session, bookings), packages, cause=chosen, waive=waive, now=now)


@command("series.cancel", on="lesson_series")
def cancel_series(
    work: Work,
    series_id: UUID,
    *,
    from_booking: UUID | None = None,
    reason: str,
    cause: str | None = None,
    waive: bool = False,
) -> SeriesCanceled:
    """The lessons ahead, all or from that one on, are canceled, each with its own decision; the series is over.

    Staff only. Repeat: no-op. Locks student, series, packages, bookings, lessons.
    Raises CancellationInvalid, SeriesInvalid."""
    chosen = cause_of(work.actor, cause=cause, waive=waive, reason=reason)
    known = work.find(LessonSeries, series_id)
    facts.lock_people(work.session, known.student_id)
    series = work.lock(LessonSeries, series_id)
    bookings = read_lessons(work.session, series, from_booking=from_booking, now=work.now)
    packages = work.lock_all(Package, [each.package_id for each in bookings])
    bookings = locked(work, bookings)
    lessons = lessons_of(work.session, bookings, lock=True)
    decided = fates(bookings, lessons, packages, cause=chosen, waive=waive, now=work.now)
    by_id = {each.id: each for each in packages}
    for fate in decided:
        if fate.decision is not None:
            booking = fate.booking
            package = by_id[booking.package_id]
            steps.call_off(work, booking, lessons.get(booking.id), package, fate.decision, reason=reason)
    canceled = [each.booking for each in decided if not each.stays]
    _close(work, series, day_of(work.session, series, from_booking), len(canceled))
    return SeriesCanceled(series, canceled, [each for each in decided if each.stays])


def fates(
    bookings: Sequence[Booking],
    lessons: Mapping[UUID, Lesson],
    packages: Sequence[Package],
    *,
    cause: CancelCause,
    waive: bool,
    now: datetime,
) -> list[Fate]:
    """The rule: each lesson by that of the single cancellation, on packages into which those before it went back."""
    purses = {each.id: purse_of(each) for each in packages}
    days = policy.current().PACKAGE_REINSTATE_DAYS
    found = []
    for booking in bookings:
        reasons = cancellation.cancel_problems(booking, lessons.get(booking.id), now)
        if reasons:
            found.append(Fate(booking, None, reasons))
            continue
        package = as_package(purses[booking.package_id])
        decision = cancellation.cancel_decision(
            booking, package, cause=cause, waive=waive, now=now, reinstate_days=days
        )
        if decision.is_returned:
            purses[booking.package_id] = cancellation.package_after_return(
                package, now=now, students_fault=decision.is_students_fault, reinstate_days=days
            )
        found.append(Fate(booking, decision, []))
    return found


def as_package(purse: Purse) -> Package:
    """The rules read the same of a package that stands and of one as it will stand."""
    return cast(Package, purse)


def _close(work: Work, series: LessonSeries, since: date | None, lessons: int) -> None:
    """Ended before that day where something of it was before, else canceled as a whole."""
    news: dict[str, Any] = {**series_steps.parties(series), "lessons": lessons}
    if since is None or since <= series.first_day:
        if series.status is not SeriesStatus.CANCELED:
            work.move(series, SeriesStatus.CANCELED, **news)
        return
    series.last_day = min(series.last_day, since - timedelta(days=1))
    if series.status is SeriesStatus.ACTIVE:
        work.move(series, SeriesStatus.ENDED, **news)
