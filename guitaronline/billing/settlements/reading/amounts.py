"""Amounts and days as files write them. Exact: nothing is rounded, nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, TypeVar

from guitaronline import money
from guitaronline.billing.settlements.reading.problems import quoted

K = TypeVar("K")
V = TypeVar("V")
PLAIN = re.compile(r"([+-]?)([0-9]{1,13})(?:\.([0-9]+))?", re.ASCII)
KEPT_MOST = 100_000
PLAIN_MOMENT = len("2026-11-30 12:00:00")
FORMULA_SIGNS = ("=", "@", "\t", "\r")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
NOT_NUMBERS = frozenset({"nan", "inf", "infinity"})


@dataclass(frozen=True)
class Style:
    """How amounts are written: `1,234.50`, `1.234,50`, `1 234,50`, `1234.50`."""

    decimal: str = "."
    thousands: str = ""

    def plain(self, text: str) -> str:
        """`text` with a point and without marks between thousands. Raises ValueError when these stand in wrong places."""
        if self.thousands and self.thousands in text:
            whole, sign, rest = text.partition(self.decimal)
            groups = whole.lstrip("+-").split(self.thousands)
            if any(len(each) != 3 for each in groups[1:]) or not 1 <= len(groups[0]) <= 3 or self.thousands in rest:
                raise ValueError(f"the mark between thousands stands in a wrong place in {quoted(text)}")
            text = whole.replace(self.thousands, "") + sign + rest
        return text if self.decimal == "." else text.replace(".", "?").replace(self.decimal, ".")


POINT = Style()


class Remembered(Generic[K, V]):
    """`make` of a value, made once: files repeat themselves. Forgets everything when it has seen too many different ones."""

    def __init__(self, make: Callable[[K], V]) -> None:
        self.make = make
        self.known: dict[K, V] = {}

    def __call__(self, value: K) -> V:
        """Raises whatever `make` raises."""
        found = self.known.get(value)
        if found is None:
            if len(self.known) >= KEPT_MOST:
                self.known.clear()
            found = self.known[value] = self.make(value)
        return found


def minor_units(text: str, currency: str, style: Style = POINT) -> int:
    """Raises ValueError for whatever is not an amount of the currency, and says what is wrong with it."""
    given = text.strip().replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ")
    if not given:
        raise ValueError("the amount is missing")
    if given.strip("+-").lower() in NOT_NUMBERS:
        raise ValueError(f"{quoted(text)} is not a number")
    if given.startswith(FORMULA_SIGNS) or (given[0] in "+-" and not given[1:2].isdigit()):
        raise ValueError(f"{quoted(text)} is a formula, not an amount")
    found = PLAIN.fullmatch(style.plain(given))
    if found is None:
        raise ValueError(f"{quoted(text)} is not an amount{_hint(given, style)}")
    sign, whole, decimals = found[1], found[2], found[3] or ""
    digits = money.places(currency)
    if len(decimals) > digits:
        raise ValueError(f"{quoted(text)} has too many decimals: {currency} has {digits or 'none'}")
    minor: int = int(whole) * 10**digits + int(decimals.ljust(digits, "0") or 0)
    if minor > money.LARGEST_MINOR:
        raise ValueError(f"{quoted(text)} is too large")
    return -minor if sign == "-" else minor


def _hint(text: str, style: Style) -> str:
    if style.decimal == "." and "," in text:
        return ": it has a comma where a decimal point is expected"
    if style.decimal == "," and "." in text:
        return ": it has a point where a decimal comma is expected"
    return ""


def currency_code(text: str) -> str:
    """Raises ValueError."""
    code = text.strip().upper()
    if code not in money.CURRENCIES:
        raise ValueError(f"{quoted(text)} is not a currency that is taken" if code else "the currency is missing")
    return code


def plausible(day: date) -> date:
    """Raises ValueError."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"the day {day} is not plausible")
    return day


def iso_day(text: str) -> date:
    """Raises ValueError."""
    try:
        return plausible(date.fromisoformat(text[:10]))
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a day like 2026-11-30") from None


def utc_moment(text: str) -> datetime:
    """A time without a zone is UTC. Raises ValueError. (The usual form has its zone added in front: it is read a million times.)"""
    try:
        if len(text) == PLAIN_MOMENT:
            return datetime.fromisoformat(text + "+00:00")
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        plausible(moment.date())
    except (ValueError, OverflowError):
        raise ValueError(f"{quoted(text)} is not a time like 2026-11-30 12:00:00") from None
    return moment


def day_in(text: str, pattern: str) -> date:
    """A day written as `pattern` says (`%d.%m.%Y`). Raises ValueError."""
    try:
        return plausible(datetime.strptime(text.strip(), pattern).date())  # noqa: DTZ007  # a day has no zone
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a day written like {datetime(2026, 11, 30):{pattern}}") from None  # noqa: DTZ001
