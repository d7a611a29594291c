"""Two at once, for real. Each race is first run without its guard, to see that it is one."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing import facts, inbox
from guitaronline.billing.models import PackageStatus, PaymentStatus
from guitaronline.billing.service import Purchase, buy_plan, record_payment, set_payment_status
from guitaronline.db import new_id
from guitaronline.unit_of_work import Work
from tests.api.conftest import Api
from tests.billing.books import ledger_holds
from tests.billing.test_races import meet_at, unlocked
from tests.concurrency import at_once, done, refused
from tests.purchase.shop import bought, fact, plan, post, tell
from tests.world import World, as_actor


def two_tellings(app: Flask, world: World) -> tuple[Purchase, list[Any]]:
    """Two workers apply the same event."""
    made = bought(world)
    told = fact(made.payment)
    return made, at_once(app, *[lambda: tell(made.payment, told)] * 2)


def test_two_workers_without_the_payments_lock_both_try_to_move_it(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, facts, "_known")

    _, results = two_tellings(app, world)

    assert (len(done(results)), len(refused(results))) == (1, 1)  # a constraint of the history, not a rule, says no


def test_two_workers_apply_one_event_once(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, facts, "_known")

    made, results = two_tellings(app, world)

    assert sorted(bool(each) for each in done(results)) == [False, True]
    assert (world.again(made.package).available, ledger_holds(db)) == (10, True)


def two_claims(app: Flask, world: World) -> list[list[Any]]:
    made = bought(world)
    post(fact(made.payment))
    return [claimed for claimed in at_once(app, *[lambda: inbox.claim(new_id(), limit=10)] * 2) if claimed]


def test_an_event_is_claimed_by_one_worker(app: Flask, world: World) -> None:
    assert [len(each) for each in two_claims(app, world)] == [1]


def test_without_skipping_and_lease_both_workers_claim_it(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = str(inbox.CLAIM.text).replace("AND (lease_until IS NULL OR lease_until < clock_timestamp())", "")
    monkeypatch.setattr(inbox, "CLAIM", text(bare.replace("FOR UPDATE SKIP LOCKED", "")))

    assert [len(each) for each in two_claims(app, world)] == [1, 1]


def event_against_cash(app: Flask, world: World) -> tuple[Purchase, list[Any]]:
    """The provider's event and the cash that staff record for the same package, at once."""
    made = bought(world)
    finn, told = as_actor(world.finn), fact(made.payment)
    cash = record_payment(finn, package_id=made.package.id, amount_minor=made.payment.amount_minor, currency="USD")
    return made, at_once(
        app,
        lambda: tell(made.payment, told),
        lambda: set_payment_status(finn, cash.id, status=PaymentStatus.SUCCEEDED, reason="cash"),
    )


def test_an_event_and_cash_without_locks_try_to_grant_twice(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    monkeypatch.setattr(
        Work, "lock_all", lambda work, model, ids: [work.find(model, each) for each in sorted(set(ids))]
    )
    meet_at(monkeypatch, facts.settling, "lock_payment")

    _, results = event_against_cash(app, world)

    assert len(refused(results)) == 1  # the ledger's unique key is all that is left to say no


def test_an_event_and_cash_at_once_grant_the_lessons_once(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, facts, "_known")

    made, results = event_against_cash(app, world)

    package = world.again(made.package)
    assert refused(results) == []
    assert (package.status, package.available, package.lessons_total) == (PackageStatus.ACTIVE, 10, 10)
    assert ledger_holds(db)


def bought_twice(app: Flask, api: Api, world: World, key: str | None) -> int:
    """How many packages two clicks at once make."""
    asked, ann = {"plan_id": str(plan(world).id)}, as_actor(world.ann)
    answers = at_once(app, *[lambda: api.post("/billing/packages/purchase", asked, ann, key=key)] * 2)
    return len({each.json["package"]["id"] for each in answers if each.status == 201})


def test_two_clicks_without_a_key_buy_twice(app: Flask, api: Api, world: World) -> None:
    assert bought_twice(app, api, world, None) == 2


def test_two_clicks_with_one_key_buy_once(app: Flask, api: Api, world: World, db: Session) -> None:
    assert bought_twice(app, api, world, "k-1") == 1
    assert db.execute(text("SELECT count(*) FROM packages")).scalar_one() == 1


def test_two_trials_at_once_are_one(app: Flask, world: World) -> None:
    offer, ann = plan(world, is_trial=True), as_actor(world.ann)

    results = at_once(app, *[lambda: buy_plan(ann, plan_id=offer.id)] * 2)

    assert (len(done(results)), refused(results)) == (1, ["trial_used"])
