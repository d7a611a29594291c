"""Stripe's itemized reports: payout reconciliation and balance. Comma-separated, amounts in major units with a point.

Columns: docs.stripe.com/reports/report-types/payout-reconciliation and …/balance; beside their own names those of the
balance history that the dashboard exports are known. Times are UTC: of two columns the one that says so is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from guitaronline.billing.cards import masked
from guitaronline.billing.settlements.models import LineKind, Side
from guitaronline.billing.settlements.reading.amounts import (
    PLAIN_MOMENT,
    Remembered,
    currency_code,
    iso_day,
    minor_units,
    utc_moment,
)
from guitaronline.billing.settlements.reading.lines import Line, our_id, our_references
from guitaronline.billing.settlements.reading.problems import Problems, quoted
from guitaronline.billing.settlements.reading.tables import Heading, Names, body_rows, csv_rows, find_heading
from guitaronline.billing.settlements.reading.texts import Source, Text

NAMES: Names = {
    "external_id": ("balance_transaction_id", "id"),
    "at": ("created_utc", "effective_at_utc", "created", "effective_at", "Created (UTC)"),
    "value_on": ("available_on_utc", "available_on", "Available On (UTC)"),
    "currency": ("currency",),
    "gross": ("gross", "amount"),
    "fee": ("fee",),
    "net": ("net",),
    "category": ("reporting_category", "type"),
    "source_id": ("source_id", "source", "payout_id"),
    "intent_id": ("payment_intent_id",),
    "payout_id": ("automatic_payout_id", "payout_id", "transfer"),
    "description": ("description",),
    "customer": ("customer_email", "customer_name", "customer_id"),
    "payment": ("payment_metadata[payment_id]", "payment_id (metadata)"),
    "refund": ("refund_metadata[refund_id]", "refund_id (metadata)"),
}
REQUIRED = ("external_id", "at", "currency", "gross", "fee", "net", "category")
PLUS, MINUS, ANY = (1,), (-1,), (-1, 1)
CATEGORIES: dict[str, tuple[LineKind, tuple[int, ...]]] = {  # reporting category → kind, signs that its amount may have
    "charge": (LineKind.CHARGE, PLUS),
    "payment": (LineKind.CHARGE, PLUS),  # the dashboard's word for methods that are no cards
    "refund": (LineKind.REFUND, MINUS),
    "payment_refund": (LineKind.REFUND, MINUS),
    "refund_failure": (LineKind.REFUND, PLUS),
    "partial_capture_reversal": (LineKind.REFUND, MINUS),
    "dispute": (LineKind.DISPUTE, MINUS),
    "dispute_reversal": (LineKind.DISPUTE, PLUS),
    "payout": (LineKind.PAYOUT, MINUS),
    "payout_reversal": (LineKind.PAYOUT, PLUS),
    "fee": (LineKind.FEE, ANY),
    "stripe_fee": (LineKind.FEE, ANY),
    "network_cost": (LineKind.FEE, ANY),
    "tax": (LineKind.FEE, ANY),
    "transfer": (LineKind.TRANSFER, ANY),
    "transfer_reversal": (LineKind.TRANSFER, ANY),
    "topup": (LineKind.TRANSFER, ANY),
    "topup_reversal": (LineKind.TRANSFER, ANY),
}
OTHER = (LineKind.ADJUSTMENT, ANY)  # whatever else moves the balance


def read_stripe(source: Source, problems: Problems, *, account: str) -> Iterator[Line]:
    """The lines of the report. Raises Unreadable; smaller problems are collected, and their lines left out."""
    text = Text(source, problems)
    rows = csv_rows(text, problems)
    heading = find_heading(rows, NAMES, REQUIRED, problems)
    row_reader = _Rows(heading, account)
    for line_no, row in body_rows(rows, heading, problems):
        try:
            yield row_reader.line(line_no, row)
        except ValueError as error:
            problems.add(f"{str(error)[:1].upper()}{str(error)[1:]}.", line=line_no, column=row_reader.column)
    if not text.ends_with_newline:
        problems.add("The last line has no end: the file may be cut off. Download it again.", line=text.line_no)


@dataclass(frozen=True)
class _Moved:
    """What a row says about money, checked."""

    currency: str
    kind: LineKind
    amount_minor: int
    fee_minor: int
    net_minor: int


class _Rows:
    """Row → line. `ours` is where it was when something was wrong.

    A report has a million lines but few prices, days and descriptions: what was read once is remembered, and that is most of
    the difference between three microseconds a line and twenty."""

    def __init__(self, heading: Heading, account: str) -> None:
        self.heading, self.account, self.ours = heading, account, ""
        nowhere = len(heading.cells)  # where `line` puts an empty cell
        self.places = {ours: heading.places.get(ours, nowhere) for ours in NAMES}
        self.money_of = itemgetter(*(self.places[ours] for ours in ("currency", "gross", "fee", "net", "category")))
        self.rest_of = itemgetter(
            *(self.places[ours] for ours in ("at", "value_on", "external_id", "source_id", "intent_id", "payout_id")),
            *(self.places[ours] for ours in ("description", "customer", "payment", "refund")),
        )
        self.moved = Remembered(self._moved)
        self.days = Remembered(iso_day)
        self.texts = Remembered(_said)

    @property
    def column(self) -> str:
        return self.heading.title(self.ours)

    def line(self, line_no: int, row: list[str]) -> Line:
        """Raises ValueError in words."""
        row.append("")
        moved = self.moved(self.money_of(row))
        at, value_on, external_id, source, intent, payout, description, customer, payment, refund = self.rest_of(row)
        self.ours = "at"
        moment = utc_moment(at)
        booked_on = self.days(at[:10]) if len(at) == PLAIN_MOMENT else moment.date()
        self.ours = "value_on"
        available_on = self.days(value_on) if value_on else None
        if not external_id.strip():
            self.ours = "external_id"
            raise ValueError("the id is missing")
        remittance, payment_named, refund_named = self.texts(description)
        return Line(
            line_no,
            Side.PROVIDER,
            self.account,
            moved.kind,
            moment,
            booked_on,
            available_on,
            moved.amount_minor,
            moved.fee_minor,
            moved.net_minor,
            moved.currency,
            external_id.strip(),
            source or None,
            intent or None,
            (our_id(payment) if payment else None) or payment_named,
            (our_id(refund) if refund else None) or refund_named,
            payout or None,
            self.texts(customer)[0],
            remittance,
        )

    def _moved(self, cells: tuple[str, ...]) -> _Moved:
        """Raises ValueError in words."""
        currency_cell, gross_cell, fee_cell, net_cell, category_cell = cells
        self.ours = "currency"
        currency = currency_code(currency_cell)
        self.ours = "gross"
        gross = minor_units(gross_cell, currency)
        self.ours = "fee"
        fee = minor_units(fee_cell, currency)
        self.ours = "net"
        if minor_units(net_cell, currency) != gross - fee:
            raise ValueError("the net amount is not the gross amount less the fee")
        self.ours = "category"
        category = category_cell.strip().lower()
        if not category:
            raise ValueError("the category is missing")
        kind, signs = CATEGORIES.get(category, OTHER)
        self.ours = "gross"
        _check_sign(gross, fee, signs, category)
        return _Moved(currency, kind, gross, fee, gross - fee)


def _said(text: str) -> tuple[str | None, str | None, str | None]:
    """As it may be kept, and our payment and refund that it names."""
    return masked(text) or None, *our_references(text)


def _check_sign(gross: int, fee: int, signs: tuple[int, ...], category: str) -> None:
    """Raises ValueError."""
    if gross == 0 and fee == 0:
        raise ValueError("the amount is 0: nothing moved")
    if gross and (1 if gross > 0 else -1) not in signs:
        raise ValueError(f"the amount of {quoted(category)} must {'not be negative' if gross < 0 else 'be negative'}")
