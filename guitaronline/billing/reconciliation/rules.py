"""The numbers and small decisions of reconciliation, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from guitaronline import policy
from guitaronline.actor import Actor, Role

VERSION = 1  # of the rules; stands on every match
CUSTOMER_WINDOW_DAYS = 4  # a transfer over a long weekend; a wider one makes fewer lines unique, not more
PAYOUT_EARLY_DAYS, PAYOUT_LATE_DAYS = 1, 7  # a bank's value date may lie a day before the provider's, holidays delay it
SETTLES_WITHIN_DAYS = 3  # what a provider has not told after that, of days that its files cover, is missing there
FEE_ROUNDING_MINOR = 1  # providers round half up, half even or up; more than that is another price
DAYS_WITHOUT_A_FILE = 4  # a report without balances has only its lines' days; a long weekend has none
SUBSET_ITEMS, SUBSET_PARTS = 24, 4  # 12,950 sums at most: an answer while somebody looks at the page


@dataclass(frozen=True)
class Terms:
    percent_bps: int
    fixed_minor: int


def fee_expected(amount_minor: int, terms: Terms) -> int:
    """Rounded half up; the SQL twin is in classifying.py."""
    return (amount_minor * terms.percent_bps + 5_000) // 10_000 + terms.fixed_minor


@dataclass(frozen=True)
class Item:
    """Something that may be part of a sum."""

    id: UUID
    amount_minor: int


def subset_sum(target_minor: int, items: Sequence[Item]) -> list[UUID]:
    """The first few items that add up to the target exactly; empty when none do or two different choices would.

    Looks at SUBSET_ITEMS items and sums of SUBSET_PARTS parts at most. A suggestion, never a match."""
    found: list[list[UUID]] = []
    _search(target_minor, list(items[:SUBSET_ITEMS]), [], found)
    return found[0] if len(found) == 1 else []


def _search(left_minor: int, items: list[Item], chosen: list[UUID], found: list[list[UUID]]) -> None:
    if len(found) > 1:
        return
    if left_minor == 0 and len(chosen) > 1:
        found.append(chosen)
        return
    if left_minor <= 0 or len(chosen) == SUBSET_PARTS:
        return
    for place, item in enumerate(items):
        _search(left_minor - item.amount_minor, items[place + 1 :], [*chosen, item.id], found)


def write_off_limit(actor: Actor) -> int:
    """Minor units that this person may give up by themselves."""
    limits = {
        Role.FINANCE: policy.current().WRITE_OFF_FINANCE_MINOR,
        Role.ADMIN: policy.current().WRITE_OFF_ADMIN_MINOR,
    }
    return limits.get(actor.role, 0)


@dataclass(frozen=True)
class Likeness:
    """How a payment compares with a line."""

    is_same_customer: bool
    days_apart: int
    is_named: bool  # the line's text has its reference


def score(likeness: Likeness) -> int:
    """Candidates are shown with the highest first."""
    return 100 * likeness.is_named + 40 * likeness.is_same_customer + max(0, 20 - likeness.days_apart)


def why(likeness: Likeness) -> list[str]:
    """The reasons for a candidate's place, in words."""
    days = "the same day" if likeness.days_apart == 0 else f"{likeness.days_apart} days apart"
    return [
        "the same amount and currency",
        *(["its reference stands in the text"] if likeness.is_named else []),
        "the same customer" if likeness.is_same_customer else "another or no customer named",
        "a day apart" if likeness.days_apart == 1 else days,
    ]


def month_of(day: date) -> tuple[date, date]:
    """First and last day of its month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
