"""A provider that plays by a script: it keeps its own books, and answers each refund as the next line says.

`yes` pays out, `later` takes it on, `no` refuses, `fails` takes it and could not pay it out; `lost` pays out and its answer never
arrives, `silent` does nothing and never answers, `killed` pays out and the worker dies before it hears of it, `breaks` answers
what nobody understands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from guitaronline.actor import SYSTEM
from guitaronline.billing.facts import hear
from guitaronline.billing.models import Package, Payment, PaymentProvider
from guitaronline.billing.providers.base import (
    Checkout,
    FactKind,
    ProviderFact,
    ProviderRefused,
    ProviderUnknown,
)
from guitaronline.billing.purchasing import buy_plan
from guitaronline.billing.service import create_plan
from guitaronline.db import session
from tests.world import World, as_actor

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The worker is gone."""


@dataclass
class Scripted:
    """Its books: how each key ended. A key is paid out once, however often it is sent."""

    script: list[str] = field(default_factory=list)
    books: dict[str, ProviderFact] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    looked: int = 0
    is_closed: bool = False  # it answers no question, such as where our keys are not taken any more
    name: PaymentProvider = PaymentProvider.SANDBOX

    def refund(
        self, *, refund_id: UUID, payment_id: UUID, reference: str, amount_minor: int, currency: str, key: str
    ) -> ProviderFact | None:
        self.sent.append(key)
        line = self.script.pop(0)
        if line == "no":
            raise ProviderRefused(reason="charge_too_old")
        if line == "silent":
            raise ProviderUnknown()
        if line == "breaks":
            raise KeyError("status")
        kind = FactKind.REFUND_FAILED if line == "fails" else FactKind.REFUNDED
        made = self.books.setdefault(
            key,
            ProviderFact(
                f"evt_{key}",
                kind,
                AT,
                payment_id,
                reference,
                amount_minor,
                currency,
                refund_id,
                f"re_{key[:8]}{key[-6:]}",
            ),
        )
        if line == "later":
            return None
        if line == "lost":
            raise ProviderUnknown()
        if line == "killed":
            raise Killed()
        return made

    def look_up(
        self, *, payment_id: UUID, reference: str | None, checkout_reference: str | None = None
    ) -> Sequence[ProviderFact]:
        self.looked += 1
        if self.is_closed:
            raise ProviderRefused(reason="api_key_expired")
        return [fact for fact in self.books.values() if fact.payment_id == payment_id]

    def open_checkout(self, **_: object) -> Checkout:
        raise AssertionError("nobody pays here")

    def event_id_of(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> str:
        raise AssertionError("it writes no mail")

    def facts_in(self, raw: bytes) -> Sequence[ProviderFact]:
        raise AssertionError("it writes no mail")


def told(
    payment: Payment, kind: FactKind, number: int, amount_minor: int | None = None, **more: object
) -> ProviderFact:
    """What the provider says of the payment, as its event `number`."""
    amount = payment.amount_minor if amount_minor is None else amount_minor
    return ProviderFact(
        f"evt_{number}",
        kind,
        AT,
        payment.id,
        payment.external_reference or f"ch_{payment.id.hex[-8:]}",
        amount,
        payment.currency,
        **more,  # type: ignore[arg-type]
    )


def bought(world: World, *, lessons: int = 10, amount_minor: int = 49_000) -> Payment:
    """Ann's payment of a plan, through a provider that took the money."""
    name = f"{lessons} for {amount_minor}"
    plan = create_plan(as_actor(world.ada), name=name, lessons_total=lessons, amount_minor=amount_minor)
    purchase = buy_plan(as_actor(world.ann), plan_id=plan.id, provider=PaymentProvider.SANDBOX)
    hear(SYSTEM, purchase.payment.id, facts=[told(purchase.payment, FactKind.PAID, 1)])
    session().rollback()
    paid = session().get(Payment, purchase.payment.id, populate_existing=True)
    assert paid is not None
    return paid


def package_of(payment: Payment) -> Package:
    session().rollback()
    found = session().get(Package, payment.package_id, populate_existing=True)
    assert found is not None
    return found
