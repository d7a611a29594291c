"""One row of a run is carried out: the action's command, in the name of the person who asked, at most once.

The row is marked as done in the command's own transaction, its last statement. So it is done exactly when its record says so,
whoever dies on the way; and a worker that was taken over, or comes after the run was closed, undoes what it did.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock, unit_of_work
from guitaronline.actor import Actor
from guitaronline.db import session, technical_transaction
from guitaronline.errors import Busy, Conflict, DomainError
from guitaronline.office.bulk_actions import ACTIONS
from guitaronline.office.bulk_kinds import BulkAction
from guitaronline.office.bulk_models import RowStatus
from guitaronline.unit_of_work import Request, StaleVersion

ATTEMPTS_MOST = 3
MARK = text("""
UPDATE bulk_rows SET status = :status, sentence = :sentence, code = :code, result_id = :result_id,
       result_version = :result_version, done_at = clock_timestamp()
 WHERE id = :id AND status = 'waiting'
""")


class OutcomeChanged(Conflict):
    detail = "What would happen is not what was agreed to any more. Look, and choose it again."


class NotWaiting(Conflict):
    detail = "The row has its result already."


@dataclass(frozen=True)
class Due:
    """A row that is to be carried out now, and what its run says."""

    id: UUID
    run_id: UUID
    reference: str  # of the run
    action: str
    arguments: dict[str, Any]
    reason: str
    record_id: UUID
    seen_version: int
    code: str  # what was foreseen
    attempts: int


@dataclass(frozen=True)
class Result:
    """What came of it."""

    status: RowStatus
    sentence: str
    code: str
    result_id: UUID | None = None
    result_version: int | None = None


def carry_out(actor: Actor, row: Due) -> None:
    """The row is done, or refused by the rule that decides. Raises Busy: nothing has happened, try later."""
    if row.attempts > ATTEMPTS_MOST:
        _keep(row, FAILED)
        return
    action = ACTIONS[row.action]
    token = unit_of_work.request.set(
        Request(
            request_id=row.reference, expected=(row.record_id, row.seen_version), at_end=partial(_done, action, row)
        )
    )
    try:
        action.act(actor, row.record_id, row.arguments, row.reason)
    except Busy:
        raise
    except StaleVersion:
        _keep(row, _changed(actor, action, row))
    except DomainError as refusal:
        _keep(row, _refused(refusal))
    finally:
        unit_of_work.request.reset(token)


def _done(action: BulkAction, row: Due, done: Any) -> None:
    """Within the command's transaction. Raises OutcomeChanged, NotWaiting: then nothing was done."""
    if action.outcome and action.outcome(done) != row.code:
        raise OutcomeChanged()
    told = action.told_of_row(done, row.record_id, row.arguments) if action.told_of_row else action.told(done)
    result = Result(RowStatus.DONE, told, row.code, done.id, done.version)
    if not _mark(session(), row, result):
        raise NotWaiting()


def _keep(row: Due, result: Result) -> None:
    with technical_transaction() as current:
        _mark(current, row, result)


def _mark(current: Session, row: Due, result: Result) -> bool:
    values = {**vars(result), "status": result.status.value, "id": row.id}
    return bool(current.execute(MARK, values).rowcount)  # type: ignore[attr-defined]


def _refused(refusal: DomainError) -> Result:
    details = " ".join(each.detail for each in refusal.reasons) or refusal.text
    return Result(RowStatus.REFUSED, details, refusal.reasons[0].code if refusal.reasons else refusal.code)


def _changed(actor: Actor, action: BulkAction, row: Due) -> Result:
    """Somebody was there between the preview and now: what the rule says to the record as it is."""
    current = session()
    found = action.foresee(current, actor, [row.record_id], row.arguments, clock.read(current))
    current.rollback()
    if found and not found[0].is_possible:
        return Result(RowStatus.REFUSED, f"Somebody changed it in between. {found[0].sentence}", found[0].code)
    return CHANGED


CHANGED = Result(RowStatus.REFUSED, "Somebody changed it in between. Look, and choose it again.", "changed_in_between")
FAILED = Result(
    RowStatus.FAILED, f"{ATTEMPTS_MOST} attempts ended in a technical failure; nothing was done.", "technical_failure"
)
