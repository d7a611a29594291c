"""What purchases need in tests: a plan, a purchase of it, facts that a provider tells, and where all of them end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline import policy
from guitaronline.actor import SYSTEM
from guitaronline.billing import facts, queries, settling
from guitaronline.billing.facts import Heard, hear
from guitaronline.billing.inbox import claim, receive, take
from guitaronline.billing.models import Package, Payment, PaymentProvider, Plan
from guitaronline.billing.provider_models import PaymentException, ProviderEvent
from guitaronline.billing.providers import FactKind, ProviderFact, sandbox, signatures
from guitaronline.billing.sandbox_post import SIGNATURE
from guitaronline.billing.service import Purchase, buy_plan, create_plan
from guitaronline.clock import read
from guitaronline.db import new_id, session
from guitaronline.errors import Conflict
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command
from tests.world import World, as_actor

PRICE = 49_000


def plan(world: World, **more: Any) -> Plan:
    facts_ = {"name": "Ten lessons", "lessons_total": 10, "amount_minor": PRICE, "valid_days": 180, **more}
    return create_plan(as_actor(world.ada), **facts_)


def bought(world: World, offer: Plan | None = None, student: User | None = None, **more: Any) -> Purchase:
    """Ann has bought the plan (ten lessons) and not paid."""
    return buy_plan(as_actor(student or world.ann), plan_id=(offer or plan(world)).id, **more)


def fact(payment: Payment, kind: FactKind = FactKind.PAID, event_id: str = "evt_1", **more: Any) -> ProviderFact:
    """What a provider says about the payment; of the whole amount, unless told otherwise."""
    usual = {
        "at": payment.created_at + timedelta(minutes=3),
        "payment_id": payment.id,
        "reference": "pay_1" if kind is FactKind.PAID else None,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }
    return ProviderFact(event_id, kind, **{**usual, **more})


def tell(payment: Payment, *told: ProviderFact) -> Heard:
    return hear(SYSTEM, payment.id, facts=told)


class Seen(Conflict):
    """Carries what a test saw out of a transaction that leaves nothing behind."""


@command("payment.try_order", on="payments")
def try_order(work: Work, payment_id: UUID, *, told: Sequence[ProviderFact]) -> None:
    """Tells them one by one, looks at the end, and undoes it all."""
    payment, package = settling.lock_payment(work, payment_id)
    for each in told:
        facts.apply_facts(work, payment, package, [each])
    work.session.flush()
    raise Seen(end=end_of(payment, package))


def end_in(payment: Payment, told: Sequence[ProviderFact]) -> tuple[Any, ...]:
    """Where these facts, told in this order and then all once more, lead."""
    try:
        try_order(SYSTEM, payment.id, told=[*told, *told])
    except Seen as seen:
        return tuple(seen.facts["end"])
    raise AssertionError("unreachable")


@command("payment.try_orders", on="payments")
def try_orders(work: Work, payment_id: UUID, *, told: Sequence[ProviderFact]) -> None:
    """Tells them in every order, looks at each end, and undoes it all. Orders share their beginnings: a step is taken once."""
    payment, package = settling.lock_payment(work, payment_id)
    ends: set[tuple[Any, ...]] = set()

    def go_on(rest: Sequence[ProviderFact]) -> None:
        if not rest:
            facts.apply_facts(work, payment, package, told)  # each once more
            work.session.flush()
            ends.add(end_of(payment, package))
        for each in rest:
            step = work.session.begin_nested()
            facts.apply_facts(work, payment, package, [each])
            go_on([other for other in rest if other is not each])
            step.rollback()

    go_on(told)
    raise Seen(end=ends)


def ends_in(payment: Payment, told: Sequence[ProviderFact]) -> set[tuple[Any, ...]]:
    """Where these facts lead in all their orders, each told twice."""
    try:
        try_orders(SYSTEM, payment.id, told=told)
    except Seen as seen:
        return set(seen.facts["end"])
    raise AssertionError("unreachable")


def end_of(payment: Payment, package: Package) -> tuple[Any, ...]:
    """State and reference of the payment, state and lessons of the package, what is told, and what does not fit."""
    noted = session().scalars(select(PaymentException).where(PaymentException.payment_id == payment.id)).all()
    told = queries.facts_of(session(), payment.id)
    return (
        payment.status.value,
        payment.external_reference,
        payment.paid_at is not None,
        package.status.value,
        package.lessons_total,
        package.available,
        tuple(sorted((each.kind.value, each.key) for each in noted)),
        tuple(sorted((each.event_id, each.kind.value) for each in told)),
    )


def now_of(world: World, bought: Purchase) -> tuple[Any, ...]:
    """`end_of`, as the database has it now."""
    return end_of(world.again(bought.payment), world.again(bought.package))


def exceptions() -> list[str]:
    session().rollback()
    return sorted(each.kind.value for each in session().scalars(select(PaymentException)))


# Through the inbox of the sandbox


def post(fact: ProviderFact, *, secret: str | None = None) -> None:
    """The sandbox's event of that fact arrives at the inbox, signed."""
    import json

    raw = json.dumps(sandbox.body_of(fact)).encode()
    signature = signatures.signed(raw, secret or policy.current().SANDBOX_SECRET, at=read(session()))
    receive(PaymentProvider.SANDBOX, raw, {SIGNATURE: signature})


def work_off() -> list[str]:
    """Everything that is due in the inbox is taken once; what became of each."""
    token = new_id()
    return [take(due, token).status.value for due in claim(token, limit=100)]


def inbox() -> list[tuple[str, str, str | None]]:
    session().rollback()
    rows = session().scalars(select(ProviderEvent).order_by(ProviderEvent.id)).all()
    return [(each.event_id, each.status.value, each.last_error) for each in rows]
