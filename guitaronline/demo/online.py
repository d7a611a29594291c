"""Students who buy online: paid at once, after a declined card, too late to hear of at once, not at all, and just now.

The sandbox's post reaches the inbox without a network: loading needs nobody to answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.billing import asking, inbox, sandbox_post
from guitaronline.billing.facts import hear
from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.providers import FactKind, ProviderFact, sandbox, signatures
from guitaronline.billing.service import buy_plan, open_page, receive
from guitaronline.db import new_id, session
from guitaronline.demo import cast
from guitaronline.demo.stage import School, Student

AT_ONCE = 50
Does = Callable[
    [School, datetime, UUID, str], None
]  # what the student does: with the payment, on the page of that token


def run(school: School) -> None:
    """Plan who buys online, and the rounds that follow. Only where the sandbox takes the money."""
    if policy.current().PAYMENT_PROVIDER != "sandbox":
        return
    buyers = [each for each in reversed(school.students) if not each.is_child and each.until is None]
    for student, (at, does) in zip(buyers, purchases(school), strict=False):
        school.on(max(at, student.joins_at + timedelta(days=2)), partial(_buy, school, student, does))
    for days in range(10, -1, -1):
        school.on(school.ago(days), partial(_rounds, school))
    school.on(school.now, partial(_rounds, school))


def _buy(school: School, student: Student, does: Does, moment: datetime) -> None:
    bought = buy_plan(Actor(student.known_id, Role.STUDENT), plan_id=school.plans[cast.FOUR.name])
    page = open_page(bought.payment.id)
    assert page.url is not None
    token = page.url.rpartition("/")[2]
    school.on(moment + timedelta(minutes=4), lambda now: does(school, now, bought.payment.id, token))


def _pay(school: School, moment: datetime, payment_id: UUID, token: str) -> None:
    sandbox.pay(token)
    school.on(moment + timedelta(seconds=8), partial(_rounds, school))


def _be_declined_first(school: School, moment: datetime, payment_id: UUID, token: str) -> None:
    sandbox.decline(token)
    school.on(moment + timedelta(seconds=8), partial(_rounds, school))
    school.on(moment + timedelta(minutes=2), lambda now: _pay(school, now, payment_id, token))


def _be_declined(school: School, moment: datetime, payment_id: UUID, token: str) -> None:
    sandbox.decline(token)
    school.on(moment + timedelta(seconds=8), partial(_rounds, school))


def _leave(school: School, moment: datetime, payment_id: UUID, token: str) -> None:
    """Nobody pays; a day later the checkout lapses."""


def _pay_too_little(school: School, moment: datetime, payment_id: UUID, token: str) -> None:
    """As a provider would tell it whose page had been opened for an older price."""
    short = {"reference": f"sbx_{token[:12]}", "amount_minor": 15_000, "currency": "USD"}
    told = ProviderFact(f"evt_{token[:12]}_paid", FactKind.PAID, moment, payment_id, **short)  # type: ignore[arg-type]  # of one fact
    hear(SYSTEM, payment_id, facts=[told])


def purchases(school: School) -> tuple[tuple[datetime, Does], ...]:
    return (
        (school.ago(9), _pay),
        (school.ago(7), _be_declined_first),
        (school.ago(5), _leave),
        (school.ago(3), _pay_too_little),
        (school.ago(hours=7), _be_declined),
        (school.ago(hours=2), _pay),
        (school.ago(minutes=25), _leave),
    )


def _rounds(school: School, moment: datetime) -> None:
    """What the jobs would do meanwhile: post arrives, events have their effect, providers are asked, checkouts lapse."""
    sandbox_post.send_due(limit=AT_ONCE, deliver=_arrives)
    token = new_id()
    for due in inbox.claim(token, limit=AT_ONCE):
        inbox.take(due, token)
    lease, payments = asking.claim_due(moment, limit=AT_ONCE)
    for payment_id in payments:
        asking.ask_again(payment_id, lease, moment)


def _arrives(raw: bytes) -> bool:
    signature = signatures.signed(raw, policy.current().SANDBOX_SECRET, at=clock.read(session()))
    receive(PaymentProvider.SANDBOX, raw, {sandbox.SIGNATURE: signature})
    return True
