"""What the readers of bank statements share: ids for lines that have none, kinds by sign, words found in the text."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from datetime import UTC, date, datetime, time

from guitaronline import money
from guitaronline.billing.cards import masked
from guitaronline.billing.settlements.models import LineKind, Side
from guitaronline.billing.settlements.reading.lines import Line, Statement, our_references
from guitaronline.billing.settlements.reading.problems import Problems

NO_REFERENCES = frozenset({"", "NOTPROVIDED", "NONREF", "NONE", "NOREF", "N/A", "//"})
SERIAL = re.compile("[0-9]{1,5}|0+", re.ASCII)
PAYOUT = re.compile(r"\bpo_[A-Za-z0-9]{8,64}\b", re.ASCII)
LONGEST_TEXT = 1000  # characters of the remittance that are kept


def reference(text: str | None) -> str | None:
    """A reference that says something."""
    tidy = " ".join((text or "").split())
    return None if tidy.upper() in NO_REFERENCES else tidy


class Ids:
    """One id a line. The bank's reference where it gives one; else made of the content, so that the same line in another file
    has the same id. What comes several times in a file is numbered, because two equal payments on one day are two.

    A few digits are no reference: they number the lines of one file, and the next file has the same."""

    def __init__(self) -> None:
        self.seen: Counter[int] = Counter()

    def of(self, account: str, ref: str | None, *content: object) -> str:
        made = (
            ref
            if ref and not SERIAL.fullmatch(ref)
            else "~" + hashlib.sha256("\x1f".join(map(str, content)).encode()).hexdigest()[:24]
        )
        key = hash((account, made))
        self.seen[key] += 1
        return made if self.seen[key] == 1 else f"{made}#{self.seen[key]}"


def bank_line(
    *,
    line_no: int,
    account: str,
    booked_on: date,
    value_on: date | None,
    amount_minor: int,
    currency: str,
    external_id: str,
    source_id: str | None = None,
    counterparty: str | None = None,
    remittance: str | None = None,
    at: datetime | None = None,
) -> Line:
    """Banks charge no fee on a line: what came is what counts."""
    text = " ".join((remittance or "").split())[:LONGEST_TEXT]
    payment, refund = our_references(text, source_id)
    payouts = set(PAYOUT.findall(text))
    return Line(
        line_no=line_no,
        side=Side.BANK,
        account=account,
        kind=LineKind.BANK_CREDIT if amount_minor > 0 else LineKind.BANK_DEBIT,
        at=at or datetime.combine(booked_on, time(), UTC),
        booked_on=booked_on,
        value_on=value_on,
        amount_minor=amount_minor,
        fee_minor=0,
        net_minor=amount_minor,
        currency=currency,
        external_id=external_id,
        source_id=source_id,
        payment_reference=payment,
        refund_reference=refund,
        payout_id=payouts.pop() if len(payouts) == 1 else None,
        counterparty=masked(" ".join((counterparty or "").split())[:LONGEST_TEXT]) or None,
        remittance=masked(text) or None,
    )


def verify(statement: Statement, movements_minor: int, problems: Problems, *, line: int | None) -> bool:
    """Opening + movements = closing, to the minor unit."""
    reached = statement.opening_minor + movements_minor
    if reached == statement.closing_minor:
        return True
    said = {name: money.decimal_string(value, statement.currency) for name, value in (
        ("opening", statement.opening_minor), ("movements", movements_minor), ("reached", reached), ("closing", statement.closing_minor),
    )}  # fmt: skip
    problems.add(
        f"The balances do not add up: opening {said['opening']} and movements of {said['movements']} make {said['reached']}, "
        f"but the statement closes with {said['closing']} {statement.currency}. Lines may be missing.",
        line=line,
        column="closing balance",
    )
    return False
