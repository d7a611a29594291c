"""Statements by a profile, PayPal's report, MT940: each with its own ways of being wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from guitaronline.billing.settlements.models import FileKind, LineKind
from guitaronline.billing.settlements.profiles import Columns, mapping_problems
from tests.settlements.files import (
    GERMAN,
    GERMAN_HEADING,
    PAYMENT_ID,
    german,
    mt940,
    paypal,
    paypal_row,
    read,
    read_german,
    read_mt940,
    read_paypal,
)

FIRST = "03.11.2026;04.11.2026;Grün;Rechnung PAY-7Q4M2;1.049,00;EUR;1.149,00"
SECOND = "04.11.2026;04.11.2026;Müller;Miete;-49,00;EUR;1.100,00"


# By a profile


def test_a_german_csv_is_read_by_its_profile() -> None:
    found = read_german(german(FIRST, SECOND))

    first, second = found.lines
    assert found.told == []
    assert (first.kind, first.amount_minor, first.counterparty) == (LineKind.BANK_CREDIT, 104_900, "Grün")
    assert (first.payment_reference, first.booked_on, first.value_on) == (
        "PAY-7Q4M2", date(2026, 11, 3), date(2026, 11, 4),
    )  # fmt: skip
    assert (second.kind, second.amount_minor) == (LineKind.BANK_DEBIT, -4900)


@pytest.mark.parametrize("rows", [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_balance_after_each_line_gives_the_statement_whichever_line_is_first(rows: tuple[str, str]) -> None:
    stated = read_german(german(*rows)).statements[0]

    assert (stated.opening_minor, stated.closing_minor, stated.lines) == (10_000, 110_000, 2)


def test_words_before_the_heading_are_passed_over() -> None:
    found = read_german(german(FIRST, before="Kontoauszug\r\nIBAN;DE89\r\n\r\n"))

    assert [line.line_no for line in found.lines] == [5]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_at_the_beginning_knows_the_encoding_better_than_the_profile(encoding: str) -> None:
    assert read_german(german(FIRST, encoding=encoding)).lines == read_german(german(FIRST)).lines


def test_credits_and_debits_in_two_columns() -> None:
    columns = Columns(booked_on="Date", credit="In", debit="Out", one_currency="GBP", texts=["Details"])
    content = b"Date,Details,In,Out\n2026-11-03,fees,,9.50\n2026-11-04,lesson,49.00,\n2026-11-05,back,,-1.00\n"

    found = read(FileKind.BANK_CSV, content, columns=columns)

    assert [line.amount_minor for line in found.lines] == [-950, 4900, -100]


def test_a_sign_in_words() -> None:
    columns = Columns(booked_on="Date", amount="Amount", sign="S/H", debit_words=["S"], one_currency="EUR")
    content = b"Date,Amount,S/H\n2026-11-03,9.50,S\n2026-11-04,49.00,H\n"

    assert [line.amount_minor for line in read(FileKind.BANK_CSV, content, columns=columns).lines] == [-950, 4900]


def test_a_sign_that_is_neither_a_debit_nor_the_word_for_credits_is_not_guessed() -> None:
    columns = Columns(booked_on="Date", amount="Amount", sign="S/H", debit_words=["S"], one_currency="EUR")
    content = b"Date,Amount,S/H\n2026-11-03,9.50,H\n2026-11-04,49.00,h\n2026-11-05,7.00,SR\n"

    found = read(FileKind.BANK_CSV, content, columns=columns)

    assert found.told == [(4, "S/H", "“SR” is no debit by the profile, and credits are “H” in this file.")]


@pytest.mark.parametrize(
    ("amount", "is_believed"), [("49.00", True), ("49.0", False), ("49.", False), ("49", False), ("4", False)]
)
def test_an_amount_at_the_end_of_a_file_that_may_be_cut_off_is_not_believed(amount: str, is_believed: bool) -> None:
    columns = Columns(booked_on="D", amount="A", one_currency="EUR")

    found = read(FileKind.BANK_CSV, f"D,A\n2026-11-02,1\n2026-11-03,{amount}".encode(), columns=columns)

    assert (found.told == []) is is_believed


UP_AND_DOWN = ("03.11.2026;04.11.2026;Grün;a;10,00;EUR;110,00", "04.11.2026;04.11.2026;Grün;b;-10,00;EUR;100,00")


def test_balances_that_fit_both_orders_are_read_in_that_of_the_days() -> None:
    newest_last = read_german(german(*UP_AND_DOWN)).statements
    newest_first = read_german(german(*(row.replace("03.11", "05.11") for row in UP_AND_DOWN))).statements

    assert [(each.opening_minor, each.closing_minor) for each in newest_last] == [(10_000, 10_000)]
    assert [(each.opening_minor, each.closing_minor) for each in newest_first] == [(11_000, 11_000)]


def test_balances_that_fit_both_orders_of_one_day_state_nothing() -> None:
    found = read_german(german(*(row.replace("03.11", "04.11") for row in UP_AND_DOWN)))

    assert (len(found.lines), found.told, found.statements) == (2, [], [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_where_the_profile_says_so(encoding: str) -> None:
    found = read_german(german(FIRST, encoding=encoding), columns=replace(GERMAN, encoding="utf-16"))

    assert (found.told, found.lines) == ([], read_german(german(FIRST)).lines)


@pytest.mark.parametrize(
    ("thousands", "decimal", "written"),
    [
        ("", ".", "1234.50"),
        (",", ".", '"1,234.50"'),
        (".", ",", '"1.234,50"'),
        (" ", ",", '"1 234,50"'),
        ("'", ".", "1'234.50"),
    ],
)
def test_each_way_to_write_amounts(thousands: str, decimal: str, written: str) -> None:
    columns = Columns(booked_on="D", amount="A", one_currency="EUR", thousands=thousands, decimal=decimal)

    found = read(FileKind.BANK_CSV, f"D,A\n2026-11-03,{written}\n".encode(), columns=columns)

    assert [line.amount_minor for line in found.lines] == [123_450]


@pytest.mark.parametrize(
    ("rows", "line", "column", "words"),
    [
        ((FIRST.replace("1.049,00", "1049.00"),), 2, "Betrag", "mark between thousands stands in a wrong place"),
        ((FIRST.replace("1.049,00", "10.49,00"),), 2, "Betrag", "mark between thousands stands in a wrong place"),
        ((FIRST.replace("1.049,00", "1.049,005"),), 2, "Betrag", "too many decimals"),
        ((FIRST.replace("1.049,00", "0,00"),), 2, "Betrag", "is 0"),
        ((FIRST.replace("1.049,00", "=1"),), 2, "Betrag", "formula"),
        ((FIRST.replace("EUR", "EURO"),), 2, "Währung", "not a currency"),
        ((FIRST.replace("03.11.2026", "2026-11-03"),), 2, "Buchungstag", "not a day written like 30.11.2026"),
        ((FIRST, SECOND.replace("1.100,00", "1.101,00")), 3, "", "balances do not add up here"),
        ((FIRST, SECOND[:-10]), 3, "", "6 cells, the heading has 7"),
        ((FIRST, GERMAN_HEADING, SECOND), 3, "", "heading is repeated"),
    ],
)
def test_every_defect_of_a_banks_csv_is_named(rows: tuple[str, ...], line: int, column: str, words: str) -> None:
    found = read_german(german(*rows))

    first = found.problems[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.sentence


def test_a_column_that_was_renamed_is_named() -> None:
    found = read_german(german(FIRST).replace(b"Betrag", b"Betrag (EUR)"))

    assert found.told == [(1, "Betrag", "The column “Betrag” is missing. There is “betrag (eur)”: was it renamed?")]


def test_a_wrong_encoding_is_named_by_its_line() -> None:
    found = read_german(german(FIRST), columns=replace(GERMAN, encoding="utf-8"))

    assert (found.problems[0].line, "not UTF-8" in found.problems[0].sentence) == (1, True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"booked_on": ""}, "booked_on"),
        ({"amount": ""}, "amount"),
        ({"credit": "In", "debit": "Out"}, "amount"),
        ({"sign": "S/H"}, "debit_words"),
        ({"currency": ""}, "currency"),
        ({"one_currency": "EUR"}, "currency"),
        ({"currency": "", "one_currency": "XXX"}, "one_currency"),
        ({"thousands": ","}, "thousands"),
        ({"encoding": "rot13"}, "encoding"),
        ({"delimiter": "abc"}, "delimiter"),
        ({"day": "%c"}, "day"),
    ],
)
def test_a_profile_that_cannot_work_is_refused(changes: dict[str, Any], field: str) -> None:
    problems = mapping_problems(replace(GERMAN, **changes))

    assert [each.pointer for each in problems] == [f"/{field}"]


# PayPal


def test_a_payment_is_read_with_its_fee_and_our_id() -> None:
    found = read_paypal(paypal(paypal_row()))

    line = found.lines[0]
    assert found.told == []
    assert (line.kind, line.amount_minor, line.fee_minor, line.net_minor) == (LineKind.CHARGE, 4900, 201, 4699)
    assert (line.external_id, line.payment_reference) == ("P1", PAYMENT_ID)
    assert line.at.isoformat() == "2026-11-03T12:16:00+00:00"


def test_a_refund_names_the_payment_that_it_gives_back() -> None:
    refund = paypal_row(2, code="T1107", sign="DR", gross="1000", fee="0", related="P1", custom="")

    found = read_paypal(paypal(paypal_row(), refund, sums='"SF","USD",4900,1000,0,201,"CR",10000,"CR",13699'))

    assert found.told == []
    assert (found.lines[1].kind, found.lines[1].amount_minor, found.lines[1].intent_id) == (
        LineKind.REFUND,
        -1000,
        "P1",
    )


def test_the_sums_and_balances_of_the_section_are_its_statement() -> None:
    stated = read_paypal(paypal(paypal_row())).statements[0]

    assert (stated.currency, stated.opening_minor, stated.closing_minor, stated.lines) == ("USD", 10_000, 14_699, 1)


NOTHING = '"SF","USD",0,0,0,0,"CR",10000,"CR",10000'


def test_a_day_on_which_nothing_moved_states_its_balance() -> None:
    found = read_paypal(paypal(sums=NOTHING))

    assert (found.lines, found.told) == ([], [])
    assert [(each.first_on, each.opening_minor, each.closing_minor) for each in found.statements] == [
        (date(2026, 11, 3), 10_000, 10_000)
    ]


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        (b"", None, "", "empty"),
        (b'"RH",x\n', 1, "", "no section"),
        (b'"XX",x\n', 1, "", "no type of row"),
        (paypal(paypal_row(), count=2), 7, "", "says “2” rows, there are 1"),
        (paypal(paypal_row(), sums='"SF","USD",4900,0,0,202,"CR",10000,"CR",14699'), 6, "", "lines may be missing"),
        (paypal(paypal_row(), sums='"SF","USD",4900,0,0,201,"CR",10000,"CR",14700'), 6, "closing balance", "do not add up"),
        (paypal(paypal_row(), sums='"SF","USD",x'), 6, "", "cannot be read"),
        (paypal(paypal_row()).partition(b'"SF"')[0], 5, "", "cut off"),
        (paypal(paypal_row()).partition(b'"RC"')[0], 7, "", "without its footer (FF): it is cut off"),
        (paypal(paypal_row(), paypal_row(2, currency="EUR")), 10, "", "does not say the sums (SF) of EUR"),
        (paypal(sums=NOTHING).replace(b'"SH",2026/11/03 00:00:00 -0800', b'"SH",'), 5, "", "of which day"),
        (paypal(sums=NOTHING.replace('"CR",10000,', '"CR",10001,')), 5, "closing balance", "do not add up"),
        (paypal(paypal_row(gross="49.00")), 5, "Gross Transaction Amount", "in minor units"),
        (paypal(paypal_row(gross="-4900")), 5, "Gross Transaction Amount", "in minor units"),
        (paypal(paypal_row(sign="XX")), 5, "Transaction Debit or Credit", "neither CR nor DR"),
        (paypal(paypal_row(currency="XXX")), 5, "Gross Transaction Currency", "not a currency"),
        (paypal(paypal_row(gross="0", fee="0")), 5, "Fee Amount", "is 0"),
        (paypal(paypal_row()).replace(b"Fee Amount", b"Fees"), 4, "Fee Amount", "missing"),
        (paypal(paypal_row() + ",1"), 5, "", "16 cells, the heading has 15"),
    ],
)  # fmt: skip
def test_every_defect_of_paypals_report_is_named(content: bytes, line: int | None, column: str, words: str) -> None:
    found = read_paypal(content)

    first = found.problems[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.sentence


# MT940

CREDIT = (":61:2611031103C49,00NTRFNONREF//B1", ":86:166?00GUTSCHRIFT?20PAY-7Q4M2 danke?32ANN FIELD")


def test_a_movement_is_read_with_its_text_and_who_paid() -> None:
    found = read_mt940(mt940(*CREDIT))

    line = found.lines[0]
    assert found.told == []
    assert (line.account, line.amount_minor, line.currency) == ("37040044/0532013000", 4900, "EUR")
    assert (line.external_id, line.payment_reference, line.counterparty) == ("B1", "PAY-7Q4M2", "ANN FIELD")
    assert (found.statements[0].opening_minor, found.statements[0].closing_minor) == (10_000, 14_900)


def test_a_credit_that_is_taken_back_is_negative() -> None:
    found = read_mt940(mt940(":61:2611031103RC49,00NTRFNONREF//B1", ":86:x", closing="C261103EUR51,00"))

    assert [line.amount_minor for line in found.lines] == [-4900]


def test_several_statements_in_one_file() -> None:
    content = mt940(*CREDIT) + mt940(
        ":61:2611041104D49,00NTRFNONREF//B2", opening="C261103EUR149,00", closing="C261104EUR100,00"
    )

    assert [(each.opening_minor, each.closing_minor) for each in read_mt940(content).statements] == [
        (10_000, 14_900), (14_900, 10_000),
    ]  # fmt: skip


def test_statements_in_the_envelopes_of_swift() -> None:
    second = mt940(":61:2611041104D49,00NTRFNONREF//B2", opening="C261103EUR149,00", closing="C261104EUR100,00")
    enveloped = [
        b"{1:F01BANKDEFFAXXX0000000000}{2:I940BANKDEFFXXXXN}{4:\r\n" + each.replace(b"\r\n-\r\n", b"\r\n-}\r\n")
        for each in (mt940(*CREDIT), second)
    ]

    found = read_mt940(b"".join(enveloped))

    assert (found.told, [line.amount_minor for line in found.lines]) == ([], [4900, -4900])
    assert [each.closing_minor for each in found.statements] == [14_900, 10_000]


def test_the_day_of_booking_after_new_years_eve_is_in_the_new_year() -> None:
    content = mt940(":61:2612310102C49,00NTRFNONREF//B1", opening="C261231EUR100,00", closing="C270102EUR149,00")

    line = read_mt940(content).lines[0]

    assert (line.value_on, line.booked_on) == (date(2026, 12, 31), date(2027, 1, 2))


def test_each_movement_is_named_by_its_line_also_in_a_later_statement() -> None:
    wrong = mt940(*CREDIT, ":61:2611041104C0,00NTRFNONREF//B2", opening="C261103EUR149,00", closing="C261104EUR198,00")

    assert read_mt940(mt940(*CREDIT) + wrong).told == [(15, ":61:", "The amount is 0: nothing moved.")]


def test_what_the_file_names_is_never_opened() -> None:
    found = read_mt940(b"/etc/hostname")

    assert found.told == [(1, "", "There is no statement (:20:) in the file: it is no MT940.")]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "empty"),
        (mt940(*CREDIT, closing="C261103EUR148,00"), 1, "do not add up"),
        (mt940(":61:nonsense"), 1, "not as MT940 wants it"),
        (mt940(":61:2611031103C49,005NTRFNONREF//B1"), 5, "too many decimals"),
        (mt940(":61:2611031103C0,00NTRFNONREF//B1", closing="C261102EUR100,00"), 5, "is 0"),
        (mt940(*CREDIT, opening="C261102XXX100,00"), 1, "not a currency"),
        (mt940(*CREDIT).partition(b":62F:")[0], 1, "no closing balance"),
        (mt940(*CREDIT).replace(b":25:37040044/0532013000\r\n", b""), 1, "of which account"),
    ],
)
def test_every_defect_of_a_mt940_is_named(content: bytes, line: int | None, words: str) -> None:
    found = read_mt940(content)

    assert found.problems[0].line == line
    assert words in found.problems[0].sentence


def test_a_statement_of_another_account_is_refused() -> None:
    assert "not of “4711”" in read_mt940(mt940(*CREDIT), account="4711").problems[0].sentence
