"""The sandbox: a provider of play money on our own machine, so that a whole purchase can be tried without keys.

It keeps books of its own and tells what happened by signed HTTP requests to our webhook, like a real one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.providers import signatures
from guitaronline.billing.providers.base import BadSignature, Checkout, FactKind, ProviderFact, ProviderRefused
from guitaronline.billing.sandbox_models import SandboxCheckout, SandboxEvent, SandboxRefund, SandboxState
from guitaronline.db import new_id, session, technical_transaction

SIGNATURE = "Sandbox-Signature"
LATE = timedelta(seconds=60)
UNLUCKY = 13  # a refund whose amount ends so in minor units fails, to have something to try


@dataclass(frozen=True)
class Sandbox:
    base_url: str
    secret: str
    name: ClassVar[PaymentProvider] = PaymentProvider.SANDBOX

    def open_checkout(
        self, *, payment_id: UUID, amount_minor: int, currency: str, title: str, return_url: str, key: str
    ) -> Checkout:
        now = clock.read(session())
        values = {
            "id": new_id(),
            "token": secrets.token_urlsafe(24),
            "key": key,
            "payment_id": payment_id,
            "amount_minor": amount_minor,
            "currency": currency,
            "title": title,
            "return_url": return_url,
            "state": SandboxState.OPEN,
            "created_at": now,
            "expires_at": now + timedelta(hours=policy.current().UNPAID_CHECKOUT_HOURS),
        }
        with technical_transaction() as current:
            current.execute(insert(SandboxCheckout).values(values).on_conflict_do_nothing(index_elements=["key"]))
            page = current.scalars(select(SandboxCheckout).where(SandboxCheckout.key == key)).one()
        return Checkout(str(page.id), f"{self.base_url}/sandbox/checkout/{page.token}", page.expires_at)

    def look_up(
        self, *, payment_id: UUID, reference: str | None, checkout_reference: str | None = None
    ) -> Sequence[ProviderFact]:
        pages = session().scalars(select(SandboxCheckout).where(SandboxCheckout.payment_id == payment_id)).all()
        back = session().scalars(select(SandboxRefund).where(SandboxRefund.payment_id == payment_id)).all()
        return [paid_fact(page) for page in pages if page.state is SandboxState.PAID] + [
            refund_fact(refund) for refund in back
        ]

    def refund(
        self, *, refund_id: UUID, payment_id: UUID, reference: str, amount_minor: int, currency: str, key: str
    ) -> ProviderFact | None:
        with technical_transaction() as current:
            page = current.scalars(
                select(SandboxCheckout).where(SandboxCheckout.reference == reference).with_for_update()
            ).one_or_none()
            if page is None:
                raise ProviderRefused(reason="unknown_payment")
            made = current.scalars(select(SandboxRefund).where(SandboxRefund.key == key)).one_or_none()
            if made is None:
                made = _new_refund(current, page, refund_id=refund_id, amount_minor=amount_minor, key=key)
        return refund_fact(made)

    def event_id_of(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> str:
        signatures.verify(raw, headers.get(SIGNATURE), [self.secret], now=now)
        try:
            return _read(raw).event_id
        except ValueError:
            raise BadSignature("This is no event of the sandbox.") from None

    def facts_in(self, raw: bytes) -> Sequence[ProviderFact]:
        return [_read(raw)]


def pay(token: str, *, late: bool = False) -> SandboxCheckout | None:
    """The page is paid and our webhook will hear of it, soon or late. Paid or expired before: nothing changes. None: no page."""
    with technical_transaction() as current:
        page = _lock_page(current, token)
        now = clock.read(current)
        if page is not None and page.state is SandboxState.OPEN and page.expires_at > now:
            page.state, page.paid_at, page.reference = SandboxState.PAID, now, f"sbx_{secrets.token_hex(12)}"
            current.flush()
            _tell(current, paid_fact(page), send_at=now + LATE if late else now)
    return page


def decline(token: str) -> SandboxCheckout | None:
    """One more attempt on the page has failed, and our webhook will hear of it; the page stays open. None: no page."""
    with technical_transaction() as current:
        page = _lock_page(current, token)
        now = clock.read(current)
        if page is not None and page.state is SandboxState.OPEN and page.expires_at > now:
            page.declined += 1
            _tell(current, _failed_fact(page, now), send_at=now)
    return page


def page_of(token: str) -> SandboxCheckout | None:
    return session().scalars(select(SandboxCheckout).where(SandboxCheckout.token == token)).one_or_none()


def paid_fact(page: SandboxCheckout) -> ProviderFact:
    assert page.paid_at is not None
    return ProviderFact(
        event_id=f"evt_{page.id.hex}_paid",
        kind=FactKind.PAID,
        at=page.paid_at,
        payment_id=page.payment_id,
        reference=page.reference,
        amount_minor=page.amount_minor,
        currency=page.currency,
    )


def refund_fact(refund: SandboxRefund) -> ProviderFact:
    return ProviderFact(
        event_id=f"evt_{refund.id.hex}_refund",
        kind=FactKind.REFUNDED if refund.succeeded else FactKind.REFUND_FAILED,
        at=refund.created_at,
        payment_id=refund.payment_id,
        reference=refund.reference,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        refund_id=refund.refund_id,
        refund_reference=f"sbr_{refund.id.hex}",
        detail="" if refund.succeeded else "account_closed",
    )


def body_of(fact: ProviderFact) -> dict[str, Any]:
    """The fact as the sandbox writes it into an event."""
    ids = {name: str(value) for name, value in asdict(fact).items() if isinstance(value, UUID)}
    return {**asdict(fact), **ids, "kind": fact.kind.value, "at": fact.at.isoformat()}


def _failed_fact(page: SandboxCheckout, now: datetime) -> ProviderFact:
    return ProviderFact(
        event_id=f"evt_{page.id.hex}_declined_{page.declined}",
        kind=FactKind.FAILED,
        at=now,
        payment_id=page.payment_id,
        amount_minor=page.amount_minor,
        currency=page.currency,
        detail="card_declined",
    )


def _new_refund(
    current: Session, page: SandboxCheckout, *, refund_id: UUID, amount_minor: int, key: str
) -> SandboxRefund:
    """Never more than was paid. Raises ProviderRefused."""
    before = current.scalars(select(SandboxRefund).where(SandboxRefund.reference == page.reference)).all()
    if sum(each.amount_minor for each in before if each.succeeded) + amount_minor > page.amount_minor:
        raise ProviderRefused(reason="amount_too_large")
    assert page.reference is not None
    now = clock.read(current)
    made = SandboxRefund(
        id=new_id(),
        key=key,
        reference=page.reference,
        payment_id=page.payment_id,
        refund_id=refund_id,
        amount_minor=amount_minor,
        currency=page.currency,
        succeeded=amount_minor % 100 != UNLUCKY,
        created_at=now,
    )
    current.add(made)
    current.flush()
    _tell(current, refund_fact(made), send_at=now)
    return made


def _lock_page(current: Session, token: str) -> SandboxCheckout | None:
    query = select(SandboxCheckout).where(SandboxCheckout.token == token).with_for_update()
    return current.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def _tell(current: Session, fact: ProviderFact, *, send_at: datetime) -> None:
    current.add(SandboxEvent(id=new_id(), body=body_of(fact), send_at=send_at))


def _read(raw: bytes) -> ProviderFact:
    """Raises ValueError for anything that is no event of ours."""
    try:
        said: dict[str, Any] = json.loads(raw)
        ids = {name: UUID(said[name]) if said.get(name) else None for name in ("payment_id", "refund_id")}
        at = datetime.fromisoformat(said["at"])
        return ProviderFact(**{**said, **ids, "kind": FactKind(said["kind"]), "at": at})
    except (TypeError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"no event of the sandbox: {type(error).__name__}") from error
