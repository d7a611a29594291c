"""What the columns of reconciliation's desks say in a file; see exported.py."""

from __future__ import annotations

from guitaronline.admin.exported import ByName
from guitaronline.admin.plain import amount, moment, number, of, word, words
from guitaronline.billing.models import Payment, Refund
from guitaronline.billing.reconciliation.models import Match, ReconciliationException
from guitaronline.billing.reconciliation.period_models import FeeContract, ReconciliationPeriod
from guitaronline.billing.settlements.models import SettlementLine
from guitaronline.identity.models import User

EXCEPTIONS: ByName = {
    "reference": words(ReconciliationException.reference),
    "category": word(ReconciliationException.category),
    "value_minor": amount(ReconciliationException.value_minor, ReconciliationException.currency, label="At risk"),
    "booked_on": words(ReconciliationException.booked_on),
    "status": word(ReconciliationException.status),
    "owner": words(of(User.full_name, ReconciliationException.owner_id)),
    "payment": words(of(Payment.reference, ReconciliationException.payment_id)),
    "id": moment(ReconciliationException.created_at, label="Since"),
}
MATCHES: ByName = {
    "line": words(of(SettlementLine.external_id, Match.line_id)),
    "other": words(of(Payment.reference, Match.payment_id), label="Payment")
    + words(of(Refund.reference, Match.refund_id), label="Refund"),
    "amount_minor": amount(Match.amount_minor, Match.currency, label="Amount"),
    "rule": word(Match.rule),
    "booked_on": words(Match.booked_on),
    "status": word(Match.status),
    "id": moment(Match.matched_at),
}
PERIODS: ByName = {
    "first_on": words(ReconciliationPeriod.first_on),
    "last_on": words(ReconciliationPeriod.last_on),
    "status": word(ReconciliationPeriod.status),
    "preparer": words(of(User.full_name, ReconciliationPeriod.prepared_by)),
    "reviewer": words(of(User.full_name, ReconciliationPeriod.reviewed_by)),
    "closed_at": moment(ReconciliationPeriod.closed_at),
    "hash": words(ReconciliationPeriod.snapshot_hash),
}
CONTRACTS: ByName = {
    "account": words(FeeContract.account),
    "currency": words(FeeContract.currency),
    "from_on": words(FeeContract.from_on),
    "percent_bps": number(FeeContract.percent_bps),
    "fixed_minor": number(FeeContract.fixed_minor),
}
