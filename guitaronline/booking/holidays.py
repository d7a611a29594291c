"""Public holidays from a calendar file become closures: first shown, then imported as one command that may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import db
from guitaronline.booking.absence_rules import closure_problems, closure_times, school_day
from guitaronline.booking.absences import ClosureInvalid, ask_all_again, new_closure
from guitaronline.booking.facts import FRESH
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.scheduling.holidays import EVENTS_MAX, Holiday
from guitaronline.scheduling.hours_models import AbsenceStatus, Closure
from guitaronline.unit_of_work import Work, command


class Standing(StrEnum):
    """How a holiday stands to the closures that there are."""

    NEW = "new"
    KNOWN = "known"
    CHANGED = "changed"  # imported before, with another name or other days
    CALLED_OFF = "called_off"  # imported before, and canceled here since: it stays so
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Judged:
    holiday: Holiday
    standing: Standing
    closure: Closure | None
    reasons: list[Reason]

    @property
    def words(self) -> str:
        if self.reasons:
            return " ".join(each.detail for each in self.reasons)
        if self.standing is Standing.CHANGED and self.closure is not None:
            return f"It was “{self.closure.name}”, {self.closure.first_day} to {self.closure.last_day}."
        return "It was canceled here; it stays so." if self.standing is Standing.CALLED_OFF else ""


@dataclass(frozen=True)
class Imported:
    made: list[Closure]
    changed: list[Closure]
    left: int  # known, or called off here

    @property
    def words(self) -> str:
        return f"{len(self.made)} closures are made, {len(self.changed)} changed, {self.left} left as they are."


def judge_holidays(session: Session, holidays: Sequence[Holiday], now: datetime) -> list[Judged]:
    """What the import would do with each, by the rule that decides; one statement."""
    query = select(Closure).where(Closure.uid.in_([each.uid for each in holidays])).order_by(Closure.id)
    known: dict[str | None, Closure] = {}
    for closure in session.scalars(query, execution_options=FRESH):
        before = known.get(closure.uid)
        if before is None or before.status is AbsenceStatus.CANCELED:  # the one that stands, else the last that did
            known[closure.uid] = closure
    return [_judged(each, known.get(each.uid), school_day(now)) for each in holidays]


def _judged(holiday: Holiday, closure: Closure | None, today: date) -> Judged:
    reasons = closure_problems(holiday.name, holiday.first_day, holiday.last_day, today=today)
    if reasons:
        return Judged(holiday, Standing.UNUSABLE, closure, reasons)
    if closure is None:
        return Judged(holiday, Standing.NEW, None, [])
    if closure.status is AbsenceStatus.CANCELED:
        return Judged(holiday, Standing.CALLED_OFF, closure, [])
    same = (closure.name, closure.first_day, closure.last_day) == (holiday.name, holiday.first_day, holiday.last_day)
    return Judged(holiday, Standing.KNOWN if same else Standing.CHANGED, closure, [])


@command("closure.import")
def import_closures(work: Work, *, holidays: Sequence[Holiday], reason: str | None = None) -> Imported:
    """Each holiday is a closure with its name and days. Known by their UID: a repeat changes nothing, what was called off here
    stays so. All or nothing. Locks the closures that change. Raises ClosureInvalid, ClosureKnown."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    uids = {each.uid for each in holidays}
    if not 0 < len(holidays) <= EVENTS_MAX or len(uids) < len(holidays):
        raise ClosureInvalid(f"1 to {EVENTS_MAX} holidays are imported at a time, each once.")
    work.lock_all(Closure, work.session.scalars(select(Closure.id).where(Closure.uid.in_(uids))))
    judged = judge_holidays(work.session, holidays, work.now)
    wrong = [
        replace(reason, pointer=f"/{number}{reason.pointer}")
        for number, each in enumerate(judged)
        for reason in each.reasons
    ]
    if wrong:
        raise ClosureInvalid(reasons=wrong)
    made = [_made(work, each.holiday) for each in judged if each.standing is Standing.NEW]
    changed = [_changed(work, each) for each in judged if each.standing is Standing.CHANGED]
    if made or changed:
        work.session.flush()
        ask_all_again(work.session, work.now)
    return Imported(made, changed, len(judged) - len(made) - len(changed))


def _made(work: Work, holiday: Holiday) -> Closure:
    days = {"first_day": holiday.first_day, "last_day": holiday.last_day}
    return new_closure(work, db.new_id(), name=holiday.name, uid=holiday.uid, **days)


def _changed(work: Work, judged: Judged) -> Closure:
    closure, holiday = judged.closure, judged.holiday
    assert closure is not None
    closure.name, closure.first_day, closure.last_day = holiday.name, holiday.first_day, holiday.last_day
    closure.start_at, closure.end_at = closure_times(holiday.first_day, holiday.last_day)
    work.emit("closure.changed", closure)
    return closure
