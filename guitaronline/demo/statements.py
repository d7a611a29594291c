"""What the provider's file says of the school's online payments: most of it agrees, some of it does not.

The file is read as the job reads it; what agrees is matched, and what does not waits for finance."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import select

from guitaronline import money, policy
from guitaronline.actor import SYSTEM
from guitaronline.billing.models import Payment, PaymentProvider, PaymentStatus
from guitaronline.billing.reconciliation.service import add_fee_contract, close_period, prepare_period, run_matching
from guitaronline.billing.settlements import importing, profiles, running
from guitaronline.billing.settlements.models import FileKind
from guitaronline.billing.settlements.profiles import Columns
from guitaronline.db import new_id, session
from guitaronline.demo.stage import School

ACCOUNT = "sandbox"
HEADING = (
    "automatic_payout_id,balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,"
    "source_id,payment_intent_id,description,payment_metadata[payment_id]"
)
PERCENT_BPS, FIXED_MINOR = 290, 30
UNKNOWN_MINOR = 7_700


def run(school: School) -> None:
    """Only where the sandbox takes the money."""
    if policy.current().PAYMENT_PROVIDER == "sandbox":
        school.on(school.ago(41), partial(_set_up, school))
        school.on(school.ago(minutes=3), partial(_import, school))


def _set_up(school: School, moment: datetime) -> None:
    add_fee_contract(
        school.finance,
        account=ACCOUNT,
        currency="USD",
        from_on=moment.date(),
        percent_bps=PERCENT_BPS,
        fixed_minor=FIXED_MINOR,
    )
    profiles.create_profile(
        school.finance,
        name="Example Bank",
        mapping=Columns(
            booked_on="Date", amount="Amount", one_currency="USD", texts=["Text"], delimiter=",", day="%Y-%m-%d"
        ),
    )


def _import(school: School, moment: datetime) -> None:
    last = moment.date().replace(day=1) - timedelta(days=1)
    _close(school, last.replace(day=1), last)
    content = _file(moment)
    received = importing.Received(
        FileKind.STRIPE_PAYOUTS,
        "sandbox.csv",
        hashlib.sha256(content).hexdigest(),
        len(content),
        lambda: [content],
        account=ACCOUNT,
    )
    file = importing.receive_file(school.finance, received=received)
    _read()
    importing.confirm_file(school.finance, file.id)
    _read()
    run_matching(SYSTEM)


def _close(school: School, first: date, last: date) -> None:
    """Nothing was imported then, so nothing can differ; two people sign it."""
    period = prepare_period(school.finance, first_on=first, last_on=last)
    close_period(school.finance_second, period.id)


def _read() -> None:
    while claimed := running.claim(new_id()):
        running.carry_out(claimed)


def _file(moment: datetime) -> bytes:
    """Every payment through the sandbox as it was charged, and one that nobody knows."""
    paid = (PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED)
    query = select(Payment).where(Payment.provider == PaymentProvider.SANDBOX, Payment.status.in_(paid))
    rows = [
        _row(number, each.amount_minor, each.paid_at or moment, f"ch_{number}", str(each.id))
        for number, each in enumerate(session().scalars(query.order_by(Payment.paid_at, Payment.amount_minor)), start=1)
    ]
    rows.append(_row(len(rows) + 1, UNKNOWN_MINOR, moment, "ch_unknown", ""))
    return "".join(f"{row}\n" for row in (HEADING, *rows)).encode()


def _row(number: int, gross: int, at: datetime, source: str, payment_id: str) -> str:
    fee = (gross * PERCENT_BPS + 5_000) // 10_000 + FIXED_MINOR
    amounts = ",".join(money.decimal_string(each, "USD") for each in (gross, fee, gross - fee))
    stamp = f"{at:%Y-%m-%d %H:%M:%S}"
    return (
        f"po_demo,txn_demo_{number},{stamp},{stamp},usd,{amounts},charge,{source},pi_demo_{number},Lessons,{payment_id}"
    )
