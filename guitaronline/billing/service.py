"""Billing's commands and refusals under one roof, for the doors."""

from guitaronline.billing.approvals import decide_approval
from guitaronline.billing.expiring import expire_packages, warn_of_expiry
from guitaronline.billing.granting import grant_package, grant_step, sell_plan
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
from guitaronline.billing.refunds import RefundPreview, cancel_refund, refund_payment, refund_preview, settle_refund
from guitaronline.billing.refusals import *  # noqa: F403  # every refusal is part of the roof

__all__ = [
    "RefundPreview",
    "adjust_lessons",
    "cancel_refund",
    "create_plan",
    "decide_approval",
    "edit_plan",
    "expire_packages",
    "extend_package",
    "freeze_package",
    "grant_package",
    "grant_step",
    "record_payment",
    "refund_payment",
    "refund_preview",
    "reinstate_package",
    "revoke_package",
    "sell_plan",
    "set_payment_status",
    "set_price",
    "settle_refund",
    "unfreeze_package",
    "warn_of_expiry",
]
