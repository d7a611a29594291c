"""What is owed, now and at any moment before, to the minor unit."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing.models import Package
from guitaronline.billing.service import (
    create_plan,
    expire_packages,
    freeze_package,
    grant_package,
    reinstate_package,
    revoke_package,
    unfreeze_package,
)
from guitaronline.booking.restoring import restore_booking
from guitaronline.booking.service import cancel_booking
from guitaronline.finance import liability
from guitaronline.finance.liability import Line, Movement
from guitaronline.identity.service import set_test
from guitaronline.kpis import queries as kpis
from guitaronline.lessons.service import correct_outcome
from tests.kpis.life import Life, counted
from tests.world import World, as_actor

DAY = timedelta(days=1)


def report(db: Session, at: datetime) -> dict[str, Line]:
    """By currency: these packages have no plan."""
    db.rollback()
    return {each.currency: each for each in liability.report(db, at)}


def owed(db: Session, at: datetime) -> dict[str, tuple[int, int]]:
    return {code: (line.owed, line.owed_minor) for code, line in report(db, at).items()}


def adds_up(line: Line) -> bool:
    parts = line.owed_minor + line.earned_minor + line.breakage_minor + line.lapsed_minor + line.revoked_minor
    return parts == line.price_minor


def closes(moved: Movement) -> bool:
    gone = moved.earned_minor + moved.breakage_minor + moved.lapsed_minor + moved.revoked_minor
    return moved.opening_minor + moved.sold_minor - gone == moved.closing_minor


def sold(world: World, *, books: bool, **more: object) -> Package:
    finn = as_actor(world.finn)
    plan = create_plan(finn, name=f"Plan {books}", lessons_total=3, amount_minor=10_000, books_breakage=books)
    facts = {"lessons_total": 3, "price_minor": 10_000, "expires_at": world.now + 40 * DAY, **more}
    return grant_package(finn, student_id=world.ann.id, plan_id=plan.id, reason="sold", **facts)  # type: ignore[arg-type]


def test_the_report_is_what_a_person_counts(db: Session, life: Life) -> None:
    life.whole()

    assert owed(db, life.at(0)) == {"USD": (0, 0), "EUR": (2 + 5, 5_000 + 10_000)}
    assert report(db, life.at(0))["USD"].earned_minor == 9_999


def test_the_past_is_as_it_was(db: Session, life: Life) -> None:
    life.whole()

    assert owed(db, life.at(8, 11)) == {}
    assert owed(db, life.at(5)) == {"USD": (4, 9_999), "EUR": (2, 5_000)}
    assert owed(db, life.at(4, 21)) == {"USD": (2, 9_999 - 9_999 * 2 // 4), "EUR": (2, 5_000)}
    assert owed(db, life.at(3, 9)) == {"USD": (1, 9_999 - 9_999 * 3 // 4), "EUR": (2, 5_000)}


def test_every_line_adds_up_to_its_price_at_any_moment(db: Session, life: Life) -> None:
    life.whole()

    lines = [line for ago in range(10) for line in report(db, life.at(ago, 23)).values()]

    assert len(lines) > 12
    assert all(adds_up(each) for each in lines)


def test_what_is_owed_changes_by_what_happened(db: Session, life: Life) -> None:
    life.whole()
    opening, closing = (liability.report(db, life.at(ago)) for ago in (6, 0))

    moved = {each.currency: each for each in liability.between(opening, closing)}

    assert all(closes(each) for each in moved.values())
    assert (moved["USD"].opening_minor, moved["USD"].earned_minor, moved["USD"].closing_minor) == (9_999, 9_999, 0)
    assert (moved["EUR"].opening_minor, moved["EUR"].sold_minor, moved["EUR"].closing_minor) == (5_000, 10_000, 15_000)


def test_a_correction_changes_nothing_of_the_months_before(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 9, lessons=3, price_minor=10_000)
    wrong = life.booked(life.world.ann, package, lesson=(6, 10), made=8)
    life.given(wrong, 6)
    life.given(life.booked(life.world.ann, package, lesson=(6, 14), made=8), 6)
    before = report(db, life.at(3))
    with life.on(2):
        lesson = life.lesson_of(wrong)
        correct_outcome(as_actor(life.world.ada), lesson.id, status="no_show", side="teacher", reason="Tom wrote")

    assert report(db, life.at(3)) == before
    assert owed(db, life.at(3)) == {"USD": (1, 10_000 - 6_666)}
    assert owed(db, life.at(1)) == {"USD": (2, 10_000 - 3_333)}


def test_an_outcome_that_is_put_right_still_counts_on_its_own_day(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 9, lessons=3, price_minor=9_000)
    booking = life.booked(life.world.ann, package, lesson=(6, 10), made=8)
    life.given(booking, 6)
    with life.on(1):
        lesson = life.lesson_of(booking)
        correct_outcome(as_actor(life.world.ada), lesson.id, status="no_show", side="student", reason="was not there")

    assert [owed(db, life.at(ago))["USD"] for ago in (7, 5, 0)] == [(3, 9_000), (2, 6_000), (2, 6_000)]


def test_a_late_cancellation_that_is_restored_was_earned_until_then(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 9, lessons=3, price_minor=9_000)
    booking = life.booked(life.world.ann, package, lesson=(2, 23), made=8)
    with life.on(2, 20):
        cancel_booking(as_actor(life.world.ann), booking.id)
    with life.on(2, 21):
        restore_booking(as_actor(life.world.sue), booking.id, reason="a mistake")

    moments = [life.at(2, 19), life.at(2, 20) + timedelta(minutes=5), life.at(2, 22)]
    assert [owed(db, each)["USD"] for each in moments] == [(3, 9_000), (2, 6_000), (3, 9_000)]


@pytest.mark.parametrize("books", [True, False])
def test_what_expired_stands_apart(db: Session, world: World, books: bool) -> None:
    sold(world, books=books, expires_at=world.now + DAY)
    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))

    [line] = liability.report(db, world.now + 2 * DAY)

    assert (line.owed_minor, line.expired) == (0, 3)
    assert (line.breakage_minor, line.lapsed_minor) == ((10_000, 0) if books else (0, 10_000))
    assert adds_up(line)


def test_what_is_reinstated_is_owed_again(db: Session, world: World) -> None:
    package = sold(world, books=True, expires_at=world.now + DAY)
    with clock.standing_at(world.now + DAY):
        expire_packages(as_actor(world.ada))
    with clock.standing_at(world.now + 3 * DAY):
        reinstate_package(as_actor(world.ada), package.id, reason="was ill")

    moments = [world.now + hours for hours in (timedelta(hours=1), 2 * DAY, 4 * DAY)]
    lines = [liability.report(db, each)[0] for each in moments]
    assert [(each.owed_minor, each.breakage_minor) for each in lines] == [(10_000, 0), (0, 10_000), (10_000, 0)]


def test_what_is_taken_back_is_owed_no_more(db: Session, world: World) -> None:
    revoke_package(as_actor(world.ada), sold(world, books=True).id, reason="a mistake")

    [line] = liability.report(db, world.now + DAY)

    assert (line.owed_minor, line.revoked_minor) == (0, 10_000)


def test_frozen_packages_stand_apart_as_long_as_they_were(db: Session, world: World) -> None:
    package, ada = sold(world, books=True), as_actor(world.ada)
    with clock.standing_at(world.now + DAY):
        freeze_package(ada, package.id, reason="ill")
    with clock.standing_at(world.now + 3 * DAY):
        unfreeze_package(ada, package.id)

    moments = [world.now + hours for hours in (timedelta(hours=1), 2 * DAY, 4 * DAY)]
    lines = [liability.report(db, each)[0] for each in moments]
    assert [(each.frozen, each.frozen_minor) for each in lines] == [(0, 0), (3, 10_000), (0, 0)]
    assert [each.owed_minor for each in lines] == [10_000] * 3


def test_gifts_test_accounts_and_unpaid_orders_are_no_liability(db: Session, world: World) -> None:
    sold(world, books=True)
    world.package(world.ben, lessons=5)
    set_test(as_actor(world.ada), world.ann.id, is_test=True, reason="ours")

    assert liability.report(db, world.now + DAY) == []


def test_the_packages_of_a_line_add_up_to_it(db: Session, life: Life) -> None:
    life.whole()
    [line] = [each for each in liability.report(db, life.at(0)) if each.currency == "EUR"]

    first = liability.packages_of(db, life.at(0), currency="EUR", plan_id=None, limit=1)
    rest = liability.packages_of(db, life.at(0), currency="EUR", plan_id=None, after=first[-1].package_id)

    assert sum(each.owed_minor for each in (*first, *rest)) == line.owed_minor
    assert sum(each.owed for each in (*first, *rest)) == line.owed
    assert len({each.package_id for each in (*first, *rest)}) == 2


def test_the_dashboard_says_the_same(db: Session, life: Life) -> None:
    life.whole()
    counted()
    seen = {span: kpis.read(db, life.span(*span), clock.read(db)).values for span in ((9, 0), (9, 5))}

    now, then = (
        {code: line.owed_minor for code, line in report(db, at).items()} for at in (life.at(0, 23), life.at(4, 0))
    )

    assert seen[9, 0]["liability", "", "EUR"] == now["EUR"] == 15_000
    assert {key[2]: value for key, value in seen[9, 5].items() if key[0] == "liability"} == then
