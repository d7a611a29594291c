"""What nobody told us is asked for; an unpaid checkout lapses; no answer is no failure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing import asking
from guitaronline.billing.asking import Answer, ask, ask_soon, asking_of, next_asking
from guitaronline.billing.models import PackageStatus, PaymentStatus
from guitaronline.billing.providers import ProviderFact, ProviderUnknown, sandbox
from guitaronline.billing.providers.sandbox import Sandbox
from guitaronline.billing.service import PaidByHand, Purchase, open_page, want_page
from jobs import payments
from tests.billing.books import payment as by_hand
from tests.purchase.shop import bought, plan
from tests.world import World, as_actor

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def on_page(world: World, **more: Any) -> tuple[Purchase, str]:
    """A purchase and the secret in the address of its page."""
    made = bought(world, **more)
    return made, (open_page(made.payment.id).url or "").rpartition("/")[2]


def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider does not answer."""

    def no_answer(*_: Any, **__: Any) -> Sequence[ProviderFact]:
        raise ProviderUnknown()

    monkeypatch.setattr(Sandbox, "look_up", no_answer)


def test_money_that_no_event_told_of_is_found_by_asking(world: World) -> None:
    made, token = on_page(world)
    sandbox.pay(token)

    assert payments.ask_providers() == 0  # 5 minutes are not over
    with clock.moved_by(6 * MINUTE):
        assert payments.ask_providers() == 1

    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED
    assert world.again(made.package).available == 10


def test_what_is_settled_is_not_asked_about_again(world: World, db: Session) -> None:
    made, token = on_page(world)
    sandbox.pay(token)
    ask(made.payment.id)

    assert asking_of(db, made.payment.id) is None


@pytest.mark.parametrize(("asks", "wait"), [(1, timedelta(minutes=55)), (2, DAY), (3, DAY), (9, DAY)])
def test_it_is_asked_at_five_minutes_an_hour_and_then_daily(world: World, asks: int, wait: timedelta) -> None:
    now = world.now

    assert next_asking(now, asks, now + 90 * DAY) == now + wait
    assert next_asking(now, asks, now - DAY) == now + wait
    assert next_asking(now, asks, now + MINUTE) == now + MINUTE  # the checkout lapses then


def test_no_answer_is_unknown_and_never_a_failure(world: World, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = on_page(world)
    silent(monkeypatch)

    with clock.moved_by(6 * MINUTE):
        payments.ask_providers()

    waits = asking_of(db, made.payment.id)
    assert waits is not None
    assert waits.unknown_since is not None
    assert world.again(made.payment).status is PaymentStatus.PENDING


def test_a_provider_whose_keys_are_gone_is_silent(world: World, db: Session) -> None:
    made, _ = on_page(world)

    with policy.changed(ENVIRONMENT="production"):  # which knows no sandbox
        assert ask(made.payment.id) is Answer.UNKNOWN

    assert asking_of(db, made.payment.id).unknown_since is not None  # type: ignore[union-attr]


def test_an_answer_that_breaks_us_keeps_no_other_waiting(
    world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, _ = on_page(world)
    good, token = on_page(world, offer=plan(world, name="Other"))
    sandbox.pay(token)
    look = Sandbox.look_up

    def breaks(self: Sandbox, *, payment_id: UUID, **more: Any) -> Sequence[ProviderFact]:
        assert payment_id != broken.payment.id
        return look(self, payment_id=payment_id, **more)

    monkeypatch.setattr(Sandbox, "look_up", breaks)
    with clock.moved_by(6 * MINUTE):
        assert payments.ask_providers() == 2

    assert world.again(good.payment).status is PaymentStatus.SUCCEEDED
    assert asking_of(db, broken.payment.id).unknown_since is not None  # type: ignore[union-attr]


def test_a_checkout_whose_provider_is_silent_does_not_lapse(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = on_page(world)
    silent(monkeypatch)

    with clock.moved_by(25 * HOUR):
        payments.ask_providers()

    assert world.again(made.package).status is PackageStatus.PENDING


def test_a_checkout_that_nobody_paid_lapses_after_a_day(world: World, db: Session) -> None:
    made, _ = on_page(world)

    with clock.moved_by(23 * HOUR):
        payments.ask_providers()
    assert world.again(made.package).status is PackageStatus.PENDING
    with clock.moved_by(24 * HOUR + MINUTE):
        payments.ask_providers()

    assert world.again(made.package).status is PackageStatus.REVOKED
    assert world.again(made.payment).status is PaymentStatus.FAILED
    assert asking_of(db, made.payment.id) is None


def test_before_it_lapses_the_provider_is_asked(world: World) -> None:
    made, token = on_page(world)
    with clock.moved_by(23 * HOUR):
        sandbox.pay(token)

    with clock.moved_by(25 * HOUR):
        payments.ask_providers()

    assert world.again(made.package).status is PackageStatus.ACTIVE


def test_a_lapsed_trial_can_be_bought_again(world: World) -> None:
    offer = plan(world, is_trial=True)
    on_page(world, offer=offer)
    with clock.moved_by(25 * HOUR):
        payments.ask_providers()

    assert bought(world, offer).package.status is PackageStatus.PENDING


def test_a_checkout_does_not_lapse_while_a_transfer_is_awaited(world: World) -> None:
    made, _ = on_page(world)
    by_hand(world, made.package, made.payment.amount_minor)

    with clock.moved_by(25 * HOUR):
        payments.ask_providers()

    assert world.again(made.package).status is PackageStatus.PENDING


def test_a_new_page_is_asked_about_though_the_first_one_has_lapsed(world: World, db: Session) -> None:
    made, _ = on_page(world)
    by_hand(world, made.package, made.payment.amount_minor)
    with clock.moved_by(25 * HOUR):
        payments.ask_providers()
        assert asking_of(db, made.payment.id) is None

        page = want_page(as_actor(world.ann), made.payment.id)
        sandbox.pay((page.url or "").rpartition("/")[2])

    with clock.moved_by(25 * HOUR + 6 * MINUTE):
        assert payments.ask_providers() == 1
    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED


def test_two_rounds_never_ask_about_the_same_payment(world: World) -> None:
    on_page(world)
    with clock.moved_by(6 * MINUTE):
        first = asking.claim_due(world.now, limit=10)[1]
        second = asking.claim_due(world.now, limit=10)[1]

    assert (len(first), second) == (1, [])


def test_a_round_that_died_is_taken_up_by_the_next(world: World, db: Session) -> None:
    made, _ = on_page(world)
    with clock.moved_by(6 * MINUTE):
        asking.claim_due(world.now, limit=10)  # and then nothing
        db.execute(text("UPDATE payment_asks SET lease_until = clock_timestamp() - interval '1 s'"))
        db.commit()

        assert asking.claim_due(world.now, limit=10)[1] == [made.payment.id]


def test_a_person_has_it_asked_at_once_and_a_settled_one_once_more(world: World, db: Session) -> None:
    made, token = on_page(world)
    ask_soon(as_actor(world.finn), made.payment.id)
    sandbox.pay(token)
    assert payments.ask_providers() == 1
    assert world.again(made.payment).status is PaymentStatus.SUCCEEDED

    ask_soon(as_actor(world.finn), made.payment.id)

    assert payments.ask_providers() == 1
    assert asking_of(db, made.payment.id) is None


def test_nobody_is_asked_about_cash(world: World) -> None:
    cash = by_hand(world, world.package(), 100)

    assert ask(cash.id) is Answer.TOLD
    with pytest.raises(PaidByHand):
        ask_soon(as_actor(world.finn), cash.id)


def test_asking_holds_no_transaction_while_it_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = on_page(world)
    seen: list[bool] = []

    def look(self: Sandbox, *, payment_id: UUID, **_: Any) -> Sequence[ProviderFact]:
        from guitaronline.db import session

        seen.append(session().in_transaction())
        return []

    monkeypatch.setattr(Sandbox, "look_up", look)
    ask(made.payment.id)

    assert seen == [False]
