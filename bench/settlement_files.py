"""A provider's report of any length, the same for the same seed: payments with fees, refunds, payouts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

HEADING = (
    "automatic_payout_id,balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,"
    "payment_intent_id,description,customer_email,payment_metadata[payment_id]\n"
)
PRICES = (4900, 9900, 19900, 34900, 49900)
BEGAN = datetime(2025, 1, 1)  # noqa: DTZ001  # the report writes UTC without saying so
A_YEAR = 365 * 24 * 3600


def rows(lines: int, *, seed: int = 1) -> Iterator[str]:
    """Spread over a year; one in twenty is a refund."""
    chance = Random(seed)  # no secret
    for number in range(lines):
        at = BEGAN + timedelta(seconds=number * A_YEAR // lines)
        gross = chance.choice(PRICES)
        is_refund = chance.random() < 0.05
        gross, fee = (-gross, 0) if is_refund else (gross, 30 + gross * 29 // 1000)
        payout, payment = f"po_{at:%j}", f"{chance.getrandbits(128):032x}"
        ours = f"{payment[:8]}-{payment[8:12]}-{payment[12:16]}-{payment[16:20]}-{payment[20:]}"
        about, kind = (f"re_{number:08x}", "refund") if is_refund else (f"ch_{number:08x}", "charge")
        money = ",".join(
            f"{'-' if each < 0 else ''}{abs(each) // 100}.{abs(each) % 100:02d}" for each in (gross, fee, gross - fee)
        )
        yield (
            f"{payout},txn_{chance.getrandbits(64):016x},{at},{at.date() + timedelta(days=2)} 00:00:00,usd,{money},{kind},{about},"
            f"pi_{number:08x},Ten lessons,student{number % 5000}@people.example,{ours}\n"
        )


def write(path: Path, lines: int, *, seed: int = 1) -> None:
    with path.open("w") as file:
        file.write(HEADING)
        file.writelines(rows(lines, seed=seed))
