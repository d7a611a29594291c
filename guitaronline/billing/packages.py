"""Packages are extended, frozen, reinstated, revoked and adjusted."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from guitaronline import policy
from guitaronline.billing import ledger, queries, rules
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.billing.refusals import (
    InvalidPackage,
    NothingToReinstate,
    PackageDisputed,
    PackageExpired,
    PackageInUse,
    PackageNotActive,
    require_reason,
)
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command


@command("package.extend", on="packages")
def extend_package(work: Work, package_id: UUID, *, expires_at: datetime | None, reason: str | None) -> Package:
    """The package lives longer, until `expires_at` (None: for ever). Locks it.

    Raises ReasonRequired, InvalidPackage when that is not later than now and than before, PackageExpired (reinstate
    it instead), PackageNotActive."""
    access.require(work.actor, Permission.EXTEND_PACKAGES)
    require_reason(reason)
    package = _lock_living(work, package_id)
    if package.expires_at == expires_at:
        return package
    problems = rules.extension_problems(package, expires_at, work.now)
    if problems:
        raise InvalidPackage(reasons=problems)
    package.expires_at = expires_at
    return package


@command("package.freeze", on="packages")
def freeze_package(work: Work, package_id: UUID, *, reason: str | None) -> Package:
    """No lesson of the package can be held, and its clock stands. Locks it. A frozen one stays as it is.

    Raises ReasonRequired, PackageExpired, PackageNotActive."""
    access.require(work.actor, Permission.EXTEND_PACKAGES)
    said = require_reason(reason)
    package = _lock_living(work, package_id)
    if package.frozen_at is None:
        package.frozen_at, package.frozen_reason = work.now, said
        work.emit("package.frozen", package)
    return package


@command("package.unfreeze", on="packages")
def unfreeze_package(work: Work, package_id: UUID, *, reason: str | None = None) -> Package:
    """The package can be used again and lives longer by the time it was frozen. Locks it. No-op when it is not frozen.

    Raises PackageDisputed while a dispute freezes it."""
    access.require(work.actor, Permission.EXTEND_PACKAGES)
    package = work.lock(Package, package_id)
    if package.frozen_at is None:
        return package
    if queries.is_disputed(work.session, package.id):
        raise PackageDisputed()
    thaw(work, package)
    return package


def thaw(work: Work, package: Package) -> None:
    """A step: the locked, frozen package is frozen no more, and has the time back that it lost by that."""
    if package.frozen_at is None:
        return
    if package.expires_at is not None:
        package.expires_at += work.now - package.frozen_at
    package.frozen_at, package.frozen_reason = None, None
    work.emit("package.unfrozen", package)


@command("package.reinstate", on="packages")
def reinstate_package(
    work: Work, package_id: UUID, *, reason: str | None, expires_at: datetime | None = None
) -> Package:
    """The expired package is active again with its expired lessons, until `expires_at`, else for PACKAGE_REINSTATE_DAYS.

    Locks it. Raises ReasonRequired, InvalidPackage, PackageNotActive when it has not expired, NothingToReinstate."""
    access.require(work.actor, Permission.GRANT_PACKAGES)
    said = require_reason(reason)
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
    said = require_reason(reason)
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
    said = require_reason(reason)
    package = _lock_living(work, package_id)
    ledger.adjust(work, package, lessons, reason=said)
    return package


def _lock_living(work: Work, package_id: UUID) -> Package:
    """The package, locked; it is active or depleted. Raises PackageExpired, PackageNotActive."""
    package = work.lock(Package, package_id)
    for problem in rules.living_problems(package, work.now):
        if problem.code == "package_expired":
            raise PackageExpired(problem.detail, expired_at=package.expires_at)
        raise PackageNotActive(problem.detail, status=package.status.value)
    return package


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
