"""/scheduling/teachers/me/time-off, as the contract says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from guitaronline.api.schemas.common import moment
from guitaronline.booking.models import Booking, BookingStatus
from tests.absences.conftest import HOUR, away, queue
from tests.api.conftest import Api
from tests.world import World

PATH = "/scheduling/teachers/me/time-off"


@pytest.fixture
def booked(world: World) -> Booking:
    world.package()
    return world.booking(world.slot(hours=48))


def times(world: World, first: float = 47, last: float = 50) -> dict[str, Any]:
    return {"start_at": moment(world.now + first * HOUR), "end_at": moment(world.now + last * HOUR)}


def decision(booking: Booking, word: str, **more: Any) -> dict[str, Any]:
    return {"booking_id": str(booking.id), "decision": word, **more}


def test_time_off_without_bookings_inside_is_simply_saved(api: Api, world: World) -> None:
    saved = api.post(PATH, {**times(world), "reason": "holidays"}, who=world.tom)

    assert saved.status == 201
    assert (saved.json["status"], saved.json["reason"]) == ("planned", "holidays")
    assert [each["id"] for each in api.get(PATH, who=world.tom).json["items"]] == [saved.json["id"]]
    assert api.get(PATH, who=world.tina).json["items"] == []


def test_the_bookings_inside_are_listed_until_each_is_decided(api: Api, world: World, booked: Booking) -> None:
    held = world.hold(world.slot(hours=49))

    asked = api.post(PATH, times(world), who=world.tom)
    partly = api.post(PATH, {**times(world), "decisions": [decision(booked, "later")]}, who=world.tom)

    assert (asked.status, asked.code) == (409, "decisions_needed")
    assert [each["booking_id"] for each in asked.json["errors"]] == [str(booked.id), str(held.id)]
    assert [each["booking_id"] for each in partly.json["errors"]] == [str(held.id)]
    assert queue(world) == set()

    both = [decision(booked, "later"), decision(held, "cancel")]
    assert api.post(PATH, {**times(world), "decisions": both}, who=world.tom).status == 201
    assert queue(world) == {booked.id}


def test_cancel_move_and_keep(api: Api, world: World, booked: Booking) -> None:
    start = booked.start_at
    kept, moved = (world.booking(world.slot(start_at=start + each * HOUR)) for each in (1, -1))
    target = world.slot(hours=60)
    decisions = [
        decision(booked, "cancel"),
        decision(kept, "keep"),
        decision(moved, "move", new_slot_id=str(target.id)),
    ]

    saved = api.post(PATH, {**times(world, 46), "decisions": decisions}, who=world.tom)

    assert saved.status == 201
    assert queue(world) == set()
    states = [world.again(each).status for each in (booked, kept, moved)]
    assert states == [BookingStatus.CANCELED, BookingStatus.CONFIRMED, BookingStatus.CANCELED]
    assert api.get(f"/booking/{booked.id}", who=world.ann).json["refund_returned"] is True


def test_wrong_decisions_are_the_requests_fault(api: Api, world: World, booked: Booking) -> None:
    foreign = world.booking(world.slot(world.tina, hours=60))

    def reasons(*decisions: Any) -> tuple[int, list[tuple[str, str]]]:
        said = api.post(PATH, {**times(world), "decisions": list(decisions)}, who=world.tom)
        return said.status, said.reasons

    later, place = decision(booked, "later"), "/decisions/1/booking_id"
    assert reasons(later, decision(foreign, "cancel")) == (422, [(place, "booking_not_affected")])
    assert reasons(later, {**later, "booking_id": str(uuid4())}) == (422, [(place, "booking_not_affected")])
    assert reasons(later, later) == (422, [(place, "decided_twice")])
    assert reasons(decision(booked, "move")) == (422, [("/decisions/0/new_slot_id", "slot_missing")])
    assert reasons(decision(booked, "hope")) == (422, [("/decisions/0/decision", "not_a_choice")])
    assert reasons({"decision": "later"})[0] == 422
    assert reasons("later")[0] == 422
    taken = decision(booked, "move", new_slot_id=str(foreign.slot_id))
    assert reasons(taken) == (409, [("/decisions/0/new_slot_id", "slot_taken")])
    assert queue(world) == set()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00", "2030-01-02T00:00:00"),
        ("9999-01-01T00:00:00Z", "9999-01-02T00:00:00Z"),
        ("9998-12-31T00:00:00Z", "9998-12-31T23:00:00Z"),
        ("2030-01-01T00:00:00Z", "2039-01-01T00:00:00Z"),
        (True, 7),
        (None, None),
    ],
)
def test_times_that_cannot_be(api: Api, world: World, start: Any, end: Any) -> None:
    assert api.post(PATH, {"start_at": start, "end_at": end}, who=world.tom).status == 422
    assert api.get(PATH, who=world.tom).json["items"] == []


def test_a_key_makes_one_of_two(api: Api, world: World) -> None:
    body, key = times(world), {"Idempotency-Key": "once-and-only-once"}

    first, second = (api.post(PATH, body, who=world.tom, headers=key) for _ in range(2))

    assert first.json == second.json
    assert len(api.get(PATH, who=world.tom).json["items"]) == 1


def test_called_off(api: Api, world: World, booked: Booking) -> None:
    off = away(world)
    assert queue(world) == {booked.id}

    answers = [api.call("DELETE", f"{PATH}/{each}", world.tom).status for each in (off.id, off.id, uuid4())]

    assert answers == [204, 204, 404]
    assert queue(world) == set()
    assert api.get(PATH, who=world.tom).json["items"] == []


def test_pages_follow_each_other(api: Api, world: World) -> None:
    ends: list[datetime] = [away(world, each, each + 1).end_at for each in (10, 20, 30)]

    first = api.get(f"{PATH}?limit=2", who=world.tom).json
    rest = api.get(f"{PATH}?limit=2&cursor={first['next_cursor']}", who=world.tom).json

    listed = [each["end_at"] for each in first["items"] + rest["items"]]
    assert (listed, rest["next_cursor"]) == ([moment(each) for each in reversed(ends)], None)
