"""A teacher is ill: the time off is saved, and what becomes of each lesson inside is carried out as one bulk action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline import db
from guitaronline.booking import impact
from guitaronline.booking.absences import be_away
from guitaronline.booking.alternatives import FreeSlot, free_slots_for
from guitaronline.booking.models import Booking
from guitaronline.booking.substitutes import Substitute, substitutes_for_each
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.office import bulk
from guitaronline.office.bulk_absences import CANCEL, SUBSTITUTE
from guitaronline.office.bulk_models import BulkRun
from guitaronline.scheduling.hours_models import TimeOff
from guitaronline.unit_of_work import Work, command

ACTION = "absences.decide"
ROWS_MOST = 40  # on one page, soonest first; more days than one are decided from the queue
CHOICES = 4  # of each kind a row
LATER = "later"


@dataclass(frozen=True)
class Affected:
    """A lesson inside the absence, and what could become of it."""

    booking: Booking
    substitutes: list[Substitute]
    slots: list[FreeSlot]

    @property
    def proposed(self) -> tuple[str, UUID | None]:
        """The best substitute, else canceled with credit: nobody waits in vain, and a new time is agreed on the phone first."""
        return (SUBSTITUTE, self.substitutes[0].teacher_id) if self.substitutes else (CANCEL, None)


@dataclass(frozen=True)
class IllReport:
    time_off: TimeOff
    run: BulkRun | None  # None: there was nothing to decide, or all of it later


def affected_lessons(
    session: Session, teacher_id: UUID, start: datetime, end: datetime, now: datetime
) -> list[Affected]:
    """The soonest lessons inside, each with its ranked choices."""
    bookings = impact.affected(session, teacher_id, start, end, now, limit=ROWS_MOST)
    ranked = substitutes_for_each(session, bookings, now, limit=CHOICES)
    return [
        Affected(each, ranked[each.id], free_slots_for(session, each, now, limit=CHOICES, away=(start, end)))
        for each in bookings
    ]


def arguments_of(
    teacher_id: UUID, start: datetime, end: datetime, rows: Mapping[UUID, Mapping[str, str]]
) -> dict[str, Any]:
    """What the bulk action is told; rows that are left for later are not among them."""
    return {
        "teacher_id": str(teacher_id),
        "start_at": start.isoformat(),
        "end_at": end.isoformat(),
        "rows": {str(each): dict(row) for each, row in rows.items() if row["way"] != LATER},
    }


@command("time_off.report_ill", creates="time_off")
def report_ill(
    work: Work,
    *,
    teacher_id: UUID,
    start_at: datetime,
    end_at: datetime,
    rows: Mapping[UUID, Mapping[str, str]],
    digest: str,
    seen: str = "",
    reason: str,
) -> IllReport:
    """The teacher is away, nothing of theirs is offered any more, and a run stands that decides about their lessons.

    `rows`: what becomes of each booking inside, the soonest ROWS_MOST at least. Locks as `be_away`. Raises what that does,
    and PreviewStale when a lesson was not shown or is not there any more."""
    access.require(work.actor, Permission.MANAGE_SLOTS)
    access.require(work.actor, Permission.RUN_BULK)
    arguments = arguments_of(teacher_id, start_at, end_at, rows)
    decided = [UUID(each) for each in arguments["rows"]]
    _agree_on_rows(work, rows, impact.affected(work.session, teacher_id, start_at, end_at, work.now))
    forecasts = bulk.foresee(work.session, work.actor, ACTION, decided, arguments=arguments, now=work.now)
    if decided:
        bulk.agree(ACTION, arguments, forecasts, digest=digest, seen=seen)
    off = be_away(work, work.record_id, teacher_id=teacher_id, start_at=start_at, end_at=end_at, reason=None)
    if not decided:
        return IllReport(off, None)
    run = bulk.make_run(work, ACTION, arguments, forecasts, digest=digest, reason=reason, run_id=db.new_id())
    return IllReport(off, run)


def _agree_on_rows(work: Work, rows: Mapping[UUID, Mapping[str, str]], inside: Sequence[Booking]) -> None:
    """Every lesson inside was shown, and no other is decided about."""
    decided = {each for each, row in rows.items() if row["way"] != LATER}
    missing = [each for each in inside[:ROWS_MOST] if each.id not in rows]
    reasons = [Reason("lesson_not_shown", f"{each.reference} lies in this time and was not shown.") for each in missing]
    if not decided.issubset({each.id for each in inside}):
        reasons.append(NOT_INSIDE)
    if reasons:
        raise bulk.PreviewStale(reasons=reasons)


NOT_INSIDE = Reason("not_inside", "A lesson of these is not in this time any more.", "Look again.")
