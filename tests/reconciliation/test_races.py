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
from tests.reconciliation.statements import credit, matches, told
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
