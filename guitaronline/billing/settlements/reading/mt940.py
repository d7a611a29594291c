"""MT940, statements of banks in SWIFT's old format, read by the mt-940 library; balances are verified.

The library reads a statement as a whole, so a file may have some megabytes only; banks that send more send CAMT.053.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from mt940.models import Transactions
from mt940.options import Options

from guitaronline import money
from guitaronline.billing.settlements.reading.amounts import currency_code, plausible
from guitaronline.billing.settlements.reading.banks import Ids, bank_line, reference, verify
from guitaronline.billing.settlements.reading.lines import Line, Statement
from guitaronline.billing.settlements.reading.problems import Problems, quoted
from guitaronline.billing.settlements.reading.texts import Source, Text

for name in ("mt940", "mt940.tags", "mt940.models", "mt940.processors"):
    logging.getLogger(name).disabled = True  # they would write the statement's words into our log

MOST_CHARACTERS = 8_000_000  # sixty thousand movements; the library holds twenty times as much in memory
BEGIN = re.compile(r"^:20:", re.MULTILINE)
MOVEMENT = re.compile(r"^:61:", re.MULTILINE)
LIBRARY_ERRORS = (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)  # of odd input
OPENING = ("final_opening_balance", "opening_balance", "intermediate_opening_balance")
CLOSING = ("final_closing_balance", "closing_balance", "intermediate_closing_balance")


def read_mt940(
    source: Source, problems: Problems, statements: list[Statement], *, account: str | None
) -> Iterator[Line]:
    """The lines of all statements. `account` None: as the file says. Raises Unreadable."""
    text = _whole(source, problems)
    begins = [found.start() for found in BEGIN.finditer(text)]
    if not begins:
        raise problems.stop("There is no statement (:20:) in the file: it is no MT940.", line=1)
    ids, line_no, at = Ids(), 1, 0
    for begin, end in zip(begins, [*begins[1:], len(text)], strict=True):
        line_no, at = line_no + text.count("\n", at, begin), begin
        block = _Block(text[begin:end], line_no, problems, ids)
        yield from block.lines(statements, account)


def _whole(source: Source, problems: Problems) -> str:
    """The text, with plain ends of lines. Some banks still write Latin-1: its letters do not matter here."""
    with source.open() as raw:
        is_utf8 = _is_utf8(raw.read(MOST_CHARACTERS + 1))
    lines, length = [], 0
    for line in Text(source, problems, "utf-8" if is_utf8 else "cp1252"):
        length += len(line)
        if length > MOST_CHARACTERS:
            raise problems.stop(f"An MT940 file may have {MOST_CHARACTERS:,} characters; ask the bank for CAMT.053.")
        lines.append(line.rstrip("\r\n"))
    return "\n".join(lines)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Block:
    """One statement: from its :20: to the next."""

    def __init__(self, text: str, line_no: int, problems: Problems, ids: Ids) -> None:
        self.text, self.line_no, self.problems, self.ids = text, line_no, problems, ids
        self.account = self.currency = ""

    def lines(self, statements: list[Statement], account: str | None) -> Iterator[Line]:
        before = self.problems.total
        try:
            parsed = Transactions(options=Options.all())
            parsed.parse(self.text)
            opening, closing = self._balance(parsed, OPENING), self._balance(parsed, CLOSING)
            self._check_account(str(parsed.data.get("account_identification") or ""), account)
        except LIBRARY_ERRORS as error:
            said = (
                str(error)
                if isinstance(error, _Said)
                else "The statement cannot be read: a field is not as MT940 wants it."
            )
            self.problems.add(said, line=self.line_no)
            return
        made = list(self._movements(parsed))
        if self.problems.total > before:
            return
        days = {line.booked_on for line in made} | {closing[1]}
        number = str(parsed.data.get("statement_number") or parsed.data.get("transaction_reference") or "")
        statement = Statement(
            self.account, self.currency, number, min(days), max(days), opening[0], closing[0], len(made)
        )
        if verify(statement, sum(line.amount_minor for line in made), self.problems, line=self.line_no):
            statements.append(statement)
        yield from made

    def _check_account(self, found: str, account: str | None) -> None:
        """Raises _Said."""
        self.account = found.replace(" ", "").upper()
        if not self.account:
            raise _Said("The statement does not say of which account it is (:25:).")
        if account and account not in (self.account, self.account.rpartition("/")[2]):
            raise _Said(f"The statement is of the account {quoted(found)}, not of {quoted(account)}.")
        self.account = account or self.account

    def _balance(self, parsed: Any, kinds: tuple[str, ...]) -> tuple[int, date]:
        """Raises _Said."""
        found = next((parsed.data[kind] for kind in kinds if parsed.data.get(kind)), None)
        if found is None:
            raise _Said(
                f"The statement has no {kinds[1].replace('_', ' ')} ({':60F:' if kinds is OPENING else ':62F:'})."
            )
        try:
            return self._stated(found)
        except ValueError as error:
            raise _Said(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None

    def _stated(self, balance: Any) -> tuple[int, date]:
        """Raises ValueError."""
        currency = currency_code(balance.amount.currency or "")
        self.currency = self.currency or currency
        if currency != self.currency:
            raise ValueError(f"the balances are in {self.currency} and {currency}")
        return _minor(balance.amount.amount, currency), plausible(_day(balance.date))

    def _movements(self, parsed: Any) -> Iterator[Line]:
        places, line_no, at = [], self.line_no, 0
        for found in MOVEMENT.finditer(self.text):
            line_no, at = line_no + self.text.count("\n", at, found.start()), found.start()
            places.append(line_no)
        movements = [each.data for each in parsed if each.data.get("amount") is not None]
        if len(places) != len(movements):
            self.problems.add(
                f"There are {len(places)} movements (:61:), {len(movements)} can be read.", line=self.line_no
            )
            return
        for place, facts in zip(places, movements, strict=True):
            try:
                yield self._line(place, facts)
            except ValueError as error:
                self.problems.add(f"{str(error)[:1].upper()}{str(error)[1:]}.", line=place, column=":61:")

    def _line(self, place: int, facts: dict[str, Any]) -> Line:
        """Raises ValueError."""
        amount = _minor(facts["amount"].amount, self.currency)
        if amount == 0:
            raise ValueError("the amount is 0: nothing moved")
        value_on = plausible(_day(facts["date"]))
        booked_on = plausible(_day(facts["entry_date"])) if isinstance(facts.get("entry_date"), date) else value_on
        customer, bank = reference(facts.get("customer_reference")), reference(facts.get("bank_reference"))
        other = " ".join(filter(None, (facts.get("applicant_name"), facts.get("recipient_name"))))
        words = [facts.get(name) for name in ("purpose", "additional_purpose", "extra_details")]
        text = " ".join(str(each) for each in words if each) or str(facts.get("transaction_details") or "")
        return bank_line(
            line_no=place,
            account=self.account,
            booked_on=booked_on,
            value_on=value_on,
            amount_minor=amount,
            currency=self.currency,
            external_id=self.ids.of(self.account, bank, booked_on, value_on, amount, customer, other, text),
            source_id=customer,
            counterparty=other,
            remittance=text,
        )


class _Said(ValueError):
    """What is wrong with the statement, as a sentence."""


def _day(value: date) -> date:
    return date(value.year, value.month, value.day)


def _minor(amount: Decimal, currency: str) -> int:
    """Exact. Raises ValueError."""
    scaled = amount.scaleb(money.places(currency))
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(
            f"{quoted(str(amount))} has too many decimals: {currency} has {money.places(currency) or 'none'}"
        )
    if abs(scaled) > money.LARGEST_MINOR:
        raise ValueError(f"{quoted(str(amount))} is too large")
    return int(scaled)
