"""CAMT.053, statements of banks in XML (ISO 20022, camt.053.001.02 to .13).

Booked entries count. A batch whose payments are all given becomes one line a payment, else one line. The sign is that of
the entry; the reversal indicator only says that an earlier entry is taken back. Balances and totals are verified.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from guitaronline.billing.settlements.reading.amounts import currency_code, iso_day, minor_units, utc_moment
from guitaronline.billing.settlements.reading.banks import Ids, bank_line, reference, verify
from guitaronline.billing.settlements.reading.lines import Line, Statement
from guitaronline.billing.settlements.reading.problems import Problems, quoted
from guitaronline.billing.settlements.reading.texts import Source
from guitaronline.billing.settlements.reading.xml import Node, pieces

NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(0[2-9]|1[0-3])", re.ASCII)
WANTED = frozenset({"Id", "Acct", "Bal", "TxsSummry", "Ntry"})
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
BOOKED = "BOOK"
LONGEST_ACCOUNT = 64  # characters; an IBAN has up to 34


@dataclass(frozen=True)
class Balance:
    minor: int
    currency: str
    on: date


@dataclass
class Open:
    """The statement that is being read."""

    ids: Ids
    wrong_before: int  # problems of the file when it began
    account: str = ""
    currency: str = ""
    statement_id: str = ""
    balances: dict[str, Balance] = field(default_factory=dict)
    summary: Node | None = None
    movements_minor: int = 0
    entries: int = 0
    lines: int = 0
    days: set[date] = field(default_factory=set)


class Wrong(ValueError):
    """What is wrong, and the element that says it."""

    def __init__(self, node: Node, column: str, sentence: str) -> None:
        super().__init__(sentence)
        self.node, self.column = node, column


def read_camt(
    source: Source, problems: Problems, statements: list[Statement], *, account: str | None
) -> Iterator[Line]:
    """The booked lines of all statements; these are appended when they end. `account` None: as the file says.
    Raises Unreadable."""
    ids, entry_no = Ids(), 0
    now = Open(ids, 0)
    for piece in pieces(source, problems, "Stmt", WANTED):
        try:
            match piece.name:
                case "Document" | "BkToCstmrStmt":
                    _check_head(piece, problems)
                case "/Stmt":
                    _end(now, piece, problems, statements)
                    now = Open(ids, problems.total)
                case "Ntry":
                    entry_no += 1
                    yield from _entry(now, piece, entry_no)
                case _ if "namespace" in piece.attributes:
                    raise problems.stop(
                        f"The file is {quoted(piece.name)}, not a bank's statement (camt.053).", line=piece.line
                    )
                case _:
                    _note(now, piece, account)
        except Wrong as wrong:
            problems.add(_sentence(str(wrong)), line=wrong.node.line, column=wrong.column)
    if not statements and not problems.total:
        problems.add("There is no statement in the file.")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _check_head(piece: Node, problems: Problems) -> None:
    namespace = piece.attributes["namespace"]
    if namespace and not NAMESPACE.fullmatch(namespace):
        raise problems.stop(
            f"The file is of the kind {quoted(namespace)}, not camt.053.001.02 to .13.", line=piece.line
        )


def _note(now: Open, piece: Node, account: str | None) -> None:
    """What stands in front of the entries. Raises Wrong."""
    if piece.name == "Id":
        now.statement_id = piece.text
    elif piece.name == "TxsSummry":
        now.summary = piece
    elif piece.name == "Acct":
        found = "".join((piece.said("Id/IBAN") or piece.said("Id/Othr/Id")).split()).upper()
        if account and found != account:
            raise Wrong(piece, "Acct", f"the statement is of the account {quoted(found)}, not of {quoted(account)}")
        if not found:
            raise Wrong(piece, "Acct", "the statement does not say of which account it is")
        if len(found) > LONGEST_ACCOUNT:
            raise Wrong(piece, "Acct", f"the account {quoted(found)} has more than {LONGEST_ACCOUNT} characters")
        now.account, now.currency = found, piece.said("Ccy").upper()
    elif piece.name == "Bal":
        minor, currency = _amount(piece, "Bal")
        kind = piece.said("Tp/CdOrPrtry/Cd")
        now.balances.setdefault(kind, Balance(minor, currency, _day(piece, "Dt", "Bal")))
        now.currency = now.currency or currency


def _amount(piece: Node, column: str, *, sign_of: str = "") -> tuple[int, str]:
    """With its sign. Raises Wrong."""
    said = piece.first("Amt", "AmtDtls/TxAmt/Amt")
    if said is None:
        raise Wrong(piece, f"{column}/Amt", "the amount is missing")
    try:
        currency = currency_code(said.attributes.get("Ccy", ""))
        minor = minor_units(said.text, currency)
    except ValueError as error:
        raise Wrong(said, f"{column}/Amt", str(error)) from None
    if minor < 0:
        raise Wrong(
            said, f"{column}/Amt", f"the amount {quoted(said.text)} must not be negative; the sign stands in CdtDbtInd"
        )
    sign = piece.said("CdtDbtInd") or sign_of
    if sign not in ("CRDT", "DBIT"):
        raise Wrong(piece, f"{column}/CdtDbtInd", f"{quoted(sign)} is neither CRDT nor DBIT")
    return (minor if sign == "CRDT" else -minor), currency


def _day(piece: Node, name: str, column: str) -> date:
    """A day, or the day of a time. Raises Wrong."""
    said = piece.first(f"{name}/Dt", f"{name}/DtTm")
    if said is None:
        raise Wrong(piece, f"{column}/{name}", "the day is missing")
    try:
        return iso_day(said.text)
    except ValueError as error:
        raise Wrong(said, f"{column}/{name}", str(error)) from None


def _moment(piece: Node) -> datetime | None:
    said = piece.first("BookgDt/DtTm")
    try:
        return utc_moment(said.text) if said else None
    except ValueError as error:
        raise Wrong(said or piece, "Ntry/BookgDt", str(error)) from None


def _entry(now: Open, entry: Node, entry_no: int) -> Iterator[Line]:
    """The lines of a booked entry; of one that is pending or only for information none. Raises Wrong."""
    now.entries += 1
    if (entry.said("Sts/Cd") or entry.said("Sts")) != BOOKED:
        return
    if not now.account:
        raise Wrong(entry, "Acct", "the entry belongs to no account")
    amount, currency = _amount(entry, "Ntry")
    if amount == 0:
        raise Wrong(entry, "Ntry/Amt", "the amount is 0: nothing moved")
    if now.currency and currency != now.currency:
        raise Wrong(entry, "Ntry/Amt", f"the entry is in {currency}, the account in {now.currency}")
    now.movements_minor += amount
    details = _whole_details(entry, amount, currency)
    for place, detail in enumerate(details):
        line = _line(now, entry, detail, entry_no, place if len(details) > 1 else None)
        now.lines += 1
        now.days.add(line.booked_on)
        yield line


def _whole_details(entry: Node, amount: int, currency: str) -> list[tuple[Node, int]]:
    """The payments of a batch, when they are all there: in the entry's currency, and together the entry. Else the entry."""
    given = entry.all("NtryDtls/TxDtls")
    single = [(given[0] if len(given) == 1 else Node("TxDtls", {}, entry.line), amount)]
    if len(given) < 2 or not all(each.first("Amt", "AmtDtls/TxAmt/Amt") for each in given):
        return single
    sign = entry.said("CdtDbtInd")
    found = [(each, *_amount(each, "TxDtls", sign_of=sign)) for each in given]
    is_whole = all(code == currency for _, _, code in found) and sum(minor for _, minor, _ in found) == amount
    return [(each, minor) for each, minor, _ in found if minor] if is_whole else single


def _line(now: Open, entry: Node, detail: tuple[Node, int], entry_no: int, place: int | None) -> Line:
    node, amount = detail
    booked_on = _day(entry, "BookgDt", "Ntry")
    value_on = _day(entry, "ValDt", "Ntry") if entry.first("ValDt") else None
    own = reference(node.said("Refs/AcctSvcrRef"))
    shared = reference(entry.said("AcctSvcrRef"))  # (NtryRef only numbers the entries of a statement)
    if shared and place is not None:
        shared = f"{shared}/{place + 1}"
    end_to_end = reference(node.said("Refs/EndToEndId"))
    other = _counterparty(node, amount)
    text = _remittance(entry, node)
    content = (booked_on, value_on, amount, now.currency, end_to_end, other, text)
    return bank_line(
        line_no=entry_no,
        account=now.account,
        booked_on=booked_on,
        value_on=value_on,
        amount_minor=amount,
        currency=now.currency,
        external_id=now.ids.of(now.account, own or shared, *content),
        source_id=end_to_end,
        counterparty=other,
        remittance=text,
        at=_moment(entry),
    )


def _counterparty(node: Node, amount: int) -> str:
    """Who paid, or who was paid."""
    party = "Dbtr" if amount > 0 else "Cdtr"
    return node.said(f"RltdPties/{party}/Nm", f"RltdPties/{party}/Pty/Nm")


def _remittance(entry: Node, node: Node) -> str:
    words = [each.text for each in node.all("RmtInf/Ustrd")]
    words += [each.text for each in node.all("RmtInf/Strd/CdtrRefInf/Ref")]
    words += [node.said("AddtlTxInf")]
    if not any(words):
        words = [entry.said("AddtlNtryInf")]
    reversal = ["(reversal)"] if entry.said("RvslInd").lower() in ("true", "1") else []
    return " ".join([*reversal, *filter(None, words)])


def _end(now: Open, end: Node, problems: Problems, statements: list[Statement]) -> None:
    """The statement is verified and kept; where entries are wrong their sum is, and need not be told. Raises Wrong."""
    if problems.total > now.wrong_before:
        return
    opening = next((now.balances[kind] for kind in OPENING if kind in now.balances), None)
    closing = next((now.balances[kind] for kind in CLOSING if kind in now.balances), None)
    if opening is None or closing is None:
        lacks = "opening balance (OPBD)" if opening is None else "closing balance (CLBD)"
        raise Wrong(end, "Bal", f"the statement {quoted(now.statement_id)} has no {lacks}")
    if {opening.currency, closing.currency} != {now.currency}:
        raise Wrong(
            end, "Bal", f"the balances are in {opening.currency} and {closing.currency}, the account in {now.currency}"
        )
    _check_summary(now, end)
    days = now.days | {closing.on}
    statement = Statement(
        now.account, now.currency, now.statement_id, min(days), max(days), opening.minor, closing.minor, now.lines
    )
    if verify(statement, now.movements_minor, problems, line=end.line):
        statements.append(statement)


def _check_summary(now: Open, end: Node) -> None:
    """The number of entries is as the statement says. Raises Wrong."""
    said = now.summary.said("TtlNtries/NbOfNtries") if now.summary else ""
    if said and (not said.isdigit() or int(said) != now.entries):
        raise Wrong(
            now.summary or end,
            "TxsSummry/TtlNtries",
            f"the statement says {quoted(said)} entries, there are {now.entries}",
        )
