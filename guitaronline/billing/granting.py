"""Packages come to be: granted, on account, or bought and waiting for their money."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select

from guitaronline.actor import Role
from guitaronline.billing import ledger, queries, rules
from guitaronline.billing.models import Package, PackageOrigin, PackageStatus, Plan
from guitaronline.billing.refusals import (
    InvalidPackage,
    NotAStudent,
    PlanNotOnSale,
    StudentInactive,
    TrialUsed,
    require_reason,
)
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command


@command("package.grant", creates="packages")
def grant_package(
    work: Work,
    *,
    student_id: UUID,
    lessons_total: int,
    lesson_minutes: int | None = None,
    expires_at: datetime | None = None,
    price_minor: int = 0,
    currency: str = "USD",
    plan_id: UUID | None = None,
    origin: PackageOrigin | str = PackageOrigin.GRANTED,
    is_trial: bool = False,
    override: bool = False,
    reason: str | None = None,
) -> Package:
    """The student has the package; see `grant_step`."""
    return grant_step(
        work,
        student_id=student_id,
        lessons_total=lessons_total,
        lesson_minutes=lesson_minutes,
        expires_at=expires_at,
        price_minor=price_minor,
        currency=currency,
        plan_id=plan_id,
        origin=origin,
        is_trial=is_trial,
        override=override,
        reason=reason,
        package_id=work.record_id,
    )


def grant_step(
    work: Work,
    *,
    student_id: UUID,
    lessons_total: int,
    lesson_minutes: int | None = None,
    expires_at: datetime | None = None,
    price_minor: int = 0,
    currency: str = "USD",
    plan_id: UUID | None = None,
    origin: PackageOrigin | str = PackageOrigin.GRANTED,
    is_trial: bool = False,
    override: bool = False,
    reason: str | None = None,
    package_id: UUID | None = None,
) -> Package:
    """The student has the package: active at once, or, of origin `purchase`, pending until it is paid.

    What is granted for a price is `on_account`. The plan, if named, is only noted, with its price version. Locks the
    student. Raises InvalidPackage with every reason, NotAStudent, StudentInactive, TrialUsed (`override`: a second
    trial, with a reason), ReasonRequired."""
    access.require(work.actor, Permission.GRANT_PACKAGES)
    return order_step(
        work,
        student_id=student_id,
        lessons_total=lessons_total,
        lesson_minutes=lesson_minutes,
        expires_at=expires_at,
        price_minor=price_minor,
        currency=currency,
        plan_id=plan_id,
        origin=origin,
        is_trial=is_trial,
        override=override,
        reason=reason,
        package_id=package_id,
    )


def order_step(
    work: Work,
    *,
    student_id: UUID,
    lessons_total: int,
    lesson_minutes: int | None,
    expires_at: datetime | None,
    price_minor: int,
    currency: str,
    plan_id: UUID | None,
    origin: PackageOrigin | str,
    is_trial: bool,
    override: bool = False,
    reason: str | None = None,
    package_id: UUID | None = None,
) -> Package:
    """As `grant_step`, for a caller who has asked whether the actor may: who buys grants nothing yet."""
    order = {
        "lessons_total": lessons_total,
        "lesson_minutes": lesson_minutes,
        "expires_at": expires_at,
        "price_minor": price_minor,
        "currency": currency,
    }
    kind = PackageOrigin(origin)
    if kind is PackageOrigin.GRANTED and price_minor > 0:
        kind = PackageOrigin.ON_ACCOUNT
    problems = rules.order_problems(**order, now=work.now)  # type: ignore[arg-type]  # the keys are its own
    if kind is PackageOrigin.PURCHASE and price_minor <= 0:
        problems.append(
            Reason(
                "price_invalid", "What is bought has a price.", "What costs nothing is a gift of the school.", "/price"
            )
        )
    if problems:
        raise InvalidPackage(reasons=problems)
    _lock_student(work, student_id)
    if is_trial:
        _require_first_trial(work, student_id, override, reason)
    plan = work.find(Plan, plan_id) if plan_id else None
    price = queries.price_of(work.session, plan.id) if plan else None
    is_bought = kind is PackageOrigin.PURCHASE
    package = Package(
        id=package_id,
        student_id=student_id,
        plan_id=plan_id,
        plan_price_id=price.id if price else None,
        origin=kind,
        is_trial=is_trial,
        books_breakage=plan.books_breakage if plan else False,
        status=PackageStatus.PENDING if is_bought else PackageStatus.ACTIVE,
        lessons_ordered=lessons_total if is_bought else None,
        activated_at=None if is_bought else work.now,
        **{**order, "lessons_total": 0},
        **dict.fromkeys(("available", "reserved", "consumed", "expired", "revoked"), 0),
    )
    work.create(package)
    work.session.flush()
    if not is_bought:
        ledger.grant(work, package, lessons_total, f"grant:{package.id}")
    return package


@command("package.sell", creates="packages")
def sell_plan(
    work: Work,
    *,
    student_id: UUID,
    plan_id: UUID,
    origin: PackageOrigin | str = PackageOrigin.PURCHASE,
    override: bool = False,
    reason: str | None = None,
) -> Package:
    """The student has a package as the plan says, at today's price. A bought one's days count from its payment.

    Raises PlanNotOnSale and what `grant_step` raises."""
    access.require(work.actor, Permission.GRANT_PACKAGES)
    plan = work.find(Plan, plan_id)
    price = queries.price_of(work.session, plan.id)
    if not plan.is_active or price is None:
        raise PlanNotOnSale(plan=plan.name)
    kind = PackageOrigin(origin)
    counts_now = plan.valid_days is not None and kind is not PackageOrigin.PURCHASE
    return grant_step(
        work,
        student_id=student_id,
        lessons_total=plan.lessons_total,
        lesson_minutes=plan.lesson_minutes,
        expires_at=work.now + timedelta(days=plan.valid_days or 0) if counts_now else None,
        price_minor=0 if kind is PackageOrigin.GRANTED else price.amount_minor,
        currency=price.currency,
        plan_id=plan.id,
        origin=kind,
        is_trial=plan.is_trial,
        override=override,
        reason=reason,
        package_id=work.record_id,
    )


def _lock_student(work: Work, student_id: UUID) -> User:
    student = work.lock(User, student_id)
    if student.role is not Role.STUDENT:
        raise NotAStudent(role=student.role.value)
    if not student.is_active:
        raise StudentInactive()
    return student


def _require_first_trial(work: Work, student_id: UUID, override: bool, reason: str | None) -> None:
    """The caller holds the student's lock, so two at once cannot both be the first."""
    had = exists().where(Package.student_id == student_id, Package.is_trial, Package.status != PackageStatus.REVOKED)
    if not work.session.scalar(select(had)):
        return
    if not override:
        raise TrialUsed()
    access.require(work.actor, Permission.OVERRIDE)
    require_reason(reason)
