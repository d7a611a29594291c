"""Card numbers are recognized in whatever way people write them; other long numbers are left alone."""

from __future__ import annotations

from time import process_time

import pytest

from guitaronline.billing.cards import has_card_number, masked

VISA = "4111111111111111"
CARDS = [
    VISA,
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111\u00a01111\u00a01111\u00a01111",
    "4111.1111.1111.1111",
    "card:4111111111111111,",
    "4111 1111 1111 1111 12 29 123",
    "on 12 4111 1111 1111 1111",
    "４１１１１１１１１１１１１１１１",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "3782 822463 10005",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
    "6200000000000005",
    "6759649826438453",
]
OTHERS = [
    "",
    "no number at all",
    "4111111111111112",  # does not pass the check
    "1234567812345670",  # passes, but begins as no card does
    "411111111111111",  # too short for its network
    "41111111111111111111",  # too long
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
    "GB33 BUKB 2020 1555 5555 55",
    "0192f3a1-4111-7111-8111-411111111111",
    "ch_4111111111111111",
    "4111111111111111abc",
    "PAY-7Q4M2 and BK-7Q4M2",
    "+49 1511 1111 1111 11",
    "2026-11-27 12:34:56",
]


@pytest.mark.parametrize("text", CARDS)
def test_a_card_number_is_found(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not has_card_number(text)
    assert masked(text) == text


def test_a_text_of_a_thousand_small_groups_is_looked_at_in_no_time() -> None:
    began = process_time()

    assert not has_card_number("1 " * 1_000)
    assert process_time() - began < 1


def test_nothing_has_no_card_number() -> None:
    assert not has_card_number(None)


def test_only_the_last_four_digits_of_each_stay() -> None:
    text = f"Ann, {VISA}, then 3782 822463 10005; IBAN DE89370400440532013000"

    assert masked(text) == "Ann, •••• 1111, then •••• 0005; IBAN DE89370400440532013000"


def test_a_masked_text_has_no_card_number() -> None:
    assert not any(has_card_number(masked(text)) for text in CARDS)
