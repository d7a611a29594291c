"""Reconciliation's commands and refusals under one roof, for the doors."""

from guitaronline.billing.reconciliation.contracts import add_fee_contract
from guitaronline.billing.reconciliation.deciding import (
    accept_candidate,
    escalate,
    ignore_exception,
    split_line,
    undo_decision,
    undo_match,
    write_off,
)
from guitaronline.billing.reconciliation.periods import close_period, prepare_period, send_period_back
from guitaronline.billing.reconciliation.refusals import *  # noqa: F403  # every refusal is part of the roof
from guitaronline.billing.reconciliation.running import run_matching
from guitaronline.billing.reconciliation.settling import settle_by_match

__all__ = [
    "accept_candidate",
    "add_fee_contract",
    "close_period",
    "escalate",
    "ignore_exception",
    "prepare_period",
    "run_matching",
    "send_period_back",
    "settle_by_match",
    "split_line",
    "undo_decision",
    "undo_match",
    "write_off",
]
