"""The inbox of payment providers, and the payments about which they are asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Choice, Days, State
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing import asking, queries, service
from guitaronline.billing.models import Payment, PaymentProvider
from guitaronline.billing.provider_models import EventStatus, ProviderEvent
from guitaronline.db import session
from guitaronline.identity.access import Permission

MEANINGS = {
    EventStatus.RECEIVED: "waits for its turn",
    EventStatus.APPLIED: "has had its effect",
    EventStatus.PARKED: "too early; tried again by itself",
    EventStatus.IGNORED: "nothing in it for the school",
    EventStatus.DEAD: "somebody has to look",
}


def event_state(event: ProviderEvent) -> Any:
    return show.chip(event.status, MEANINGS[event.status])


def event_title(event: ProviderEvent) -> str:
    return f"{show.word(event.provider)} {event.event_id}"


def payment_link(event: ProviderEvent) -> Any:
    payment = session().get(Payment, event.payment_id) if event.payment_id else None
    return show.link(payment)


class ProviderEventsDesk(Desk):
    model_of = ProviderEvent
    path = "provider-events"
    title = "Provider events"
    one = "Provider event:"
    permission = Permission.READ_PAYMENTS
    intro = "What payment providers told us, as it came. Each is stored first and has its effect a moment later."
    empty = "No provider has told us anything yet."
    search_words = "The provider's event id"
    columns = (
        Column("id", "Received", lambda each: show.stamp(each.received_at), sort=ProviderEvent.id),
        Column("event_id", "Event", lambda each: show.link(each, each.event_id)),
        Column("provider", "Provider", lambda each: show.word(each.provider)),
        Column("said", "It says", lambda each: show.text(each.said)),
        Column("status", "State", event_state),
        Column("attempts", "Attempts", lambda each: each.attempts, is_number=True),
        Column("last_error", "Why", lambda each: show.text(each.last_error)),
    )
    filters = (
        State(ProviderEvent.status, EventStatus),
        Choice("provider", "Provider", list(PaymentProvider), lambda value: ProviderEvent.provider == value),
        Days("received", "Received", ProviderEvent.received_at, is_past=True),
    )
    exported = exported.PROVIDER_EVENTS
    default_order = (ProviderEvent.id, True)
    row_actions = staticmethod(buttons_of)
    page_title = staticmethod(event_title)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [
            (ProviderEvent.provider == provider) & (ProviderEvent.event_id == words) for provider in PaymentProvider
        ]

    def record_page(self, event: Any) -> dict[str, Any]:
        found = facts(
            ("Payment", payment_link(event)),
            ("It says", event.said),
            ("Received", show.when(event.received_at)),
            ("Attempts", event.attempts),
            ("Tried again", show.when(event.available_at) if event.status in service.UNDECIDED else None),
            ("Closed", show.when(event.closed_at)),
            ("Why", event.last_error),
        )
        return whole(event, Page(found, state=event_state(event)))


class RetryEvent(CommandPage):
    record = ProviderEvent
    path = "provider-events/<uuid:id>/retry"
    title = "Try again"
    permission = Permission.EDIT_PAYMENTS
    form = forms.MaybeReasonForm
    lead = "The event is applied again within seconds. Told twice, it changes nothing twice."

    def back(self, record: Any) -> tuple[str, str]:
        return event_title(record), super().back(record)[1]

    def refused_because(self, record: Any) -> str | None:
        return "It has had its effect." if record.status is EventStatus.APPLIED else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Until now", show.text(record.last_error)), ("Payment", payment_link(record))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.retry_event(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("It is tried again within seconds.", show.record_url("provider_events", result.id) or "")


class AskProvider(CommandPage):
    record = Payment
    path = "payments/<uuid:id>/ask"
    title = "Ask the provider"
    button = "Ask"
    permission = Permission.EDIT_PAYMENTS
    form = forms.MaybeReasonForm
    is_rare = True
    lead = "The provider is asked within a minute for all it knows about this payment, and that is applied."

    def refused_because(self, record: Any) -> str | None:
        return "It is paid by hand: there is nobody to ask." if record.provider is PaymentProvider.MANUAL else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.ask_soon(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The provider is asked within a minute.", show.record_url("payments", result.id) or "")


def told_section(payment: Payment) -> Section:
    """What the provider said about the payment."""
    table = rows(
        reversed(queries.facts_of(session(), payment.id)),
        lambda each: show.when(each.at),
        lambda each: show.word(each.kind),
        lambda each: show.money(each.amount_minor, each.currency) if each.currency else show.NOTHING,
        lambda each: show.text(each.reference),
        lambda each: show.text(each.detail),
    )
    empty = "Nothing so far." if payment.provider is not PaymentProvider.MANUAL else "It is paid by hand."
    return Section("What the provider said", ("When", "What", "Amount", "Its payment", "In words"), table, empty)


def checkout_facts(payment: Payment) -> list[tuple[str, Any]]:
    """Where it can be paid, and when the provider is asked next."""
    checkout = queries.checkout_of(session(), payment.id)
    if checkout is None:
        return []
    waits = asking.asking_of(session(), payment.id)
    is_open = checkout.url is not None and waits is not None
    return [
        ("Page to pay on", show.text(checkout.url) if is_open else None),
        ("The page expires", show.when(checkout.expires_at) if is_open else None),
        ("Why there is no page", show.word(checkout.problem) if checkout.problem else None),
        ("Lapsed", show.when(checkout.lapsed_at) if checkout.lapsed_at else None),
        ("Provider is asked", show.when(waits.ask_at) if waits else None),
        ("No answer since", show.when(waits.unknown_since) if waits and waits.unknown_since else None),
    ]


commands.add(AskProvider, RetryEvent)
