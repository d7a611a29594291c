"""What lessons of a package are worth: whole minor units that always add up to its price.

The price is laid out over the lessons; the first n of them are worth ⌊price × n ÷ lessons⌋. A part is the difference of two
such amounts, never n times a rounded price: so the parts of a package add up to its price to the minor unit, whatever
happens to its lessons and in whatever order. The expired come first, then those that were taken back, then the delivered;
what is left is owed.
"""

from __future__ import annotations

from dataclasses import dataclass

WORTH = "({price} * ({lessons}) / {total})"  # `worth` in SQL: bigint division of what is not negative rounds down


def worth(lessons: int, *, price_minor: int, lessons_total: int) -> int:
    """The first `lessons` of the package, in minor units."""
    return price_minor * lessons // lessons_total if lessons_total else 0


@dataclass(frozen=True)
class Parts:
    """A price in four parts, in minor units; their sum is the price."""

    expired_minor: int
    revoked_minor: int
    earned_minor: int
    owed_minor: int


def parts_of(*, price_minor: int, lessons_total: int, expired: int, revoked: int, delivered: int) -> Parts:
    """`delivered`: consumed and no longer owed; what is in none of the three buckets is owed."""

    def first(lessons: int) -> int:
        return worth(lessons, price_minor=price_minor, lessons_total=lessons_total)

    past_revoked, past_delivered = first(expired + revoked), first(expired + revoked + delivered)
    return Parts(
        expired_minor=first(expired),
        revoked_minor=past_revoked - first(expired),
        earned_minor=past_delivered - past_revoked,
        owed_minor=(price_minor if lessons_total else 0) - past_delivered,
    )


def sql_worth(lessons: str, *, price: str = "p.price_minor", total: str = "p.lessons_total") -> str:
    """The same as an SQL expression."""
    return WORTH.format(price=price, lessons=lessons, total=total)


def sql_owed(owed: str, *, price: str = "p.price_minor", total: str = "p.lessons_total") -> str:
    """What `owed` lessons are worth that are the last ones of the package, as an SQL expression."""
    return f"({price} - {sql_worth(f'{total} - ({owed})', price=price, total=total)})"
