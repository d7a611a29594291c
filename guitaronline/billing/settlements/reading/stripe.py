"""Stripe's itemized reports: payout reconciliation and balance. Comma-separated, amounts in major units with a point.

Columns: docs.stripe.com/reports/report-types/payout-reconciliation and …/balance; beside their own names those of the
balance history that the dashboard exports are known. Times are UTC: of two columns the one that says so is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guitaronline.billing.cards import masked
from guitaronline.billing.settlements.models import LineKind, Side
from guitaronline.billing.settlements.reading.amounts import Amounts, currency_code, iso_day, iso_moment
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


class _Rows:
    """Row → line. `column` is where it was when something was wrong."""

    def __init__(self, heading: Heading, account: str) -> None:
        self.heading, self.account = heading, account
        self.amounts = Amounts()
        self.cell = {ours: heading.reader(ours) for ours in NAMES}
        self.ours = ""

    @property
    def column(self) -> str:
        return self.heading.title(self.ours)

    def line(self, line_no: int, row: Sequence[str]) -> Line:
        """Raises ValueError in words."""
        cell = self.cell
        self.ours = "currency"
        currency = currency_code(cell["currency"](row))
        gross, fee, net = (self._amount(ours, row, currency) for ours in ("gross", "fee", "net"))
        self.ours = "net"
        if net != gross - fee:
            raise ValueError("the net amount is not the gross amount less the fee")
        self.ours = "category"
        category = cell["category"](row).strip().lower()
        if not category:
            raise ValueError("the category is missing")
        kind, signs = CATEGORIES.get(category, OTHER)
        self.ours = "gross"
        _check_sign(gross, fee, signs, category)
        self.ours = "at"
        at = iso_moment(cell["at"](row))
        self.ours = "value_on"
        available = cell["value_on"](row)
        value_on = iso_day(available) if available else None
        self.ours = "external_id"
        external_id = cell["external_id"](row).strip()
        if not external_id:
            raise ValueError("the id is missing")
        description = cell["description"](row)
        payment, refund = our_references(description)
        return Line(
            line_no,
            Side.PROVIDER,
            self.account,
            kind,
            at,
            at.date(),
            value_on,
            gross,
            fee,
            net,
            currency,
            external_id,
            cell["source_id"](row) or None,
            cell["intent_id"](row) or None,
            our_id(cell["payment"](row)) or payment,
            our_id(cell["refund"](row)) or refund,
            cell["payout_id"](row) or None,
            masked(cell["customer"](row)) or None,
            masked(description) or None,
        )

    def _amount(self, ours: str, row: Sequence[str], currency: str) -> int:
        self.ours = ours
        return self.amounts.minor(self.cell[ours](row), currency)


def _check_sign(gross: int, fee: int, signs: tuple[int, ...], category: str) -> None:
    """Raises ValueError."""
    if gross == 0 and fee == 0:
        raise ValueError("the amount is 0: nothing moved")
    if gross and (1 if gross > 0 else -1) not in signs:
        raise ValueError(f"the amount of {quoted(category)} must {'not be negative' if gross < 0 else 'be negative'}")
