"""How fast payments succeed while each takes the next number of one series: `python -m guitaronline.local exec -- python bench/invoices.py`.

Clients in processes of their own, each with threads, all over the same row. The same again with `INVOICES=off` says what the
invoice costs; the numbers are looked at afterwards: none missing, none twice.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import text

import config
from guitaronline import create_core, policy
from guitaronline.actor import SYSTEM, Role
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.sellers import set_seller
from guitaronline.billing.invoices.taxes import set_tax_rate
from guitaronline.billing.service import grant_package, record_payment, set_payment_status
from guitaronline.clock import read
from guitaronline.db import database, session
from guitaronline.identity.service import create_person

PROCESSES, THREADS = 4, 8
EACH = 20  # payments a client and round


def main() -> None:
    app = create_core(config.load())
    with app.app_context():
        payments = iter(prepare(PROCESSES * THREADS * EACH * 3))
    run(payments, is_on=True)  # plans and connections are made; not counted
    rates = {is_on: run(payments, is_on=is_on) for is_on in (False, True)}
    with app.app_context():
        wrong = session().execute(text(NUMBERS)).all()
    clients = PROCESSES * THREADS
    for is_on, (rate, median, p99) in rates.items():
        print(
            f"{clients} clients, invoices {'on' if is_on else 'off'}: {rate:.0f} payments/s, p50 {median:.1f} ms, p99 {p99:.1f} ms"
        )
    print(f"series with a number missing or given twice: {len(wrong)}")


NUMBERS = "SELECT series FROM invoices GROUP BY series, year HAVING count(*) <> max(sequence) OR count(DISTINCT sequence) <> max(sequence)"


def prepare(number: int) -> list[UUID]:
    """Payments that are awaited, each of a package of its own."""
    day = school_day(read(session()))
    set_tax_rate(SYSTEM, country="DE", rate_bps=1900, valid_from=day)
    set_seller(SYSTEM, party=Party("School", street="Road 1", postal_code="1", city="Berlin", country="DE"))
    student = create_person(SYSTEM, role=Role.STUDENT, full_name="Ann", email="ann@people.example")
    return [_awaited(student.id) for _ in range(number)]


def _awaited(student_id: UUID) -> UUID:
    price = {"price_minor": 11_900, "currency": "EUR"}
    package = grant_package(SYSTEM, student_id=student_id, lessons_total=10, origin="purchase", **price)
    return record_payment(SYSTEM, package_id=package.id, amount_minor=11_900, currency="EUR").id


def run(payments: Iterator[UUID], *, is_on: bool) -> tuple[float, float, float]:
    """Payments a second, and p50 and p99 of one in milliseconds."""
    shares = [[next(payments) for _ in range(THREADS * EACH)] for _ in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES) as processes:
        took = [each for some in processes.map(client, shares, [is_on] * PROCESSES) for each in some]
    seconds = max(end for _, end in took) - min(end - length for length, end in took)
    lengths = sorted(length * 1000 for length, _ in took)
    return len(took) / seconds, statistics.median(lengths), lengths[int(len(lengths) * 0.99)]


def client(share: list[UUID], is_on: bool) -> list[tuple[float, float]]:
    """How long each took, and when it ended."""
    os.environ["DATABASE_POOL_SIZE"] = str(THREADS)
    app = create_core(replace(config.load(), INVOICES="on" if is_on else "off"))

    def succeed(payment_id: UUID) -> tuple[float, float]:
        with app.app_context():
            began = time.monotonic()
            set_payment_status(SYSTEM, payment_id, status="succeeded", evidence="bench")
            end = time.monotonic()
            database.session.remove()
        return end - began, end

    assert policy.current().INVOICES == ("on" if is_on else "off")
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(succeed, share))


if __name__ == "__main__":
    main()
