"""/billing: buying a plan, paying for it, and what providers tell of payments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Response, request

from guitaronline import doorbell, unit_of_work
from guitaronline.actor import Actor
from guitaronline.api.billing import resource
from guitaronline.api.endpoint import JSON, PUBLIC, Answer, may
from guitaronline.api.json import dumps
from guitaronline.api.schemas.billing import CheckoutOut, PurchaseNew, PurchaseOut, checkout_json, purchase_json
from guitaronline.billing import service
from guitaronline.billing.invoices.refusals import NoticeUnknown
from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.provider_models import PaymentCheckout
from guitaronline.billing.providers.base import BadSignature
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import AlreadyAnswered


@resource.endpoint(
    "POST",
    "/packages/purchase",
    Answer(201, PurchaseOut, purchase_json, words="Waits for its money; the page to pay on stands in the answer"),
    who=may(Permission.BUY),
    body=PurchaseNew,
    keyed=True,
    refuses=(
        service.PlanNotOnSale,
        service.PlanCostsNothing,
        service.ProviderNotOffered,
        service.StudentInactive,
        service.TrialUsed,
        NoticeUnknown,
        NotFound,
    ),
)
def purchase(actor: Actor, body: dict[str, Any]) -> service.Purchase:
    """Buy a plan; its lessons are there once it is paid"""
    try:
        bought = service.buy_plan(actor, **body)
    except AlreadyAnswered as before:
        raise AlreadyAnswered(before.status, with_page(actor, before.answer)) from None
    if bought.checkout is None:
        return bought
    with unkeyed():
        return replace(bought, checkout=service.open_page(bought.payment.id))


@resource.endpoint(
    "POST",
    "/payments/<uuid:payment_id>/checkout",
    Answer(201, CheckoutOut, checkout_json),
    who=may(Permission.OPEN_CHECKOUT),
    refuses=(service.NothingToPay, service.PaidByHand),
)
def checkout(actor: Actor, payment_id: UUID) -> PaymentCheckout:
    """Get the page where a payment can be paid, a new one where the last has expired or could not be opened"""
    return service.want_page(actor, payment_id)


@resource.endpoint(
    "POST",
    "/webhooks/<provider>",
    Answer(200, words="Stored; it is applied at once afterwards"),
    who=PUBLIC,
    raw=True,
    refuses=(BadSignature,),
)
def webhook(actor: Actor, provider: str) -> Response:
    """For payment providers: a signed event"""
    if provider not in list(PaymentProvider):
        raise NotFound()
    service.receive(PaymentProvider(provider), request.get_data(cache=False), dict(request.headers))
    doorbell.ring({"provider_event.received"})
    return Response(status=200, content_type=JSON)


def with_page(actor: Actor, answer: str) -> str:
    """The first answer to a purchase was kept before its page was opened: the page is added, as it is now."""
    said: dict[str, Any] = json.loads(answer)
    payment_id = UUID(said["payment"]["id"])
    try:
        with unkeyed():
            page = service.want_page(actor, payment_id)
    except (service.NothingToPay, service.PaidByHand):
        return answer
    return dumps({**said, **checkout_json(page)})


@contextmanager
def unkeyed() -> Iterator[None]:
    """What follows is a command of its own, and not what the request's Idempotency-Key stands for."""
    token = unit_of_work.request.set(replace(unit_of_work.request.get(), claim=None))
    try:
        yield
    finally:
        unit_of_work.request.reset(token)
