"""Two at once, for real. The race is first run without its guard, to see that it is one."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation import deciding
from guitaronline.billing.reconciliation.models import ReconciliationException
from guitaronline.billing.reconciliation.service import AlreadyMatched, accept_candidate, run_matching, split_line
from tests.billing.books import payment
from tests.billing.test_races import meet_at, unlocked
from tests.concurrency import at_once, done, refused
from tests.reconciliation.statements import credit, line, matches, told
from tests.world import World, as_actor


def one_payment_twice(app: Flask, world: World, db: Session) -> list[Any]:
    """A payment is accepted for one line while another line is split between it and a second one."""
    day: date = world.now.date()
    first, second = (payment(world, world.package(), amount).id for amount in (3_000, 1_900))
    told([credit("b1", 3_000, day), credit("b2", 4_900, day)])
    run_matching(SYSTEM)
    db.rollback()
    whole, parts = db.scalars(select(ReconciliationException.id).order_by(ReconciliationException.value_minor))
    db.rollback()
    finn, ada = as_actor(world.finn), as_actor(world.ada)
    return at_once(
        app,
        lambda: accept_candidate(finn, whole, other_id=first),
        lambda: split_line(ada, parts, payment_ids=[first, second]),
    )


@pytest.mark.breaks_invariants
def test_without_the_payments_lock_one_payment_stands_in_two_matches(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    monkeypatch.setattr(deciding.Work, "lock_all", lambda work, model, ids: [work.find(model, each) for each in ids])
    meet_at(monkeypatch, deciding, "_must_be_free")

    results = one_payment_twice(app, world, db)

    assert (len(done(results)), len(matches(db))) == (2, 2)


def test_one_payment_stands_in_one_match(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, deciding, "_must_be_free")

    results = one_payment_twice(app, world, db)

    assert (len(done(results)), refused(results)) == (1, [AlreadyMatched().code])
    assert len(matches(db)) == 1


def one_bank_line_twice(app: Flask, world: World, db: Session) -> list[Any]:
    """What a bank received is accepted as a payment, and at the same moment as the arrival of a payout."""
    day: date = world.now.date()
    awaited = payment(world, world.package(), 700).id
    arrived = credit("b1", 700, day)
    told(
        [
            line("txn_1", -700, day, kind="payout", source_id="po_1"),
            line("txn_2", -700, day, kind="payout", source_id="po_2"),
        ]
    )
    told([arrived], until=day)
    run_matching(SYSTEM)
    db.rollback()
    found = {each.natural_key: each.id for each in db.scalars(select(ReconciliationException))}
    payout = found[f"ambiguous:line:{line('txn_1', 0, day)['id']}"]
    received = found[f"ambiguous:line:{arrived['id']}"]
    db.rollback()
    finn, ada = as_actor(world.finn), as_actor(world.ada)
    return at_once(
        app,
        lambda: accept_candidate(finn, payout, other_id=arrived["id"]),
        lambda: accept_candidate(ada, received, other_id=awaited),
    )


@pytest.mark.breaks_invariants
def test_without_the_lines_lock_one_line_stands_on_both_sides(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "_lock_lines", lambda work, *ids: None)
    meet_at(monkeypatch, deciding, "_make_match")
    monkeypatch.setattr(deciding.Work, "create", flushed(deciding.Work.create))

    results = one_bank_line_twice(app, world, db)

    assert (len(done(results)), len(matches(db))) == (2, 2)


def test_one_line_stands_in_one_match_whichever_side_of_it(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, deciding, "_make_match")
    monkeypatch.setattr(deciding.Work, "create", flushed(deciding.Work.create))

    results = one_bank_line_twice(app, world, db)

    assert (len(done(results)), refused(results)) == (1, [AlreadyMatched().code])
    assert len(matches(db)) == 1


def flushed(create: Any) -> Any:
    """A record that is made stands in the database at once: both matches do before either commits."""

    def made(work: Any, record: Any, **more: Any) -> None:
        create(work, record, **more)
        work.session.flush()

    return made
