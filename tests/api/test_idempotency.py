"""The same call twice is done once; key, effect and answer stand or fall together."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select, text

from guitaronline.api import endpoint
from guitaronline.audit.models import IdempotencyKey
from guitaronline.booking.models import Booking
from guitaronline.db import session
from tests.api.conftest import Api
from tests.concurrency import at_once
from tests.world import World, as_actor

HOLD = "/booking/hold"


def kept() -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(IdempotencyKey)) or 0


def bookings() -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(Booking)) or 0


def test_the_same_call_again_gets_the_first_answer_and_does_nothing(api: Api, booked: World) -> None:
    asked = {"slot_id": str(booked.slot().id)}
    first = api.post(HOLD, asked, booked.ann, key="k-1")
    again = api.post(HOLD, asked, booked.ann, key="k-1")

    assert (first.status, "Idempotency-Replayed" in first.headers) == (200, False)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert again.text == first.text
    assert bookings() == 1


def test_spelling_and_order_of_the_body_do_not_matter(api: Api, booked: World) -> None:
    slot, package = booked.slot(), booked.package()
    first = api.post(HOLD, {"slot_id": str(slot.id), "package_id": str(package.id)}, booked.ann, key="k-1")
    raw = f'{{ "package_id":"{package.id}" , "slot_id":"{slot.id}" }}'.encode()
    assert api.post(HOLD, raw=raw, who=booked.ann, key="k-1").text == first.text


def test_the_same_key_with_another_body_is_refused(api: Api, booked: World) -> None:
    api.post(HOLD, {"slot_id": str(booked.slot().id)}, booked.ann, key="k-1")
    refused = api.post(HOLD, {"slot_id": str(booked.slot(hours=70).id)}, booked.ann, key="k-1")
    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert bookings() == 1


def test_a_key_belongs_to_one_person_and_one_address(api: Api, booked: World) -> None:
    booked.package(booked.ben)
    anns = api.post(HOLD, {"slot_id": str(booked.slot().id)}, booked.ann, key="k-1")
    bens = api.post(HOLD, {"slot_id": str(booked.slot(hours=70).id)}, booked.ben, key="k-1")
    confirmed = api.post(f"/booking/{anns.json['id']}/confirm", who=booked.ann, key="k-1")
    assert [each.status for each in (anns, bens, confirmed)] == [200, 200, 200]
    assert "Idempotency-Replayed" not in confirmed.headers


def test_a_refusal_leaves_the_key_free(api: Api, world: World) -> None:
    asked = {"slot_id": str(world.slot().id)}
    refused = api.post(HOLD, asked, world.ann, key="k-1")
    world.package()
    done = api.post(HOLD, asked, world.ann, key="k-1")
    assert (refused.code, done.status) == ("no_lessons_left", 200)


def test_answers_of_every_kind_are_replayed(api: Api, world: World) -> None:
    asked = {"student_id": str(world.ann.id), "lessons_total": 5, "expires_at": None}
    made = [api.post("/billing/packages", asked, world.finn, key="k-1") for _ in range(2)]
    swept = [api.post("/billing/packages/expire", who=world.ada, key="k-2") for _ in range(2)]
    assert [each.status for each in made] == [201, 201]
    assert made[0].text == made[1].text
    assert [each.text for each in swept] == ["0", "0"]


@pytest.mark.parametrize("key", ["", "with space", "a" * 256, "é"])
def test_an_unfit_key_is_refused(api: Api, booked: World, key: str) -> None:
    refused = api.post(HOLD, {"slot_id": str(booked.slot().id)}, booked.ann, key=key)
    assert (refused.status, refused.code) == (422, "invalid_idempotency_key")


def test_two_at_once_hold_once(api: Api, booked: World) -> None:
    """Without the key the second would be refused as `slot_taken`; with it, it waits its turn or gets the answer."""
    asked = {"slot_id": str(booked.slot().id)}
    ann = as_actor(booked.ann)
    without = at_once(api.app, *[lambda: api.post(HOLD, asked, ann)] * 2)
    slot = {"slot_id": str(booked.slot(hours=70).id)}
    answers = at_once(api.app, *[lambda: api.post(HOLD, slot, ann, key="k-1")] * 4)

    assert sorted(each.status for each in without) == [200, 409]
    assert {each.code for each in answers} <= {"", "still_running"}
    assert len({each.text for each in answers if each.status == 200}) == 1
    assert bookings() == 2


def test_a_second_call_while_the_first_runs_is_told_to_wait(api: Api, booked: World) -> None:
    asked = {"slot_id": str(booked.slot().id)}
    ann = as_actor(booked.ann)
    inside, answered = threading.Event(), threading.Event()

    def dawdle(topics: Any) -> None:  # the lock of the key is held until the transaction ends
        inside.set()
        assert answered.wait(20)

    def first() -> Any:
        with _before_commit(dawdle):
            return api.post(HOLD, asked, ann, key="k-1")

    def second() -> Any:
        assert inside.wait(20)
        found = api.post(HOLD, asked, ann, key="k-1")
        answered.set()
        return found

    one, two = at_once(api.app, first, second)
    assert one.status == 200
    assert (two.status, two.code, two.headers["Retry-After"]) == (409, "still_running", "1")


def test_a_crash_leaves_nothing_half_claimed(api: Api, booked: World) -> None:
    asked = {"slot_id": str(booked.slot().id)}

    def crash(_: Any) -> None:
        session().execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with _before_commit(crash), pytest.raises(AssertionError):  # the client of the tests takes no 5xx
        api.post(HOLD, asked, booked.ann, key="k-1")
    assert (kept(), bookings()) == (0, 0)
    done = api.post(HOLD, asked, booked.ann, key="k-1")
    assert (done.status, kept(), bookings()) == (200, 1, 1)


class _before_commit:  # reads as a phrase
    """Something happens when all of the command is done but nothing is committed."""

    def __init__(self, happens: Any) -> None:
        self.happens = happens

    def __enter__(self) -> None:
        happens = self.happens
        self.claim_of = endpoint.claim_of

        def claim_of(actor: Any, body: Any, render: Any) -> Any:
            def rendered(result: Any) -> tuple[int, str]:
                found: tuple[int, str] = render(result)
                if threading.get_ident() == self.thread:
                    happens(result)
                return found

            return self.claim_of(actor, body, rendered)

        self.thread = threading.get_ident()
        endpoint.claim_of = claim_of  # the claim renders its answer just before the commit

    def __exit__(self, *_: object) -> None:
        endpoint.claim_of = self.claim_of  # type: ignore[assignment]
