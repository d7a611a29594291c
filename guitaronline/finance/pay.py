"""What a lesson pays its teacher; pure. The preview and the approval use the same functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from guitaronline import policy
from guitaronline.finance.statement_models import LineKind, RateUnit, TeacherRate


class Outcome(StrEnum):
    """Of a lesson, as far as its teacher's money is concerned."""

    GIVEN = "given"
    NO_SHOW = "student no-show"
    LATE_CANCEL = "late cancel"
    NOTHING = "nothing"  # not given and not the student's doing, called off in time, or no outcome yet


@dataclass(frozen=True)
class Taught:
    """A lesson of the teacher, and what statements have paid for it so far."""

    lesson_id: UUID
    reference: str
    day: date  # in the school's zone
    minutes: int
    outcome: Outcome
    is_open: bool  # over, and without an outcome
    paid_revision: int
    paid_for: Outcome
    paid_minor: int

    @property
    def is_settled(self) -> bool:
        """Whether its lines say what happened."""
        return self.outcome is self.paid_for


@dataclass(frozen=True)
class Extra:
    """Other work or a deduction that waits for its statement."""

    extra_id: UUID
    kind: LineKind
    amount_minor: int
    currency: str
    words: str


@dataclass(frozen=True)
class Line:
    """A line as it will be approved; `amount_minor` negative: taken off."""

    kind: LineKind
    words: str
    amount_minor: int
    currency: str
    day: date | None = None
    lesson_id: UUID | None = None
    revision: int | None = None
    outcome: Outcome | None = None
    minutes: int | None = None
    rate_id: UUID | None = None
    extra_id: UUID | None = None


@dataclass(frozen=True)
class Preview:
    """What the statement of a month would say now."""

    lines: list[Line]
    without_rate: list[Taught]
    open_lessons: list[Taught]  # they land on a later statement once their outcome is recorded

    @property
    def totals(self) -> dict[str, int]:
        return totals(self.lines)

    @property
    def digest(self) -> str:
        """Of the lines: an approval of others than those that were looked at is refused."""
        told = repr([astuple(each) for each in self.lines])
        return hashlib.sha256(told.encode()).hexdigest()


def totals(lines: Iterable[Line]) -> dict[str, int]:
    """Minor units for each currency, by its code."""
    found: dict[str, int] = {}
    for each in lines:
        found[each.currency] = found.get(each.currency, 0) + each.amount_minor
    return dict(sorted(found.items()))


def rate_for(rates: Sequence[TeacherRate], taught: Taught) -> TeacherRate | None:
    """The rate that held on the lesson's day: the one for its length, else the one for any length."""
    held = [each for each in rates if each.valid_from <= taught.day and (each.valid_until or date.max) > taught.day]
    by_length = {each.lesson_minutes: each for each in held}
    return by_length.get(taught.minutes) or by_length.get(None)


def amount_for(rate: TeacherRate, minutes: int) -> int:
    """A lesson's rate as it is; an hour's by the minute, half a minor unit rounded up."""
    if rate.unit is RateUnit.LESSON:
        return rate.amount_minor
    return (rate.amount_minor * minutes * 2 + 60) // 120


def is_paid(outcome: Outcome) -> bool:
    """By the school's settings; such a lesson stands on the statement in any case."""
    settings = policy.current()
    return {
        Outcome.GIVEN: True,
        Outcome.NO_SHOW: settings.PAY_STUDENT_NO_SHOWS,
        Outcome.LATE_CANCEL: settings.PAY_LATE_CANCELS,
        Outcome.NOTHING: False,
    }[outcome]


def draw_up(
    own: Sequence[Taught], earlier: Sequence[Taught], extras: Sequence[Extra], rates: Sequence[TeacherRate]
) -> Preview:
    """The lines of a month: its lessons, lessons of locked months whose outcome is another one by now, and the extras."""
    lessons = [(LineKind.LESSON, each) for each in own if not each.is_settled]
    changed = [(LineKind.CORRECTION, each) for each in earlier if not each.is_settled]
    rated = [(kind, each, rate_for(rates, each)) for kind, each in (*lessons, *changed)]
    lines = [_line(kind, each, rate) for kind, each, rate in rated if rate is not None]
    return Preview(
        lines=[*lines, *(_extra(each) for each in extras)],
        without_rate=[each for _, each, rate in rated if rate is None],
        open_lessons=[each for each in (*own, *earlier) if each.is_open],
    )


def _line(kind: LineKind, taught: Taught, rate: TeacherRate) -> Line:
    due = amount_for(rate, taught.minutes) if is_paid(taught.outcome) else 0
    was = f", was {taught.paid_for}" if kind is LineKind.CORRECTION else ""
    return Line(
        kind=kind,
        words=f"{taught.reference}, {taught.minutes} min, {taught.outcome}{was}",
        amount_minor=due - taught.paid_minor,
        currency=rate.currency,
        day=taught.day,
        lesson_id=taught.lesson_id,
        revision=taught.paid_revision + 1,
        outcome=taught.outcome,
        minutes=taught.minutes,
        rate_id=rate.id,
    )


def _extra(extra: Extra) -> Line:
    sign = 1 if extra.kind is LineKind.WORK else -1
    return Line(extra.kind, extra.words, sign * extra.amount_minor, extra.currency, extra_id=extra.extra_id)
