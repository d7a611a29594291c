"""The account of a student: opening + what happened = closing, each currency for itself."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing.invoices.days import start_of
from guitaronline.billing.invoices.statement import EntryKind, Statement, statement_of
from guitaronline.billing.models import PackageStatus
from guitaronline.billing.service import revoke_package
from tests.billing.books import paid, payment
from tests.invoices.office import bought, credit_notes, given_back, invoice_of, opened, ordered, today
from tests.world import World, as_actor

TEN_DAYS = timedelta(days=10)


def account(world: World, db: Session, *, back: int = 30) -> Statement:
    db.rollback()
    return statement_of(db, world.ann.id, first=today(world) - timedelta(days=back), last=today(world))


def told(statement: Statement) -> list[tuple[EntryKind, int, int]]:
    return [(each.kind, each.amount_minor, each.balance_minor) for each in statement.accounts[0].entries]


def test_a_purchase_is_charged_and_paid(world: World, db: Session) -> None:
    opened(world)
    made = bought(world)

    found = account(world, db)

    assert told(found) == [(EntryKind.CHARGE, 11_900, 11_900), (EntryKind.PAYMENT, -11_900, 0)]
    assert found.accounts[0].entries[0].paper == invoice_of(made).reference


def test_a_refund_is_credited_and_paid_back(world: World, db: Session) -> None:
    opened(world)
    made = bought(world)
    refund = given_back(world, made, 1_900)

    found = account(world, db)

    assert told(found)[2:] == [(EntryKind.CREDIT, -1_900, -1_900), (EntryKind.REFUND, 1_900, 0)]
    assert [(each.reference, each.paper) for each in found.accounts[0].entries[2:]] == [
        (refund.reference, credit_notes(made)[0].reference),
        (refund.reference, None),
    ]


def test_lessons_on_account_are_open_until_they_are_paid(world: World, db: Session) -> None:
    package = world.package(lessons=5, price_minor=20_000, currency="EUR", origin="on_account")

    open_before = account(world, db).accounts[0].closing_minor
    paid(world, package, 15_000, currency="EUR")

    assert (open_before, account(world, db).accounts[0].closing_minor) == (20_000, 5_000)


def test_lessons_on_account_that_were_paid_and_paid_back_leave_nothing_open(world: World, db: Session) -> None:
    package = world.package(lessons=5, price_minor=20_000, currency="EUR", origin="on_account")
    given_back(world, paid(world, package, 20_000, currency="EUR"), 20_000)
    assert world.again(package).status is PackageStatus.REVOKED

    found = account(world, db).accounts[0]

    assert [each.amount_minor for each in found.entries] == [20_000, -20_000, -20_000, 20_000]
    assert found.closing_minor == 0


def test_lessons_on_account_that_nobody_paid_and_that_were_taken_back_are_not_charged(
    world: World, db: Session
) -> None:
    package = world.package(lessons=5, price_minor=20_000, currency="EUR", origin="on_account")
    revoke_package(as_actor(world.finn), package.id, reason="never began")

    assert account(world, db).accounts == []


def test_what_was_before_is_the_opening(world: World, db: Session) -> None:
    with clock.moved_by(-TEN_DAYS):
        world.package(lessons=5, price_minor=20_000, currency="EUR", origin="on_account")

    found = account(world, db, back=5).accounts[0]

    assert (found.opening_minor, list(found.entries), found.closing_minor) == (20_000, [], 20_000)


def test_the_first_moment_of_the_first_day_is_in_it(world: World, db: Session) -> None:
    first = today(world) - timedelta(days=5)
    with clock.standing_at(start_of(first)):
        world.package(lessons=5, price_minor=20_000, currency="EUR", origin="on_account")

    found = account(world, db, back=5).accounts[0]

    assert (found.opening_minor, [each.day for each in found.entries]) == (0, [first])


def test_what_comes_after_the_last_day_is_not_in_it(world: World, db: Session) -> None:
    bought(world)

    db.rollback()
    found = statement_of(db, world.ann.id, first=today(world) - TEN_DAYS, last=today(world) - timedelta(days=1))

    assert found.accounts == []


def test_currencies_never_meet(world: World, db: Session) -> None:
    bought(world)
    bought(world, 4_900, currency="USD")

    found = account(world, db)

    assert [(each.currency, each.sum_of(EntryKind.CHARGE)) for each in found.accounts] == [
        ("EUR", 11_900),
        ("USD", 4_900),
    ]


def test_money_that_is_awaited_is_not_told(world: World, db: Session) -> None:
    payment(world, ordered(world), 11_900, currency="EUR")

    assert account(world, db).accounts == []


def test_another_students_account_is_another(world: World, db: Session) -> None:
    bought(world, student=world.ben)

    assert account(world, db).accounts == []
