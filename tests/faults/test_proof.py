"""What the proof of `make faults` looks for: a write that is acknowledged and lost, and one that nobody was told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from bench.faults import proof
from bench.faults.proof import Acks
from guitaronline.actor import Role
from guitaronline.identity.tokens import login
from tests.world import PASSWORD, World

Ack = dict[str, Any]


@pytest.fixture
def held(world: World, app: Flask) -> Callable[[str], Ack]:
    """Una holds a slot under that key; what her app writes down of it."""
    una = world.person("Una", Role.STUDENT, password=PASSWORD)
    world.package(una, lessons=5)
    token = login(una.email or "", PASSWORD).access_token

    def hold(key: str) -> Ack:
        slot = str(world.slot(hours=50 + 2 * len(key)).id)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        answer = app.test_client().post("/api/v1/booking/hold", json={"slot_id": slot}, headers=headers)
        assert answer.status_code == 200
        return {
            "op": "hold",
            "key": key,
            "person": str(una.id),
            "path": "/booking/hold",
            "status": 200,
            "text": answer.text,
            "slot": slot,
        }

    return hold


def test_what_was_acknowledged_and_is_there_is_no_finding(owner: Connection, held: Callable[[str], Ack]) -> None:
    acks = Acks([held("a"), held("bb")])

    assert [*proof.lost(owner, acks), *proof.untold(owner, acks)] == []


def test_an_acknowledged_booking_that_is_not_there_misses_every_row(
    owner: Connection, held: Callable[[str], Ack], world: World
) -> None:
    ack = held("a")
    lost = {**ack, "key": "b", "text": json.dumps({**json.loads(ack["text"]), "id": str(world.ann.id)})}

    found = proof.lost(owner, Acks([ack, lost]))

    missing = [each.partition(" is missing")[0] for each in found]
    assert missing == [
        "acknowledged, and the answer under its key",
        "acknowledged, and the booking",
        "acknowledged, and the entry in the ledger",
        "acknowledged, and the action in the audit",
        "acknowledged, and the news in the outbox",
    ]


def test_a_booking_that_nobody_was_told_of_is_found(owner: Connection, held: Callable[[str], Ack], db: Session) -> None:
    told = Acks([held("a")])
    held("bb")

    assert proof.lost(owner, told) == []
    assert [each.partition(":")[0] for each in proof.untold(owner, told)] == ["done, and nobody was told"]
