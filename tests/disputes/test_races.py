"""A refund against a dispute, and against the provider's own refund, at once. Each race is first run without its guard."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing import queries, refunds, room, settling
from guitaronline.billing.facts import hear
from guitaronline.billing.models import Payment
from guitaronline.billing.providers.base import FactKind
from guitaronline.billing.service import decide_dispute, open_dispute, refund_payment
from tests.billing.books import paid
from tests.billing.test_races import meet_at, unlocked
from tests.concurrency import at_once, done, refused
from tests.refunds.scripted import bought, told
from tests.world import World, as_actor


def refund_and_dispute(app: Flask, world: World) -> tuple[Payment, list[Any]]:
    made = paid(world, world.package(lessons=1, price_minor=49_000))
    finn = as_actor(world.finn)
    return made, at_once(
        app,
        lambda: refund_payment(finn, made.id, amount_minor=30_000, reason="moved away"),
        lambda: open_dispute(finn, made.id, amount_minor=30_000, reason="not known to the payer"),
    )


def test_a_refund_and_a_dispute_without_the_lock_do_not_see_each_other(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, settling, "lock_payment")
    meet_at(monkeypatch, settling, "figures_of")
    meet_at(monkeypatch, room, "spoken_for")

    made, results = refund_and_dispute(app, world)

    assert (len(done(results)), room.spoken_for(db, made.id).total_minor) == (2, 60_000)


def test_a_refund_that_comes_after_a_dispute_finds_no_room(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, settling, "figures_of")

    made, results = refund_and_dispute(app, world)

    spoken = room.spoken_for(db, made.id)
    late = refused(results) == [
        "refund_exceeds_payment"
    ]  # the dispute was first; a dispute is never refused for a refund
    assert spoken.disputed_minor == 30_000
    assert spoken.refunds_minor == 30_000 * (not late)
    assert len(done(results)) == 2 - late


def ours_and_theirs(app: Flask, world: World) -> tuple[Payment, list[Any]]:
    made = bought(world, lessons=1)  # no lesson goes with a part of it, so that nothing but the sums is in the way
    finn, theirs = as_actor(world.finn), told(made, FactKind.REFUNDED, 2, 30_000, refund_reference="re_own")
    return made, at_once(
        app,
        lambda: refund_payment(finn, made.id, amount_minor=30_000, reason="moved away"),
        lambda: hear(SYSTEM, made.id, facts=[theirs]),
    )


@pytest.mark.breaks_invariants
def test_our_refund_and_theirs_without_the_lock_exceed_the_payment(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, settling, "lock_payment")
    meet_at(monkeypatch, settling, "figures_of")

    made, _ = ours_and_theirs(app, world)

    assert queries.refunds_sum(db, made.id, *queries.COMMITTED) == 60_000


def test_theirs_stands_and_ours_gives_way_or_finds_no_room(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, refunds, "judge")

    made, _ = ours_and_theirs(app, world)

    db.rollback()
    assert queries.refunds_sum(db, made.id, *queries.COMMITTED) == 30_000
    standing = [each for each in queries.refunds_of(db, made.id) if each.status == "succeeded"]
    assert [each.provider_reference for each in standing] == ["re_own"]


def test_two_decisions_at_once_are_one(app: Flask, world: World, db: Session) -> None:
    made = paid(world, world.package(lessons=10, price_minor=49_000))
    dispute = open_dispute(as_actor(world.finn), made.id, amount_minor=49_000, reason="not known to the payer")
    finn = as_actor(world.finn)

    results = at_once(
        app,
        lambda: decide_dispute(finn, dispute.id, won=True, reason="letter"),
        lambda: decide_dispute(finn, dispute.id, won=False, reason="letter"),
    )

    assert (len(done(results)), refused(results)) == (1, ["illegal_move"])
