"""PayPal's settlement report (STL, version 9): rows that begin with their type, amounts in minor units without sign.

RH and FH begin the file, SH a section, CH names the columns of its SB rows; SF sums them up for each currency with the
balances, SC counts them. Everything that SF and SC say is verified. Format: developer.paypal.com/reports/settlement.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from guitaronline import money
from guitaronline.billing.cards import masked
from guitaronline.billing.settlements.models import LineKind, Side
from guitaronline.billing.settlements.reading.amounts import currency_code, plausible, utc_moment
from guitaronline.billing.settlements.reading.banks import verify
from guitaronline.billing.settlements.reading.lines import Line, Statement, our_id, our_references
from guitaronline.billing.settlements.reading.problems import Problems, quoted
from guitaronline.billing.settlements.reading.tables import Heading, Names, csv_rows
from guitaronline.billing.settlements.reading.texts import Source, Text

NAMES: Names = {
    "external_id": ("Transaction ID",),
    "invoice": ("Invoice ID",),
    "related": ("PayPal Reference ID",),
    "code": ("Transaction Event Code",),
    "began": ("Transaction Initiation Date",),
    "at": ("Transaction Completion Date",),
    "sign": ("Transaction Debit or Credit",),
    "gross": ("Gross Transaction Amount",),
    "currency": ("Gross Transaction Currency",),
    "fee_sign": ("Fee Debit or Credit",),
    "fee": ("Fee Amount",),
    "fee_currency": ("Fee Currency",),
    "custom": ("Custom Field",),
}
REQUIRED = ("external_id", "code", "at", "sign", "gross", "currency", "fee_sign", "fee")
DIGITS = re.compile("[0-9]{1,13}", re.ASCII)
KINDS = {  # how the event code begins → kind; the longer beginning first
    "T00": LineKind.CHARGE,
    "T01": LineKind.FEE,
    "T03": LineKind.TRANSFER,
    "T04": LineKind.PAYOUT,
    "T1106": LineKind.DISPUTE,
    "T1107": LineKind.REFUND,
    "T12": LineKind.DISPUTE,
    "T20": LineKind.TRANSFER,
}
TYPES = ("RH", "FH", "SH", "CH", "SB", "SF", "SC", "RF", "RC", "FF")


@dataclass
class Section:
    """What the rows of a section add up to, by currency: gross credits, gross debits, fee credits, fee debits."""

    account: str
    wrong_before: int  # problems of the file when it began
    began_on: date | None  # as it says itself: a day on which nothing moved has no row that could
    heading: Heading | None = None
    rows: int = 0
    sums: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    days: set[date] = field(default_factory=set)
    summed: set[str] = field(default_factory=set)  # currencies whose sums it says
    has_count: bool = False


def read_paypal(source: Source, problems: Problems, statements: list[Statement], *, account: str) -> Iterator[Line]:
    """The lines of all sections. Raises Unreadable."""
    text = Text(source, problems)
    now: Section | None = None
    line_no, has_footer = 1, False
    for line_no, row in csv_rows(text, problems):
        match row[0].strip().upper():
            case "SH":
                _check_end(now, problems, line_no)
                now = Section(account, problems.total, _began_on(row))
            case "CH" if now:
                now.heading = _heading(row, problems, line_no)
            case "SB" if now and now.heading:
                line = _row(now, row, line_no, problems)
                if line:
                    yield line
            case "SF" if now:
                _check_sums(now, row, line_no, problems, statements)
            case "SC" if now:
                _check_count(now, row, line_no, problems)
            case "FF":
                has_footer = True
            case "RH" | "FH" | "RF" | "RC":
                pass
            case other:
                words = "stands in no section" if other in TYPES else "is no type of row of a settlement report"
                raise problems.stop(f"{quoted(row[0])} {words}.", line=line_no)
    if now is None:
        raise problems.stop(
            "The file has no section (SH): it is no settlement report of PayPal, or it is cut off.", line=line_no
        )
    _check_end(now, problems, line_no)
    if not has_footer:
        problems.add("The file ends without its footer (FF): it is cut off.", line=line_no)


def _began_on(row: Sequence[str]) -> date | None:
    try:
        return utc_moment(_iso(row[1])).date()
    except (IndexError, ValueError):
        return None


def _iso(moment: str) -> str:
    """`2026/11/03 04:15:00 -0800` as it is written elsewhere."""
    return re.sub(r" ([+-])", r"\1", moment.strip()).replace("/", "-")


def _heading(row: Sequence[str], problems: Problems, line_no: int) -> Heading:
    heading = Heading(row, NAMES)
    for name in heading.lacks(NAMES, REQUIRED):
        stop = problems.stop(f"The column “{name}” is missing.", line=line_no, column=name)
    if heading.lacks(NAMES, REQUIRED):
        raise stop
    return heading


def _row(now: Section, row: Sequence[str], line_no: int, problems: Problems) -> Line | None:
    """The line; None when it is wrong, and then it stands among the problems."""
    assert now.heading is not None
    now.rows += 1
    if len(row) != len(now.heading.cells):
        problems.add(f"The line has {len(row)} cells, the heading has {len(now.heading.cells)}.", line=line_no)
        return None
    reader = _Rows(now.heading, now.account)
    try:
        line = reader.line(line_no, row)
    except ValueError as error:
        words = str(error)
        problems.add(f"{words[:1].upper()}{words[1:]}.", line=line_no, column=now.heading.title(reader.ours))
        return None
    sums = now.sums[line.currency]
    sums[0 if line.amount_minor > 0 else 1] += abs(line.amount_minor)
    sums[2 if line.fee_minor < 0 else 3] += abs(line.fee_minor)
    now.counts[line.currency] += 1
    now.days.add(line.booked_on)
    return line


class _Rows:
    """Row → line. `ours` is the column that was looked at last."""

    def __init__(self, heading: Heading, account: str) -> None:
        self.heading, self.account, self.ours = heading, account, ""

    def said(self, ours: str, row: Sequence[str]) -> str:
        self.ours = ours
        return self.heading.reader(ours)(row).strip()

    def line(self, line_no: int, row: Sequence[str]) -> Line:
        """Raises ValueError in words."""
        currency = currency_code(self.said("currency", row))
        fee_currency = self.said("fee_currency", row)
        if fee_currency and currency_code(fee_currency) != currency:
            raise ValueError(f"the fee is in {quoted(fee_currency)}, the amount in {currency}")
        gross = self._signed("gross", "sign", row)
        fee = -self._signed("fee", "fee_sign", row)
        if gross == 0 and fee == 0:
            raise ValueError("the amount is 0: nothing moved")
        at = utc_moment(_iso(self.said("at", row) or self.said("began", row)))
        external_id = self.said("external_id", row)
        if not external_id:
            raise ValueError("the id is missing")
        code = self.said("code", row).upper()
        kind = next((kind for begins, kind in KINDS.items() if code.startswith(begins)), LineKind.ADJUSTMENT)
        if kind is LineKind.CHARGE and gross < 0:
            kind = LineKind.TRANSFER  # money that the school sent
        custom, invoice = self.said("custom", row), self.said("invoice", row)
        payment, refund = our_references(custom, invoice)
        related = self.said("related", row) or None
        return Line(
            line_no,
            Side.PROVIDER,
            self.account,
            kind,
            at,
            plausible(at.date()),
            None,
            gross,
            fee,
            gross - fee,
            currency,
            external_id,
            source_id=external_id,
            intent_id=external_id if kind is LineKind.CHARGE else related,
            payment_reference=our_id(custom) or our_id(invoice) or payment,
            refund_reference=refund,
            remittance=masked(" ".join(filter(None, (code, invoice, custom)))) or None,
        )

    def _signed(self, ours: str, sign: str, row: Sequence[str]) -> int:
        """Minor units; credits are positive. An empty fee is none. Raises ValueError."""
        mark = self.said(sign, row).upper()
        digits = self.said(ours, row)
        if ours == "fee" and not digits and not mark:
            return 0
        minor = _minor(digits)
        if mark not in ("CR", "DR") and minor:
            self.ours = sign
            raise ValueError(f"{quoted(mark)} is neither CR nor DR")
        return minor if mark == "CR" else -minor


def _minor(digits: str) -> int:
    """Raises ValueError: amounts have neither sign nor decimal point."""
    if not DIGITS.fullmatch(digits) or int(digits) > money.LARGEST_MINOR:
        raise ValueError(f"{quoted(digits)} is not an amount in minor units: digits only, no sign and no point")
    return int(digits)


def _check_sums(
    now: Section, row: Sequence[str], line_no: int, problems: Problems, statements: list[Statement]
) -> None:
    """SF: currency, the four sums, then opening and closing balance each after its CR or DR."""
    now.summed.add(row[1].strip().upper() if len(row) > 1 else "")
    if problems.total > now.wrong_before:
        return
    try:
        currency = currency_code(row[1])
        said = [_minor(each) for each in row[2:6]]
        opening, closing = (_minor(row[at + 1]) * (-1 if row[at].strip().upper() == "DR" else 1) for at in (6, 8))
    except (IndexError, ValueError):
        problems.add("The sums of the section (SF) cannot be read.", line=line_no)
        return
    sums = now.sums[currency]
    if said != sums:
        problems.add(
            f"The section says sums of {said} in {currency}, its rows make {sums}: lines may be missing.", line=line_no
        )
        return
    movements = sums[0] - sums[1] + sums[2] - sums[3]
    days = now.days or ({now.began_on} if now.began_on else set())
    if not days:
        problems.add("The section (SH) does not say of which day it is.", line=line_no)
        return
    statement = Statement(now.account, currency, "", min(days), max(days), opening, closing, now.counts[currency])
    if verify(statement, movements, problems, line=line_no):
        statements.append(statement)


def _check_count(now: Section, row: Sequence[str], line_no: int, problems: Problems) -> None:
    now.has_count = True
    said = row[1].strip() if len(row) > 1 else ""
    if said != str(now.rows):
        problems.add(f"The section says {quoted(said)} rows, there are {now.rows}: lines may be missing.", line=line_no)


def _check_end(now: Section | None, problems: Problems, line_no: int) -> None:
    """A section ends with the sums of each currency and its count: without them lines may be missing."""
    if now is None:
        return
    if not (now.summed and now.has_count):
        problems.add("The section ends without its sums (SF) and count (SC): the file is cut off.", line=line_no)
    elif unproved := sorted(now.counts.keys() - now.summed):
        problems.add(f"The section does not say the sums (SF) of {', '.join(unproved)}.", line=line_no)
