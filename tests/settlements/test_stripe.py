"""Stripe's reports: what is read, and every defect by line and column."""

from __future__ import annotations

from datetime import date

import pytest

from guitaronline.billing.settlements.models import LineKind, Side
from guitaronline.billing.settlements.reading.lines import our_references
from tests.settlements.files import PAYMENT_ID, STRIPE_HEADING, read_stripe, stripe, stripe_row

ONE = stripe(stripe_row())


def test_a_charge_is_read_with_fee_payout_and_our_payment() -> None:
    line = read_stripe(stripe(stripe_row(payment=PAYMENT_ID))).lines[0]

    assert (line.side, line.kind, line.account, line.currency) == (Side.PROVIDER, LineKind.CHARGE, "shop", "USD")
    assert (line.amount_minor, line.fee_minor, line.net_minor) == (4900, 167, 4733)
    assert (line.external_id, line.source_id, line.intent_id, line.payout_id) == ("txn_1", "ch_1", "pi_1", "po_1")
    assert line.payment_reference == PAYMENT_ID
    assert (line.at.isoformat(), line.value_on) == ("2026-11-03T10:15:00+00:00", date(2026, 11, 5))


@pytest.mark.parametrize(
    ("category", "gross", "kind"),
    [
        ("charge", "1.00", LineKind.CHARGE),
        ("refund", "-1.00", LineKind.REFUND),
        ("refund_failure", "1.00", LineKind.REFUND),
        ("dispute", "-1.00", LineKind.DISPUTE),
        ("dispute_reversal", "1.00", LineKind.DISPUTE),
        ("payout", "-1.00", LineKind.PAYOUT),
        ("payout_reversal", "1.00", LineKind.PAYOUT),
        ("fee", "-1.00", LineKind.FEE),
        ("transfer", "-1.00", LineKind.TRANSFER),
        ("something_new", "-1.00", LineKind.ADJUSTMENT),
    ],
)
def test_each_category_has_its_kind(category: str, gross: str, kind: LineKind) -> None:
    found = read_stripe(stripe(stripe_row(category=category, gross=gross, fee="0.00", net=gross)))

    assert [line.kind for line in found.lines] == [kind]


@pytest.mark.parametrize("category", ["charge", "refund_failure", "dispute_reversal", "payout_reversal"])
def test_what_comes_in_is_never_negative(category: str) -> None:
    found = read_stripe(stripe(stripe_row(category=category, gross="-1.00", fee="0.00", net="-1.00")))

    assert found.told == [(2, "gross", f"The amount of “{category}” must not be negative.")]


@pytest.mark.parametrize("category", ["refund", "dispute", "payout"])
def test_what_goes_out_is_always_negative(category: str) -> None:
    found = read_stripe(stripe(stripe_row(category=category, gross="1.00", fee="0.00", net="1.00")))

    assert found.told == [(2, "gross", f"The amount of “{category}” must be negative.")]


@pytest.mark.parametrize(
    ("description", "payment", "refund"),
    [
        ("for PAY-7Q4M2", "PAY-7Q4M2", None),
        ("pay-7q4m2 and RFD-7Q4M2", "PAY-7Q4M2", "RFD-7Q4M2"),
        ("PAY-7Q4M2 or PAY-7Q4M3", None, None),
        ("PAY-7Q4M2 and again PAY-7Q4M2", "PAY-7Q4M2", None),
        ("XPAY-7Q4M2", None, None),
        ("PAY-OLIVE", None, None),
    ],
)
def test_our_reference_is_found_in_the_text_when_there_is_one_only(
    description: str, payment: str | None, refund: str | None
) -> None:
    assert our_references(description) == (payment, refund)


def test_currencies_without_and_with_three_decimals() -> None:
    yen = stripe_row(1, currency="jpy", gross="4900", fee="100", net="4800")
    dinar = stripe_row(2, currency="kwd", gross="4.900", fee="0.100", net="4.800")

    found = read_stripe(stripe(yen, dinar))

    assert [(line.currency, line.net_minor) for line in found.lines] == [("JPY", 4800), ("KWD", 4800)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ONE,
        ONE.decode().encode("utf-16"),
        b"\xfe\xff" + ONE.decode().encode("utf-16-be"),
        stripe(stripe_row(), end="\r\n"),
        stripe(stripe_row(), "", ""),
        stripe(stripe_row(), heading=STRIPE_HEADING.upper()),
        stripe(stripe_row(), heading=STRIPE_HEADING.replace("created_utc", "created")),
    ],
)
def test_the_same_line_however_the_file_was_saved(content: bytes) -> None:
    found = read_stripe(content)

    assert found.told == []
    assert found.lines == read_stripe(ONE).lines


def test_a_report_with_its_heading_only_is_whole() -> None:
    found = read_stripe(stripe())

    assert (found.lines, found.told) == ([], [])


def test_a_formula_in_a_text_is_only_a_text() -> None:
    found = read_stripe(stripe(stripe_row(description='"=HYPERLINK(""http://x"")"')))

    assert found.lines[0].remittance == '=HYPERLINK("http://x")'


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        (b"", None, "", "The file is empty"),
        (b"\n\n", 1, "", "no line with headings"),
        (b"PK\x03\x04\x00\x00", 1, "", "NUL"),
        (ONE[:60] + b"\x00" + ONE[60:], 1, "", "NUL characters"),
        (ONE.decode().encode("utf-16")[:-3], 2, "", "cut off"),
        (stripe(stripe_row(), stripe_row(description="Grün")).decode().encode("cp1252"), 3, "", "not UTF-8 (byte FC)"),
        (stripe(stripe_row(), stripe_row(description='"a"b')), 3, "", "quotation mark stands in the middle"),
        (stripe(stripe_row(description='"open'), stripe_row(2)), 3, "", "not closed"),
        (stripe(stripe_row(description="a,b")), 2, "", "15 cells, the heading has 14"),
        (stripe(stripe_row(), STRIPE_HEADING, stripe_row(2)), 3, "", "heading is repeated"),
        (ONE[:-40], 2, "", "10 cells, the heading has 14: it may be cut off"),
        (ONE[:-1], 2, "", "has no end"),
        (stripe(stripe_row(), heading=STRIPE_HEADING.replace("gross", "gross_amount")), 1, "gross", "“gross_amount”: was it renamed?"),
        (stripe(stripe_row(), heading=STRIPE_HEADING.replace("fee,", "net,", 1)), 1, "fee", "“fee” is missing"),
        (stripe(stripe_row(), heading=STRIPE_HEADING.replace("description", "fee")), 1, "fee", "there twice"),
        (stripe(stripe_row(gross='"49,00"')), 2, "gross", "comma where a decimal point is expected"),
        (stripe(stripe_row(gross='"1,049.00"')), 2, "gross", "is not an amount"),
        (stripe(stripe_row(gross="1.049.00")), 2, "gross", "is not an amount"),
        (stripe(stripe_row(gross="")), 2, "gross", "The amount is missing"),
        (stripe(stripe_row(gross="NaN")), 2, "gross", "is not a number"),
        (stripe(stripe_row(gross="-Infinity")), 2, "gross", "is not a number"),
        (stripe(stripe_row(gross="1e3")), 2, "gross", "is not an amount"),
        (stripe(stripe_row(gross="1_000")), 2, "gross", "is not an amount"),
        (stripe(stripe_row(gross="４９.00")), 2, "gross", "is not an amount"),
        (stripe(stripe_row(gross="=49")), 2, "gross", "is a formula"),
        (stripe(stripe_row(gross="+SUM(A1)")), 2, "gross", "is a formula"),
        (stripe(stripe_row(gross="-A1")), 2, "gross", "is a formula"),
        (stripe(stripe_row(gross="@A1")), 2, "gross", "is a formula"),
        (stripe(stripe_row(gross="49.001")), 2, "gross", "too many decimals: USD has 2"),
        (stripe(stripe_row(currency="jpy")), 2, "gross", "too many decimals: JPY has none"),
        (stripe(stripe_row(gross="99999999999.00")), 2, "gross", "too large"),
        (stripe(stripe_row(gross="0.00", fee="0.00", net="0.00")), 2, "gross", "is 0"),
        (stripe(stripe_row(net="47.34")), 2, "net", "not the gross amount less the fee"),
        (stripe(stripe_row(currency="")), 2, "currency", "The currency is missing"),
        (stripe(stripe_row(currency="xxx")), 2, "currency", "not a currency that is taken"),
        (stripe(stripe_row(category="")), 2, "reporting_category", "category is missing"),
        (stripe(stripe_row(created="03.11.2026")), 2, "created_utc", "not a time like"),
        (stripe(stripe_row(created="1999-11-03 00:00:00")), 2, "created_utc", "not a day like"),
        (stripe(stripe_row().replace("txn_1", " ")), 2, "balance_transaction_id", "The id is missing"),
        (stripe(stripe_row().replace("2026-11-05", "2026-13-05")), 2, "available_on_utc", "not a day like"),
    ],
)  # fmt: skip
def test_every_defect_is_named_by_line_and_column(content: bytes, line: int | None, column: str, words: str) -> None:
    found = read_stripe(content)

    assert found.total >= 1
    first = found.problems[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.sentence


def test_what_stands_in_the_file_is_quoted_short_and_without_card_numbers() -> None:
    card, long = "4111111111111111x 4111 1111 1111 1111", "y" * 500

    found = read_stripe(stripe(stripe_row(gross=card), stripe_row(2, gross=long)))

    assert "•••• 1111" in found.problems[0].sentence
    assert len(found.problems[1].sentence) < 100


def test_a_line_without_end_is_not_read_into_memory() -> None:
    found = read_stripe(STRIPE_HEADING.encode() + b"\n" + b"x" * 1_100_000)

    assert found.told == [(2, "", "The line is longer than 1,000,000 characters.")]


def test_a_lost_quotation_mark_does_not_swallow_a_large_file() -> None:
    rows = [stripe_row(1, description='"lost'), *(stripe_row(number) for number in range(2, 2000))]

    found = read_stripe(stripe(*rows))

    assert "131,072" in found.problems[0].sentence
