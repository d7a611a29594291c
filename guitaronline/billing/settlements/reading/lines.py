"""The one shape that all files are read into, and what a file as a whole says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from guitaronline.billing.settlements.models import LineKind, Side

OUR_REFERENCE = re.compile(r"\b(PAY|RFD)-([0-9A-HJKMNP-TV-Z]{5,7})\b", re.ASCII | re.IGNORECASE)
OUR_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Line(NamedTuple):
    """One movement of money; the fields are those of `SettlementLine`, in the order in which they are staged."""

    line_no: int
    side: Side
    account: str
    kind: LineKind
    at: datetime
    booked_on: date
    value_on: date | None
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    external_id: str
    source_id: str | None = None
    intent_id: str | None = None
    payment_reference: str | None = None
    refund_reference: str | None = None
    payout_id: str | None = None
    counterparty: str | None = None
    remittance: str | None = None


@dataclass(frozen=True)
class Statement:
    """What a file states about one account and currency, verified: opening + movements = closing."""

    account: str
    currency: str
    statement_id: str
    first_on: date
    last_on: date
    opening_minor: int
    closing_minor: int
    lines: int

    @property
    def movements_minor(self) -> int:
        return self.closing_minor - self.opening_minor


@dataclass
class Tally:
    """Counts and sums of the lines as they pass."""

    lines: int = 0
    days: set[date] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    sums: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))

    def counted(self, lines: Iterator[Line]) -> Iterator[Line]:
        """The same lines."""
        for line in lines:
            self.lines += 1
            self.days.add(line.booked_on)
            self.accounts.add(line.account)
            sums = self.sums[line.currency, line.kind]
            sums[0] += 1
            sums[1] += line.amount_minor
            sums[2] += line.fee_minor
            sums[3] += line.net_minor
            yield line

    def totals(self) -> list[dict[str, Any]]:
        """By currency and kind, sorted; never over currencies."""
        names = ("lines", "amount_minor", "fee_minor", "net_minor")
        return [
            {"currency": currency, "kind": str(kind), **dict(zip(names, sums, strict=True))}
            for (currency, kind), sums in sorted(self.sums.items())
        ]

    @property
    def currency(self) -> str | None:
        """The only one; None when there are several or none."""
        found = {currency for currency, _ in self.sums}
        return found.pop() if len(found) == 1 else None


def our_id(value: str | None) -> str | None:
    """An id that we gave them, from their metadata."""
    text = (value or "").strip()
    return text.lower() if OUR_ID.fullmatch(text) else None


def our_references(*texts: str | None) -> tuple[str | None, str | None]:
    """PAY-… and RFD-… found in what people or we wrote; None where there is none or more than one."""
    found: dict[str, set[str]] = {"PAY": set(), "RFD": set()}
    for text in texts:
        if text and "-" in text:
            for prefix, code in OUR_REFERENCE.findall(text):
                found[prefix.upper()].add(f"{prefix}-{code}".upper())
    payment, refund = (found[prefix].pop() if len(found[prefix]) == 1 else None for prefix in ("PAY", "RFD"))
    return payment, refund
