"""One row of a run is carried out: the action's command, in the name of the person who asked, at most once.

The command carries a key of the row (as a request with an Idempotency-Key does), so what it did and the answer that says so
are one transaction. A worker that dies before it has marked the row leaves that answer, and the next one only reads it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, unit_of_work
from guitaronline.actor import Actor
from guitaronline.audit.models import IdempotencyKey
from guitaronline.db import session
from guitaronline.errors import Busy, DomainError
from guitaronline.office.bulk_actions import ACTIONS, BulkAction
from guitaronline.office.bulk_models import RowStatus
from guitaronline.unit_of_work import AlreadyAnswered, Claim, Request, StaleVersion

METHOD, DONE = "BULK", 200


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
    attempts: int


@dataclass(frozen=True)
class Result:
    """What came of it."""

    status: RowStatus
    sentence: str
    code: str = ""  # empty: what was foreseen
    result_id: UUID | None = None
    result_version: int | None = None


def carry_out(actor: Actor, row: Due) -> Result:
    """The row is done, refused by the rule that decides, or was done before. Raises Busy: nothing has happened, try later."""
    action = ACTIONS[row.action]
    token = unit_of_work.request.set(
        Request(
            request_id=row.reference,
            claim=_claim(actor, action, row),
            expected=(row.record_id, row.seen_version),
        )
    )
    try:
        done = action.act(actor, row.record_id, row.arguments, row.reason)
        return _read(_answer(action, row, done))
    except AlreadyAnswered as answered:
        return _read(answered.answer)
    except StaleVersion:
        return _changed(session(), actor, action, row)
    except Busy:
        raise
    except DomainError as refusal:
        return refused(refusal)
    finally:
        unit_of_work.request.reset(token)


def kept(owner_id: UUID, row: Due) -> Result | None:
    """The answer of an attempt whose worker died before it could mark the row. uq_idempotency_keys_scope"""
    scope = (
        IdempotencyKey.user_id == owner_id,
        IdempotencyKey.method == METHOD,
        IdempotencyKey.path == _path(row),
        IdempotencyKey.key == str(row.id),
    )
    answer = session().scalar(select(IdempotencyKey.answer).where(*scope))
    return _read(answer) if answer is not None else None


def refused(refusal: DomainError) -> Result:
    details = " ".join(each.detail for each in refusal.reasons) or refusal.text
    return Result(RowStatus.REFUSED, details, refusal.reasons[0].code if refusal.reasons else refusal.code)


def _claim(actor: Actor, action: BulkAction, row: Due) -> Claim:
    assert actor.id is not None
    body = hashlib.sha256(f"{row.run_id} {row.record_id} {row.seen_version}".encode()).digest()
    return Claim(actor.id, METHOD, _path(row), str(row.id), body, lambda done: (DONE, _answer(action, row, done)))


def _path(row: Due) -> str:
    return f"/bulk-runs/{row.run_id}"


def _answer(action: BulkAction, row: Due, done: Any) -> str:
    """Asked inside the command's transaction, after everything is written."""
    told = action.told_of_row(done, row.record_id, row.arguments) if action.told_of_row else action.told(done)
    return json.dumps({"sentence": told, "result_id": str(done.id), "version": done.version})


def _read(answer: str) -> Result:
    facts = json.loads(answer)
    return Result(
        RowStatus.DONE, facts["sentence"], result_id=UUID(facts["result_id"]), result_version=facts["version"]
    )


def _changed(current: Session, actor: Actor, action: BulkAction, row: Due) -> Result:
    """Somebody was there between the preview and now: what the rule says to the record as it is."""
    now = clock.read(current)
    found = action.foresee(current, actor, [row.record_id], row.arguments, now)
    current.rollback()
    if found and not found[0].is_possible:
        return Result(RowStatus.REFUSED, f"Somebody changed it in between. {found[0].sentence}", found[0].code)
    return Result(RowStatus.REFUSED, "Somebody changed it in between. Look, and choose it again.", "changed_in_between")
