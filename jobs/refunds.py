"""Refunds that providers are asked for, and approvals that nobody else will give."""

from __future__ import annotations

import time
from uuid import UUID

import structlog

from guitaronline.actor import SYSTEM
from guitaronline.billing import one_person, refund_asking, refund_queue
from guitaronline.billing.reconciliation import settling as _conditions  # noqa: F401  # what must still be true of a wish
from guitaronline.billing.refund_queue import Call
from guitaronline.booking import refunding as _ways  # noqa: F401  # how wishes are done: credits, bookings canceled first
from guitaronline.db import new_id, session
from jobs.runtime import error_code, job

RUN_SECONDS = 30  # then the next tick goes on

log = structlog.get_logger("jobs.refunds")


@job
def ask_providers() -> int:
    """Every refund that is due was asked for once; how many. Its row says when it is asked for again."""
    asked, give_up_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < give_up_at and (call := refund_queue.claim(new_id())):
        _ask(call)
        asked += 1
    return asked


def _ask(call: Call) -> None:
    try:
        refund_asking.ask(call)
    except Exception as error:  # noqa: BLE001  # whatever one answer does, the next refund must have its turn
        session().rollback()
        log.warning("could not ask", refund_id=str(call.refund_id), error=error_code(error))
        refund_queue.put_off(call, error=error_code(error))


@job
def carry_out_alone() -> int:
    """What one person asked for a day ago is done, where that mode is on; how many."""
    return sum(_carry_out(each) for each in one_person.due_alone(session()))


def _carry_out(approval_id: UUID) -> int:
    """One that is refused, or breaks, waits on, and people see it on Today; the next must have its turn."""
    try:
        one_person.carry_out_alone(SYSTEM, approval_id)
    except Exception as error:  # noqa: BLE001
        session().rollback()
        log.warning("not carried out", approval_id=str(approval_id), error=error_code(error))
        return 0
    return 1
