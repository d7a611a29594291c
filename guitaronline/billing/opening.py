"""Packages that were sold before the school moved in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from guitaronline.billing import ledger, rules
from guitaronline.billing.models import Package, PackageOrigin, PackageStatus, Plan
from guitaronline.billing.refusals import InvalidPackage
from guitaronline.errors import Reason
from guitaronline.unit_of_work import Work


def bring_package(
    work: Work,
    *,
    student_id: UUID,
    row: str,
    lessons_total: int,
    lessons_used: int,
    lesson_minutes: int | None,
    price_minor: int,
    currency: str,
    is_paid: bool,
    is_trial: bool,
    expires_at: datetime | None,
    plan: Plan | None,
) -> Package:
    """A step: the student has the package, with the lessons used before as one entry `opening:<row>`.

    What was not paid yet is `on_account`. Nobody is told: they had it before. Raises InvalidPackage with every reason."""
    problems = _problems(work, lessons_total, lessons_used, lesson_minutes, price_minor, currency, is_paid, expires_at)
    if problems:
        raise InvalidPackage(reasons=problems)
    package = Package(
        student_id=student_id,
        plan_id=plan.id if plan else None,
        origin=PackageOrigin.OPENING if is_paid else PackageOrigin.ON_ACCOUNT,
        is_trial=is_trial,
        books_breakage=plan.books_breakage if plan else False,
        status=PackageStatus.ACTIVE,
        activated_at=work.now,
        lesson_minutes=lesson_minutes,
        expires_at=expires_at,
        price_minor=price_minor,
        currency=currency,
        **dict.fromkeys(("lessons_total", "available", "reserved", "consumed", "expired", "revoked"), 0),
    )
    work.create(package, is_opening=True)
    work.session.flush()
    ledger.bring(work, package, lessons=lessons_total, used=lessons_used, op_key=f"opening:{row}")
    return package


def _problems(  # noqa: PLR0917  # the columns of one row
    work: Work,
    lessons_total: int,
    lessons_used: int,
    lesson_minutes: int | None,
    price_minor: int,
    currency: str,
    is_paid: bool,
    expires_at: datetime | None,
) -> list[Reason]:
    problems = rules.order_problems(
        lessons_total=lessons_total,
        lesson_minutes=lesson_minutes,
        expires_at=expires_at,
        price_minor=price_minor,
        currency=currency,
        now=work.now,
    )
    if not 0 <= lessons_used <= lessons_total:
        problems.append(
            Reason("lessons_used_invalid", "No more lessons can be used than there are.", pointer="/lessons_used")
        )
    if not is_paid and price_minor == 0:
        problems.append(
            Reason("price_invalid", "What is still to be paid has a price.", "Write the price, or paid: yes.", "/price")
        )
    return problems
