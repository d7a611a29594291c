"""Bulk actions are asked for, undone, stopped, begun and closed. The rows themselves are carried out in bulk_rows.py.

What was shown is what is agreed to: the preview is made again inside the command, and its digest must be the one that the
person saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from guitaronline import db
from guitaronline.actor import Actor
from guitaronline.errors import Conflict, Invalid, NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.office import bulk_forecast
from guitaronline.office.bulk_actions import ACTIONS
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.bulk_kinds import BulkAction
from guitaronline.office.bulk_models import OPEN, BulkQueue, BulkRow, BulkRun, RowStatus, RunStatus
from guitaronline.unit_of_work import Work, command

ROWS_MOST = 5000  # more takes longer than anybody watches, and a preview of it is read by nobody
UNDO_WITHIN = timedelta(minutes=10)
REASON_LENGTH = 500


class TooManyRows(Invalid):
    detail = f"At most {ROWS_MOST:,} records at a time. Narrow your filter."


class NothingChosen(Invalid):
    detail = "No record is chosen."


class NothingPossible(Conflict):
    detail = "Every one of these would be refused, so nothing was started."


class BulkInvalid(Invalid):
    detail = "This cannot be done like this."


class PreviewStale(Conflict):
    detail = "What would happen is not what you were shown any more. Look at it again below"


class UndoTooLate(Conflict):
    detail = f"A bulk action can be undone within {UNDO_WITHIN // timedelta(minutes=1)} minutes of its end."


class NotUndoable(Conflict):
    detail = "This bulk action cannot be undone."


class RunStillOpen(Conflict):
    detail = "It is not finished yet."


class AlreadyUndone(Conflict):
    detail = "It was undone already."


class RunNotOpen(Conflict):
    detail = "It is over; there is nothing to stop."


def foresee(
    session: Session, actor: Actor, name: str, ids: Sequence[UUID], *, arguments: Mapping[str, Any], now: datetime
) -> list[Forecast]:
    """A query: what the action would do to each of these records now. Raises BulkInvalid, NotAllowed."""
    action = ACTIONS[name]
    access.require(actor, action.permission)
    problems = action.check(arguments)
    if problems:
        raise BulkInvalid(reasons=problems)
    return action.foresee(session, actor, ids, arguments, now)


def foresee_undo(session: Session, actor: Actor, run: BulkRun, now: datetime) -> list[Forecast]:
    """A query: what undoing the run would do to each record that it changed. Raises NotUndoable."""
    inverse = inverse_of(run)
    done = (BulkRow.run_id == run.id, BulkRow.status == RowStatus.DONE)
    rows = session.execute(
        select(BulkRow.record_id, BulkRow.result_version).where(*done).order_by(BulkRow.position)
    ).all()
    versions = {row.record_id: row.result_version for row in rows}
    forecasts = foresee(session, actor, inverse.name, list(versions), arguments=undo_arguments(run), now=now)
    return [_unless_changed(each, versions[each.record_id]) for each in forecasts]


def _unless_changed(forecast: Forecast, version: int | None) -> Forecast:
    if forecast.version == version or not forecast.is_possible:
        return forecast
    return replace(forecast, is_possible=False, code=CHANGED_SINCE.code, sentence=CHANGED_SINCE.detail)


def inverse_of(run: BulkRun) -> BulkAction:
    """The action that takes this run back. Raises NotUndoable with the reason."""
    why_final = final_because(run)
    if why_final:
        raise NotUndoable(why_final)
    return ACTIONS[ACTIONS[run.action].undone_by]


def undo_arguments(run: BulkRun) -> dict[str, Any]:
    """What the action that takes this run back is told."""
    return dict(ACTIONS[run.action].undo_arguments(run.arguments))


def final_because(run: BulkRun) -> str:
    """Why a run of this kind is never undone; empty when it can be."""
    if run.undoes_run_id is not None:
        return "It is an undo itself; do it again from the list."
    return ACTIONS[run.action].final_because


def undo_problem(run: BulkRun, now: datetime) -> Exception | None:
    """A rule: why the run cannot be undone now; None when it can."""
    why_final = final_because(run)
    if why_final:
        return NotUndoable(why_final)
    if run.status in OPEN:
        return RunStillOpen()
    if run.undo_until is None:
        return NotUndoable("Nothing was done, so there is nothing to undo.")
    if run.undone_by is not None:
        return AlreadyUndone(f"It was undone already, by {run.undone_by.reference}.")
    return UndoTooLate(until=run.undo_until) if run.undo_until < now else None


@command("bulk.request", creates="bulk_runs")
def request_bulk(
    work: Work,
    *,
    action: str,
    record_ids: Sequence[UUID],
    arguments: Mapping[str, Any],
    digest: str,
    seen: str = "",
    reason: str,
) -> BulkRun:
    """The run stands, with a row for each record; a worker carries it out. Rows that the preview refused stay refused.

    `seen`: the marks of the preview, to say what changed. Raises PreviewStale, TooManyRows, NothingChosen,
    NothingPossible, BulkInvalid."""
    access.require(work.actor, Permission.RUN_BULK)
    if len(record_ids) > ROWS_MOST:
        raise TooManyRows(limit=ROWS_MOST, asked=len(record_ids))
    forecasts = foresee(work.session, work.actor, action, record_ids, arguments=arguments, now=work.now)
    agree(action, arguments, forecasts, digest=digest, seen=seen)
    return make_run(work, action, arguments, forecasts, digest=digest, reason=reason)


@command("bulk.undo", creates="bulk_runs")
def undo_bulk(work: Work, run_id: UUID, *, digest: str, seen: str = "", reason: str) -> BulkRun:
    """A run that takes that one back, as far as its preview says. At most one for each. Locks the run.

    Raises UndoTooLate, NotUndoable, RunStillOpen, AlreadyUndone, PreviewStale, NothingPossible."""
    access.require(work.actor, Permission.RUN_BULK)
    run = work.lock(BulkRun, run_id)
    problem = undo_problem(run, work.now)
    if problem is not None:
        raise problem
    inverse = inverse_of(run)
    forecasts = foresee_undo(work.session, work.actor, run, work.now)
    arguments = undo_arguments(run)
    agree(inverse.name, arguments, forecasts, digest=digest, seen=seen)
    return make_run(work, inverse.name, arguments, forecasts, digest=digest, reason=reason, undoes_run_id=run.id)


@command("bulk.stop", on="bulk_runs")
def stop_bulk(work: Work, run_id: UUID, *, reason: str) -> BulkRun:
    """The worker ends the run before its next row. Repeat: no-op. Locks the run. Raises RunNotOpen."""
    access.require(work.actor, Permission.RUN_BULK)
    run = work.lock(BulkRun, run_id)
    if run.status not in OPEN:
        raise RunNotOpen()
    if run.stop_asked_at is None:
        run.stop_asked_at, run.stopped_because = work.now, reason
    return run


@command("bulk.download", on="bulk_runs")
def download_bulk(work: Work, run_id: UUID) -> BulkRun:
    """It is written down that somebody took the results along."""
    access.require(work.actor, Permission.READ_BOOKINGS)
    return work.find(BulkRun, run_id)


@command("bulk.start", on="bulk_runs", quiet=True)
def start_bulk(work: Work, run_id: UUID) -> bool:
    """The run is being carried out; whether it was not before. Locks the run."""
    access.require(work.actor, Permission.ADMINISTER)
    run = work.lock(BulkRun, run_id)
    if run.status is not RunStatus.REQUESTED:
        return False
    run.started_at = work.now
    work.move(run, RunStatus.RUNNING)
    return True


@command("bulk.close", on="bulk_runs")
def close_bulk(work: Work, run_id: UUID, *, because: str | None = None) -> BulkRun:
    """The run is over: done, or stopped `because`; rows that were not reached are refused, and the counts stand.

    From now on it can be undone for UNDO_WITHIN, if it can be at all. Repeat: no-op. Locks the run."""
    access.require(work.actor, Permission.ADMINISTER)
    run = work.lock(BulkRun, run_id)
    if run.status not in OPEN:
        return run
    _refuse_rest(work, run, because)
    _count(work, run)
    run.finished_at = work.now
    if run.succeeded and not final_because(run):
        run.undo_until = work.now + UNDO_WITHIN
    if because is None:
        work.move(run, RunStatus.DONE)
    else:
        run.stopped_because = because
        work.move(run, RunStatus.STOPPED)
    work.session.execute(delete(BulkQueue).where(BulkQueue.run_id == run.id))
    return run


def agree(action: str, arguments: Mapping[str, Any], forecasts: Sequence[Forecast], *, digest: str, seen: str) -> None:
    """A step: what would happen now is what the person saw, and some of it is possible."""
    if not forecasts:
        raise NothingChosen()
    if bulk_forecast.digest(action, arguments, forecasts) != digest:
        raise PreviewStale(reasons=[Reason("preview_stale", PreviewStale.detail), *_difference(seen, forecasts)])
    if not any(each.is_possible for each in forecasts):
        raise NothingPossible()


def _difference(seen: str, forecasts: Sequence[Forecast]) -> list[Reason]:
    return bulk_forecast.difference(seen, forecasts) if seen else []


def make_run(
    work: Work,
    action: str,
    arguments: Mapping[str, Any],
    forecasts: Sequence[Forecast],
    *,
    digest: str,
    reason: str,
    undoes_run_id: UUID | None = None,
    run_id: UUID | None = None,
) -> BulkRun:
    """A step: the run and its rows stand, for the worker. Its id is the action's record unless `run_id` names another."""
    said = reason.strip()
    if not 1 <= len(said) <= REASON_LENGTH:
        raise BulkInvalid(reasons=[Reason("reason_required", "Say why: people will ask.", "", "/reason")])
    if work.actor.id is None:
        raise NotFound()  # a run has an owner, in whose name each row is done
    run = BulkRun(
        id=run_id or work.record_id,
        owner_id=work.actor.id,
        action=action,
        arguments=dict(arguments),
        reason=said,
        digest=digest,
        status=RunStatus.REQUESTED,
        rows_total=len(forecasts),
        undoes_run_id=undoes_run_id,
    )
    work.create(run)
    work.session.flush()
    rows = [_row(run, position, each) for position, each in enumerate(forecasts, 1)]
    work.session.execute(insert(BulkRow), rows)
    work.session.execute(insert(BulkQueue).values(run_id=run.id))
    return run


def _row(run: BulkRun, position: int, forecast: Forecast) -> dict[str, Any]:
    return {
        "id": db.new_id(),
        "run_id": run.id,
        "position": position,
        "record_id": forecast.record_id,
        "label": forecast.label,
        "seen_version": forecast.version,
        "status": RowStatus.WAITING if forecast.is_possible else RowStatus.REFUSED,
        "code": forecast.code,
        "sentence": forecast.sentence,
    }


def _refuse_rest(work: Work, run: BulkRun, because: str | None) -> None:
    waiting = update(BulkRow).where(BulkRow.run_id == run.id, BulkRow.status == RowStatus.WAITING)
    sentence = f"Not done: the run was stopped. {because or ''}".strip()
    work.session.execute(waiting.values(status=RowStatus.REFUSED, code="run_stopped", sentence=sentence))


def _count(work: Work, run: BulkRun) -> None:
    counts = row_counts(work.session, run.id)
    run.succeeded, run.refused = counts[RowStatus.DONE], counts[RowStatus.REFUSED]
    run.failed = counts[RowStatus.FAILED]
    run.rows_done = run.succeeded + run.refused + run.failed


def row_counts(session: Session, run_id: UUID) -> dict[RowStatus, int]:
    """How many rows of the run are in each state, as it is now. ix_bulk_rows_status"""
    query = select(BulkRow.status, func.count()).where(BulkRow.run_id == run_id).group_by(BulkRow.status)
    return dict.fromkeys(RowStatus, 0) | {row.status: row[1] for row in session.execute(query)}


def counts_of(session: Session, run: BulkRun) -> dict[RowStatus, int]:
    """The same of a run that is over from the run itself: its rows are kept for BULK_ROWS_KEEP_DAYS only."""
    if run.status in OPEN:
        return row_counts(session, run.id)
    return {RowStatus.DONE: run.succeeded, RowStatus.REFUSED: run.refused, RowStatus.FAILED: run.failed}


CHANGED_SINCE = Reason("changed_since", "Somebody changed it after the bulk action; look at it yourself.")
