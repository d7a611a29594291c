"""The horizon rolls on: a teacher's next day becomes slots as soon as one has passed, and whose zone or closures have
changed, or whose slots wait for a booking to end, is looked at as a whole. Two at once do no harm."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfoNotFoundError

import structlog
from sqlalchemy import and_, exists, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from guitaronline import clock, db
from guitaronline.actor import SYSTEM
from guitaronline.booking import horizon
from guitaronline.booking.horizon import Regenerated
from guitaronline.booking.hours import DAY, Ask
from guitaronline.errors import DomainError
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.hours_models import Horizon, WeeklyHours
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import ACTIVE_TEACHER
from guitaronline.unit_of_work import Work, command

TEACHERS_AT_ONCE = 50  # in one transaction: whoever changes one of their hours meanwhile waits for it
DUE_AT_ONCE = 2_000  # in one run

log = structlog.get_logger("schedule")


@dataclass(frozen=True)
class Due:
    """A teacher whose horizon is to be looked at, and the bookkeeping as it was read; None where there is none."""

    teacher_id: UUID
    zone: str | None
    due_at: datetime | None


@dataclass(frozen=True)
class Extended:
    """What became of some teachers' slots. Nothing at all: then the command has left no trace."""

    done: Sequence[Regenerated]

    def __bool__(self) -> bool:
        return any(each.is_changed for each in self.done)


@dataclass
class Run:
    """One run over all that are due, in numbers of teachers and slots."""

    teachers: int = 0
    changed: int = 0
    made: int = 0
    removed: int = 0
    failed: int = 0

    def count(self, done: Sequence[Regenerated]) -> None:
        self.teachers += len(done)
        self.changed += sum(each.is_changed for each in done)
        self.made += sum(len(each.plan.make) for each in done)
        self.removed += sum(len(each.plan.remove) for each in done)


def extend_due(*, seconds: float) -> Run:
    """Whoever is due has been looked at once, or the time was over and the rest is still due.

    A teacher whose slots cannot be worked out keeps nobody else from theirs, and is tried again at the next run."""
    run, stop_at = Run(), time.monotonic() + seconds
    due = due_teachers(db.session(), clock.read(db.session()), limit=DUE_AT_ONCE)
    for some in _batches(due):
        if time.monotonic() >= stop_at:
            break
        _extend(run, some)
    return run


def due_teachers(session: Session, now: datetime, *, limit: int) -> list[Due]:
    """Active teachers whose day has passed, whose zone is another one, who are to be looked at again, or never were.

    Reads the bookkeeping through: a school has thousands of teachers. Those who are not active are due once they are."""
    with_hours = exists().where(WeeklyHours.teacher_id == User.id)  # ix_weekly_hours_teacher_id
    query = (
        select(User.id, Horizon.zone, Horizon.due_at)
        .join(TeacherProfile, TeacherProfile.user_id == User.id)
        .outerjoin(Horizon, Horizon.teacher_id == User.id)
        .where(
            ACTIVE_TEACHER,
            or_(
                Horizon.due_at <= now,
                Horizon.zone != User.timezone,
                and_(Horizon.teacher_id.is_(None), with_hours),
            ),
        )
        .order_by(Horizon.due_at.nulls_first(), User.id)
    )
    return [Due(*row) for row in session.execute(query.limit(limit))]


@command("schedule.extend", quiet=True)
def extend_horizons(work: Work, *, teacher_ids: Sequence[UUID]) -> Extended:
    """The slots of those of them who are active teachers are what their hours ask for, up to the horizon.

    Locks the teachers, then their bookkeeping. Leaves no trace when no slot changes."""
    access.require(work.actor, Permission.ADMINISTER)
    locked = work.lock_all(User, teacher_ids)
    active = set(
        work.session.scalars(
            select(User.id)
            .join(TeacherProfile, TeacherProfile.user_id == User.id)
            .where(ACTIVE_TEACHER, User.id.in_([each.id for each in locked]))
        )
    )
    teachers = [each for each in locked if each.id in active]
    known = horizon.lock_horizons(work, teachers)
    asks = [_ask(each, known[each.id], work.now) for each in teachers]
    done: list[Regenerated] = []
    for is_whole in (True, False):
        chosen = [(teacher, ask) for teacher, ask in zip(teachers, asks, strict=True) if ask.is_whole is is_whole]
        done += horizon.carry_out(work, [teacher for teacher, _ in chosen], [ask for _, ask in chosen])
    return Extended(done)


def _ask(teacher: User, known: Horizon, now: datetime) -> Ask:
    """Only the days since the last one that is done, where the rest is known to be right."""
    all_days = horizon.whole(teacher, now)
    if known.zone != teacher.timezone or known.until < all_days.first_day:
        return all_days
    return Ask(teacher.id, all_days.zone, known.until + DAY, all_days.last_day, is_whole=False)


def put_off(due: Sequence[Due], done: Sequence[Regenerated]) -> None:
    """Those for whom there was nothing to do are due again when their next day begins; unless their bookkeeping has
    changed since it was read, or is being changed now: then somebody has asked anew, or has done it."""
    read = {each.teacher_id: (each.zone, each.due_at) for each in due}
    never = [each for each in done if read[each.teacher_id] == (None, None)]
    with db.technical_transaction() as session:
        query = select(Horizon.teacher_id, Horizon.zone, Horizon.due_at).where(
            Horizon.teacher_id.in_([each.teacher_id for each in done])
        )
        locked = session.execute(query.order_by(Horizon.teacher_id).with_for_update(skip_locked=True)).all()
        as_read = {row.teacher_id for row in locked if read[row.teacher_id] == (row.zone, row.due_at)}
        horizon.remember(session, [each for each in done if each.teacher_id in as_read])
        for each in never:
            row = {"teacher_id": each.teacher_id, "zone": each.zone, "until": each.until, "due_at": each.due_at}
            session.execute(upsert(Horizon).values(row).on_conflict_do_nothing())


def _extend(run: Run, some: Sequence[Due]) -> None:
    try:
        extended = extend_horizons(SYSTEM, teacher_ids=[each.teacher_id for each in some])
    except (DomainError, ZoneInfoNotFoundError) as error:
        if len(some) > 1:
            for each in some:
                _extend(run, [each])
            return
        log.warning("horizon not extended", teacher_id=str(some[0].teacher_id), error=type(error).__name__)
        run.failed += 1
        return
    if not extended:
        put_off(some, extended.done)
    run.count(extended.done)


def _batches(due: Sequence[Due]) -> Iterator[Sequence[Due]]:
    return (due[start : start + TEACHERS_AT_ONCE] for start in range(0, len(due), TEACHERS_AT_ONCE))
