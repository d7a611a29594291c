"""The parts of a price always add up to it, whatever becomes of the lessons."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing.worth import Parts, parts_of, sql_owed, sql_worth, worth

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


@st.composite
def packages(draw: st.DrawFn) -> dict[str, int]:
    """Any price over any number of lessons, of which any number went each way."""
    total = draw(st.integers(1, 1000))
    expired = draw(st.integers(0, total))
    revoked = draw(st.integers(0, total - expired))
    delivered = draw(st.integers(0, total - expired - revoked))
    price = draw(st.integers(0, 10**12))
    facts = {"expired": expired, "revoked": revoked, "delivered": delivered}
    return {"price_minor": price, "lessons_total": total, **facts}


def sum_of(parts: Parts) -> int:
    return parts.expired_minor + parts.revoked_minor + parts.earned_minor + parts.owed_minor


@patient
@given(packages())
def test_the_parts_add_up_to_the_price_and_none_is_negative(package: dict[str, int]) -> None:
    parts = parts_of(**package)

    assert sum_of(parts) == package["price_minor"]
    assert min(parts.expired_minor, parts.revoked_minor, parts.earned_minor, parts.owed_minor) >= 0


@patient
@given(packages(), st.randoms())
def test_over_a_whole_life_the_liability_ends_at_nothing(package: dict[str, int], random: object) -> None:
    """Every lesson that is still owed goes one way or another, one by one; what each step takes off sums up to the price."""
    total, price = package["lessons_total"], package["price_minor"]
    fates = random.choices(("expired", "revoked", "delivered"), k=total)  # type: ignore[attr-defined]
    states = [{kind: fates[:n].count(kind) for kind in ("expired", "revoked", "delivered")} for n in range(total + 1)]
    owed = [parts_of(price_minor=price, lessons_total=total, **each).owed_minor for each in states]

    assert (owed[0], owed[-1]) == (price, 0)
    assert owed == sorted(owed, reverse=True)


def test_without_expiry_the_kth_lesson_earns_the_stated_amount() -> None:
    earned = [
        parts_of(price_minor=10_000, lessons_total=3, expired=0, revoked=0, delivered=k).earned_minor for k in range(4)
    ]

    assert earned == [0, 3_333, 6_666, 10_000]


def test_a_package_that_waits_for_its_money_is_worth_nothing() -> None:
    assert parts_of(price_minor=900, lessons_total=0, expired=0, revoked=0, delivered=0) == Parts(0, 0, 0, 0)


@pytest.mark.parametrize(("price", "total", "lessons"), [(10_000, 3, 2), (1, 1000, 999), (10**12, 7, 6), (999, 1, 0)])
def test_the_database_lays_a_price_out_as_the_rule_does(db: Session, price: int, total: int, lessons: int) -> None:
    told = {"price": price, "total": total, "lessons": lessons}
    names = {"price": "CAST(:price AS bigint)", "total": "CAST(:total AS int)"}
    query = f"SELECT {sql_worth('CAST(:lessons AS int)', **names)}, {sql_owed('CAST(:lessons AS int)', **names)}"

    first, owed = db.execute(text(query), told).one()

    assert first == worth(lessons, price_minor=price, lessons_total=total)
    assert owed == price - worth(total - lessons, price_minor=price, lessons_total=total)
