"""A school that issues invoices, and what its people do with them."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.billing.invoices import queries
from guitaronline.billing.invoices.addresses import set_billing_address
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditNote, Invoice
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.sellers import set_seller
from guitaronline.billing.invoices.taxes import set_tax_rate
from guitaronline.billing.models import Package, Payment, Refund
from guitaronline.billing.service import refund_payment, settle_refund
from guitaronline.db import session
from guitaronline.identity.models import User
from tests.billing.books import is_refund, paid
from tests.world import World, as_actor

SELLER = Party(
    name="Example School GmbH",
    street="Long Street 6",
    postal_code="10115",
    city="Berlin",
    country="DE",
    tax_id="DE123456789",
)


def today(world: World) -> date:
    return school_day(world.now)


def opened(world: World, *, rate_bps: int = 1900, **more: Any) -> None:
    """The school issues invoices: a seller in Germany, with this rate there."""
    finn = as_actor(world.finn)
    set_tax_rate(finn, country="DE", rate_bps=rate_bps, valid_from=today(world))
    set_seller(finn, party=SELLER, **more)


def rate(world: World, country: str, rate_bps: int, **more: Any) -> None:
    set_tax_rate(as_actor(world.finn), country=country, rate_bps=rate_bps, **{"valid_from": today(world), **more})


def lives_in(world: World, person: User, country: str, **more: Any) -> None:
    party = Party(
        **{
            "name": person.full_name,
            "street": "Road 1",
            "postal_code": "1000",
            "city": "Town",
            **more,
            "country": country,
        }
    )
    set_billing_address(as_actor(world.sue), person.id, party=party)


def bought(world: World, amount_minor: int = 11_900, student: User | None = None, **more: Any) -> Payment:
    """A package of that price that was bought and paid."""
    package = ordered(world, amount_minor, student, **more)
    return paid(world, package, amount_minor, currency=package.currency)


def ordered(world: World, amount_minor: int = 11_900, student: User | None = None, **more: Any) -> Package:
    facts = {"lessons": 10, "origin": "purchase", "price_minor": amount_minor, "currency": "EUR", **more}
    return world.package(student, **facts)


def invoice_of(payment: Payment) -> Invoice:
    """As the database has it now."""
    session().rollback()
    found = queries.invoice_of(session(), payment.id)
    assert found is not None
    return found


def has_invoice(payment: Payment) -> bool:
    session().rollback()
    return queries.invoice_of(session(), payment.id) is not None


def given_back(world: World, payment: Payment, amount_minor: int) -> Refund:
    """Asked for and paid out."""
    finn = as_actor(world.finn)
    refund = is_refund(refund_payment(finn, payment.id, amount_minor=amount_minor, reason="goodwill"))
    return settle_refund(finn, refund.id, succeeded=True)


def credit_notes(payment: Payment) -> list[CreditNote]:
    invoice = invoice_of(payment)
    return queries.credit_notes_of(session(), [invoice.id])


def references(model: Any = Invoice) -> list[str]:
    session().rollback()
    return list(session().scalars(select(model.reference).order_by(model.reference)))


def by_id(model: Any, record_id: UUID) -> Any:
    session().rollback()
    return session().get(model, record_id)
