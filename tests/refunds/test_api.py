"""Refunds and credits through the API: the contract as it was, with bookings besides."""

from __future__ import annotations

import pytest

from guitaronline import policy
from guitaronline.billing.models import Payment
from tests.api.conftest import Api, api, components, documented
from tests.billing.books import paid
from tests.refunds.scripted import bought
from tests.world import World

__all__ = ["api", "components", "documented"]


@pytest.fixture
def made(world: World) -> Payment:
    return paid(world, world.package(lessons=5, price_minor=49_000))


def test_a_refund_cancels_the_bookings_that_it_names(api: Api, world: World, made: Payment) -> None:
    ends, stays = world.booking(), world.booking(world.slot(hours=60))
    chosen = [
        {"booking_id": str(ends.id), "decision": "cancel"},
        {"booking_id": str(stays.id), "decision": "keep"},
    ]

    answer = api.post(f"/billing/payments/{made.id}/refunds", {"reason": "ill", "bookings": chosen}, world.finn)

    assert (answer.status, answer.json["lessons_revoked"], answer.json["amount_minor"]) == (201, 4, 49_000)
    assert [world.again(each).status for each in (ends, stays)] == ["canceled", "confirmed"]


def test_a_booking_that_is_not_to_come_is_named(api: Api, world: World, made: Payment) -> None:
    unknown = [{"booking_id": str(world.ann.id), "decision": "cancel"}]

    answer = api.post(f"/billing/payments/{made.id}/refunds", {"reason": "ill", "bookings": unknown}, world.finn)

    assert (answer.status, answer.code, answer.reasons) == (
        409,
        "bookings_changed",
        [("/bookings", "booking_not_to_come")],
    )


@pytest.mark.parametrize(
    "bookings",
    [{}, "all", [{"booking_id": "x", "decision": "cancel"}], [{"decision": "cancel"}], [1] * 51, [{"way": "cancel"}]],
)
def test_bookings_that_cannot_be_read_are_refused(api: Api, world: World, made: Payment, bookings: object) -> None:
    body = {"reason": "ill", "bookings": bookings}

    assert api.post(f"/billing/payments/{made.id}/refunds", body, world.finn).status == 422


def test_a_credit_gives_a_package_and_no_refund(api: Api, world: World, made: Payment) -> None:
    answer = api.post(
        f"/billing/payments/{made.id}/credits", {"amount_minor": 9_800, "lessons": 1, "reason": "ill"}, world.finn
    )

    assert (answer.status, answer.json["lessons_granted"], answer.json["amount_minor"]) == (201, 1, 9_800)
    assert api.get(f"/billing/payments/{made.id}/refunds", world.finn).json["items"] == []
    packages = api.get(f"/billing/packages/students/{world.ann.id}", world.ann).json["items"]
    assert answer.json["package_id"] in [each["id"] for each in packages]


def test_a_credit_of_more_than_it_is_worth_is_refused(api: Api, world: World, made: Payment) -> None:
    body = {"amount_minor": 9_800, "lessons": 2, "reason": "ill"}

    answer = api.post(f"/billing/payments/{made.id}/credits", body, world.finn)

    assert (answer.status, answer.code) == (422, "credit_too_large")


@pytest.mark.parametrize("kind", ["refunds", "credits"])
def test_above_the_limit_it_awaits_approval(api: Api, world: World, made: Payment, kind: str) -> None:
    with policy.changed(APPROVAL_ABOVE_MINOR=100):
        answer = api.post(f"/billing/payments/{made.id}/{kind}", {"amount_minor": 9_800, "reason": "ill"}, world.finn)

    assert (answer.status, answer.json["status"]) == (202, "awaiting_approval")


@pytest.mark.parametrize("who", ["ann", "tom", "sue", "audrey"])
def test_nobody_else_gives_credit(api: Api, world: World, made: Payment, who: str) -> None:
    answer = api.post(f"/billing/payments/{made.id}/credits", {"reason": "ill"}, getattr(world, who))

    assert answer.status == 403


@pytest.mark.parametrize("status", ["failed", "refunded", "pending"])
def test_a_provider_payment_is_moved_by_nobody(api: Api, world: World, status: str) -> None:
    payment = bought(world)
    body = {"status": status, "reason": "I say so", "evidence": "seen"}

    answer = api.patch(f"/billing/payments/{payment.id}/status", body, world.finn)

    assert (answer.status, answer.code) == (409, "payment_of_provider")


def test_the_same_key_refunds_once(api: Api, world: World, made: Payment) -> None:
    path, body = f"/billing/payments/{made.id}/refunds", {"amount_minor": 100, "reason": "ill"}

    answers = [api.post(path, body, world.finn, key="once") for _ in range(2)]

    assert answers[0].json["id"] == answers[1].json["id"]
    assert len(api.get(path, world.finn).json["items"]) == 1
