"""Lessons instead of money: a refund to credit. What a part of a payment is worth is given as a package that costs nothing.

No money leaves, so it is no refund and no payment becomes `refunded` by it; it takes the payment's room all the same, so
that nothing is given back twice (decision 0015).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline import db, policy
from guitaronline.billing import approvals, granting, ledger, refund_queue, refunds, rules, settling
from guitaronline.billing.models import Approval, Package, Payment
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.refunds import RefundPreview, payment_and_package
from guitaronline.billing.refusals import CreditTooLarge, NothingToCredit, require_reason
from guitaronline.billing.rules import CreditLessons, RefundFigures
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

TO_CREDIT = "credit"


@dataclass(frozen=True)
class CreditPreview:
    """What a credit would do; `refund` has what it shares with money that goes back."""

    refund: RefundPreview
    lessons: CreditLessons
    expires_at: datetime | None


def credit_preview(
    session: Session, payment_id: UUID, *, now: datetime, amount_minor: int | None = None, available: int | None = None
) -> CreditPreview:
    """As `refund_preview`. Raises what `credit_payment` would raise."""
    found = refunds.refund_preview(session, payment_id, now=now, amount_minor=amount_minor, available=available)
    _, package = payment_and_package(session, payment_id)
    lessons = rules.credit_lessons(found.figures, found.amount_minor, revoked=found.lessons_revoked)
    if lessons.most == 0:
        raise NothingToCredit()
    return CreditPreview(found, lessons, _lives_until(package, now))


@command("refund.credit", on="payments")
def credit_payment(
    work: Work, payment_id: UUID, *, amount_minor: int | None = None, lessons: int | None = None, reason: str | None
) -> RefundCredit | Approval:
    """The student has a package of `lessons` (None: as many as the rule offers) that costs nothing, and what they stand for
    is taken from the payment's package and room; or an approval of it waits.

    Locks the student, the payment, its package. Raises what `refund_payment` raises, NothingToCredit, CreditTooLarge."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package = settling.lock_with_student(work, payment_id)
    refund_queue.require_known(work, payment)
    figures, amount = refunds.judge(work, payment, package, amount_minor)
    number = judge_lessons(work, payment, package, figures, amount_minor=amount, lessons=lessons)
    wish = {"to": TO_CREDIT, "lessons": number}
    return refunds.ask_approval(work, payment, figures, amount, reason=said, wish=wish) or make_credit(
        work,
        payment,
        package,
        figures,
        amount_minor=amount,
        lessons=number,
        reason=said,
        requested_by=work.actor.id,
    )


def judge_lessons(
    work: Work,
    payment: Payment,
    package: Package,
    figures: RefundFigures,
    *,
    amount_minor: int,
    lessons: int | None,
    available: int | None = None,
) -> int:
    """A step: how many lessons are given for the amount. Raises NothingToCredit, CreditTooLarge."""
    revoked = settling.lessons_taken(work.session, payment, package, figures, amount_minor, available=available)
    allowed = rules.credit_lessons(figures, amount_minor, revoked=revoked)
    if allowed.most == 0:
        raise NothingToCredit()
    number = allowed.offered if lessons is None else lessons
    if not 1 <= number <= allowed.most:
        raise CreditTooLarge(limit=allowed.most, asked=number)
    return number


def make_credit(
    work: Work,
    payment: Payment,
    package: Package,
    figures: RefundFigures,
    *,
    amount_minor: int,
    lessons: int,
    reason: str,
    requested_by: UUID | None,
    approval: Approval | None = None,
) -> RefundCredit:
    """A step: the credit stands, its lessons are revoked (`revoke:<credit>`) and the new package is granted."""
    credit_id = db.new_id()
    revoked = settling.lessons_taken(work.session, payment, package, figures, amount_minor)
    ledger.revoke(work, package, revoked, f"revoke:{credit_id}", reason=reason)
    given = granting.grant_step(
        work,
        student_id=payment.student_id,
        lessons_total=lessons,
        lesson_minutes=package.lesson_minutes,
        expires_at=_lives_until(package, work.now),
        currency=payment.currency,
        reason=reason,
    )
    credit = RefundCredit(
        id=credit_id,
        payment_id=payment.id,
        package_id=given.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        lessons_revoked=revoked,
        lessons_granted=lessons,
        reason=reason,
        requested_by=requested_by,
        approval_id=approval.id if approval else None,
    )
    work.add(credit)
    work.session.flush()
    work.emit("refund.credited", credit, student_id=str(payment.student_id), package_id=str(given.id))
    return credit


def _lives_until(package: Package, now: datetime) -> datetime | None:
    """As long as the package that it comes from, at least PACKAGE_REINSTATE_DAYS."""
    return rules.lives_until(package, now, policy.current().PACKAGE_REINSTATE_DAYS)


def _carry_out(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    figures, amount = refunds.judge(work, payment, package, approval.amount_minor)
    make_credit(
        work,
        payment,
        package,
        figures,
        amount_minor=amount,
        lessons=approval.wish["lessons"],
        reason=approval.reason,
        requested_by=approval.requested_by,
        approval=approval,
    )


approvals.refund_ways[TO_CREDIT] = _carry_out
