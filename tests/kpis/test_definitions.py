"""Each number against a life that was counted by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.identity.service import set_test
from guitaronline.kpis import days, queries
from guitaronline.kpis.days import Span
from guitaronline.kpis.definitions import BY_CODE, DIFFERENCES, NUMBERS, RATIOS
from guitaronline.kpis.queries import Reading
from tests.kpis.life import Life, counted
from tests.world import World, as_actor

BY_HAND: dict[str, dict[tuple[str, str], int]] = {
    "bookings": {("confirmed", ""): 4, ("canceled", ""): 3, ("expired", ""): 1},
    "holds": {("", ""): 7},
    "holds_confirmed": {("", ""): 6},
    "cancellations": {("student, late", ""): 1, ("student, in time", ""): 1},
    "moved": {("", ""): 1},
    "delivered": {("given", ""): 2, ("missed by the student", ""): 1, ("canceled late", ""): 1},
    "no_shows": {("student", ""): 1, ("teacher", ""): 1},
    "offered": {("", ""): 9 * 60},
    "booked": {("", ""): 4 * 60},
    "active_students": {("", ""): 2},
    "new_students": {("", ""): 2},
    "renewals": {("", ""): 1},
    "lost_students": {("", ""): 0},
    "trials": {("", ""): 1},
    "trials_bought": {("", ""): 1},
    "packages_sold": {("on_account", ""): 3},
    "revenue_gross": {("", "USD"): 9999, ("", "EUR"): 5000},
    "refunds": {("", "USD"): 1000},
    "disputes_lost": {("", "USD"): 700},
    "credits": {("", "USD"): 3000},
    "earned": {("", "USD"): 4 * 2499},
    "outstanding": {("", ""): 1 + 2 + 5 + 1},
    "expiring": {("", ""): 5},
    "liability": {("", "EUR"): 5000 + 10_000},
}


def reading(session: Session, span: Span) -> Reading:
    return queries.read(session, span, clock.read(session))


def found(session: Session, span: Span, code: str) -> dict[tuple[str, str], int]:
    return {key[1:]: value for key, value in reading(session, span).values.items() if key[0] == code}


def test_every_number_is_counted_by_hand_here() -> None:
    assert set(BY_HAND) == set(BY_CODE)


@pytest.mark.parametrize("code", BY_CODE)
def test_a_number_is_what_a_person_counts(db: Session, life: Life, code: str) -> None:
    life.whole()
    counted()

    assert found(db, life.span(), code) == BY_HAND[code]


def test_ratios_and_differences_follow_from_their_numbers(db: Session, life: Life) -> None:
    life.whole()
    counted()
    seen = reading(db, life.span())

    assert {each.code: seen.ratio(each).value for each in RATIOS} == {
        "conversion": 6 * 10_000 // 7,
        "utilization": 240 * 10_000 // 540,
        "trial_conversion": 10_000,
    }
    assert {each.currency: each.value for each in seen.difference(DIFFERENCES[0])} == {"USD": 8299, "EUR": 5000}


def test_nothing_is_divided_by_nothing(db: Session, world: World) -> None:
    today = days.today(world.now)

    assert [reading(db, Span(today, today)).ratio(each).value for each in RATIOS] == [None, None, None]


def test_today_is_counted_live_without_any_job(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 0, lessons=2, price_minor=500)
    life.paid(package, 0)

    assert found(db, life.span(0), "revenue_gross") == {("", "USD"): 500}
    assert found(db, life.span(0), "liability") == {("", "USD"): 500}


def test_a_day_is_the_schools_day(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 3, lessons=2, price_minor=500)
    life.paid(package, 2)
    with policy.changed(SCHOOL_TIMEZONE="Pacific/Kiritimati"):  # UTC+14: noon in UTC is the next day there
        counted()

        assert found(db, life.span(2, 2), "revenue_gross") == {}
        assert found(db, life.span(1, 1), "revenue_gross") == {("", "USD"): 500}


@pytest.mark.parametrize(("ago", "lost"), [(28, 1), (27, 0)])
def test_a_student_is_lost_after_28_days_without_a_lesson(db: Session, life: Life, ago: int, lost: int) -> None:
    package = life.package(life.world.ann, 40, lessons=2)
    life.booked(life.world.ann, package, lesson=(ago, 12), made=35)

    assert found(db, life.span(0), "lost_students") == {("", ""): lost}
    assert found(db, life.span(0), "active_students") == {("", ""): 1 - lost}


def test_a_lesson_on_the_28th_day_keeps_a_student(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 40, lessons=2)
    life.booked(life.world.ann, package, lesson=(28, 12), made=35)
    life.booked(life.world.ann, package, lesson=(0, 23), made=20)

    assert found(db, life.span(0), "lost_students") == {("", ""): 0}


def test_test_accounts_do_not_count_and_count_again(db: Session, life: Life) -> None:
    life.whole()
    counted()
    ada = as_actor(life.world.ada)

    set_test(ada, life.world.ben.id, is_test=True, reason="ours")
    counted()
    without = found(db, life.span(), "new_students")
    set_test(ada, life.world.ben.id, is_test=False, reason="a mistake")
    counted()

    assert without == {("", ""): 1}
    assert found(db, life.span(), "new_students") == {("", ""): 2}


def test_what_stands_now_is_what_the_ledger_says(db: Session, life: Life) -> None:
    """The live statement of a kept number, and the one for a day that is over, agree on the same moment."""
    life.whole()
    now = clock.read(db)
    tomorrow = days.moments(Span(life.day(0), life.day(0)), now) | {"end": now}
    kept = [each for each in NUMBERS if each.is_kept]

    live: list[Any] = [sorted(db.execute(text(each.counted()), tomorrow).all()) for each in kept]
    at_end: list[Any] = [
        sorted(row for row in db.execute(text(each.counted_at_end()), tomorrow) if row.value) for each in kept
    ]

    assert live == at_end


def test_a_lapsed_hold_reads_expired_before_any_job_has_run(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 2)
    with life.on(1, 1):
        life.world.hold(life.world.slot(start_at=life.at(0, 23)), package_id=package.id)

    assert found(db, life.span(0), "bookings") == {("expired", ""): 1}


def test_a_span_is_compared_with_the_days_before_it(db: Session, life: Life) -> None:
    life.whole()
    counted()
    seen = reading(db, life.span(4, 3))

    [delivered] = seen.total(BY_CODE["delivered"])

    assert (delivered.value, delivered.before, delivered.change, delivered.change_bps) == (3, 0, 3, None)
    assert reading(db, life.span(3, 3)).total(BY_CODE["delivered"])[0].change_bps == -5000


def test_levels_are_not_added_up(db: Session, life: Life) -> None:
    life.whole()
    counted()

    assert found(db, life.span(9, 1), "outstanding") == {("", ""): 9}
    assert found(db, life.span(9, 8), "outstanding") == {("", ""): 1 + 4 + 2}
    assert found(db, life.span(9, 5), "liability") == {("", "USD"): 9999, ("", "EUR"): 5000}


def test_cards_for_today_are_of_the_last_seven_days(db: Session, life: Life) -> None:
    life.whole()
    counted()
    cards = queries.today_cards(db, now=clock.read(db), money=True)

    assert {(each.of.code, each.currency): each.value for each in cards} == {
        ("delivered", ""): 4, ("bookings", ""): 8, ("holds", ""): 7, ("packages_sold", ""): 1,
        ("revenue_gross", "EUR"): 5000, ("revenue_gross", "USD"): 0, ("active_students", ""): 2,
    }  # fmt: skip
    assert "revenue_gross" not in {each.of.code for each in queries.today_cards(db, now=clock.read(db), money=False)}


def test_a_long_span_goes_by_weeks_and_loses_nothing(db: Session, life: Life) -> None:
    life.whole()
    counted()
    year = Span(life.today - timedelta(days=364), life.today)

    seen = reading(db, year)

    assert seen.step == "week"
    assert sum(seen.course["delivered", ""].values()) == 4
    assert found(db, year, "outstanding") == {("", ""): 9}
