"""Events are verified, stored, answered, and applied afterwards; none is lost, none counts twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing import inbox as inbox_module
from guitaronline.billing.facts import Outcome, appliers
from guitaronline.billing.models import PackageStatus, PaymentStatus
from guitaronline.billing.provider_models import ProviderEvent
from guitaronline.billing.providers import BadSignature, FactKind
from guitaronline.billing.service import EventClosed, retry_event
from guitaronline.db import new_id, session
from jobs import payments
from tests.purchase.shop import bought, exceptions, fact, inbox, now_of, post, work_off
from tests.world import World, as_actor

DAY = timedelta(days=1)


def test_an_event_is_stored_first_and_has_its_effect_when_the_job_runs(world: World) -> None:
    made = bought(world)

    post(fact(made.payment))

    assert inbox() == [("evt_1", "received", None)]
    assert world.again(made.payment).status is PaymentStatus.PENDING
    assert payments.take_events() == 1
    assert inbox() == [("evt_1", "applied", None)]
    assert world.again(made.package).status is PackageStatus.ACTIVE


def test_a_bad_signature_leaves_no_row(world: World) -> None:
    made = bought(world)

    with pytest.raises(BadSignature):
        post(fact(made.payment), secret="somebody else's")

    assert inbox() == []


def test_the_same_event_twice_is_one_row(world: World) -> None:
    made = bought(world)

    post(fact(made.payment))
    post(fact(made.payment))

    assert inbox() == [("evt_1", "received", None)]


def test_an_event_for_a_payment_that_is_not_here_yet_is_parked_and_applied_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the purchase had not been committed when the provider spoke."""
    made = bought(world)
    post(fact(made.payment))
    with monkeypatch.context() as before_the_commit:
        before_the_commit.setattr(inbox_module, "_payment_of", lambda provider, facts: None)
        assert work_off() == ["parked"]
    assert work_off() == []  # not yet due

    with clock.moved_by(timedelta(minutes=2)):
        assert work_off() == ["applied"]

    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED


def test_money_for_a_payment_that_never_comes_is_an_exception_after_a_day(world: World) -> None:
    made = bought(world)
    post(fact(made.payment, payment_id=new_id()))
    assert work_off() == ["parked"]

    with clock.moved_by(DAY + timedelta(hours=1)):
        assert work_off() == ["dead"]

    assert inbox() == [("evt_1", "dead", "its payment never came")]
    assert exceptions() == ["unknown_payment"]


def test_what_is_no_business_of_ours_is_ignored(world: World) -> None:
    made = bought(world)
    post(fact(made.payment, FactKind.OTHER))

    assert work_off() == ["ignored"]


def test_a_kind_that_nobody_answers_for_is_kept_as_not_for_us(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bought(world)
    monkeypatch.delitem(appliers, FactKind.DISPUTE_LOST, raising=False)
    post(fact(made.payment, FactKind.DISPUTE_LOST))

    assert work_off() == ["ignored"]
    assert inbox() == [("evt_1", "ignored", "not for us: nothing here acts on it")]


def test_what_came_too_early_fits_as_soon_as_the_payment_has_moved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bought(world)

    def only_when_paid(work: object, payment: object, package: object, told: object) -> Outcome:
        return Outcome.APPLIED if payment.status is PaymentStatus.SUCCEEDED else Outcome.TOO_EARLY  # type: ignore[attr-defined]

    monkeypatch.setitem(appliers, FactKind.REFUNDED, only_when_paid)
    post(fact(made.payment, FactKind.REFUNDED, "evt_back"))
    assert work_off() == ["parked"]
    post(fact(made.payment))

    assert work_off() == ["applied"]
    assert work_off() == ["applied"]  # woken at once, not after its back-off


def test_a_body_that_cannot_be_read_is_dead_and_can_be_tried_again(world: World, db: Session) -> None:
    made = bought(world)
    post(fact(made.payment))
    db.execute(text("UPDATE provider_events SET body = 'nonsense'"))
    db.commit()

    assert work_off() == ["dead"]
    event = db.query(ProviderEvent).one()
    retry_event(as_actor(world.finn), event.id, reason="a better release")
    assert inbox()[0][1] == "received"


def test_what_has_had_its_effect_is_not_tried_again(world: World, db: Session) -> None:
    made = bought(world)
    post(fact(made.payment))
    work_off()

    with pytest.raises(EventClosed):
        retry_event(as_actor(world.finn), db.query(ProviderEvent).one().id)


def test_an_event_that_breaks_keeps_no_other_waiting_and_runs_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bought(world)
    post(fact(made.payment, FactKind.REFUNDED, "evt_broken"))
    post(fact(made.payment))

    def broken(*_: object) -> Outcome:
        raise ZeroDivisionError

    monkeypatch.setitem(appliers, FactKind.REFUNDED, broken)

    assert payments.take_events() == 2

    assert inbox() == [("evt_broken", "received", "ZeroDivisionError"), ("evt_1", "applied", None)]


def test_a_worker_that_dies_leaves_the_event_to_the_next(world: World, db: Session) -> None:
    made = bought(world)
    post(fact(made.payment))
    inbox_module.claim(new_id(), limit=10)  # and then nothing: its process is gone
    assert work_off() == []

    db.execute(text("UPDATE provider_events SET lease_until = clock_timestamp() - interval '1 s'"))
    db.commit()

    assert work_off() == ["applied"]
    assert db.query(ProviderEvent).one().attempts == 2


def test_who_has_lost_the_lease_writes_nothing(world: World) -> None:
    made = bought(world)
    post(fact(made.payment))
    (late,) = inbox_module.claim(new_id(), limit=10)

    inbox_module.take(late, new_id())

    assert inbox() == [("evt_1", "received", None)]
    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED  # done twice it is done once


@given(some.permutations(["declined", "expired", "session", "intent", "declined", "session"]))
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_shuffled_late_and_repeated_events_end_in_the_same_state(world: World, order: list[str]) -> None:
    made = bought(world, student=world.person(f"S{new_id().hex}", world.ann.role), offer=_offer(world))
    told = {
        "declined": fact(made.payment, FactKind.FAILED, f"evt_d{made.payment.id}"),
        "expired": fact(made.payment, FactKind.CHECKOUT_EXPIRED, f"evt_x{made.payment.id}"),
        "session": fact(made.payment, event_id=f"evt_s{made.payment.id}", reference=f"pay_{made.payment.id}"),
        "intent": fact(made.payment, event_id=f"evt_i{made.payment.id}", reference=f"pay_{made.payment.id}"),
    }

    [_arrives(told[each]) for each in order]

    assert now_of(world, made)[:6] == ("succeeded", f"pay_{made.payment.id}", True, "active", 10, 10)
    assert session().scalar(text("SELECT count(*) FROM provider_events WHERE status <> 'applied'")) == 0


def _offer(world: World) -> object:
    from guitaronline.billing.models import Plan
    from tests.purchase.shop import plan

    return session().query(Plan).first() or plan(world)


def _arrives(told: object) -> None:
    post(told)  # type: ignore[arg-type]
    work_off()
