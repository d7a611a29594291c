"""What two people signed stands: whatever is told, decided or undone afterwards, and the next period can be signed too."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing.facts import hear
from guitaronline.billing.models import Payment
from guitaronline.billing.providers import FactKind
from guitaronline.billing.reconciliation import periods, queries, running
from guitaronline.billing.reconciliation.models import Category, ReconciliationException
from guitaronline.billing.reconciliation.period_models import PeriodStatus, ReconciliationPeriod
from guitaronline.billing.reconciliation.service import (
    PeriodClosed,
    PeriodNotMatched,
    accept_candidate,
    close_period,
    ignore_exception,
    prepare_period,
    run_matching,
    undo_decision,
    undo_match,
)
from tests.reconciliation.statements import DAY, GIRO, charged, elsewhere, line, matches, the_exception, told, waiting
from tests.reconciliation.test_periods import stated
from tests.refunds.scripted import bought
from tests.refunds.scripted import told as say
from tests.world import World, as_actor


@pytest.fixture
def first(world: World) -> date:
    """The day of the payments."""
    world.ann, world.finn, world.ada  # noqa: B018  # made before the clock stands
    return world.now.date()


def later(world: World, days: int = 31) -> Any:
    return clock.standing_at(world.now + timedelta(days=days))


def prepared(world: World, first: date, days: int = 9) -> ReconciliationPeriod:
    return prepare_period(as_actor(world.finn), first_on=first, last_on=first + days * DAY)


def closed(world: World, first: date, days: int = 9) -> ReconciliationPeriod:
    return close_period(as_actor(world.ada), prepared(world, first, days).id)


def ignored(world: World, db: Session, reason: str = "looked at") -> ReconciliationException:
    return ignore_exception(as_actor(world.finn), the_exception(db).id, reason=reason)


def test_a_line_that_was_signed_as_it_is_is_no_candidate_and_no_match_any_more(
    world: World, db: Session, first: date
) -> None:
    early = line("txn_1", 4_900, first)
    told([early])
    run_matching(SYSTEM)
    ignored(world, db)
    with later(world, 4):
        closed(world, first, days=2)
        charged(world, "pi_1")
        told([line("txn_2", 1, first + 4 * DAY, kind="fee")], until=first + 9 * DAY)
        run_matching(SYSTEM)
        missing = the_exception(db)

        assert missing.category is Category.MISSING_THERE
        assert queries.candidates(db, missing) == []
        with pytest.raises(PeriodClosed):
            accept_candidate(as_actor(world.finn), missing.id, other_id=early["id"])
        ignored(world, db)
    with later(world):
        assert closed(world, first + 3 * DAY).status is PeriodStatus.CLOSED


def test_a_match_that_was_signed_outlives_the_decision_that_made_it(world: World, db: Session, first: date) -> None:
    with later(world, 4):
        charged(world)
        told([line("txn_2", 1, first + 4 * DAY, kind="fee")], until=first + 9 * DAY)
        early = line("txn_1", 4_900, first)
        told([early])
        run_matching(SYSTEM)
        db.rollback()
        by_category = {each.category: each for each in db.query(ReconciliationException)}
        missing = by_category[Category.MISSING_THERE]
        accept_candidate(as_actor(world.finn), missing.id, other_id=early["id"])
        run_matching(SYSTEM)
        closed(world, first, days=2)

        with pytest.raises(PeriodClosed):
            undo_decision(as_actor(world.finn), missing.id, reason="on second thought")

        assert len(matches(db)) == 1
    with later(world):
        assert closed(world, first + 3 * DAY).status is PeriodStatus.CLOSED


def test_a_match_of_the_open_period_is_undone_though_its_exception_was_signed(
    world: World, db: Session, first: date
) -> None:
    charged(world)
    told([line("txn_0", 1, first, kind="fee")], until=first + 12 * DAY)
    told([line("txn_1", 4_900, first + 11 * DAY)])
    run_matching(SYSTEM)
    with later(world):
        db.rollback()
        by_category = {each.category: each for each in db.query(ReconciliationException)}
        missing, unknown = by_category[Category.MISSING_THERE], by_category[Category.MISSING_HERE]
        accept_candidate(as_actor(world.finn), missing.id, other_id=unknown.line_id)  # type: ignore[arg-type]
        run_matching(SYSTEM)
        closed(world, first)

        undo_match(as_actor(world.finn), matches(db)[0].id, reason="another Ann's")

        assert world.again(missing).booked_on == first + 10 * DAY
        assert waiting(db) == [Category.MISSING_THERE]


def test_what_no_run_has_looked_at_is_not_signed(world: World, db: Session, first: date) -> None:
    told([line("txn_1", 77, first)])

    with later(world):
        with pytest.raises(PeriodNotMatched):
            prepared(world, first)
        run_matching(SYSTEM)

        assert waiting(db) == [Category.MISSING_HERE]


def test_an_undone_match_is_looked_at_before_anything_is_signed(world: World, db: Session, first: date) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_900, first, intent_id="pi_1")])
    run_matching(SYSTEM)
    undo_match(as_actor(world.finn), matches(db)[0].id, reason="somebody else's")

    with later(world), pytest.raises(PeriodNotMatched):
        prepared(world, first)


def test_a_file_that_comes_while_the_period_closes_is_counted_in_the_next_one(
    world: World, db: Session, first: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    told([line("txn_1", 77, first, kind="fee")])
    run_matching(SYSTEM)
    with later(world):
        waits = prepared(world, first)
        monkeypatch.setattr(periods, "_refuse", lambda ready: elsewhere(lambda: told([line("txn_2", -1, first)])))
        close_period(as_actor(world.ada), waits.id)
        monkeypatch.undo()

        run_matching(SYSTEM)
        assert waiting(db) == [Category.MISSING_HERE]
        ignored(world, db)
        (account,) = closed(world, first + 10 * DAY).snapshot["accounts"]
        assert (account["opening_minor"], account["closing_minor"]) == (77, 76)


def test_what_agreed_when_it_was_signed_and_agrees_no_more_waits_in_the_next_period(
    world: World, db: Session, first: date
) -> None:
    charged(world, "pi_1")
    told([line("txn_0", 1, first, kind="fee")], until=first + 12 * DAY)
    run_matching(SYSTEM)
    missing = the_exception(db)
    told([line("txn_1", 4_900, first + 11 * DAY, intent_id="pi_1")])
    run_matching(SYSTEM)
    assert waiting(db) == []
    with later(world):
        closed(world, first)
        undo_match(as_actor(world.finn), matches(db)[0].id, reason="another Ann's")
    with later(world, 32):
        run_matching(SYSTEM)

        assert waiting(db) == [Category.MISSING_HERE, Category.MISSING_THERE]
        again = world.again(missing)
        assert again.booked_on == first + 10 * DAY


def test_a_missing_file_that_is_found_after_it_was_signed_away_is_counted_in_the_open_period(
    world: World, db: Session, first: date
) -> None:
    stated(first, 0, 100)
    stated(first + 3 * DAY, 150, 250)
    run_matching(SYSTEM)
    ignored(world, db, "the bank cannot find it")
    with later(world):
        closed(world, first)
        stated(first + 2 * DAY, 100, 150)
        run_matching(SYSTEM)

        (account,) = closed(world, first + 10 * DAY).snapshot["accounts"]

    assert (account["opening_minor"], account["closing_minor"]) == (200, 250)


def test_an_older_statement_that_comes_later_restates_the_opening(world: World, db: Session, first: date) -> None:
    stated(first, 100, 150)
    run_matching(SYSTEM)
    with later(world):
        closed(world, first)
        stated(first - 2 * DAY, 60, 100)
        run_matching(SYSTEM)

        (account,) = closed(world, first + 10 * DAY).snapshot["accounts"]

    assert (account["opening_minor"], account["restated_minor"], account["closing_minor"]) == (150, -40, 150)


def test_an_account_that_states_balances_only_from_some_day_on_adds_up(world: World, first: date) -> None:
    told([line("b1", 40, first, account=GIRO, kind="adjustment")])
    stated(first + DAY, 100, 150)
    run_matching(SYSTEM)
    with later(world):
        (account,) = closed(world, first).snapshot["accounts"]

    assert (account["opening_minor"], account["closing_minor"]) == (60, 150)


def paid_back(world: World) -> Payment:
    """Through the provider, by itself."""
    payment = bought(world, amount_minor=4_900)
    hear(SYSTEM, payment.id, facts=[say(payment, FactKind.REFUNDED, 2, 900, refund_reference="re_1")])
    return payment


def test_a_refund_that_comes_back_after_the_close_is_counted_when_it_came_back(world: World, first: date) -> None:
    payment = paid_back(world)
    told([line("txn_0", 1, first, kind="fee")])
    run_matching(SYSTEM)
    with later(world, 20):
        (before,) = closed(world, first).snapshot["school"]
        hear(SYSTEM, payment.id, facts=[say(payment, FactKind.REFUND_FAILED, 3, 900, refund_reference="re_1")])
    with later(world):
        (after,) = closed(world, first + 10 * DAY, days=15).snapshot["school"]

    assert (before["refunds_minor"], before["closing_minor"]) == (-900, 4_000)
    assert (after["opening_minor"], after["refunds_minor"], after["closing_minor"]) == (4_000, 900, 4_900)


def test_a_file_that_was_committed_late_is_due_whatever_time_it_bears(world: World, db: Session, first: date) -> None:
    run_matching(SYSTEM)
    with clock.moved_by(-timedelta(minutes=1)):
        told([line("txn_1", 77, first)])
    db.rollback()

    assert running.is_due(db, world.now)
