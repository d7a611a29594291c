# the statements are put together from what `definitions` writes
"""What a number is: its words, the rows it counts, and the statements that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    COUNT = "count"
    MINUTES = "minutes"
    MONEY = "money"  # minor units; one number for each currency, never added up
    SHARE = "share"  # basis points


class Section(StrEnum):
    BOOKINGS = "Bookings"
    LESSONS = "Lessons"
    STUDENTS = "Students"
    SALES = "Sales and money"


@dataclass(frozen=True)
class Number:
    """`is_level`: how things stand at the end of a day, so days are not added up. `at_end`: how it stood at the end of a day
    that is over; such a number is counted once, when its day has ended, and kept."""

    code: str
    name: str
    words: str
    section: Section
    source: str
    desk: str
    unit: Unit = Unit.COUNT
    value: str = "count(*)"
    dimension: str = "''"
    currency: str = "''"
    key: str = "t.id"
    is_level: bool = False
    at_end: str = ""
    is_long: bool = False  # counting it takes longer than a page may: the job counts today's each minute
    good: int = 1  # more of it is good news (1), bad news (−1), neither (0)

    @property
    def is_kept(self) -> bool:
        return bool(self.at_end)

    @property
    def needs_money(self) -> bool:
        return self.unit is Unit.MONEY

    @property
    def counts_rows(self) -> bool:
        """Whether the number is how many rows the drill-down lists; otherwise it is their sum."""
        return self.value.startswith("count(")

    def counted(self) -> str:
        """SELECT metric, dimension, currency, value."""
        keys = [each for each in (self.dimension, self.currency) if each != "''"]
        grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
        head = f"SELECT '{self.code}' AS metric, {self.dimension} AS dimension, {self.currency} AS currency"
        return f"{head}, CAST(coalesce({self.value}, 0) AS bigint) AS value {self.source}{grouped}"

    def counted_at_end(self) -> str:
        """As `counted`, for a day that is over."""
        return f"SELECT '{self.code}' AS metric, {self.at_end}" if self.at_end else self.counted()

    def rows(self, *, dimension: bool, currency: bool) -> str:
        """The ids of the rows that count, of one dimension or currency when asked."""
        more = f" AND {self.dimension} = :dimension" if dimension else ""
        more += f" AND {self.currency} = :currency" if currency else ""
        return f"SELECT {self.key} {self.source}{more}"


@dataclass(frozen=True)
class Ratio:
    """One number divided by another."""

    code: str
    name: str
    words: str
    section: Section
    part: str
    whole: str
    unit: Unit = Unit.SHARE


@dataclass(frozen=True)
class Difference:
    """One number less others, by currency."""

    code: str
    name: str
    words: str
    section: Section
    more: str
    less: tuple[str, ...]
    unit: Unit = Unit.MONEY
