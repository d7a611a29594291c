"""A bank's CSV, read by the profile that somebody made for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from guitaronline import money
from guitaronline.billing.settlements.profiles import Columns
from guitaronline.billing.settlements.reading.amounts import Remembered, Style, currency_code, day_in, minor_units
from guitaronline.billing.settlements.reading.banks import Ids, bank_line, reference
from guitaronline.billing.settlements.reading.lines import Line, Statement
from guitaronline.billing.settlements.reading.problems import Problems, quoted
from guitaronline.billing.settlements.reading.tables import (
    HEADING_WITHIN,
    Heading,
    Names,
    body_rows,
    csv_rows,
    find_heading,
)
from guitaronline.billing.settlements.reading.texts import Source, Text

SINGLE = (
    "booked_on",
    "value_on",
    "amount",
    "sign",
    "credit",
    "debit",
    "currency",
    "counterparty",
    "external_id",
    "balance",
)


def names_of(columns: Columns) -> Names:
    """Our words → the bank's headings, of the columns that the profile names."""
    named = {ours: (getattr(columns, ours),) for ours in SINGLE if getattr(columns, ours)}
    return named | {f"text {place}": (heading,) for place, heading in enumerate(columns.texts)}


def read_bank_csv(
    source: Source, problems: Problems, statements: list[Statement], *, account: str, columns: Columns
) -> Iterator[Line]:
    """The lines of the file; all columns that the profile names must be there. Raises Unreadable."""
    text = Text(source, problems, columns.encoding)
    names = names_of(columns)
    rows = csv_rows(text, problems, delimiter=columns.delimiter)
    heading = find_heading(rows, names, list(names), problems, within=HEADING_WITHIN)
    row_reader = _Rows(heading, columns, account)
    for line_no, row in body_rows(rows, heading, problems):
        try:
            yield row_reader.line(line_no, row)
        except ValueError as error:
            words = str(error)
            problems.add(f"{words[:1].upper()}{words[1:]}.", line=line_no, column=heading.title(row_reader.ours))
    if not text.ends_with_newline and row_reader.ends_in_amount():
        problems.add("The last line has no end, and its amount may have lost some digits.", line=text.line_no)
    if columns.balance and not problems.total:
        row_reader.balances.verify(account, problems, statements)


@dataclass(frozen=True)
class Step:
    line_no: int
    amount_minor: int
    balance_minor: int
    currency: str
    on: date


class _Balances:
    """A column with the balance after each line proves that no line is missing, whether the newest stands first or last."""

    def __init__(self) -> None:
        self.first: Step | None = None
        self.last: Step | None = None
        self.count = 0
        self.days: set[date] = set()
        self.currencies: set[str] = set()
        self.breaks: dict[str, int | None] = {
            "falling": None,
            "rising": None,
        }  # order → first line that does not fit it

    def add(self, step: Step) -> None:
        last = self.last
        if last is not None:
            if self.breaks["rising"] is None and last.balance_minor + step.amount_minor != step.balance_minor:
                self.breaks["rising"] = step.line_no
            if self.breaks["falling"] is None and step.balance_minor + last.amount_minor != last.balance_minor:
                self.breaks["falling"] = step.line_no
        self.first, self.last = self.first or step, step
        self.count += 1
        self.days.add(step.on)
        self.currencies.add(step.currency)

    def verify(self, account: str, problems: Problems, statements: list[Statement]) -> None:
        """The file's statement is kept, or what does not add up is told at the line where it was seen latest."""
        if self.first is None or self.last is None or len(self.currencies) != 1:
            return
        rising, falling = self.breaks["rising"], self.breaks["falling"]
        if rising is not None and falling is not None:
            problems.add("The balances do not add up here: a line before it may be missing.", line=max(rising, falling))
            return
        if rising is falling is None and self.count > 1 and self.first.on == self.last.on:
            return  # nobody can tell which of them was first
        is_rising = rising is None and (falling is not None or self.first.on <= self.last.on)
        oldest, newest = (self.first, self.last) if is_rising else (self.last, self.first)
        opening = oldest.balance_minor - oldest.amount_minor
        statements.append(
            Statement(
                account, newest.currency, "", min(self.days), max(self.days), opening, newest.balance_minor, self.count
            )
        )


class _Rows:
    """Row → line. `ours` is the column that was looked at last."""

    def __init__(self, heading: Heading, columns: Columns, account: str) -> None:
        self.heading, self.columns, self.account, self.ours = heading, columns, account, ""
        style = Style(columns.decimal, columns.thousands)
        self.amounts = Remembered[tuple[str, str], int](lambda cells: minor_units(cells[0], cells[1], style))
        self.days = Remembered[str, date](lambda text: day_in(text, columns.day))
        self.debit_words = {word.upper() for word in columns.debit_words}
        self.credit_word: str | None = None  # the first other word that the file has in its place
        self.texts = [heading.reader(f"text {place}") for place in range(len(columns.texts))]
        self.cells = {ours: heading.reader(ours) for ours in SINGLE}
        self.ids, self.balances = Ids(), _Balances()
        self.last: tuple[Sequence[str], str] | None = None  # the row that was read last, and its currency

    def ends_in_amount(self) -> bool:
        """Whether the last row ends with an amount that may be the beginning of a longer one. (Many banks write no end after
        the last line, so that alone says nothing.)"""
        place = len(self.heading.cells) - 1
        if self.last is None or not any(
            self.heading.places.get(ours) == place for ours in ("amount", "credit", "debit")
        ):
            return False
        row, currency = self.last
        decimals = row[-1].strip().rpartition(self.columns.decimal)
        return bool(row[-1].strip()) and not (decimals[1] and len(decimals[2]) >= max(money.places(currency), 1))

    def said(self, ours: str, row: Sequence[str]) -> str:
        self.ours = ours
        return self.cells[ours](row).strip()

    def line(self, line_no: int, row: Sequence[str]) -> Line:
        """Raises ValueError in words."""
        booked_on = self.days(self.said("booked_on", row))
        value = self.said("value_on", row)
        value_on = self.days(value) if value else None
        currency = currency_code(self.columns.one_currency or self.said("currency", row))
        self.last = row, currency
        amount = self._amount(row, currency)
        if amount == 0:
            raise ValueError("the amount is 0: nothing moved")
        text = " ".join(filter(None, (each(row).strip() for each in self.texts)))
        other = self.said("counterparty", row)
        balance = self._balance(line_no, row, currency, amount, booked_on)
        ref = reference(self.said("external_id", row))
        return bank_line(
            line_no=line_no,
            account=self.account,
            booked_on=booked_on,
            value_on=value_on,
            amount_minor=amount,
            currency=currency,
            external_id=self.ids.of(self.account, ref, booked_on, value_on, amount, currency, other, text, balance),
            counterparty=other,
            remittance=text,
        )

    def _amount(self, row: Sequence[str], currency: str) -> int:
        """With its sign. Raises ValueError."""
        if not self.columns.amount:
            return self._halves(row, currency)
        amount = self.amounts((self.said("amount", row), currency))
        if not self.columns.sign:
            return amount
        if amount < 0:
            raise ValueError("the amount must not be negative: its sign stands in another column")
        word = self.said("sign", row).upper()
        if word in self.debit_words:
            return -amount
        self.credit_word = word if self.credit_word is None else self.credit_word
        if word != self.credit_word:
            raise ValueError(
                f"{quoted(word)} is no debit by the profile, and credits are {quoted(self.credit_word)} in this file"
            )
        return amount

    def _halves(self, row: Sequence[str], currency: str) -> int:
        """Credit or debit: one of them is filled. Banks write debits with and without a sign. Raises ValueError."""
        credit, debit = self.said("credit", row), self.said("debit", row)
        if bool(credit) == bool(debit):
            raise ValueError("an amount is needed either as a credit or as a debit")
        self.ours = "credit" if credit else "debit"
        amount = self.amounts((credit or debit, currency))
        if credit and amount < 0:
            raise ValueError(f"{quoted(credit)} must not be negative: it is a credit")
        return amount if credit else -abs(amount)

    def _balance(self, line_no: int, row: Sequence[str], currency: str, amount: int, on: date) -> int | None:
        """Raises ValueError."""
        if not self.columns.balance:
            return None
        balance = self.amounts((self.said("balance", row), currency))
        self.balances.add(Step(line_no, amount, balance, currency, on))
        return balance
