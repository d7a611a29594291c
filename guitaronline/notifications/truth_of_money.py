"""Whether messages about packages, payments and what staff have to look at are still true. Each answer is a code; None: it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.audit.models import CheckRun, OutboxEvent, OutboxStatus
from guitaronline.billing import rules as billing_rules
from guitaronline.billing.models import (
    Approval,
    ApprovalStatus,
    Package,
    PackageStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from guitaronline.billing.reconciliation.models import UNDECIDED, ReconciliationException
from guitaronline.notifications.asked import Asked
from guitaronline.notifications.models import Message, MessageStatus

LOW = 1  # lessons left
DEAD = (MessageStatus.FAILED, MessageStatus.UNCERTAIN)


def _package(asked: Asked, *states: PackageStatus) -> str | None:
    package = asked.record(Package)
    if package is None:
        return "gone"
    return None if billing_rules.effective_package_status(package, asked.now) in states else "changed"


def _bought(asked: Asked) -> str | None:
    return _package(asked, PackageStatus.ACTIVE, PackageStatus.DEPLETED)


def _low(asked: Asked) -> str | None:
    package = asked.record(Package)
    if package is not None and package.lessons_left > LOW:
        return "refilled"
    return _package(asked, PackageStatus.ACTIVE, PackageStatus.DEPLETED)


def _expiring(asked: Asked) -> str | None:
    package = asked.record(Package)
    said = asked.facts.get("expires_at")
    if package is not None and package.lessons_left == 0:
        return "used_up"
    if (
        package is not None
        and said
        and (package.expires_at is None or package.expires_at > datetime.fromisoformat(said))
    ):
        return "extended"
    return _package(asked, PackageStatus.ACTIVE, PackageStatus.DEPLETED)


def _expired(asked: Asked) -> str | None:
    package = asked.record(Package)
    if package is not None and package.expired == 0:
        return "nothing_lost"
    return _package(asked, PackageStatus.EXPIRED)


def _paid(asked: Asked) -> str | None:
    payment = asked.record(Payment)
    return None if payment is not None and payment.paid_at is not None else "changed"


def _not_paid(asked: Asked) -> str | None:
    payment = asked.record(Payment)
    return None if payment is not None and payment.status is PaymentStatus.FAILED else "paid"


def _refunded(asked: Asked) -> str | None:
    refund = asked.record(Refund)
    return None if refund is not None and refund.status is RefundStatus.SUCCEEDED else "changed"


def _waits_alone(asked: Asked) -> str | None:
    approval = asked.record(Approval)
    return None if approval is not None and approval.status is ApprovalStatus.PENDING else "decided"


def _dead(asked: Asked) -> str | None:
    return None if dead_letters(asked.session) else "done"


def _checks(asked: Asked) -> str | None:
    """Not when a later run found nothing."""
    latest = asked.session.scalars(select(CheckRun).order_by(CheckRun.id.desc()).limit(1)).first()
    return None if latest is not None and latest.findings.get("findings") else "done"


def _overdue(asked: Asked) -> str | None:
    undecided = select(ReconciliationException.id).where(ReconciliationException.status.in_(UNDECIDED))
    return None if asked.session.scalar(undecided.limit(1)) else "done"


def dead_letters(session: Session, most: int = 1000) -> int:
    """Events and messages that go no further by themselves, at most so many. ix_outbox_events_dead, ix_messages_dead"""
    events = select(OutboxEvent.id).where(OutboxEvent.status == OutboxStatus.DEAD).limit(most).subquery()
    messages = select(Message.id).where(Message.status.in_(DEAD)).limit(most).subquery()
    counts = [session.scalar(select(func.count()).select_from(each)) or 0 for each in (events, messages)]
    return min(sum(counts), most)


TRUTHS: dict[str, Callable[[Asked], str | None]] = {
    "approval_alone": _waits_alone,
    "dead_letters": _dead,
    "exceptions_overdue": _overdue,
    "failed_checks": _checks,
    "package_bought": _bought,
    "package_expired": _expired,
    "package_expiring": _expiring,
    "package_low": _low,
    "payment_failed": _not_paid,
    "payment_refunded": _refunded,
    "payment_succeeded": _paid,
}
