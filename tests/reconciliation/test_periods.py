"""Periods: proved, signed by two, and never changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation.models import Category
from guitaronline.billing.reconciliation.period_models import PeriodStatus, ReconciliationPeriod
from guitaronline.billing.reconciliation.proving import Proof
from guitaronline.billing.reconciliation.service import (
    PeriodChanged,
    PeriodClosed,
    PeriodHasExceptions,
    PeriodNotNext,
    PeriodNotOver,
    ReviewerIsPreparer,
    close_period,
    ignore_exception,
    prepare_period,
    run_matching,
    send_period_back,
    undo_decision,
    undo_match,
)
from guitaronline.billing.settlements.models import SettlementStatement
from guitaronline.unit_of_work import Work, command
from tests.reconciliation.statements import DAY, GIRO, charged, line, matches, the_exception, told, waiting
from tests.world import World, as_actor


@pytest.fixture
def first(world: World) -> Iterator[date]:
    """The day of the payments; afterwards it is a month later."""
    world.ann, world.finn, world.ada, world.sue  # noqa: B018  # made before the clock stands
    day = world.now.date()
    charged(world, "pi_1")
    told([line("txn_1", 4_900, day, intent_id="pi_1", fee=172)])
    run_matching(SYSTEM)
    with clock.standing_at(world.now + timedelta(days=31)):
        yield day


def prepared(world: World, first: date, days: int = 9) -> ReconciliationPeriod:
    return prepare_period(as_actor(world.finn), first_on=first, last_on=first + days * DAY)


def closed(world: World, first: date, days: int = 9) -> ReconciliationPeriod:
    return close_period(as_actor(world.ada), prepared(world, first, days).id)


def test_a_period_is_proved_on_all_sides_and_signed_by_two(world: World, first: date) -> None:
    period = prepared(world, first)
    with pytest.raises(ReviewerIsPreparer):
        close_period(as_actor(world.finn), period.id)

    done = close_period(as_actor(world.ada), period.id)

    assert (done.status, done.prepared_by, done.reviewed_by) == (PeriodStatus.CLOSED, world.finn.id, world.ada.id)
    assert done.snapshot["school"] == [
        {"way": "provider", "currency": "USD", "opening_minor": 0, "payments_minor": 4_900, "refunds_minor": 0, "confirmed_minor": -4_900, "closing_minor": 0}
    ]  # fmt: skip
    (account,) = done.snapshot["accounts"]
    assert (account["opening_minor"], account["closing_minor"]) == (0, 4_728)
    stored = world.reloaded(ReconciliationPeriod, done.id)
    assert stored.snapshot_hash == Proof(stored.snapshot, []).digest


def test_one_that_is_not_over_or_leaves_a_gap_is_refused(world: World, first: date) -> None:
    with pytest.raises(PeriodNotOver):
        prepared(world, first, days=31)
    closed(world, first)
    with pytest.raises(PeriodNotNext):
        prepared(world, first + 11 * DAY)
    with pytest.raises(PeriodClosed):
        prepared(world, first + 9 * DAY)


def test_exceptions_that_wait_block_it_by_name(world: World, db: Session, first: date) -> None:
    told([line("txn_2", 77, first)])
    run_matching(SYSTEM)

    with pytest.raises(PeriodHasExceptions) as refusal:
        prepared(world, first)
    assert the_exception(db).reference in refusal.value.reasons[0].detail
    ignore_exception(as_actor(world.finn), the_exception(db).id, reason="a test of the bank")

    assert prepared(world, first).status is PeriodStatus.PREPARED


def test_what_changed_after_it_was_prepared_is_not_signed(world: World, first: date) -> None:
    period = prepared(world, first)
    charged(world, "pi_2")
    told([line("txn_2", 4_900, first + DAY, intent_id="pi_2")])
    run_matching(SYSTEM)

    with pytest.raises(PeriodChanged):
        close_period(as_actor(world.ada), period.id)
    send_period_back(as_actor(world.ada), period.id, reason="a line came")

    assert closed(world, first).status is PeriodStatus.CLOSED


def test_a_late_line_of_a_closed_month_is_counted_in_the_open_one(world: World, db: Session, first: date) -> None:
    closed(world, first)
    told([line("txn_late", 77, first + DAY)])
    run_matching(SYSTEM)
    late = the_exception(db)
    assert late.booked_on == first + 10 * DAY
    ignore_exception(as_actor(world.finn), late.id, reason="a late fee")

    second = closed(world, first + 10 * DAY)

    (account,) = second.snapshot["accounts"]
    assert (account["opening_minor"], account["closing_minor"]) == (4_728, 4_805)
    assert [each["lines"] for each in account["movements"]] == [1]


def test_a_closed_period_keeps_its_matches_and_decisions(world: World, db: Session, first: date) -> None:
    told([line("txn_2", 77, first)])
    run_matching(SYSTEM)
    ignored = ignore_exception(as_actor(world.finn), the_exception(db).id, reason="a test of the bank")
    closed(world, first)

    with pytest.raises(PeriodClosed):
        undo_match(as_actor(world.finn), matches(db)[0].id, reason="x")
    with pytest.raises(PeriodClosed):
        undo_decision(as_actor(world.finn), ignored.id, reason="x")
    run_matching(SYSTEM)
    assert len(matches(db)) == 1
    assert waiting(db) == []


def test_the_same_line_of_a_closed_period_told_again_is_nothing_and_another_of_its_payment_a_duplicate(
    world: World, db: Session, first: date
) -> None:
    closed(world, first)
    told([line("txn_1", 4_900, first, intent_id="pi_1", fee=172), line("txn_9", 4_900, first, intent_id="pi_1")])

    run_matching(SYSTEM)

    assert waiting(db) == [Category.DUPLICATE]


@command("test.sign", on="reconciliation_periods")
def signed_by_its_preparer(work: Work, period_id: UUID) -> None:
    work.session.execute(
        text("UPDATE reconciliation_periods SET reviewed_by = prepared_by, status = 'closed' WHERE id = :id"),
        {"id": period_id},
    )


def test_the_database_itself_wants_two_people(world: World, first: date) -> None:
    period = prepared(world, first)

    with pytest.raises(ReviewerIsPreparer):
        signed_by_its_preparer(SYSTEM, period.id)


def test_a_gap_between_files_is_explained_when_somebody_says_that_it_does_not_matter(
    world: World, db: Session, first: date
) -> None:
    stated(first, 0, 100)
    stated(first + 3 * DAY, 150, 250)
    run_matching(SYSTEM)
    gap = the_exception(db)
    assert (gap.category, gap.value_minor) == (Category.MISSING_FILE, 50)
    ignore_exception(as_actor(world.finn), gap.id, reason="the bank cannot find it")

    assert prepared(world, first).status is PeriodStatus.PREPARED


def stated(day: date, opening: int, closing: int) -> None:
    """A day's statement of the bank with one line, a fee that we do not look for here."""
    moved = closing - opening
    file = told([line(f"interest {day}", moved, day, account=GIRO, kind="adjustment")])
    states(SYSTEM, file, day, opening, moved)


@command("test.state", on="settlement_files")
def states(work: Work, file_id: UUID, day: date, opening: int, moved: int) -> None:
    statement = SettlementStatement(
        file_id=file_id, sequence=1, account=GIRO, currency="USD", statement_id=str(day), first_on=day, last_on=day,
        opening_minor=opening, movements_minor=moved, closing_minor=opening + moved, lines=1,
    )  # fmt: skip
    work.add(statement)


@pytest.mark.parametrize(
    ("first_on", "last_on", "title"),
    [
        (date(2026, 2, 1), date(2026, 2, 28), "February 2026"),
        (date(2026, 12, 1), date(2026, 12, 31), "December 2026"),
        (date(2026, 11, 1), date(2026, 11, 26), "2026-11-01 to 2026-11-26"),
        (date(2026, 11, 2), date(2026, 11, 30), "2026-11-02 to 2026-11-30"),
    ],
)
def test_only_a_whole_month_is_called_by_its_name(first_on: date, last_on: date, title: str) -> None:
    assert ReconciliationPeriod(first_on=first_on, last_on=last_on).title == title
