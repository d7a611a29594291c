"""How a price that contains its tax is split: to the minor unit, however it is cut."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guitaronline.billing.invoices.tax import Split, divided_half_even, percent, share, split

AMOUNTS = st.integers(1, 10**12)
RATES = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("gross", "rate_bps", "net", "tax"),
    [
        (11_900, 1900, 10_000, 1_900),
        (100, 1900, 84, 16),
        (1, 1900, 1, 0),
        (4_900, 0, 4_900, 0),
        (10_000, 10_000, 5_000, 5_000),
        (1, 10_000, 0, 1),  # a half goes to the even neighbor: 0
        (3, 10_000, 2, 1),  # and here: 2
        (10**12, 2100, 826_446_280_992, 173_553_719_008),
    ],
)
def test_the_tax_is_contained_in_the_price(gross: int, rate_bps: int, net: int, tax: int) -> None:
    assert split(gross, rate_bps) == Split(gross, net, tax)


@given(gross=AMOUNTS, rate_bps=RATES)
def test_net_and_tax_are_the_price_and_the_net_is_the_nearest_there_is(gross: int, rate_bps: int) -> None:
    part = split(gross, rate_bps)

    assert part.net_minor + part.tax_minor == gross
    assert part.tax_minor >= 0
    assert abs(Fraction(gross * 10_000, 10_000 + rate_bps) - part.net_minor) <= Fraction(1, 2)


@given(numerator=st.integers(0, 10**18), denominator=st.integers(1, 10**9))
def test_half_even_is_what_fractions_round_to(numerator: int, denominator: int) -> None:
    assert divided_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Split, list[int]]:
    """An invoice, and refunds that together are all of it."""
    whole = split(draw(st.integers(1, 200_000)), draw(RATES))
    left, parts = whole.gross_minor, []
    for _ in range(draw(st.integers(0, 6))):
        if left > 1:
            parts.append(draw(st.integers(1, left - 1)))
            left -= parts[-1]
    return whole, [*parts, left]


@given(cut=cuts())
def test_parts_add_up_to_the_whole_and_none_is_negative(cut: tuple[Split, list[int]]) -> None:
    whole, parts = cut

    shares = shared(whole, [], parts)

    assert sum(each.tax_minor for each in shares) == whole.tax_minor
    assert sum(each.net_minor for each in shares) == whole.net_minor
    assert min(min(each.tax_minor, each.net_minor) for each in shares) >= 0
    assert [each.gross_minor for each in shares] == parts


def shared(whole: Split, standing: list[Split], parts: list[int]) -> list[Split]:
    """Part after part, each after those that stand."""
    return reduce(lambda done, part: [*done, share(whole, before=together(done), gross_minor=part)], parts, standing)


def together(parts: list[Split]) -> Split:
    return Split(*(sum(getattr(each, name) for each in parts) for name in ("gross_minor", "net_minor", "tax_minor")))


@given(cut=cuts(), data=st.data())
def test_a_part_that_was_given_back_and_is_cut_anew_leaves_the_whole_as_it_is(
    cut: tuple[Split, list[int]], data: st.DataObject
) -> None:
    whole, parts = cut
    shares = shared(whole, [], parts)
    gone = shares.pop(data.draw(st.integers(0, len(shares) - 1)))
    first = data.draw(st.integers(0, gone.gross_minor))

    anew = shared(whole, shares, [each for each in (first, gone.gross_minor - first) if each])

    assert together(anew) == whole
    assert min(min(each.tax_minor, each.net_minor) for each in anew) >= 0


@pytest.mark.parametrize(("rate_bps", "words"), [(1900, "19 %"), (550, "5.5 %"), (0, "0 %"), (777, "7.77 %")])
def test_a_rate_in_words(rate_bps: int, words: str) -> None:
    assert percent(rate_bps) == words
