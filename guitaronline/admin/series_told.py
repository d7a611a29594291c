"""What the pages of weekly lessons say: every date, or every lesson, with what will become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.admin import forms, show
from guitaronline.admin.command_page import Consequences
from guitaronline.admin.series import rhythm
from guitaronline.billing.models import Package
from guitaronline.booking import series_rules
from guitaronline.booking.series import SeriesPreview
from guitaronline.booking.series_lessons import Fate
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.series_moving import MovePreview
from guitaronline.booking.series_walk import Judged
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason


def told(look: Callable[[], Consequences], lines: Sequence[tuple[str, Any]] = ()) -> Consequences:
    """What will happen, or why it cannot be said."""
    try:
        found = look()
    except DomainError as refusal:
        return Consequences(lines, blockers=forms.reasons_of(refusal))
    return Consequences([*lines, *found.lines], found.table, found.blockers)


def dates_told(preview: SeriesPreview) -> Consequences:
    if preview.problems:
        return Consequences(blockers=preview.problems)
    packages = _named(each.purse.id for each in preview.dates if each.purse)
    table = [[_starts(each), _slot(each), _paid(each, packages), _verdict(each)] for each in preview.dates]
    heading = ("Date", "Slot", "Paid by", "Then")
    return Consequences(_sum(preview.dates), [heading, *table], _in_the_way(preview.dates))


def moves_told(preview: MovePreview) -> Consequences:
    if preview.problems and not preview.dates:
        return Consequences(blockers=preview.problems)
    table = [
        [
            show.link(each.booking),
            show.when(each.booking.start_at) if each.booking else "",
            _starts(each),
            show.html("{} {}", _verdict(each), _outcome(each)),
        ]
        for each in preview.dates
    ]
    stay = [[show.link(each.booking), show.when(each.booking.start_at), "", _stays(each)] for each in preview.kept]
    heading = ("Booking", "Now", "Then", "What becomes of it")
    return Consequences(_sum(preview.dates), [heading, *table, *stay], [*preview.problems, *_in_the_way(preview.dates)])


def fates_told(found: Sequence[Fate]) -> Sequence[Sequence[Any]]:
    table = [
        [
            show.link(each.booking),
            show.when(each.booking.start_at),
            each.decision.sentence() if each.decision else _stays(each),
        ]
        for each in found
    ]
    return [("Booking", "Starts", "What becomes of the lesson"), *table] if table else ()


def about(series: LessonSeries) -> list[tuple[str, Any]]:
    """Which series it is, for somebody who acts on it."""
    return [
        ("Series", f"{rhythm(series)} on the clock of {series.zone}, {series.lesson_minutes} min"),
        ("Student", show.link(series.student)),
        ("Teacher", show.link(series.teacher)),
        ("Last day", show.day(series.last_day)),
    ]


def over(series: LessonSeries) -> str | None:
    return None if series.status is SeriesStatus.ACTIVE else f"It was {show.word(series.status)}. Book a new series."


def stayed(kept: Sequence[Fate]) -> str:
    some = ", ".join(each.booking.reference for each in kept[:5])
    return f" {len(kept)} stay as they are: {some}{' …' if len(kept) > 5 else ''}." if kept else ""


def _sum(dates: Sequence[Judged]) -> list[tuple[str, Any]]:
    fine, made = sum(each.is_fine for each in dates), sum(each.is_fine and each.is_new_slot for each in dates)
    return [("Lessons", f"{fine} of {len(dates)} dates; {made} slots are made for them")]


def _in_the_way(dates: Sequence[Judged]) -> list[Reason]:
    """One sentence; the table says why, date by date."""
    count = sum(bool(each.reasons) for each in dates)
    words = "1 date is not possible" if count == 1 else f"{count} dates are not possible"
    return (
        [Reason("series_conflicts", f"{words}; see the table.", "Leave out what is marked, or change the time.")]
        if count
        else []
    )


def _named(ids: Iterable[UUID]) -> dict[UUID, Package]:
    return {each.id: each for each in session().scalars(select(Package).where(Package.id.in_(set(ids))))}


def _starts(judged: Judged) -> Any:
    return show.when(judged.date.start_at) if judged.date.start_at else series_rules.spoken(judged.date.day)


def _outcome(judged: Judged) -> str:
    """What becomes of the old lesson, in a word; its booking tells it at length."""
    return f"old lesson {show.word(judged.decision.outcome)}" if judged.decision and judged.is_fine else ""


def _slot(judged: Judged) -> str:
    return "" if not judged.is_fine else "new" if judged.is_new_slot else "open"


def _paid(judged: Judged, packages: dict[UUID, Package]) -> Any:
    return show.link(packages.get(judged.purse.id)) if judged.purse and judged.is_fine else ""


def _verdict(judged: Judged) -> Any:
    if judged.is_left_out:
        return show.chip("left out")
    if judged.is_fine:
        return show.chip("will happen")
    return show.html("{} {}", show.chip("refused"), " ".join(dict.fromkeys(each.detail for each in judged.reasons)))


def _stays(fate: Fate) -> Any:
    return show.html("{} {}", show.chip("stays"), " ".join(each.detail for each in fate.reasons))
