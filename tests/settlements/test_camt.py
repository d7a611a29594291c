"""CAMT.053: entries, batches, balances, and XML that is not welcome."""

from __future__ import annotations

from datetime import date

import pytest

from guitaronline.billing.settlements.models import LineKind, Side
from tests.settlements.files import IBAN, balance, camt, detail, entry, read_camt, statement

OLD = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"
ONE = camt(statement(entry("49.00", ref="R1")))


def test_an_entry_is_read_with_its_text_and_who_paid() -> None:
    found = read_camt(camt(statement(entry("49.00", ref="R1", details=detail(text="PAY-7Q4M2", end_to_end="E2E-1")))))

    line = found.lines[0]
    assert found.told == []
    assert (line.side, line.kind, line.account) == (Side.BANK, LineKind.BANK_CREDIT, IBAN)
    assert (line.amount_minor, line.fee_minor, line.net_minor, line.currency) == (4900, 0, 4900, "EUR")
    assert (line.external_id, line.source_id, line.payment_reference) == ("R1", "E2E-1", "PAY-7Q4M2")
    assert (line.counterparty, line.booked_on, line.value_on) == ("Ann Field", date(2026, 11, 3), date(2026, 11, 3))


def test_the_old_version_is_read_alike() -> None:
    old = statement(entry("49.00", ref="R1", status="<Sts>BOOK</Sts>"))

    assert read_camt(camt(old, namespace=OLD)).lines == read_camt(ONE).lines


def test_a_debit_is_negative_and_a_reversal_keeps_the_sign_of_its_entry() -> None:
    taken_back = entry("49.00", sign="DBIT", ref="R1", more="<RvslInd>true</RvslInd>")

    line = read_camt(camt(statement(taken_back, closing="51.00"))).lines[0]

    assert (line.kind, line.amount_minor, line.remittance) == (LineKind.BANK_DEBIT, -4900, "(reversal)")


def test_a_batch_whose_payments_are_given_becomes_one_line_each() -> None:
    details = detail(amount="40.00", text="PAY-7Q4M2") + detail(amount="9.00", text="PAY-7Q4M3")

    found = read_camt(camt(statement(entry("49.00", ref="R1", details=details))))

    assert [(line.external_id, line.amount_minor, line.payment_reference) for line in found.lines] == [
        ("R1/1", 4000, "PAY-7Q4M2"),
        ("R1/2", 900, "PAY-7Q4M3"),
    ]


def test_a_batch_that_is_not_whole_stays_one_line() -> None:
    details = detail(amount="40.00", text="a") + detail(amount="8.00", text="b")

    found = read_camt(camt(statement(entry("49.00", ref="R1", details=details))))

    assert [(line.external_id, line.amount_minor) for line in found.lines] == [("R1", 4900)]


@pytest.mark.parametrize("status", ["<Sts><Cd>PDNG</Cd></Sts>", "<Sts>INFO</Sts>", ""])
def test_what_is_not_booked_does_not_count(status: str) -> None:
    found = read_camt(camt(statement(entry("49.00", ref="R1"), entry("7.00", ref="R2", status=status))))

    assert (len(found.lines), found.told) == (1, [])


def test_several_statements_are_each_verified() -> None:
    second = statement(
        entry("9.00", ref="R1", sign="DBIT"), opening="20.00", closing="11.00", iban="GB33BUKB20201555555555"
    )

    found = read_camt(camt(statement(entry("49.00", ref="R1")), second))

    assert [(each.account, each.opening_minor, each.closing_minor, each.lines) for each in found.statements] == [
        (IBAN, 10000, 14900, 1),
        ("GB33BUKB20201555555555", 2000, 1100, 1),
    ]


def test_an_account_that_is_overdrawn_has_negative_balances() -> None:
    stated = (
        f"<Stmt><Id>S</Id><Acct><Id><IBAN>{IBAN}</IBAN></Id></Acct>{balance('PRCD', '60.00', sign='DBIT')}"
        f"{balance('CLBD', '11.00', sign='DBIT')}{entry('49.00', ref='R1')}</Stmt>"
    )

    assert (read_camt(camt(stated)).statements[0].opening_minor, read_camt(camt(stated)).told) == (-6000, [])


def test_equal_entries_without_a_reference_are_two_lines_with_lasting_ids() -> None:
    same = entry("7.00", details=detail(text="lesson"))
    content = camt(statement(same, same, closing="114.00"))

    first, second = (line.external_id for line in read_camt(content).lines)

    assert second == f"{first}#2"
    assert [line.external_id for line in read_camt(content).lines] == [first, second]


@pytest.mark.parametrize(
    "ref", ["<NtryRef>1</NtryRef>", "<AcctSvcrRef>1</AcctSvcrRef>", "<AcctSvcrRef>000000000</AcctSvcrRef>"]
)
def test_what_only_numbers_the_entries_of_a_statement_is_no_id(ref: str) -> None:
    today = read_camt(camt(statement(entry("49.00", more=ref)))).lines[0]
    tomorrow = read_camt(camt(statement(entry("49.00", more=ref, day="2026-11-04")))).lines[0]

    assert today.external_id != tomorrow.external_id


def test_entries_and_payments_of_a_batch_under_one_reference_stay_apart() -> None:
    details = detail(amount="7.00", text="a") + detail(amount="7.00", text="a")
    single, batch = entry("7.00", ref="R1", details=detail(text="a")), entry("14.00", ref="R1", details=details)

    found = read_camt(camt(statement(single, batch, single, closing="128.00")))

    assert (found.told, len({line.external_id for line in found.lines})) == ([], 4)


BOMB = '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;">]>'
OUTSIDE = '<!DOCTYPE foo [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        (b"", None, "", "The file is empty"),
        (b"   ", None, "", "The file is empty"),
        (b"<", 1, "", "cut off"),
        (b"date;amount\n1;2", 1, "", "not well-formed"),
        (ONE[:-60], 3, "", "cut off"),
        (camt(statement(entry("49.00")), before=BOMB), 2, "", "declares a document type"),
        (camt(statement(entry("49.00")), before=OUTSIDE), 2, "", "declares a document type"),
        (camt(statement(entry("49.00")), before='<!DOCTYPE foo SYSTEM "http://example.com/x.dtd">'), 2, "", "document type"),
        (ONE.replace(b"R1", b"&xxe;"), 3, "", "not well-formed"),
        (b"<a><b/></a>", 1, "", "not a bank's statement"),
        (camt(statement(entry("49.00")), namespace=OLD.replace("053", "054")), 2, "", "not camt.053"),
        (camt(), None, "", "There is no statement"),
        (camt(statement(entry("48.99", ref="R1"))), 3, "closing balance", "do not add up: opening 100.00 and movements of 48.99"),
        (camt(statement(entry("49.00")).replace("CLBD", "XXXX")), 3, "Bal", "no closing balance (CLBD)"),
        (camt(statement(entry("49.00")).replace("OPBD", "XXXX")), 3, "Bal", "no opening balance (OPBD)"),
        (camt(statement(entry("0.00"))), 3, "Ntry/Amt", "is 0"),
        (camt(statement(entry("-49.00"))), 3, "Ntry/Amt", "must not be negative"),
        (camt(statement(entry("49.001"))), 3, "Ntry/Amt", "too many decimals"),
        (camt(statement(entry("49,00"))), 3, "Ntry/Amt", "comma"),
        (camt(statement(entry("NaN"))), 3, "Ntry/Amt", "not a number"),
        (camt(statement(entry("49.00", currency="USD"))), 3, "Ntry/Amt", "the account in EUR"),
        (camt(statement(entry("49.00", currency="XXX"))), 3, "Ntry/Amt", "not a currency"),
        (camt(statement(entry("49.00", sign="PLUS"))), 3, "Ntry/CdtDbtInd", "neither CRDT nor DBIT"),
        (camt(statement(entry("49.00", day="2026-02-30"))), 3, "Ntry/BookgDt", "not a day"),
        (camt(statement(entry("49.00"), iban="")), 3, "Acct", "does not say of which account"),
        (camt(statement(entry("49.00"), iban="D" * 65)), 3, "Acct", "more than 64 characters"),
        (camt(statement(entry("49.00"), "<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries></TxsSummry>")), 3,
         "TxsSummry/TtlNtries", "says “2” entries, there are 1"),
    ],
)  # fmt: skip
def test_every_defect_is_named_by_line_and_element(content: bytes, line: int | None, column: str, words: str) -> None:
    found = read_camt(content)

    assert found.total >= 1
    first = found.problems[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.sentence


def test_elements_too_deep_or_too_long_are_refused() -> None:
    deep = camt("<Stmt>" + "<a>" * 80 + "</a>" * 80 + "</Stmt>")
    long = camt(statement(entry("49.00", ref="R" * 100_001)))

    assert "more than 64 deep" in read_camt(deep).problems[0].sentence
    assert "more than 100,000 characters" in read_camt(long).problems[0].sentence
