"""The journal: every event of a month, debit and credit alike, the same bytes whenever it is asked for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.admin.books import csv_of
from guitaronline.billing.facts import hear
from guitaronline.billing.providers import FactKind
from guitaronline.billing.reconciliation.service import close_period, ignore_exception, prepare_period, run_matching
from guitaronline.billing.service import expire_packages, reinstate_package
from guitaronline.errors import NotAllowed
from guitaronline.finance import accounts, journal, liability
from guitaronline.finance.account_models import EventKind
from guitaronline.finance.journal import Entry
from guitaronline.finance.months import Month
from guitaronline.finance.refusals import AccountMissing, InvalidMapping, MonthNotClosed
from guitaronline.finance.service import map_accounts
from guitaronline.money import Money
from tests.finance.school import APRIL, MARCH, School
from tests.reconciliation.statements import line, the_exception, told
from tests.refunds.scripted import bought
from tests.refunds.scripted import told as say
from tests.world import World, as_actor

LATER = datetime(2026, 6, 1, 12, tzinfo=UTC)


def mapped(world: World, **other: tuple[str, str]) -> None:
    finn = as_actor(world.finn)
    for kind, (debit, credit) in accounts.USUAL.items():
        map_accounts(finn, kind=kind, debit_account=debit, credit_account=credit)


def a_march(taught: School) -> None:
    """Ann pays for three lessons, takes one, gets a little back; two expire, and one plan says that they are the school's."""
    from guitaronline.billing.service import create_plan, grant_package, refund_payment, settle_refund
    from tests.billing.books import paid

    finn, world = taught.finance, taught.world
    with clock.standing_at(datetime(2026, 3, 1, 8, tzinfo=UTC)):
        plan = create_plan(finn, name="Three", lessons_total=3, amount_minor=10_000, books_breakage=True)
        package = grant_package(
            finn,
            student_id=world.ann.id,
            plan_id=plan.id,
            lessons_total=3,
            price_minor=10_000,
            expires_at=datetime(2026, 3, 20, tzinfo=UTC),
            reason="sold",
        )
        payment = paid(world, package, 10_000)
    vars(taught)["package"] = package
    with clock.standing_at(datetime(2026, 3, 2, 8, tzinfo=UTC)):
        slot = world.slot(start_at=datetime(2026, 3, 5, 12, tzinfo=UTC))
        booking = world.booking(slot, package_id=package.id)
    with clock.standing_at(datetime(2026, 3, 5, 14, tzinfo=UTC)):
        from sqlalchemy import select

        from guitaronline.db import session
        from guitaronline.lessons.models import Lesson
        from guitaronline.lessons.service import complete_lesson

        lesson = session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
        complete_lesson(as_actor(world.tom), lesson.id)
    with clock.standing_at(datetime(2026, 3, 10, tzinfo=UTC)):
        refund: Any = refund_payment(finn, payment.id, amount_minor=500, reason="a string broke")
        settle_refund(finn, refund.id, succeeded=True)
    with clock.standing_at(datetime(2026, 3, 21, tzinfo=UTC)):
        expire_packages(as_actor(world.ada))
    taught.rate(2_000)
    taught.approved(MARCH)  # in April


def entries(db: Session, month: Month) -> list[Entry]:
    db.rollback()
    return journal.journal_of(db, month, now=LATER)


def file_of(found: list[Entry]) -> bytes:
    return csv_of("journal", journal.HEADINGS, [list(journal.lines(found))])


def test_a_month_is_told_to_the_minor_unit(taught: School, db: Session) -> None:
    a_march(taught)
    mapped(taught.world)

    told = {
        each.event.kind: (each.event.amount_minor, each.debit_account, each.credit_account)
        for each in entries(db, MARCH)
    }

    assert told == {
        EventKind.PACKAGE_SOLD: (10_000, "1200", "2400"),
        EventKind.PAYMENT_RECEIVED: (10_000, "1100", "1200"),
        EventKind.REFUND_PAID: (500, "1200", "1100"),
        EventKind.LESSONS_EARNED: (10_000 - 6_666, "2400", "4000"),
        EventKind.BREAKAGE: (6_666, "2400", "4100"),
    }
    april = {each.event.kind: each.event.amount_minor for each in entries(db, APRIL)}
    assert april == {EventKind.TEACHER_COST: 2_000}


def test_debit_is_credit_in_every_entry_and_the_same_month_gives_the_same_bytes(taught: School, db: Session) -> None:
    a_march(taught)
    mapped(taught.world)
    found = entries(db, MARCH)

    sides: Counter[tuple[object, str]] = Counter()
    for number, _, _, _, _, debit, credit, currency in journal.lines(found):
        sides[number, str(currency)] += _minor(debit) - _minor(credit)

    assert len(sides) == len(found) == 5
    assert set(sides.values()) == {0}
    assert file_of(found) == file_of(entries(db, MARCH))


def _minor(side: object) -> int:
    return side.amount_minor if isinstance(side, Money) else 0


def test_the_account_of_what_is_owed_agrees_with_the_liability_report(taught: School, db: Session) -> None:
    a_march(taught)
    mapped(taught.world)
    owed = sum(each.owed_minor for each in liability.report(db, MARCH.end))

    balance = sum(_on(each, "2400") for each in entries(db, MARCH))

    assert -balance == owed == 0


def _on(entry: Entry, account: str) -> int:
    amount = entry.amount.amount_minor
    return amount * ((entry.debit_account == account) - (entry.credit_account == account))


def test_what_is_taken_back_changes_sides(taught: School, db: Session) -> None:
    a_march(taught)
    mapped(taught.world)
    with clock.standing_at(datetime(2026, 4, 10, tzinfo=UTC)):
        reinstate_package(taught.finance, taught.package.id, reason="was ill", expires_at=LATER + timedelta(days=90))

    told = {
        each.event.kind: (each.amount.amount_minor, each.debit_account, each.credit_account)
        for each in entries(db, APRIL)
    }

    assert told[EventKind.BREAKAGE] == (6_666, "4100", "2400")


def test_a_currency_may_have_accounts_of_its_own(taught: School, db: Session) -> None:
    a_march(taught)
    mapped(taught.world)
    map_accounts(taught.finance, kind="payment_received", currency="USD", debit_account="1101", credit_account="1200")

    assert ("1101", "1200") in [(each.debit_account, each.credit_account) for each in entries(db, MARCH)]


def test_without_accounts_there_is_no_journal(taught: School, db: Session) -> None:
    a_march(taught)
    map_accounts(taught.finance, kind="breakage", debit_account="2400", credit_account="4100")

    with pytest.raises(AccountMissing) as refusal:
        entries(db, MARCH)

    kinds = [each.facts["kind"] for each in refusal.value.reasons]
    assert kinds == ["lessons_earned", "package_sold", "payment_received", "refund_paid"]


def test_a_month_that_runs_has_no_journal_yet(db: Session) -> None:
    with pytest.raises(MonthNotClosed):
        journal.journal_of(db, Month(date(2026, 6, 1)), now=LATER)


def test_where_money_is_reconciled_a_month_is_closed_by_its_period(world: World, db: Session) -> None:
    told([line("txn_1", 4_900, date(2026, 3, 9), fee=172)])
    run_matching(SYSTEM)
    ignore_exception(as_actor(world.finn), the_exception(db).id, reason="of the old system")
    assert not journal.is_closed(db, MARCH, now=LATER)

    period = prepare_period(as_actor(world.finn), first_on=date(2026, 3, 1), last_on=date(2026, 3, 31))
    close_period(as_actor(world.ada), period.id)

    assert [journal.is_closed(db, month, now=LATER) for month in (MARCH, APRIL)] == [True, False]
    [fee] = [each for each in journal.events_of(db, MARCH) if each.kind is EventKind.PROVIDER_FEE]
    assert (fee.day, fee.currency, fee.amount_minor) == (date(2026, 3, 31), "USD", 172)


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"kind": "nothing"}, "/kind"),
        ({"currency": "XXX"}, "/currency"),
        ({"debit_account": ""}, "/debit_account"),
        ({"debit_account": "=1+1"}, "/debit_account"),
        ({"credit_account": "1" * 21}, "/credit_account"),
        ({"credit_account": "1000"}, "/credit_account"),
    ],
)
def test_accounts_that_cannot_be_are_refused(world: World, facts: dict[str, str], pointer: str) -> None:
    usual = {"kind": "breakage", "debit_account": "1000", "credit_account": "2000"}

    with pytest.raises(InvalidMapping) as refusal:
        map_accounts(as_actor(world.finn), **{**usual, **facts})

    assert [each.pointer for each in refusal.value.reasons] == [pointer]


def test_accounts_are_changed_in_place_and_by_finance_only(world: World, db: Session) -> None:
    facts = {"kind": "breakage", "credit_account": "2000"}
    map_accounts(as_actor(world.finn), debit_account="1000", **facts)
    map_accounts(as_actor(world.finn), debit_account="1001", **facts)

    with pytest.raises(NotAllowed):
        map_accounts(as_actor(world.audrey), debit_account="1002", **facts)
    db.rollback()
    assert [each.debit_account for each in accounts.all_mappings(db).values()] == ["1001"]


def test_a_refund_that_comes_back_is_a_fact_of_its_own_month(world: World, db: Session) -> None:
    world.ann, world.ada  # noqa: B018  # made before the clock stands
    with clock.standing_at(datetime(2026, 3, 9, 12, tzinfo=UTC)):
        payment = bought(world, amount_minor=4_900)
        hear(SYSTEM, payment.id, facts=[say(payment, FactKind.REFUNDED, 2, 900, refund_reference="re_1")])
    mapped(world)
    signed = file_of(entries(db, MARCH))

    with clock.standing_at(datetime(2026, 4, 9, 12, tzinfo=UTC)):
        hear(SYSTEM, payment.id, facts=[say(payment, FactKind.REFUND_FAILED, 3, 900, refund_reference="re_1")])

    assert file_of(entries(db, MARCH)) == signed
    [back] = [each for each in entries(db, APRIL) if each.event.kind is EventKind.REFUND_PAID]
    assert (back.event.amount_minor, back.debit_account, back.credit_account) == (-900, "1100", "1200")
