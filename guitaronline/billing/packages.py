"""Packages are granted or sold, extended, frozen, reinstated, revoked, adjusted, and expire."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.billing import ledger, queries, rules
from guitaronline.billing.models import Package, PackageOrigin, PackageStatus, Plan
from guitaronline.billing.refusals import (
    InvalidPackage,
    NotAStudent,
    NothingToReinstate,
    PackageExpired,
    PackageInUse,
    PackageNotActive,
    PlanNotOnSale,
    ReasonRequired,
    StudentInactive,
    TrialUsed,
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
        problems.append(Reason("price_invalid", "What is bought has a price.", pointer="/price"))
    if problems:
        raise InvalidPackage(reasons=problems)
    _lock_student(work, student_id)
    if is_trial:
        _require_first_trial(work, student_id, override, reason)
    price = queries.price_of(work.session, work.find(Plan, plan_id).id) if plan_id else None
    is_bought = kind is PackageOrigin.PURCHASE
    package = Package(
        id=package_id,
        student_id=student_id,
        plan_id=plan_id,
        plan_price_id=price.id if price else None,
        origin=kind,
        is_trial=is_trial,
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


@command("package.extend", on="packages")
def extend_package(work: Work, package_id: UUID, *, expires_at: datetime | None, reason: str | None) -> Package:
    """The package lives longer, until `expires_at` (None: for ever). Locks it.

    Raises ReasonRequired, InvalidPackage when that is not later than now and than before, PackageExpired (reinstate
    it instead), PackageNotActive."""
    access.require(work.actor, Permission.EXTEND_PACKAGES)
    _require_reason(reason)
    package = _lock_living(work, package_id)
    if package.expires_at == expires_at:
        return package
    problems = rules.order_problems(lessons_total=1, expires_at=expires_at, now=work.now)
    if package.expires_at is None or (expires_at is not None and expires_at < package.expires_at):
        problems.append(
            Reason("expires_at_invalid", "The package already lives longer than that.", pointer="/expires_at")
        )
    if problems:
        raise InvalidPackage(reasons=problems)
    package.expires_at = expires_at
    return package


@command("package.freeze", on="packages")
def freeze_package(work: Work, package_id: UUID, *, reason: str | None) -> Package:
    """No lesson of the package can be held, and its clock stands. Locks it. A frozen one stays as it is.

    Raises ReasonRequired, PackageExpired, PackageNotActive."""
    access.require(work.actor, Permission.EXTEND_PACKAGES)
    said = _require_reason(reason)
    package = _lock_living(work, package_id)
    if package.frozen_at is None:
        package.frozen_at, package.frozen_reason = work.now, said
        work.emit("package.frozen", package)
    return package


@command("package.unfreeze", on="packages")
def unfreeze_package(work: Work, package_id: UUID, *, reason: str | None = None) -> Package:
    """The package can be used again and lives longer by the time it was frozen. Locks it. No-op when it is not frozen."""
    access.require(work.actor, Permission.EXTEND_PACKAGES)
    package = work.lock(Package, package_id)
    if package.frozen_at is None:
        return package
    if package.expires_at is not None:
        package.expires_at += work.now - package.frozen_at
    package.frozen_at, package.frozen_reason = None, None
    work.emit("package.unfrozen", package)
    return package


@command("package.reinstate", on="packages")
def reinstate_package(
    work: Work, package_id: UUID, *, reason: str | None, expires_at: datetime | None = None
) -> Package:
    """The expired package is active again with its expired lessons, until `expires_at`, else for PACKAGE_REINSTATE_DAYS.

    Locks it. Raises ReasonRequired, InvalidPackage, PackageNotActive when it has not expired, NothingToReinstate."""
    access.require(work.actor, Permission.GRANT_PACKAGES)
    said = _require_reason(reason)
    package = work.lock(Package, package_id)
    if rules.is_lapsed(package, work.now):
        ledger.expire(work, package)
    if package.status is not PackageStatus.EXPIRED:
        raise PackageNotActive("Only an expired package can be reinstated.", status=package.status.value)
    if package.expired == 0:
        raise NothingToReinstate()
    until = expires_at or work.now + timedelta(days=policy.current().PACKAGE_REINSTATE_DAYS)
    problems = rules.order_problems(lessons_total=1, expires_at=until, now=work.now)
    if problems:
        raise InvalidPackage(reasons=problems)
    ledger.reinstate(work, package, expires_at=until, reason=said)
    return package


@command("package.revoke", on="packages")
def revoke_package(work: Work, package_id: UUID, *, reason: str | None) -> Package:
    """The package is taken back with every lesson that is available; what was used stays used. Locks it.

    Lessons of confirmed bookings that are given back later go to `revoked` too. A revoked package stays as it is.
    Raises ReasonRequired, PackageInUse naming the bookings that hold a lesson of it, PackageExpired."""
    access.require(work.actor, Permission.GRANT_PACKAGES)
    said = _require_reason(reason)
    package = work.lock(Package, package_id)
    if package.status is PackageStatus.REVOKED:
        return package
    if rules.effective_package_status(package, work.now) is PackageStatus.EXPIRED:
        raise PackageExpired("The package has expired; there is nothing to take back.", expired_at=package.expires_at)
    if package.reserved > 0:
        raise PackageInUse(reasons=_holds(work, package))
    work.move(package, PackageStatus.REVOKED)
    ledger.revoke(work, package, package.available, f"revoke:{package.id}", reason=said)
    return package


@command("package.adjust", on="packages")
def adjust_lessons(work: Work, package_id: UUID, *, lessons: int, reason: str | None) -> Package:
    """`lessons` fewer (−) or more (+) are available, out of what was revoked or has expired; the total stays. Locks it.

    Raises ReasonRequired, AdjustmentTooLarge (for more, grant a package), PackageExpired, PackageNotActive."""
    access.require(work.actor, Permission.ADJUST_LESSONS)
    said = _require_reason(reason)
    package = _lock_living(work, package_id)
    ledger.adjust(work, package, lessons, reason=said)
    return package


@command("package.expire", quiet=True)
def expire_packages(work: Work, *, limit: int = 500) -> int:
    """Packages whose time is over are expired; returns how many, at most `limit`.

    Those that somebody has locked just now are left to the next call, so several at once do no harm. Index:
    ix_packages_due."""
    access.require(work.actor, Permission.ADMINISTER)
    due = (
        select(Package)
        .where(Package.status.in_(rules.LIVING), Package.frozen_at.is_(None), Package.expires_at <= work.now)
        .order_by(Package.expires_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    packages = list(work.session.scalars(due, execution_options={"populate_existing": True}))
    for package in packages:
        ledger.expire(work, package)
    return len(packages)


def _lock_living(work: Work, package_id: UUID) -> Package:
    """The package, locked; it is active or depleted. Raises PackageExpired, PackageNotActive."""
    package = work.lock(Package, package_id)
    status = rules.effective_package_status(package, work.now)
    if status is PackageStatus.EXPIRED:
        raise PackageExpired("The package has expired. Reinstate it first.", expired_at=package.expires_at)
    if status not in rules.LIVING:
        raise PackageNotActive(f"The package is {status.value}.", status=status.value)
    return package


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
    _require_reason(reason)


def _require_reason(reason: str | None) -> str:
    said = rules.said(reason)
    if said is None:
        raise ReasonRequired()
    return said


def _holds(work: Work, package: Package) -> list[Reason]:
    holds = [each for each in queries.live_bookings(work.session, package.id, now=work.now) if each.status == "hold"]
    return [
        Reason(
            "lesson_reserved",
            f"{each.reference} holds a lesson of the package.",
            "Confirm or cancel it, or let it lapse.",
            facts={"booking_id": str(each.id), "reference": each.reference, "start_at": each.start_at.isoformat()},
        )
        for each in holds
    ]
