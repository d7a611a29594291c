"""One person runs the school: what they ask for is done a day later by the system, unless somebody says no."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import config
from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing import approvals
from guitaronline.billing.models import Approval, ApprovalStatus, DecidedHow, Payment, PaymentStatus
from guitaronline.billing.one_person import carry_out_alone
from guitaronline.billing.refusals import ApprovalDecided, ApprovalNotDue, NotRequester
from guitaronline.billing.service import (
    decide_approval,
    refund_payment,
    set_payment_status,
    withdraw_approval,
)
from guitaronline.errors import NotAllowed
from jobs.refunds import carry_out_alone as job
from tests.billing.books import paid, payment
from tests.world import World, as_actor

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(hours=24)
MODE = {"ONE_PERSON_APPROVALS": True, "OWNER_EMAIL": "owner@school.example"}


@pytest.fixture
def alone() -> Iterator[None]:
    with policy.changed(**MODE):
        yield


@pytest.fixture
def asked(world: World) -> Approval:
    made = payment(world, world.package(lessons=10, origin="purchase", price_minor=60_000), 60_000)
    approval = set_payment_status(as_actor(world.finn), made.id, status="succeeded", evidence="statement 12")
    assert isinstance(approval, Approval)
    return approval


def due(approval: Approval) -> datetime:
    assert approval.due_alone_at is not None
    return approval.due_alone_at


def test_a_day_later_the_system_does_it_word_for_word(alone: None, world: World, asked: Approval) -> None:
    assert due(asked) == asked.created_at + DAY

    with clock.standing_at(due(asked)):
        assert job() == 1

    fresh = world.again(asked)
    assert (fresh.status, fresh.decided_by, fresh.decided_how) == (ApprovalStatus.APPROVED, None, DecidedHow.ALONE)
    assert world.reloaded(Payment, asked.payment_id).status is PaymentStatus.SUCCEEDED
    assert job() == 0


def test_never_sooner(alone: None, world: World, asked: Approval) -> None:
    with clock.standing_at(due(asked) - timedelta(microseconds=1)):
        assert job() == 0
        with pytest.raises(ApprovalNotDue):
            carry_out_alone(SYSTEM, asked.id)
    assert world.again(asked).status is ApprovalStatus.PENDING


def test_the_owner_is_told_when_it_is_asked_for(alone: None, asked: Approval, db: Session) -> None:
    (event,) = db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "approval.one_person"))

    assert (event.record_id, event.payload) == (asked.id, {"due_at": due(asked).isoformat()})


def test_without_the_mode_nobody_waits_alone(world: World, asked: Approval, db: Session) -> None:
    assert asked.due_alone_at is None
    assert db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "approval.one_person")).all() == []

    with policy.changed(**MODE), clock.moved_by(DAY * 3):  # what was asked for before the owner could be told
        assert job() == 0
        with pytest.raises(ApprovalNotDue):
            carry_out_alone(SYSTEM, asked.id)


def test_a_mode_that_was_switched_off_meanwhile_does_nothing(world: World, db: Session) -> None:
    with policy.changed(**MODE):
        made = payment(world, world.package(lessons=10, origin="purchase", price_minor=60_000), 60_000)
        asked = set_payment_status(as_actor(world.finn), made.id, status="succeeded", evidence="statement 12")
    assert isinstance(asked, Approval)

    with clock.moved_by(DAY * 2):
        assert job() == 0
        with pytest.raises(ApprovalNotDue):
            carry_out_alone(SYSTEM, asked.id)


def test_it_can_be_rejected_meanwhile(alone: None, world: World, asked: Approval) -> None:
    decide_approval(as_actor(world.ada), asked.id, approve=False, reason="no such line")

    with clock.standing_at(due(asked)):
        assert job() == 0
    assert world.reloaded(Payment, asked.payment_id).status is PaymentStatus.PENDING


def test_whoever_asked_can_withdraw_it_and_nobody_else(alone: None, world: World, asked: Approval) -> None:
    with pytest.raises(NotRequester):
        withdraw_approval(as_actor(world.ada), asked.id, reason="not hers")

    withdraw_approval(as_actor(world.finn), asked.id, reason="a mistake")
    fresh = withdraw_approval(as_actor(world.finn), asked.id, reason="again")

    assert (fresh.status, fresh.decided_by, fresh.decided_how) == (ApprovalStatus.REJECTED, None, DecidedHow.WITHDRAWN)
    with pytest.raises(ApprovalDecided):
        decide_approval(as_actor(world.ada), asked.id, approve=True)


def test_what_is_done_cannot_be_withdrawn(alone: None, world: World, asked: Approval) -> None:
    with clock.standing_at(due(asked)):
        job()

    with pytest.raises(ApprovalDecided):
        withdraw_approval(as_actor(world.finn), asked.id, reason="too late")


def test_a_payment_that_changed_meanwhile_is_left_alone(alone: None, world: World, asked: Approval) -> None:
    set_payment_status(as_actor(world.finn), asked.payment_id, status="failed", reason="sent back")

    with clock.standing_at(due(asked)):
        job()

    fresh = world.again(asked)
    assert (fresh.status, fresh.decided_how) == (ApprovalStatus.REJECTED, DecidedHow.ALONE)
    assert world.reloaded(Payment, asked.payment_id).status is PaymentStatus.FAILED


def test_no_person_acts_for_the_system(alone: None, world: World, asked: Approval) -> None:
    with clock.standing_at(due(asked)), pytest.raises(NotAllowed):
        carry_out_alone(as_actor(world.ada), asked.id)


def test_a_refund_waits_the_same_way(alone: None, world: World, asked: Approval) -> None:
    decide_approval(as_actor(world.ada), asked.id, approve=True)
    wish = refund_payment(as_actor(world.finn), asked.payment_id, amount_minor=55_000, reason="moved away")
    assert isinstance(wish, Approval)

    with clock.standing_at(due(wish)):
        assert job() == 1

    assert world.again(wish).amount_minor == 55_000


def test_one_that_breaks_keeps_no_other_waiting(
    alone: None, world: World, asked: Approval, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = paid(world, world.package(lessons=10, price_minor=49_000))
    with clock.moved_by(-timedelta(hours=1)), policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        wish = refund_payment(as_actor(world.finn), made.id, reason="moved away")
    assert isinstance(wish, Approval)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(approvals.refund_ways, "source", broken)
    with clock.standing_at(due(asked)):
        assert job() == 1

    assert world.again(asked).status is ApprovalStatus.APPROVED
    assert world.again(wish).status is ApprovalStatus.PENDING


def test_the_process_that_does_it_knows_every_way_and_every_condition() -> None:
    """In a process of its own: here somebody else may have loaded what is needed."""
    asked = (
        "import jobs.refunds; from guitaronline.billing import approvals as a;"
        " print(*sorted(a.refund_ways), *a.done_first, *(each.__name__ for each in a.conditions))"
    )

    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["credit", "source", "bookings", "_match_stands"]


def test_the_mode_needs_an_owner_to_tell() -> None:
    with pytest.raises(config.BadConfig, match="OWNER_EMAIL"):
        config.load({"ONE_PERSON_APPROVALS": "1"})
