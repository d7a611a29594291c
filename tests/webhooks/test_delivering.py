"""From a booking to a partner's program: signed, once an event, again while it does not answer, and given up in the end."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from guitaronline.db import session, technical_transaction
from guitaronline.identity.models import Task
from guitaronline.unit_of_work import command_names
from guitaronline.webhooks import delivering, endpoints, queue, sending
from guitaronline.webhooks.models import DeliveryStatus, EndpointStatus, WebhookAttempt
from guitaronline.webhooks.planning import Happened, plan
from jobs.webhooks import deliver
from tests.concurrency import at_once
from tests.webhooks.conftest import WHY, Hooks


def signed_with(secret: str, headers: dict[str, str], body: bytes) -> str:
    """As a library of Standard Webhooks makes it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    made = hmac.new(b64decode(secret.removeprefix("whsec_")), signed, "sha256").digest()
    return "v1," + b64encode(made).decode()


def test_a_booking_is_told_signed_and_without_anybodys_name(hooks: Hooks) -> None:
    booking = hooks.booked()

    done = delivering.deliver_due(seconds=5)

    (headers, body), *others = hooks.partner.got
    told = json.loads(body)
    assert (done, others, hooks.delivery.status) == (1, [], DeliveryStatus.DELIVERED)
    assert headers["webhook-signature"] == signed_with(hooks.secret, headers, body)
    assert headers["webhook-id"] == str(hooks.delivery.id)
    assert told["type"] == "booking.confirmed"
    assert told["data"] == {
        "kind": "booking",
        "id": str(booking.id),
        "reference": booking.reference,
        "url": f"http://127.0.0.1:8000/api/v1/booking/{booking.id}",
    }
    assert set(told) == {"type", "timestamp", "data"}


def test_an_event_that_is_handled_twice_is_one_delivery(hooks: Hooks) -> None:
    hooks.booked()
    (first,) = hooks.deliveries()
    event = Happened(first.event_id, first.topic, first.record_type, first.record_id, first.occurred_at)

    again = plan(event)

    assert (again, len(hooks.deliveries())) == (0, 1)


def test_an_endpoint_hears_what_it_asked_for_and_nothing_else(hooks: Hooks) -> None:
    endpoints.edit_endpoint(hooks.ada, hooks.id, **hooks.wanted(topics=["payment.succeeded"]))

    hooks.booked()

    assert hooks.deliveries() == []


def test_what_is_refused_is_sent_again_later_with_the_same_id(hooks: Hooks) -> None:
    hooks.partner.answers = [500]
    hooks.booked()

    delivering.deliver_due(seconds=5)
    waits = hooks.delivery
    assert (waits.status, waits.last_answer, waits.attempts) == (DeliveryStatus.PENDING, "500", 1)
    hooks.due_now()
    delivering.deliver_due(seconds=5)

    ids = [headers["webhook-id"] for headers, _ in hooks.partner.got]
    assert ids == [str(hooks.delivery.id)] * 2
    assert hooks.delivery.status is DeliveryStatus.DELIVERED
    assert session().scalar(select(func.count(WebhookAttempt.id))) == 2


def test_the_last_attempt_that_fails_leaves_it_dead(hooks: Hooks) -> None:
    hooks.partner.answers = [503]
    hooks.booked()
    with technical_transaction() as current:
        current.execute(text("UPDATE webhook_deliveries SET attempts = 6"))

    delivering.deliver_due(seconds=5)

    assert (hooks.delivery.status, hooks.delivery.attempts) == (DeliveryStatus.DEAD, 7)


def test_one_that_kills_its_worker_each_time_runs_out(hooks: Hooks) -> None:
    hooks.booked()
    with technical_transaction() as current:
        current.execute(text("UPDATE webhook_deliveries SET attempts = 7"))

    delivering.deliver_due(seconds=5)

    assert (hooks.delivery.status, hooks.delivery.last_answer) == (DeliveryStatus.DEAD, "attempts_used_up")
    assert hooks.partner.got == []


def test_a_redirect_is_not_followed(hooks: Hooks) -> None:
    hooks.partner.answers, hooks.partner.location = [307], hooks.partner.url
    hooks.booked()

    delivering.deliver_due(seconds=5)

    assert (len(hooks.partner.got), hooks.delivery.last_answer) == (1, "307")


def test_an_endpoint_that_is_gone_is_disabled_and_its_owner_has_a_task(hooks: Hooks, db: Session) -> None:
    hooks.partner.answers = [410]
    hooks.booked()

    delivering.deliver_due(seconds=5)

    task = session().scalars(select(Task)).one()
    assert (hooks.endpoint.status, hooks.endpoint.disabled_because) == (EndpointStatus.DISABLED, delivering.GONE)
    assert (task.owner_id, task.record_id) == (hooks.world.ada.id, hooks.id)


@pytest.mark.parametrize(("days", "given_up"), [(4.9, 0), (5.1, 1)])
def test_an_endpoint_that_fails_for_five_days_is_given_up(hooks: Hooks, days: float, given_up: int) -> None:
    hooks.partner.answers = [500]
    hooks.booked()
    delivering.deliver_due(seconds=5)
    with technical_transaction() as current:
        long = {"long": timedelta(days=days)}
        current.execute(text("UPDATE webhook_health SET failing_since = clock_timestamp() - :long"), long)

    done = delivering.give_up()

    assert done == given_up
    assert hooks.endpoint.status is (EndpointStatus.DISABLED if given_up else EndpointStatus.ACTIVE)


def test_what_waits_at_a_disabled_endpoint_goes_when_it_is_enabled(hooks: Hooks) -> None:
    hooks.booked()
    endpoints.disable_endpoint(hooks.ada, hooks.id, **WHY)
    while_disabled = deliver()
    hooks.booked(hours=60)
    endpoints.enable_endpoint(hooks.ada, hooks.id, **WHY)

    deliver()

    assert while_disabled == 0
    assert [each.status for each in hooks.deliveries()] == [DeliveryStatus.DELIVERED]


def test_two_secrets_sign_while_one_replaces_the_other(hooks: Hooks) -> None:
    told = endpoints.rotate_secret(hooks.ada, hooks.id, overlap_hours=24, **WHY)
    hooks.booked()

    delivering.deliver_due(seconds=5)

    (headers, body), *_ = hooks.partner.got
    signatures = headers["webhook-signature"].split(" ")
    assert signatures == [signed_with(each, headers, body) for each in (told.secret, hooks.secret)]


def test_without_an_overlap_the_old_secret_signs_no_more(hooks: Hooks) -> None:
    told = endpoints.rotate_secret(hooks.ada, hooks.id, overlap_hours=0, **WHY)
    hooks.booked()

    delivering.deliver_due(seconds=5)

    (headers, body), *_ = hooks.partner.got
    assert headers["webhook-signature"] == signed_with(told.secret, headers, body)


def test_who_lost_the_lease_changes_nothing(hooks: Hooks) -> None:
    hooks.booked()
    slow = queue.claim()
    assert slow is not None
    with technical_transaction() as current:
        current.execute(text("UPDATE webhook_deliveries SET lease_until = clock_timestamp() - interval '1 second'"))
    delivering.deliver_due(seconds=5)

    queue.record(slow, sending.Outcome("500", 1))

    assert (hooks.delivery.status, hooks.delivery.last_answer) == (DeliveryStatus.DELIVERED, "200")


def test_while_one_is_on_its_way_the_others_of_its_endpoint_wait(hooks: Hooks) -> None:
    hooks.booked()
    hooks.booked(hours=60)

    first, second = queue.claim(), queue.claim()

    assert first is not None
    assert second is None


SLOW = ", pg_sleep(0.3)"  # both look before either has committed


@pytest.mark.parametrize(("guard", "claims"), [("FOR UPDATE SKIP LOCKED", 1), ("", 2)])
def test_two_hands_take_one_delivery_once_and_without_the_lock_twice(
    app: Flask, hooks: Hooks, monkeypatch: pytest.MonkeyPatch, guard: str, claims: int
) -> None:
    hooks.booked()
    statement = queue.CLAIM.text.replace("FOR UPDATE SKIP LOCKED", guard) + SLOW
    monkeypatch.setattr(queue, "CLAIM", text(statement))

    found = at_once(app, queue.claim, queue.claim)

    assert len([each for each in found if each is not None]) == claims


def test_the_secret_stands_nowhere_in_clear(hooks: Hooks, db: Session) -> None:
    kept = hooks.secret.removeprefix("whsec_")
    rows = db.execute(text("SELECT e::text FROM webhook_endpoints e UNION ALL SELECT c::text FROM audit_changes c"))

    assert [row[0] for row in rows if kept in row[0]] == []
    assert {"webhook.create", "webhook.rotate_secret", "webhook.replay"} <= command_names
