"""The credit ledger: the only writer of `credit_entries` and of a package's buckets. All are steps.

Of `expire`, `expiring.py` has a twin for many packages at once.

The caller has locked the package. Each fact is one entry with a unique `op_key`; told twice, it is refused as
`already_counted`. A package that runs out becomes depleted, and active again when a lesson returns, by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import func, select

from guitaronline import db, policy
from guitaronline.billing.models import CreditEntry, EntryKind, Package, PackageStatus
from guitaronline.billing.refusals import (
    AdjustmentTooLarge,
    NoLessonsLeft,
    PackageExpired,
    PackageFrozen,
    PackageNotActive,
)
from guitaronline.billing.rules import LIVING, effective_package_status, is_lapsed, lives_until
from guitaronline.billing.worth import worth
from guitaronline.unit_of_work import Work


@dataclass(frozen=True)
class ReturnedTo:
    """Where a returned lesson went (`available`, `expired`, or `revoked` when the whole package was taken back)."""

    bucket: str
    expires_at: datetime | None


def grant(work: Work, package: Package, lessons: int, op_key: str) -> CreditEntry:
    """The package has `lessons` more in all, available. For a new package the key is `grant:<package>`."""
    package.lessons_total += lessons
    return _post(work, package, EntryKind.GRANT, op_key, {"available": lessons})


def bring(work: Work, package: Package, *, lessons: int, used: int, op_key: str) -> CreditEntry:
    """The new package has `lessons` in all, of which `used` were taken before the school moved in. The key is `opening:<row>`."""
    package.lessons_total += lessons
    return _post(work, package, EntryKind.OPENING, op_key, {"available": lessons - used, "consumed": used})


def reserve(work: Work, package: Package, booking_id: UUID) -> CreditEntry:
    """One available lesson is kept for the booking. Raises NoLessonsLeft, PackageExpired, PackageFrozen, PackageNotActive."""
    status = effective_package_status(package, work.now)
    if status is PackageStatus.EXPIRED:
        raise PackageExpired(expired_at=package.expires_at)
    if status not in LIVING:
        raise PackageNotActive(status=status.value)
    if package.frozen_at is not None:
        raise PackageFrozen(frozen_at=package.frozen_at)
    if package.available < 1:
        raise NoLessonsLeft(package=str(package.id))
    return _post(
        work, package, EntryKind.HOLD, f"hold:{booking_id}", {"available": -1, "reserved": 1}, booking_id=booking_id
    )


def release(work: Work, package: Package, booking_id: UUID) -> ReturnedTo:
    """The booking's reserved lesson is free again; into `expired` when the package's time is over."""
    bucket = _home(package, work.now)
    _post(work, package, EntryKind.RELEASE, f"release:{booking_id}", {"reserved": -1, bucket: 1}, booking_id=booking_id)
    return ReturnedTo(bucket, package.expires_at)


def consume(work: Work, package: Package, booking_id: UUID, n: int = 1) -> CreditEntry:
    """The booking's reserved lesson is used (settlement `n`)."""
    return _post(
        work,
        package,
        EntryKind.CONSUME,
        f"settle:{booking_id}:{n}",
        {"reserved": -1, "consumed": 1},
        booking_id=booking_id,
    )


def consume_again(work: Work, package: Package, booking_id: UUID, n: int) -> CreditEntry:
    """A lesson that had been given back is used after all: from `available`, else from `expired`. Raises NoLessonsLeft."""
    source = "available" if package.available > 0 else "expired"
    if getattr(package, source) < 1:
        raise NoLessonsLeft(package=str(package.id))
    return _post(
        work, package, EntryKind.CONSUME, f"settle:{booking_id}:{n}", {source: -1, "consumed": 1}, booking_id=booking_id
    )


def give_back(work: Work, package: Package, booking_id: UUID, n: int, *, students_fault: bool) -> ReturnedTo:
    """The used lesson of settlement `n` is the package's again.

    By the student's fault it goes where the package stands: into `expired` if its time is over. Otherwise it is
    available and the package lives at least PACKAGE_REINSTATE_DAYS more, reinstated if it had expired; lessons that
    expired before stay expired. A package that was taken back keeps it in `revoked`."""
    if is_lapsed(package, work.now):
        expire(work, package)
    bucket = _home(package, work.now)
    if not students_fault and bucket != "revoked":
        bucket = "available"
        package.expires_at = lives_until(package, work.now, policy.current().PACKAGE_REINSTATE_DAYS)
        if package.status is PackageStatus.EXPIRED:
            work.move(package, PackageStatus.ACTIVE)
    _post(
        work, package, EntryKind.RETURN, f"return:{booking_id}:{n}", {"consumed": -1, bucket: 1}, booking_id=booking_id
    )
    return ReturnedTo(bucket, package.expires_at)


def expire(work: Work, package: Package) -> int:
    """What was available is expired, and so is the package; reserved lessons stay reserved. Returns how many."""
    lessons = package.available
    work.move(package, PackageStatus.EXPIRED)
    if lessons:
        _post(
            work,
            package,
            EntryKind.EXPIRE,
            _numbered(work, package, EntryKind.EXPIRE),
            {"available": -lessons, "expired": lessons},
        )
    return lessons


def reinstate(work: Work, package: Package, *, expires_at: datetime | None, reason: str) -> int:
    """The expired package is active until `expires_at` and its expired lessons are available. Returns how many."""
    lessons = package.expired
    package.expires_at = expires_at
    work.move(package, PackageStatus.ACTIVE)
    key = _numbered(work, package, EntryKind.REINSTATE)
    _post(work, package, EntryKind.REINSTATE, key, {"expired": -lessons, "available": lessons}, reason=reason)
    return lessons


def adjust(work: Work, package: Package, lessons: int, *, reason: str) -> CreditEntry:
    """`lessons` < 0: from `available` to `revoked`; > 0: back from `revoked`, then from `expired`. The total stays.

    Raises AdjustmentTooLarge with the most that is possible."""
    most = package.available if lessons < 0 else package.revoked + package.expired
    if lessons == 0 or abs(lessons) > most:
        raise AdjustmentTooLarge(asked=lessons, most=most)
    revoked = -lessons if lessons < 0 else -min(lessons, package.revoked)
    deltas = {"available": lessons, "revoked": revoked, "expired": -lessons - revoked}
    return _post(work, package, EntryKind.ADJUST, f"adjust:{work.action_id}", deltas, reason=reason)


def revoke(work: Work, package: Package, lessons: int, op_key: str, *, reason: str | None = None) -> None:
    """`lessons` of the available ones are taken back; the key is `revoke:<refund>` or `revoke:<package>`."""
    if lessons:
        _post(work, package, EntryKind.REVOKE, op_key, {"available": -lessons, "revoked": lessons}, reason=reason)


def unrevoke(work: Work, package: Package, lessons: int, op_key: str) -> int:
    """Lessons that a failed refund had taken are the package's again; into `expired` when its time is over.

    Nothing returns to a package that was taken back as a whole, nor what an adjustment has already returned."""
    lessons = min(lessons, package.revoked)
    bucket = _home(package, work.now)
    if lessons and bucket != "revoked":
        _post(work, package, EntryKind.UNREVOKE, op_key, {"revoked": -lessons, bucket: lessons})
        return lessons
    return 0


def _home(package: Package, now: datetime) -> str:
    """The bucket into which a lesson of this package falls back."""
    status = effective_package_status(package, now)
    return {PackageStatus.EXPIRED: "expired", PackageStatus.REVOKED: "revoked"}.get(status, "available")


def _numbered(work: Work, package: Package, kind: EntryKind) -> str:
    """`expire:<package>:<n>`: the n-th time; counted under the package's lock."""
    before = (
        select(func.count())
        .select_from(CreditEntry)
        .where(CreditEntry.package_id == package.id, CreditEntry.kind == kind)
    )
    return f"{kind.value}:{package.id}:{work.session.scalars(before).one() + 1}"


def _post(
    work: Work,
    package: Package,
    kind: EntryKind,
    op_key: str,
    deltas: dict[str, int],
    *,
    booking_id: UUID | None = None,
    reason: str | None = None,
) -> CreditEntry:
    """Write the buckets and the entry that explains them, then let the status follow."""
    buckets = ("available", "reserved", "consumed", "expired", "revoked")
    for bucket in buckets:
        setattr(package, bucket, getattr(package, bucket) + deltas.get(bucket, 0))
    entry = CreditEntry(
        id=db.new_id(),
        package_id=package.id,
        sequence=_next_sequence(package),
        kind=kind,
        op_key=op_key,
        breakage_minor=_breakage(package, deltas.get("expired", 0)),
        booking_id=booking_id,
        reason=reason,
        **{bucket: getattr(package, bucket) for bucket in buckets},
        **{f"d_{bucket}": deltas.get(bucket, 0) for bucket in buckets},
    )
    work.add(entry)
    _follow(work, package)
    return entry


def _breakage(package: Package, d_expired: int) -> int:
    """What lessons that expire now are worth, where the plan said that they are the school's; what comes back takes back
    exactly that. The buckets are written already."""
    if not (d_expired and package.books_breakage):
        return 0
    before, after = (
        worth(lessons, price_minor=package.price_minor, lessons_total=package.lessons_total)
        for lessons in (package.expired - d_expired, package.expired)
    )
    return after - before


def _next_sequence(package: Package) -> int:
    """Computed by the INSERT itself: no statement of its own, and ordered by the package's lock."""
    last = select(func.coalesce(func.max(CreditEntry.sequence), 0) + 1).where(CreditEntry.package_id == package.id)
    return cast(int, last.scalar_subquery())


def _follow(work: Work, package: Package) -> None:
    """Depleted when nothing is available or reserved, active when something is."""
    has_lessons = package.available + package.reserved > 0
    if package.status is PackageStatus.ACTIVE and not has_lessons:
        work.move(package, PackageStatus.DEPLETED)
    elif package.status is PackageStatus.DEPLETED and has_lessons:
        work.move(package, PackageStatus.ACTIVE)
