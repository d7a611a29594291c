"""Files of a provider and of banks, a line at a time, put where the import puts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing.models import Payment, PaymentProvider
from guitaronline.billing.reconciliation.models import Category, Match, MatchStatus, ReconciliationException
from guitaronline.billing.settlements.models import FileKind, FileStatus, SettlementFile, SettlementLine
from guitaronline.db import database, new_id, session
from guitaronline.states import moving
from guitaronline.unit_of_work import Work, command
from tests.billing.books import payment
from tests.world import World

from bench.money_year import line_id  # isort: skip

STRIPE, GIRO = "stripe", "bank:giro"
DAY = timedelta(days=1)


def noon(day: date) -> datetime:
    from datetime import UTC

    return datetime.combine(day, time(12), UTC)


def line(
    external: str, amount: int, day: date, *, account: str = STRIPE, kind: str = "charge", fee: int = 0, **more: Any
) -> dict[str, Any]:
    """One line as the import would make it."""
    return {
        "id": line_id(account, external),
        "line_no": 1,
        "side": "bank" if account.startswith("bank") else "provider",
        "account": account,
        "kind": kind,
        "at": noon(day),
        "booked_on": day,
        "amount_minor": amount,
        "fee_minor": fee,
        "net_minor": amount - fee,
        "currency": "USD",
        "external_id": external,
        "digest": line_id(external, str(amount)),
        **dict.fromkeys(
            (
                "value_on",
                "source_id",
                "intent_id",
                "payment_reference",
                "refund_reference",
                "payout_id",
                "counterparty",
                "remittance",
            )
        ),
        **more,
    }


def credit(external: str, amount: int, day: date, **more: Any) -> dict[str, Any]:
    return line(external, amount, day, account=GIRO, kind="bank_credit", **more)


@command("test.import", creates="settlement_files")
def imported(
    work: Work, lines: Sequence[dict[str, Any]], days: tuple[date, date], kind: FileKind = FileKind.STRIPE_PAYOUTS
) -> UUID:
    """A file with these lines; those that another file brought are not brought again."""
    first, last = days
    file = SettlementFile(
        id=work.record_id,
        kind=kind,
        account=lines[0]["account"] if lines else STRIPE,
        file_name=f"{work.record_id}.csv",
        sha256=str(work.record_id),
        size_bytes=1,
        status=FileStatus.RECEIVED,
        first_on=first,
        last_on=last,
    )
    work.create(file)
    work.session.flush()
    work.move(file, FileStatus.CHECKED)
    work.session.flush()
    work.move(file, FileStatus.CONFIRMED)
    work.session.flush()
    file.imported_at = work.now
    work.move(file, FileStatus.IMPORTED)
    work.session.flush()
    known = set(
        work.session.scalars(select(SettlementLine.id).where(SettlementLine.id.in_([each["id"] for each in lines])))
    )
    new = [{**each, "file_id": file.id} for each in lines if each["id"] not in known]
    if new:
        work.session.execute(insert(SettlementLine), new)
    return file.id


def told(lines: Sequence[dict[str, Any]], *, until: date | None = None, kind: FileKind | None = None) -> UUID:
    """The lines in one file that covers their days, and the days up to `until`."""
    days = [each["booked_on"] for each in lines]
    is_bank = bool(lines) and lines[0]["account"].startswith("bank")
    chosen = kind or (FileKind.CAMT053 if is_bank else FileKind.STRIPE_PAYOUTS)
    return imported(SYSTEM, lines, (min(days), max([*days, until] if until else days)), chosen)


@command("test.pay", on="payments")
def provide(work: Work, payment_id: UUID, reference: str | None, status: str) -> Payment:
    """The payment is one through the provider, of that reference and state."""
    from guitaronline.billing import settling
    from guitaronline.billing.models import PaymentStatus

    made, package = settling.lock_payment(work, payment_id)
    made.provider, made.external_reference = PaymentProvider.STRIPE, reference
    if status != "pending":
        settling.move_payment(work, made, package, PaymentStatus(status), cause=f"event:{payment_id}")
    return made


def charged(
    world: World,
    reference: str | None = None,
    *,
    amount: int = 4_900,
    status: str = "succeeded",
    student: Any = None,
    **more: Any,
) -> Payment:
    """A payment through the provider, with its id."""
    made = payment(world, world.package(student, price_minor=amount, origin="purchase", **more), amount)
    return provide(SYSTEM, made.id, reference, status)


def elsewhere(what: Callable[[], object]) -> None:
    """Another worker does it, and commits, while this one stands still."""
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]

    def work() -> None:
        with app.app_context():
            try:
                what()
            finally:
                database.session.remove()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result(timeout=30)


def matches(db: Session) -> list[Match]:
    """The active ones."""
    db.rollback()
    return list(db.scalars(select(Match).where(Match.status == MatchStatus.ACTIVE).order_by(Match.line_id)))


def waiting(db: Session) -> list[Category]:
    """Categories of the exceptions that wait."""
    db.rollback()
    query = select(ReconciliationException).where(ReconciliationException.decided_at.is_(None))
    return sorted(each.category for each in db.scalars(query))


def the_exception(db: Session) -> ReconciliationException:
    db.rollback()
    query = select(ReconciliationException).where(ReconciliationException.decided_at.is_(None))
    return db.scalars(query, execution_options={"populate_existing": True}).one()


__all__ = [
    "DAY",
    "GIRO",
    "STRIPE",
    "charged",
    "credit",
    "elsewhere",
    "line",
    "matches",
    "moving",
    "new_id",
    "provide",
    "session",
    "the_exception",
    "told",
    "waiting",
]
