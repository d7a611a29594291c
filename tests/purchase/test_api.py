"""Buying over the API: the purchase, its page, and the providers' door."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock, doorbell, policy
from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.providers import ProviderRefused, ProviderUnknown, sandbox, signatures
from guitaronline.billing.providers.sandbox import Sandbox
from guitaronline.clock import read
from guitaronline.db import session
from tests.api.conftest import Answer, Api
from tests.jobs.processes import eventually
from tests.purchase.shop import bought, exceptions, fact, inbox, plan, tell, work_off
from tests.servers import Servers
from tests.world import World

PURCHASE = "/billing/packages/purchase"
WEBHOOK = "/billing/webhooks/sandbox"


def buy(api: Api, world: World, **more: Any) -> Answer:
    return api.post(PURCHASE, {"plan_id": str(plan(world).id)}, world.ann, **more)


def sent(api: Api, raw: bytes, *, secret: str | None = None, age: timedelta = timedelta(0), **headers: str) -> Answer:
    at = read(session()) - age
    signed = {"Sandbox-Signature": signatures.signed(raw, secret or policy.current().SANDBOX_SECRET, at=at)}
    return api.call("POST", WEBHOOK, raw=raw, headers={**signed, **headers})


def test_a_purchase_answers_with_package_payment_and_page(api: Api, world: World) -> None:
    answer = buy(api, world)

    assert answer.status == 201
    assert answer.json["package"]["status"] == "pending"
    assert (answer.json["payment"]["status"], answer.json["payment"]["provider"]) == ("pending", "sandbox")
    assert "/sandbox/checkout/" in answer.json["checkout_url"]


def test_the_same_key_again_gives_the_same_purchase_with_its_page(api: Api, world: World, db: Session) -> None:
    asked = {"plan_id": str(plan(world).id)}
    first = api.post(PURCHASE, asked, world.ann, key="k-1")
    again = api.post(PURCHASE, asked, world.ann, key="k-1")

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json == first.json
    assert db.execute(text("SELECT count(*) FROM packages")).scalar_one() == 1


def test_a_process_that_died_after_the_commit_is_made_good_by_the_same_call(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"plan_id": str(plan(world).id)}
    with monkeypatch.context() as crash:
        crash.setattr(Sandbox, "open_checkout", _dies)
        with pytest.raises(SystemExit):
            api.post(PURCHASE, asked, world.ann, key="k-1")

    again = api.post(PURCHASE, asked, world.ann, key="k-1")

    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.json["checkout_url"]


def _dies(*_: Any, **__: Any) -> None:
    raise SystemExit


def test_a_provider_that_does_not_answer_leaves_a_purchase_and_a_way_to_ask_again(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as silent:
        silent.setattr(Sandbox, "open_checkout", _raises(ProviderUnknown()))
        answer = buy(api, world)
    assert (answer.status, answer.json["checkout_url"], answer.json["checkout_problem"]) == (201, None, "unknown")

    page = api.post(f"/billing/payments/{answer.json['payment']['id']}/checkout", who=world.ann)

    assert (page.status, page.json["checkout_problem"]) == (201, None)
    assert page.json["checkout_url"]


def test_a_provider_that_says_no_is_quoted(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sandbox, "open_checkout", _raises(ProviderRefused(reason="amount_too_small")))

    answer = buy(api, world)

    assert (answer.status, answer.json["checkout_problem"]) == (201, "amount_too_small")


def _raises(error: Exception) -> Any:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


def test_an_expired_page_is_replaced_by_a_new_one(api: Api, world: World) -> None:
    with policy.changed(UNPAID_CHECKOUT_HOURS=1):
        first = buy(api, world)
        path = f"/billing/payments/{first.json['payment']['id']}/checkout"
        with clock.moved_by(timedelta(minutes=50)):
            same = api.post(path, who=world.ann)
        with clock.moved_by(timedelta(minutes=70)):
            new = api.post(path, who=world.ann)

    assert same.json["checkout_url"] == first.json["checkout_url"]
    assert new.json["checkout_url"] not in (None, first.json["checkout_url"])


def test_paid_in_the_meantime_is_found_out_before_a_new_page_is_opened(api: Api, world: World) -> None:
    first = buy(api, world)
    sandbox.pay(first.json["checkout_url"].rpartition("/")[2])

    answer = api.post(f"/billing/payments/{first.json['payment']['id']}/checkout", who=world.ann)

    assert (answer.status, answer.code) == (409, "nothing_to_pay")
    assert api.get(f"/billing/payments/students/{world.ann.id}", world.ann).json["items"][0]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"plan_id": "x"}, 422),
        ({"plan_id": "00000000-0000-7000-8000-000000000000"}, 404),
        ({"plan_id": "00000000-0000-7000-8000-000000000000", "price": 1}, 422),
        ({"plan_id": "00000000-0000-7000-8000-000000000000", "provider": "paypal"}, 422),
    ],
)
def test_bad_input_is_refused_in_words(api: Api, world: World, body: dict[str, str], status: int) -> None:
    assert api.post(PURCHASE, body, world.ann).status == status


def test_by_hand_there_is_no_page(api: Api, world: World) -> None:
    answer = api.post(PURCHASE, {"plan_id": str(plan(world).id), "provider": "manual"}, world.ann)

    assert (answer.status, answer.json["checkout_url"], answer.json["payment"]["provider"]) == (201, None, "manual")


# The providers' door


def event(payment: Any, **more: Any) -> bytes:
    return json.dumps(sandbox.body_of(fact(payment, **more))).encode()


def test_a_signed_event_is_stored_and_answered(api: Api, world: World) -> None:
    made = bought(world)

    answer = sent(api, event(made.payment))

    assert (answer.status, answer.text) == (200, "")
    assert work_off() == ["applied"]


def test_a_stored_event_is_applied_at_once_and_not_with_the_next_tick(api: Api, world: World, mine: Servers) -> None:
    made = bought(world)
    with Redis.from_url(mine.redis_url) as redis, policy.changed(REDIS_URL=mine.redis_url):
        doorbell.wait_until_called()
        redis.delete(doorbell.CALLS)

        assert sent(api, event(made.payment)).status == 200

        eventually(lambda: b"payments.take_events" in redis.lrange(doorbell.CALLS, 0, -1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"age": timedelta(seconds=301)},
        {"age": timedelta(seconds=-301)},
        {"Sandbox-Signature": ""},
        {"Sandbox-Signature": "t=1,v1=" + "0" * 64},
        {"Sandbox-Signature": "t=٣,v1=é"},
    ],
)
def test_a_bad_signature_is_400_and_no_row(api: Api, world: World, wrong: dict[str, Any]) -> None:
    made = bought(world)

    answer = sent(api, event(made.payment), **wrong)

    assert (answer.status, answer.code) == (400, "bad_signature")
    assert inbox() == []


def test_one_byte_more_breaks_the_signature(api: Api, world: World) -> None:
    raw = event(bought(world).payment)
    signature = signatures.signed(raw, policy.current().SANDBOX_SECRET, at=read(session()))

    answer = api.call("POST", WEBHOOK, raw=raw + b" ", headers={"Sandbox-Signature": signature})

    assert (answer.status, inbox()) == (400, [])


@pytest.mark.parametrize("raw", [b"", b"null", b"[1]", b"{}", b"\xff\xfe", b'{"kind": "paid"}', b'{"id": 1'])
def test_signed_nonsense_is_no_event(api: Api, world: World, raw: bytes) -> None:
    assert (sent(api, raw).status, inbox()) == (400, [])


@pytest.mark.parametrize("name", ["manual", "stripe", "paypal", "%00"])
def test_nobody_listens_for_a_provider_that_is_not_set_up(api: Api, world: World, name: str) -> None:
    answer = api.call("POST", f"/billing/webhooks/{name}", raw=b"{}", documented=False)

    assert answer.status == 404


def test_the_sandbox_is_deaf_in_production(api: Api, world: World) -> None:
    raw = event(bought(world).payment)

    with policy.changed(ENVIRONMENT="production"):
        assert sent(api, raw).status == 404


def test_the_providers_door_is_not_counted_against_a_limit(api: Api, world: World) -> None:
    raw = event(bought(world).payment)
    api.app.extensions["api_limits"].limiter.enabled = True
    try:
        with policy.changed(LIMIT_API_WRITE="1 per hour"):
            answers = {sent(api, raw).status for _ in range(3)}
    finally:
        api.app.extensions["api_limits"].limiter.enabled = False

    assert answers == {200}


def test_what_does_not_fit_is_an_exception_and_the_door_still_says_200(api: Api, world: World) -> None:
    made = bought(world)

    assert sent(api, event(made.payment, amount_minor=1)).status == 200
    work_off()

    assert exceptions() == ["wrong_amount"]
    assert PaymentProvider.SANDBOX is world.again(made.payment).provider


def test_plans_are_listed_for_strangers_with_what_they_cost(api: Api, world: World) -> None:
    offer = plan(world)

    (listed,) = api.get("/billing/plans").json["items"]

    assert (listed["id"], listed["price"]) == (str(offer.id), {"amount_minor": 49_000, "currency": "USD"})


def test_a_paid_package_is_read_as_active_with_its_lessons(api: Api, world: World) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment))

    (read_back,) = api.get(f"/billing/packages/students/{world.ann.id}", world.ann).json["items"]

    assert (read_back["status"], read_back["lessons_left"]) == ("active", 10)
