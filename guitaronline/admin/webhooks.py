"""Webhooks: where partners are told, and what came of every delivery."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask
from sqlalchemy import literal
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import exported_rights, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk, ListFilter
from guitaronline.admin.command_page import button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, Days, State, Whose, contains
from guitaronline.admin.record_page import Page, Section, actions_of, facts, rows, whole
from guitaronline.admin.webhook_commands import CreateEndpoint
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.webhooks import again, queue
from guitaronline.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookHealth,
)
from guitaronline.webhooks.topics import RECORDS, TOPICS

TROUBLE = {
    "timeout": "no answer in time",
    "no_connection": "could not be reached",
    "no_answer": "what it answered is no HTTP",
    "tls": "its certificate is not good",
    "address_refused": "its name leads to an address inside a network",
    "secret_unreadable": "the secret cannot be opened with the keys of this installation",
}
MEANINGS = {
    DeliveryStatus.PENDING: "goes by itself, again and again for a day",
    DeliveryStatus.DELIVERED: "it was taken",
    DeliveryStatus.DEAD: "nothing more is tried unless somebody sends it again",
}
FAILING = Ahead[UUID, Any]("failing_webhooks", lambda ids: queue.failing_since(session(), list(ids)))


def health(endpoint: WebhookEndpoint) -> Any:
    since = FAILING.of(endpoint.id)
    return show.html("failing since {}", show.stamp(since)) if since else show.NOTHING


def answer(said: str | None) -> Any:
    return show.text(TROUBLE.get(said, said) if said else None)


def state(delivery: WebhookDelivery) -> Any:
    return show.chip(delivery.status, MEANINGS[delivery.status])


def event(delivery: WebhookDelivery) -> Any:
    return show.link_to("webhook_deliveries", delivery.id, delivery.topic)


def record_of(delivery: WebhookDelivery) -> Any:
    words = f"{RECORDS[delivery.record_type].kind} …{str(delivery.record_id)[-6:]}"
    return show.link_to(delivery.record_type, delivery.record_id, words)


class EndpointsDesk(Desk):
    model_of = WebhookEndpoint
    path = "webhooks"
    title = "Webhooks"
    one = "Webhooks to"
    permission = Permission.READ_SETTINGS
    intro = (
        "Programs of partners that are told of bookings, lessons and payments, signed, with ids and references only."
    )
    empty = "No partner is told anything yet."
    search_words = "Name"
    columns = (
        Column("name", "Partner", show.link, sort=WebhookEndpoint.name),
        Column("url", "Address", lambda each: show.html("<code>{}</code>", each.url)),
        Column("topics", "Hears", lambda each: f"{len(each.topics)} of {len(TOPICS)} events"),
        Column("status", "State", show.state),
        Column("failing_since", "Trouble", health),
        Column("owner", "Looked after by", lambda each: show.link(each.owner)),
        Column("id", "Since", lambda each: show.stamp(each.created_at), sort=WebhookEndpoint.id),
    )
    filters = (
        State(WebhookEndpoint.status, EndpointStatus),
        Choice("topic", "Hears", list(TOPICS), lambda value: literal(value) == WebhookEndpoint.topics.any_()),
    )
    exported = exported_rights.WEBHOOKS
    default_order = (WebhookEndpoint.id, True)
    load = (joinedload(WebhookEndpoint.owner),)
    row_actions = staticmethod(buttons_of)

    def prepare_rows(self, rows: list[Any]) -> None:
        FAILING.look(each.id for each in rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [contains(WebhookEndpoint.name, words)]

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(CreateEndpoint))]}

    def record_page(self, endpoint: Any) -> dict[str, Any]:
        known = session().get(WebhookHealth, endpoint.id)
        listed = flask.url_for("desk_webhook-deliveries.index_view", partner=endpoint.id)
        found = facts(
            ("Address", show.html("<code>{}</code>", endpoint.url)),
            ("Looked after by", show.link(endpoint.owner)),
            ("Disabled because", endpoint.disabled_because),
            ("Failing since", show.when(known.failing_since) if known and known.failing_since else None),
            ("Last taken", show.when(known.last_delivered_at) if known and known.last_delivered_at else "never"),
            ("Former secret signs until", show.when(endpoint.former_until) if endpoint.former_until else None),
            ("Deliveries", show.html('<a href="{}">all of them</a>', listed)),
        )
        hears = rows(endpoint.topics, str, lambda topic: TOPICS.get(topic, "not known any more"))
        sections = [Section("Hears", ("Event", "When"), hears)]
        return whole(endpoint, Page(found, state=show.state(endpoint), sections=sections))


class Topic(ListFilter):
    """The event or its beginning: `booking.canceled`, `payment`."""

    def clause(self, value: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = WebhookDelivery.topic.startswith(value.lower(), autoescape=True)
        return condition


class DeliveriesDesk(Desk):
    model_of = WebhookDelivery
    path = "webhook-deliveries"
    title = "Webhook deliveries"
    one = "Delivery"
    permission = Permission.READ_SETTINGS
    intro = "What partners were told, what they answered, and what is still on its way. Kept for 90 days."
    empty = "No partner was told anything yet."
    columns = (
        Column("occurred_at", "Happened", lambda each: show.stamp(each.occurred_at), sort=WebhookDelivery.occurred_at),
        Column("topic", "Event", event),
        Column("endpoint", "Partner", lambda each: show.link(each.endpoint)),
        Column("record", "Record", record_of),
        Column("status", "State", state),
        Column("attempts", "Attempts", lambda each: each.attempts, is_number=True),
        Column("last_answer", "Answer", lambda each: answer(each.last_answer)),
        Column("closed_at", "Ended", lambda each: show.stamp(each.closed_at)),
    )
    filters = (
        State(WebhookDelivery.status, DeliveryStatus),
        Topic("topic", "Event"),
        Days("day", "Day", WebhookDelivery.occurred_at, is_past=True),
        Whose("partner", "Partner", WebhookDelivery.endpoint_id, WebhookEndpoint),
    )
    exported = exported_rights.WEBHOOK_DELIVERIES
    default_order = (WebhookDelivery.occurred_at, True)
    load = (joinedload(WebhookDelivery.endpoint),)
    row_actions = staticmethod(buttons_of)
    page_title = staticmethod(lambda delivery: delivery.topic)

    def record_page(self, delivery: Any) -> dict[str, Any]:
        tried = session().scalars(again.attempts_of(delivery.id, WebhookAttempt))
        table = rows(
            tried,
            lambda each: show.when(each.at),
            lambda each: answer(each.answer),
            lambda each: f"{each.milliseconds} ms",
        )
        found = facts(
            ("Partner", show.link(delivery.endpoint)),
            ("Record", record_of(delivery)),
            ("Happened", show.when(delivery.occurred_at)),
            ("webhook-id", show.html("<code>{}</code>", delivery.id)),
            ("Attempts", delivery.attempts),
            ("Next", show.when(delivery.due_at) if delivery.status is DeliveryStatus.PENDING else None),
            ("Ended", show.when(delivery.closed_at)),
            ("Body", show.html("<code>{}</code>", delivery.body)),
        )
        return {
            "facts": found,
            "state": state(delivery),
            "sections": [Section("Attempts", ("When", "Answer", "Took"), table, "Not tried yet.")],
            "actions": actions_of(buttons_of(delivery)),
        }
