"""Billing's commands and refusals under one roof, for the doors."""

from guitaronline.billing import dispute_facts, refund_facts  # noqa: F401  # what providers tell of these finds its way
from guitaronline.billing.approvals import decide_approval, withdraw_approval
from guitaronline.billing.asking import ask_soon
from guitaronline.billing.checkouts import open_page, want_page
from guitaronline.billing.credits import CreditPreview, credit_payment, credit_preview
from guitaronline.billing.disputes import answer_dispute, assign_dispute, decide_dispute, open_dispute
from guitaronline.billing.exceptions import resolve_exception
from guitaronline.billing.expiring import expire_packages, warn_of_expiry
from guitaronline.billing.granting import grant_package, grant_step, sell_plan
from guitaronline.billing.inbox import UNDECIDED, receive, retry_event
from guitaronline.billing.packages import (
    adjust_lessons,
    extend_package,
    freeze_package,
    reinstate_package,
    revoke_package,
    unfreeze_package,
)
from guitaronline.billing.payments import record_payment, set_payment_status
from guitaronline.billing.plans import create_plan, edit_plan, set_price
from guitaronline.billing.purchasing import Purchase, buy_plan
from guitaronline.billing.refunds import (
    RefundPreview,
    cancel_refund,
    look_at_refund,
    refund_payment,
    refund_preview,
    settle_refund,
)
from guitaronline.billing.refusals import *  # noqa: F403  # every refusal is part of the roof

__all__ = [
    "UNDECIDED",
    "CreditPreview",
    "Purchase",
    "RefundPreview",
    "adjust_lessons",
    "answer_dispute",
    "ask_soon",
    "assign_dispute",
    "buy_plan",
    "cancel_refund",
    "create_plan",
    "credit_payment",
    "credit_preview",
    "decide_approval",
    "decide_dispute",
    "edit_plan",
    "expire_packages",
    "extend_package",
    "freeze_package",
    "grant_package",
    "grant_step",
    "look_at_refund",
    "open_dispute",
    "open_page",
    "receive",
    "record_payment",
    "refund_payment",
    "refund_preview",
    "reinstate_package",
    "resolve_exception",
    "retry_event",
    "revoke_package",
    "sell_plan",
    "set_payment_status",
    "set_price",
    "settle_refund",
    "unfreeze_package",
    "want_page",
    "warn_of_expiry",
    "withdraw_approval",
]
