"""The right to withdraw, on the pages of a payment and of a package: until when, and what would go back now."""

from __future__ import annotations

from typing import Any

from guitaronline.admin import gate, show
from guitaronline.admin.record_page import Section
from guitaronline.billing.invoices.consents import NOTICES
from guitaronline.billing.invoices.models import WithdrawalConsent
from guitaronline.billing.invoices.withdrawal import Withdrawal, withdrawal_of
from guitaronline.billing.models import Package, Payment
from guitaronline.db import session


def withdrawal_sections(payment: Payment, package: Package) -> list[Section]:
    """None for what nobody bought and paid."""
    found = withdrawal_of(session(), payment, package, gate.now())
    if found is None:
        return []
    state = show.chip("active", "it can be used") if found.is_open else show.chip("expired", "it is over")
    table: list[list[Any]] = [[show.when(found.until), state]]
    if found.is_open:
        table.append(["A refund now would be", show.money(found.refund_minor, payment.currency)])
        table.append(["Because", _why(found)])
    table.append(["Told at the purchase", _told(found.consent)])
    return [Section("Right to withdraw until", ("", ""), table, is_aside=True)]


def _why(found: Withdrawal) -> str:
    if not found.delivered:
        return "No lesson was given."
    given = f"{found.delivered} {'lesson was' if found.delivered == 1 else 'lessons were'} given"
    if found.consent is not None and found.consent.is_given:
        return f"{given}, and the buyer had agreed to pay for those."
    return f"{given}, but nothing says that the buyer agreed to begin before the days are over."


def _told(consent: WithdrawalConsent | None) -> str:
    if consent is None:
        return "Nothing is written down."
    agreed = "agreed that lessons begin at once" if consent.is_given else "did not agree that lessons begin at once"
    known = "" if consent.text_version in NOTICES else " (text not known any more)"
    return f"Notice {consent.text_version}{known}; the buyer {agreed}."
