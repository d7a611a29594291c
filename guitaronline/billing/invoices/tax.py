"""How a price that contains its tax is split; pure. Integers only: nothing is lost on the way.

`tax = gross − net`, `net = gross × 10000 ÷ (10000 + rate)`, rounded to the minor unit, a half to the even neighbor.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_BPS = 10_000  # 100 %


@dataclass(frozen=True)
class Split:
    """Net and tax of an amount, in minor units; together they are the gross."""

    gross_minor: int
    net_minor: int
    tax_minor: int


@dataclass(frozen=True)
class TaxRule:
    """What holds for a buyer on a day: whose tax, how much, and where it is none, why."""

    country: str
    rate_bps: int
    exemption: str | None


def split(gross_minor: int, rate_bps: int) -> Split:
    """The tax that is contained in the price."""
    net = divided_half_even(gross_minor * WHOLE_BPS, WHOLE_BPS + rate_bps)
    return Split(gross_minor, net, gross_minor - net)


def share(whole: Split, *, before: Split, gross_minor: int) -> Split:
    """Net and tax of a part of `whole`, where the parts that stand make `before`.

    The tax of all parts together is the share of the whole's, rounded; a part's is what that adds, and never more than is left
    of net or tax. So the last part takes the rest, and the parts together are the whole to the minor unit, however it was cut
    and whatever part was given back in between."""
    wanted = _tax_until(whole, before.gross_minor + gross_minor) - before.tax_minor
    net_left, tax_left = whole.net_minor - before.net_minor, whole.tax_minor - before.tax_minor
    tax = min(max(wanted, 0, gross_minor - net_left), gross_minor, tax_left)
    return Split(gross_minor, gross_minor - tax, tax)


def _tax_until(whole: Split, gross_minor: int) -> int:
    return divided_half_even(whole.tax_minor * gross_minor, whole.gross_minor)


def divided_half_even(numerator: int, denominator: int) -> int:
    """The whole number next to numerator ÷ denominator (which is positive); of two equally near, the even one."""
    down, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return down + (twice > denominator or (twice == denominator and down % 2 == 1))


def percent(rate_bps: int) -> str:
    """1900 → `19 %`, 550 → `5.5 %`."""
    whole, rest = divmod(rate_bps, 100)
    return f"{whole}.{rest:02d}".rstrip("0") + " %" if rest else f"{whole} %"
