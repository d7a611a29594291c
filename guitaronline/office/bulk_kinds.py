"""What a bulk action is: who may, what it would do to every record, and the one command that it calls a row.

What is foreseen is answered by the rule that the command itself asks, so a preview and its run cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.office.bulk_forecast import Forecast, refused

Arguments = Mapping[str, Any]
Foresee = Callable[[Session, Actor, Sequence[UUID], Arguments, datetime], list[Forecast]]
Act = Callable[[Actor, UUID, Arguments, str], Any]
Totals = Callable[[Sequence[Forecast]], list[tuple[str, str]]]
Problems = Callable[[Any, Arguments, datetime], Sequence[Reason]]
FRESH = {"populate_existing": True}


@dataclass(frozen=True)
class BulkAction:
    """`undone_by` names the action that takes it back; without one, `final_because` says why there is none."""

    name: str
    table: str
    title: str
    permission: Permission
    foresee: Foresee
    act: Act
    told: Callable[[Any], str]  # what is said of a row that was done
    undone_by: str = ""
    undo_words: str = ""  # what undoing does, and what it does not
    final_because: str = ""
    totals: Totals = lambda forecasts: []
    check: Callable[[Arguments], list[Reason]] = lambda arguments: []
    outcome: Callable[[Any], str] | None = (
        None  # the code of what was done, where the same action may end in several ways
    )
    told_of_row: Callable[[Any, UUID, Arguments], str] | None = (
        None  # instead of `told`, where rows differ in what is asked
    )
    undo_arguments: Callable[[Arguments], Arguments] = lambda arguments: {}  # for the action that takes it back
    with_words: Callable[[Arguments], str] | None = None  # the arguments as people read them


def said_why(command: Callable[..., Any]) -> Act:
    """The command of a row, which takes the run's reason and nothing else."""
    return lambda actor, record_id, arguments, reason: command(actor, record_id, reason=reason)


def plainly(command: Callable[..., Any]) -> Act:
    """The command of a row, which takes nothing."""
    return lambda actor, record_id, arguments, reason: command(actor, record_id)


def records(session: Session, model: Any, ids: Sequence[UUID]) -> list[Any]:
    """Those that exist, as they are now, in the order of the ids."""
    found = {each.id: each for each in session.scalars(select(model).where(model.id.in_(ids)), execution_options=FRESH)}
    return [found[each] for each in ids if each in found]


def foresee_each(model: Any, code: str, says: str | Callable[[Any, Arguments], str], problems: Problems) -> Foresee:
    """For actions that are decided by the record alone."""

    def foresee(
        session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
    ) -> list[Forecast]:
        found = []
        for each in records(session, model, ids):
            reasons = problems(each, arguments, now)
            sentence = "" if reasons else says if isinstance(says, str) else says(each, arguments)
            found.append(forecast(each, code, sentence, reasons))
        return found

    return foresee


def forecast(record: Any, code: str, sentence: str, reasons: Sequence[Reason]) -> Forecast:
    """What will become of the record, or every reason why nothing will."""
    if reasons:
        return refused(record, label_of(record), reasons)
    return Forecast(record.id, record.version, label_of(record), code, sentence)


def label_of(record: Any) -> str:
    """The reference; a task has none, and its words are nobody else's business."""
    return getattr(record, "reference", None) or f"task …{str(record.id)[-6:]}"


def move_problems(record: Any, target: Any) -> list[Reason]:
    """By the record's state table."""
    if record.status is target:
        return [Reason("nothing_to_do", f"It is {target.value} already.")]
    if record.states.events(record.status, target):
        return []
    return [Reason("illegal_move", f"It is {record.status.value}: {record.states.meanings[record.status]}.")]
