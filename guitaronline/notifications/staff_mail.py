"""What staff are told by mail: messages and events that are dead, checks that found something, exceptions that wait too long.

At most once a day each, and a run of the checks once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.audit.models import CheckRun
from guitaronline.billing.reconciliation.models import UNDECIDED, ReconciliationException
from guitaronline.db import technical_transaction
from guitaronline.notifications.audience import staff_with
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.planning import queue
from guitaronline.notifications.truth_of_money import dead_letters

EXCEPTIONS_DUE = timedelta(days=3)  # somebody has decided by then
COUNTED = 1000  # at most
SPACE = UUID("6f1d3c0a-8f6e-5c1e-9b7a-2d4e5f60718a")  # of the ids of such events


def tell_staff() -> int:
    """What staff have to look at and have not been told of today is told; returns how many rows are new."""
    with technical_transaction() as session:
        now = clock.read(session)
        return _dead(session, now) + _checks(session, now) + _overdue(session, now)


def _dead(session: Session, now: datetime) -> int:
    number = dead_letters(session)
    return _queue(session, "dead_letters", _today("dead_letters", now), "messages", number, now) if number else 0


def _checks(session: Session, now: datetime) -> int:
    latest = session.scalars(select(CheckRun).order_by(CheckRun.id.desc()).limit(1)).first()
    number = len(latest.findings.get("findings", ())) if latest is not None else 0
    if latest is None or not number or latest.at < now - timedelta(days=1):
        return 0
    return _queue(session, "failed_checks", latest.id, "check_runs", number, now)


def _overdue(session: Session, now: datetime) -> int:
    """ix_reconciliation_exceptions_status"""
    old = select(ReconciliationException.id).where(
        ReconciliationException.status.in_(UNDECIDED), ReconciliationException.created_at <= now - EXCEPTIONS_DUE
    )
    number = session.scalar(select(func.count()).select_from(old.limit(COUNTED).subquery())) or 0
    if not number:
        return 0
    event_id = _today("exceptions_overdue", now)
    return _queue(
        session, "exceptions_overdue", event_id, "reconciliation_exceptions", number, now, EXCEPTIONS_DUE.days
    )


def _today(what: str, now: datetime) -> UUID:
    """The same all day, on the school's calendar."""
    day = now.astimezone(ZoneInfo(policy.current().SCHOOL_TIMEZONE)).date()
    return uuid5(SPACE, f"{what}:{day}")


def _queue(  # noqa: PLR0917
    session: Session, kind_name: str, event_id: UUID, table: str, number: int, now: datetime, days: int | None = None
) -> int:
    kind = KINDS[kind_name]
    if kind.permission is None:
        return 0
    facts = {"number": number} if days is None else {"number": number, "days": days}
    return queue(
        session, kind, event_id=event_id, person_ids=staff_with(session, kind.permission), record_type=table,
        record_id=event_id, facts=facts, happened_at=now,
    )  # fmt: skip
