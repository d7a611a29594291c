"""Rates of teachers from a day on, and what else a month's statement says. History stays: a new rate ends the one before."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import money
from guitaronline.actor import Role
from guitaronline.billing.refusals import require_reason
from guitaronline.errors import Reason
from guitaronline.finance.months import Month
from guitaronline.finance.refusals import (
    InvalidExtra,
    InvalidRate,
    NotATeacher,
    RateLocked,
    RateOverlaps,
    StatementApproved,
)
from guitaronline.finance.statement_models import LineKind, RateUnit, StatementExtra, TeacherRate, TeacherStatement
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command

LESSON_MINUTES = range(15, 241)
YEARS = range(2000, 3000)


@command("rate.set", creates="teacher_rates")
def set_rate(
    work: Work,
    *,
    teacher_id: UUID,
    amount_minor: int,
    currency: str,
    valid_from: date,
    unit: RateUnit | str = RateUnit.LESSON,
    lesson_minutes: int | None = None,
    reason: str | None = None,
) -> TeacherRate:
    """From that day on the teacher gets this for lessons of that length (None: of any length without a rate of its own).

    The rate before ends on that day; one that begins later stays, and this one ends there. Locks the teacher. Raises
    InvalidRate, NotATeacher, RateOverlaps, RateLocked."""
    access.require(work.actor, Permission.KEEP_BOOKS)
    _refuse_rate(amount_minor, currency, valid_from, lesson_minutes)
    lock_teacher(work, teacher_id)
    _refuse_locked(work, teacher_id, valid_from)
    alike = _alike(work, teacher_id, lesson_minutes)
    if any(each.valid_from == valid_from for each in alike):
        raise RateOverlaps(valid_from=valid_from.isoformat())
    for each in alike:
        if each.valid_from < valid_from and (each.valid_until is None or each.valid_until > valid_from):
            each.valid_until = valid_from
    work.session.flush()  # the one before ends first
    rate = TeacherRate(
        id=work.record_id,
        teacher_id=teacher_id,
        unit=RateUnit(unit),
        lesson_minutes=lesson_minutes,
        amount_minor=amount_minor,
        currency=currency,
        valid_from=valid_from,
        valid_until=min((each.valid_from for each in alike if each.valid_from > valid_from), default=None),
    )
    work.add(rate)
    return rate


@command("rate.end", on="teacher_rates")
def end_rate(work: Work, rate_id: UUID, *, valid_until: date, reason: str | None) -> TeacherRate:
    """The rate holds no more from that day on. Locks the teacher. Raises ReasonRequired, InvalidRate, RateLocked."""
    access.require(work.actor, Permission.KEEP_BOOKS)
    require_reason(reason)
    lock_teacher(work, work.find(TeacherRate, rate_id).teacher_id)
    rate = work.lock(TeacherRate, rate_id)
    if rate.valid_until == valid_until:
        return rate
    if valid_until <= rate.valid_from or (rate.valid_until is not None and valid_until > rate.valid_until):
        wrong = Reason("valid_until_invalid", "It can only end earlier, after its first day.", pointer="/valid_until")
        raise InvalidRate(reasons=[wrong])
    _refuse_locked(work, rate.teacher_id, valid_until)
    rate.valid_until = valid_until
    return rate


@command("statement.add_extra", creates="statement_extras")
def add_extra(
    work: Work,
    *,
    teacher_id: UUID,
    month: Month,
    kind: LineKind | str,
    amount_minor: int,
    currency: str,
    reason: str | None,
) -> StatementExtra:
    """Other work, or a deduction, will stand on the teacher's statement of that month, with its reason.

    Locks the teacher. Raises ReasonRequired, InvalidExtra, NotATeacher, StatementApproved."""
    access.require(work.actor, Permission.KEEP_BOOKS)
    said = require_reason(reason)
    _refuse_extra(kind, amount_minor, currency)
    lock_teacher(work, teacher_id)
    if statement_of(work, teacher_id, month) is not None:
        raise StatementApproved(month=month.written())
    extra = StatementExtra(
        id=work.record_id,
        teacher_id=teacher_id,
        month=month.first_day,
        kind=LineKind(kind),
        amount_minor=amount_minor,
        currency=currency,
        reason=said,
        made_by=work.actor.id,
    )
    work.add(extra)
    return extra


def lock_teacher(work: Work, teacher_id: UUID) -> User:
    """A step: rates, extras and statements of a teacher change one after the other. Raises NotFound, NotATeacher."""
    teacher = work.lock(User, teacher_id)
    if teacher.role is not Role.TEACHER:
        raise NotATeacher(role=teacher.role.value)
    return teacher


def statement_of(work: Work, teacher_id: UUID, month: Month) -> TeacherStatement | None:
    query = select(TeacherStatement).where(
        TeacherStatement.teacher_id == teacher_id, TeacherStatement.month == month.first_day
    )
    return work.session.scalars(query).one_or_none()


def _alike(work: Work, teacher_id: UUID, lesson_minutes: int | None) -> list[TeacherRate]:
    """Rates for the same lessons."""
    query = select(TeacherRate).where(
        TeacherRate.teacher_id == teacher_id, TeacherRate.lesson_minutes.is_not_distinct_from(lesson_minutes)
    )
    return list(work.session.scalars(query, execution_options={"populate_existing": True}))


def _refuse_locked(work: Work, teacher_id: UUID, day: date) -> None:
    """Lessons of approved statements keep their rate, and so do corrections of them."""
    newest = select(func.max(TeacherStatement.month)).where(TeacherStatement.teacher_id == teacher_id)
    locked: date | None = work.session.scalar(newest)
    if locked is not None and day <= Month(locked).last_day:
        raise RateLocked(month=Month(locked).written())


def _refuse_rate(amount_minor: int, currency: str, valid_from: date, lesson_minutes: int | None) -> None:
    found = [
        (not 0 <= amount_minor <= money.LARGEST_MINOR, "amount", "The rate is out of range."),
        (currency not in money.CURRENCIES, "currency", "This is not a currency that is paid in."),
        (valid_from.year not in YEARS, "valid_from", "The day lies between 2000 and 2999."),
        (
            lesson_minutes is not None and lesson_minutes not in LESSON_MINUTES,
            "lesson_minutes",
            "A lesson takes 15 to 240 minutes.",
        ),
    ]
    problems = [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]
    if problems:
        raise InvalidRate(reasons=problems)


def _refuse_extra(kind: LineKind | str, amount_minor: int, currency: str) -> None:
    found = [
        (kind not in (LineKind.WORK, LineKind.DEDUCTION), "kind", "It is other work or a deduction."),
        (not 1 <= amount_minor <= money.LARGEST_MINOR, "amount", "The amount is out of range."),
        (currency not in money.CURRENCIES, "currency", "This is not a currency that is paid in."),
    ]
    problems = [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]
    if problems:
        raise InvalidExtra(reasons=problems)


def rates_of(session: Session, teacher_id: UUID, *, limit: int = 20) -> list[TeacherRate]:
    """The newest first. Index: ix_teacher_rates_teacher"""
    query = select(TeacherRate).where(TeacherRate.teacher_id == teacher_id)
    return list(session.scalars(query.order_by(TeacherRate.valid_from.desc(), TeacherRate.id.desc()).limit(limit)))
