"""Two at once, for real. Each race is first run without its guard, to see that it is one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing import approvals, expiring, granting, ledger, queries, settling
from guitaronline.billing.models import Approval, PackageStatus, Payment, PaymentStatus
from guitaronline.billing.refusals import NoLessonsLeft
from guitaronline.billing.service import (
    decide_approval,
    expire_packages,
    grant_package,
    record_payment,
    refund_payment,
    set_payment_status,
    settle_refund,
)
from guitaronline.db import new_id
from guitaronline.unit_of_work import Work
from tests.billing.books import buckets, ledger_holds, paid, payment, posted
from tests.concurrency import at_once, done, refused
from tests.world import World, as_actor

DAY = timedelta(days=1)
ALONE_SECONDS = 0.5  # how long one waits for the other, who may stand before a lock


def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read and not locked."""
    monkeypatch.setattr(Work, "lock", Work.find)


def meet_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Whoever has come through that function waits until the other has too, or for a moment."""
    step, barrier = getattr(module, name), Barrier(2)

    def met(*args: Any, **more: Any) -> Any:
        result = step(*args, **more)
        with suppress(BrokenBarrierError):
            barrier.wait(ALONE_SECONDS)
        return result

    monkeypatch.setattr(module, name, met)


# Two refunds


def two_refunds(app: Flask, world: World) -> tuple[Payment, list[Any]]:
    made = paid(world, world.package(lessons=1, price_minor=49_000))
    finn = as_actor(world.finn)
    return made, at_once(
        app, *[lambda: refund_payment(finn, made.id, amount_minor=25_000, reason="half and a bit")] * 2
    )


@pytest.mark.breaks_invariants
def test_two_refunds_without_the_payments_lock_exceed_it(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, settling, "figures_of")

    made, _ = two_refunds(app, world)

    assert queries.refunds_sum(db, made.id, *queries.COMMITTED) == 50_000


def test_two_refunds_at_once_never_exceed_the_payment(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, settling, "figures_of")

    made, results = two_refunds(app, world)

    assert (len(done(results)), refused(results)) == (1, ["refund_exceeds_payment"])
    assert queries.refunds_sum(db, made.id, *queries.COMMITTED) == 25_000


# One last lesson


def two_reservations(app: Flask, world: World) -> tuple[Any, list[Any]]:
    package = world.package(lessons=1)
    return package, at_once(app, *[lambda: posted(SYSTEM, package.id, ledger.reserve, new_id())] * 2)


@pytest.mark.breaks_invariants
def test_one_lesson_without_the_lock_is_reserved_twice(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    numbers = count(100)
    monkeypatch.setattr(ledger, "_next_sequence", lambda package: next(numbers))
    meet_at(monkeypatch, ledger, "_next_sequence")

    _, results = two_reservations(app, world)

    assert len(done(results)) == 2
    assert not ledger_holds(db)


@pytest.mark.breaks_invariants  # the lesson reserved here belongs to no booking
def test_one_last_lesson_is_reserved_once(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, ledger, "_next_sequence")

    package, results = two_reservations(app, world)

    assert (len(done(results)), refused(results)) == (1, [NoLessonsLeft().code])
    assert buckets(world.again(package)) == {"reserved": 1}
    assert ledger_holds(db)


# Two sweeps


def two_sweeps(app: Flask, world: World, packages: int) -> list[Any]:
    soon, ada = world.now + DAY, as_actor(world.ada)
    for _ in range(packages):
        world.package(lessons=1, expires_at=soon)
    with clock.standing_at(soon):
        return at_once(app, *[lambda: expire_packages(ada)] * 2)


def test_two_sweeps_without_row_locks_meet_in_the_ledger(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the ledger's unique keys are left, and all that the second one had to do waits for the next time."""
    monkeypatch.setattr(expiring, "CLAIM", text(expiring.CLAIM.text.replace("FOR NO KEY UPDATE SKIP LOCKED", "")))
    meet_at(monkeypatch, expiring, "_claim")

    results = two_sweeps(app, world, packages=1)

    assert len(refused(results)) == 1
    assert sum(done(results)) == 1
    assert ledger_holds(db)


def test_two_sweeps_at_once_expire_each_package_once(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, expiring, "_claim")

    results = two_sweeps(app, world, packages=20)

    assert (sum(done(results)), refused(results)) == (20, [])
    assert db.execute(text("SELECT status, count(*) FROM packages GROUP BY 1")).all() == [("expired", 20)]
    assert ledger_holds(db)


# Two approvers


def two_approvals(app: Flask, world: World) -> tuple[Payment, list[Any]]:
    made = payment(world, world.package(lessons=5, origin="purchase", price_minor=60_000), 60_000)
    approval = set_payment_status(as_actor(world.finn), made.id, status="succeeded", evidence="statement 12")
    assert isinstance(approval, Approval)
    approvers = [as_actor(world.ada), as_actor(world.person("Fay", world.finn.role))]
    return made, at_once(app, *[lambda who=who: decide_approval(who, approval.id, approve=True) for who in approvers])


def test_two_approvers_without_the_lock_both_pass_the_rule(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, approvals, "still_holds")

    _, results = two_approvals(app, world)

    assert refused(results) != ["approval_decided"]  # only the constraints of the history are left to say no


def test_of_two_approvers_one_decides_and_the_money_moves_once(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, approvals, "still_holds")

    made, results = two_approvals(app, world)

    assert (len(done(results)), refused(results)) == (1, ["approval_decided"])
    assert [each.to_status for each in queries.transitions_of(db, made.id)] == ["pending", "succeeded"]
    assert ledger_holds(db)


# Two status calls


def two_successes(app: Flask, world: World) -> tuple[Payment, list[Any]]:
    made = payment(world, world.package(lessons=5, origin="purchase", price_minor=49_000))
    finn = as_actor(world.finn)
    return made, at_once(app, *[lambda: set_payment_status(finn, made.id, status="succeeded", reason="cash")] * 2)


def test_two_status_calls_without_the_lock_both_try_to_move_the_payment(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, settling, "lock_payment")

    _, results = two_successes(app, world)

    assert (len(done(results)), len(refused(results))) == (1, 1)  # by a constraint of the history, not by the rule


def test_of_two_status_calls_the_second_finds_it_done(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_at(monkeypatch, settling, "lock_payment")

    made, results = two_successes(app, world)

    assert refused(results) == []
    assert [each.to_status for each in queries.transitions_of(db, made.id)] == ["pending", "succeeded"]
    assert [each.op_key.split(":")[0] for each in queries.entries_of(db, made.package_id)] == ["grant"]


# Others


def two_trials(app: Flask, world: World) -> list[Any]:
    finn, ann = as_actor(world.finn), world.ann.id
    return at_once(app, *[lambda: grant_package(finn, student_id=ann, lessons_total=1, is_trial=True)] * 2)


def test_two_first_trials_without_the_students_lock_are_two(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked(monkeypatch)
    meet_at(monkeypatch, granting, "_require_first_trial")

    assert refused(two_trials(app, world)) == []


def test_two_first_trials_at_once_are_one(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    meet_at(monkeypatch, granting, "_require_first_trial")

    assert refused(two_trials(app, world)) == ["trial_used"]


def test_one_reference_is_recorded_once_however_many_try(app: Flask, world: World) -> None:
    package, finn = world.package(), as_actor(world.finn)

    def record() -> Payment:
        return record_payment(finn, package_id=package.id, amount_minor=1, currency="USD", external_reference="WIRE-1")

    results = at_once(app, *[record] * 4)

    assert (len(done(results)), refused(results)) == (1, ["duplicate_reference"] * 3)


@pytest.mark.parametrize("calls", [[True, True], [True, False]])
def test_a_refund_settled_twice_at_once_is_settled_once(
    app: Flask, world: World, db: Session, calls: list[bool]
) -> None:
    made = paid(world, world.package(lessons=5, price_minor=49_000))
    refund, finn = refund_payment(as_actor(world.finn), made.id, reason="moved away"), as_actor(world.finn)

    def settle(succeeded: bool) -> Callable[[], Any]:
        return lambda: settle_refund(finn, refund.id, succeeded=succeeded, reason="bank says so")

    results = at_once(app, *[settle(each) for each in calls])

    assert refused(results) == ["illegal_move"] * (len(set(calls)) - 1)
    assert world.again(made).status in (PaymentStatus.REFUNDED, PaymentStatus.SUCCEEDED)
    assert ledger_holds(db)


def test_the_sweep_and_a_hold_at_once_leave_one_truth(app: Flask, world: World, db: Session) -> None:
    soon, ada = world.now + DAY, as_actor(world.ada)
    package = world.package(lessons=1, expires_at=soon)

    with clock.standing_at(soon):
        results = at_once(
            app, lambda: expire_packages(ada), lambda: posted(SYSTEM, package.id, ledger.reserve, new_id())
        )
        expire_packages(ada)

    assert refused(results) == ["package_expired"]
    assert world.again(package).status is PackageStatus.EXPIRED
    assert ledger_holds(db)
