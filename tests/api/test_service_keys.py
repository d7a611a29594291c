"""What a partner's program reaches with a service key: every route × every scope, against a table written by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.actor import Actor, Role
from guitaronline.api.endpoint import Who
from guitaronline.api.schemas.common import moment
from guitaronline.audit.models import AuditAction
from guitaronline.db import new_id, session
from guitaronline.identity.access import KeyScope, granted_by
from guitaronline.identity.service_keys import create_service_key, revoke_service_key
from tests.api.conftest import Answer, Api
from tests.world import World, as_actor

SOMETHING = "01900000-0000-7000-8000-000000000000"
REACHED = {  # scope → the routes that need one and that a key with this one alone gets into
    KeyScope.BOOKINGS_READ: {"GET /booking/{booking_id}", "GET /lessons/{lesson_id}"},
    KeyScope.BOOKINGS_WRITE: {
        "POST /booking/{booking_id}/confirm",
        "POST /booking/{booking_id}/decline",
        "POST /booking/{booking_id}/cancel",
        "GET /booking/{booking_id}/cancel/preview",
        "POST /booking/{booking_id}/reschedule",
        "GET /booking/{booking_id}/reschedule/preview",
        "DELETE /booking/waitlist/{entry_id}",
    },
    KeyScope.SLOTS_WRITE: {"POST /scheduling/slots"},
    KeyScope.LESSONS_WRITE: {
        "PATCH /lessons/{lesson_id}",
        "POST /lessons/{lesson_id}/complete",
        "POST /lessons/{lesson_id}/no-show",
    },
    KeyScope.PACKAGES_READ: {
        "GET /billing/packages/students/{student_id}",
        "GET /billing/packages/{package_id}/entries",
    },
    KeyScope.PACKAGES_GRANT: {"POST /billing/packages"},
    KeyScope.PAYMENTS_READ: {
        "GET /billing/payments/{payment_id}",
        "GET /billing/payments/{payment_id}/refunds",
        "GET /billing/payments/students/{student_id}",
        "GET /billing/payments/{payment_id}/receipt.pdf",
        "GET /billing/invoices/{invoice_id}",
        "GET /billing/invoices/{invoice_id}.pdf",
        "GET /billing/credit-notes/{credit_note_id}.pdf",
        "GET /billing/credit-notes/cancellations/{cancellation_id}.pdf",
    },
    KeyScope.FIGURES_READ: {"GET /admin/kpi/overview", "GET /admin/ops/overview"},
}
FOR_BOTH = {"GET /admin/kpi/sales"}  # figures of money: figures:read with payments:read
METHODS = ("get", "post", "patch", "put", "delete")


def key_of(world: World, *scopes: KeyScope) -> str:
    why = "a partner asked"
    return create_service_key(as_actor(world.ada), name="Acme", scopes=scopes, days=30, reason=why).whole


def call(api: Api, key: str, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    return api.call(method, path, body=body, headers=headers, **more)


def closed_routes(documented: dict[str, Any]) -> list[str]:
    """Those that need somebody."""
    return [
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in documented["paths"].items()
        for method in item
        if method in METHODS and item[method]["security"]
    ]


def who_of(app: Flask, name: str) -> Who:
    method, _, path = name.partition(" ")
    with app.test_request_context(f"/api/v1{about_nothing(path)}", method=method) as context:
        found: Who = app.view_functions[context.request.endpoint or ""].who  # type: ignore[attr-defined]
    return found


def about_nothing(path: str) -> str:
    return "".join(SOMETHING if part.endswith("_id") else part for part in path.replace("{", "}").split("}"))


@pytest.mark.parametrize("scope", KeyScope)
def test_a_key_is_admitted_to_the_routes_of_its_scope_and_no_others(
    app: Flask, documented: dict[str, Any], scope: KeyScope
) -> None:
    program = Actor(new_id(), Role.SERVICE, granted_by([scope]))

    admitted = {name for name in closed_routes(documented) if who_of(app, name).admits(program)}

    assert admitted == REACHED[scope]


def test_a_key_for_everything_gets_into_these_and_is_refused_everywhere_else(
    api: Api, world: World, documented: dict[str, Any]
) -> None:
    key = key_of(world, *KeyScope)

    answers = {name: _answered(api, key, name) for name in closed_routes(documented)}

    assert len(answers) > 50
    assert {name for name, status in answers.items() if status != 403} == set().union(*REACHED.values()) | FOR_BOTH
    assert 401 not in answers.values()


def _answered(api: Api, key: str, name: str) -> int:
    method, _, path = name.partition(" ")
    return call(api, key, method, about_nothing(path), {} if method in ("POST", "PATCH", "PUT") else None).status


@pytest.fixture
def key(booked: World) -> str:
    return key_of(booked, *KeyScope)


def test_a_program_cancels_for_the_student_by_the_students_rule(api: Api, booked: World, key: str) -> None:
    booking = booked.booking(booked.slot(hours=10))

    answer = call(api, key, "POST", f"/booking/{booking.id}/cancel", {"reason": "asked in the partner's app"})
    named = call(api, key, "POST", f"/booking/{booking.id}/cancel", {"reason": "x", "cause": "school"})

    assert (answer.status, answer.json["status"], answer.json["refund_returned"]) == (200, "canceled", False)
    assert answer.json["decision"]["cause"] == "student"
    assert (named.status, named.reasons) == (422, [("/cause", "cause_not_allowed")])


def test_what_a_program_does_stands_in_the_audit_under_its_key(api: Api, booked: World, key: str) -> None:
    held = booked.hold(booked.slot())

    answer = call(api, key, "POST", f"/booking/{held.id}/confirm")

    action = session().scalars(select(AuditAction).order_by(AuditAction.id.desc()).limit(1)).one()
    key_id = session().scalar(text("SELECT id FROM service_keys"))
    assert answer.status == 200
    assert (action.name, action.actor_kind, action.actor_id) == ("booking.confirm", "service", key_id)


def test_each_kind_of_change_can_be_written_by_a_program(api: Api, booked: World, key: str) -> None:
    booking = booked.booking(booked.slot(hours=60))
    lesson = session().scalar(text("SELECT id FROM lessons"))
    package = {"student_id": str(booked.ann.id), "lessons_total": 3, "expires_at": None}
    start = booked.now + timedelta(days=40)
    slot = {"teacher_id": str(booked.tom.id), "start_at": moment(start), "end_at": moment(start + timedelta(hours=1))}
    later = {"new_slot_id": str(booked.slot(hours=80).id)}

    answers = [
        call(api, key, "POST", "/billing/packages", package).status,
        call(api, key, "POST", "/scheduling/slots", slot).status,
        call(api, key, "PATCH", f"/lessons/{lesson}", {"topic": "Scales"}).status,
        call(api, key, "POST", f"/booking/{booking.id}/reschedule", later).status,
    ]

    assert answers == [201, 201, 200, 200]


def test_the_same_call_with_the_same_idempotency_key_is_answered_from_memory(api: Api, booked: World, key: str) -> None:
    package = {"student_id": str(booked.ann.id), "lessons_total": 3, "expires_at": None}
    once = {"Idempotency-Key": "once"}

    first = call(api, key, "POST", "/billing/packages", package, headers=once)
    again = call(api, key, "POST", "/billing/packages", package, headers=once)
    others = call(api, key_of(booked, *KeyScope), "POST", "/billing/packages", package, headers=once)

    assert (again.text, again.headers["Idempotency-Replayed"]) == (first.text, "true")
    assert others.json["id"] != first.json["id"]


def test_a_program_is_shown_no_private_note(api: Api, booked: World, key: str) -> None:
    booked.booking(booked.slot())
    lesson = session().scalar(text("SELECT id FROM lessons"))
    answer = call(api, key, "GET", f"/lessons/{lesson}")

    assert answer.status == 200
    assert not answer.json.get("private_note")


def test_a_revoked_key_is_refused_from_the_next_call_on(api: Api, booked: World, key: str, db: Session) -> None:
    before = call(api, key, "GET", f"/booking/{new_id()}")
    revoke_service_key(
        as_actor(booked.ada), db.execute(text("SELECT id FROM service_keys")).scalar_one(), reason="lost"
    )

    after = call(api, key, "GET", f"/booking/{new_id()}")

    assert (before.status, after.status, after.code) == (404, 401, "invalid_token")


@pytest.mark.parametrize("wrong", ["gok_", "gok_01234567_nothing", "gok_" + "x" * 150])
def test_a_key_that_never_was_is_refused_as_any_bad_token(api: Api, wrong: str) -> None:
    answer = call(api, wrong, "GET", "/booking/my")

    assert (answer.status, answer.code) == (401, "invalid_token")
