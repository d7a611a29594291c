"""On a payment's page: the lessons that were given instead of money, and the disputes about it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from guitaronline.admin import show
from guitaronline.admin.record_page import SHOWN, Section, rows
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.models import Payment
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.db import session


def credits_section(payment: Payment) -> Section:
    """ix_refund_credits_payment_id"""
    query = select(RefundCredit).where(RefundCredit.payment_id == payment.id).order_by(RefundCredit.id.desc())
    table = rows(
        session().scalars(query.limit(SHOWN).options(selectinload(RefundCredit.package))),
        lambda each: each.reference,
        lambda each: show.money(each.amount_minor, each.currency),
        lambda each: each.lessons_revoked,
        lambda each: each.lessons_granted,
        lambda each: show.link(each.package),
        lambda each: each.reason,
    )
    headings = ("Credit", "Stands for", "Lessons taken back", "Lessons given", "As", "Reason")
    return Section("Lessons given instead", headings, table, "None.")


def disputes_section(payment: Payment) -> Section:
    """ix_disputes_payment_id"""
    query = select(Dispute).where(Dispute.payment_id == payment.id).order_by(Dispute.id.desc()).limit(SHOWN)
    table = rows(
        session().scalars(query),
        show.link,
        lambda each: show.money(each.amount_minor, each.currency),
        show.state,
        lambda each: show.when(each.evidence_due_at),
        lambda each: each.reason,
    )
    return Section("Disputes", ("Dispute", "Amount", "State", "Evidence due", "Reason"), table, "Nobody disputes it.")
