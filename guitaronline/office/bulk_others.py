"""Many lessons, slots, packages or tasks at once. What is foreseen comes from the rules of their domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.billing import rules as billing_rules
from guitaronline.billing import service as billing
from guitaronline.billing.models import Package
from guitaronline.booking import facts
from guitaronline.booking import slots as booking_slots
from guitaronline.db import session as current_session
from guitaronline.errors import NotFound, Reason
from guitaronline.identity import service as identity
from guitaronline.identity.models import Task, TaskStatus
from guitaronline.lessons import rules as lesson_rules
from guitaronline.lessons import service as lessons
from guitaronline.lessons.models import Lesson
from guitaronline.office.bulk_forecast import Forecast, refused
from guitaronline.scheduling import service as scheduling
from guitaronline.scheduling.models import Slot, SlotStatus

FRESH = {"populate_existing": True}
DAYS_MOST = 366
Arguments = Mapping[str, Any]


def _each(
    session: Session,
    model: Any,
    ids: Sequence[UUID],
    problems: Callable[[Any], Sequence[Reason]],
    *,
    code: str,
    sentence: Callable[[Any], str],
) -> list[Forecast]:
    """One forecast a record that exists, in the order of the ids."""
    query = select(model).where(model.id.in_(ids))
    found = {each.id: each for each in session.scalars(query, execution_options=FRESH)}
    records = [found[each] for each in ids if each in found]
    return [
        refused(each, label_of(each), reasons)
        if (reasons := problems(each))
        else Forecast(each.id, each.version, label_of(each), code, sentence(each))
        for each in records
    ]


def label_of(record: Any) -> str:
    """The reference; a task has none, and its words are nobody else's business."""
    return getattr(record, "reference", None) or f"task …{str(record.id)[-6:]}"


def foresee_complete(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _each(
        session,
        Lesson,
        ids,
        lambda each: lesson_rules.outcome_problems(each, now),
        code="completed",
        sentence=lambda each: "Was given; the package's lesson stays used.",
    )


def complete(actor: Actor, lesson_id: UUID, arguments: Arguments, reason: str) -> Lesson:
    return lessons.complete_lesson(actor, lesson_id)


def foresee_block(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _foresee_out(session, ids, SlotStatus.BLOCKED, "Will not be offered until it is unblocked.", now)


def foresee_withdraw(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _foresee_out(session, ids, SlotStatus.WITHDRAWN, "Will be gone for good.", now)


def _foresee_out(
    session: Session, ids: Sequence[UUID], target: SlotStatus, sentence: str, now: datetime
) -> list[Forecast]:
    standing = facts.read_standing(session, ids)
    return _each(
        session,
        Slot,
        ids,
        lambda each: (
            [Reason("nothing_to_do", f"It is {target.value} already.")]
            if each.status is target
            else booking_slots.out_problems(each, standing.get(each.id, []), target, now)
        ),
        code=target.value,
        sentence=lambda each: sentence,
    )


def block(actor: Actor, slot_id: UUID, arguments: Arguments, reason: str) -> Slot:
    return booking_slots.block_slot(actor, slot_id, reason=reason)


def withdraw(actor: Actor, slot_id: UUID, arguments: Arguments, reason: str) -> Slot:
    return booking_slots.withdraw_slot(actor, slot_id, reason=reason)


def foresee_unblock(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _each(
        session,
        Slot,
        ids,
        lambda each: _move_problems(each, SlotStatus.OPEN),
        code="open",
        sentence=lambda each: "Will be offered again.",
    )


def unblock(actor: Actor, slot_id: UUID, arguments: Arguments, reason: str) -> Slot:
    return scheduling.unblock_slot(actor, slot_id, reason=reason)


def extend_problems(arguments: Arguments) -> list[Reason]:
    days = arguments.get("days")
    if isinstance(days, int) and 1 <= days <= DAYS_MOST:
        return []
    return [Reason("days_out_of_range", f"1 to {DAYS_MOST} days.", "Correct the days.", "/days")]


def foresee_extend(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    more = timedelta(days=arguments["days"])

    def problems(package: Package) -> list[Reason]:
        if package.expires_at is None:
            return [Reason("nothing_to_do", "It never expires.")]
        later = package.expires_at + more
        return billing_rules.living_problems(package, now) or billing_rules.extension_problems(package, later, now)

    return _each(
        session,
        Package,
        ids,
        problems,
        code="extended",
        sentence=lambda each: f"Will expire on {each.expires_at + more:%d %B %Y}.",
    )


def extend(actor: Actor, package_id: UUID, arguments: Arguments, reason: str) -> Package:
    """From the expiry that it has now; the version that was seen is compared under the lock."""
    package = current_session().get(Package, package_id, populate_existing=True)
    if package is None:
        raise NotFound()
    later = package.expires_at + timedelta(days=arguments["days"]) if package.expires_at else None
    return billing.extend_package(actor, package_id, expires_at=later, reason=reason)


def says_expiry(package: Package) -> str:
    return f"Expires on {package.expires_at:%d %B %Y}." if package.expires_at else "Never expires."


def foresee_freeze(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _each(
        session,
        Package,
        ids,
        lambda each: (
            [Reason("nothing_to_do", "It is frozen already.")]
            if each.frozen_at
            else billing_rules.living_problems(each, now)
        ),
        code="frozen",
        sentence=lambda each: "No new bookings, and its clock stands.",
    )


def freeze(actor: Actor, package_id: UUID, arguments: Arguments, reason: str) -> Package:
    return billing.freeze_package(actor, package_id, reason=reason)


def foresee_unfreeze(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _each(
        session,
        Package,
        ids,
        lambda each: [] if each.frozen_at else [Reason("nothing_to_do", "It is not frozen.")],
        code="unfrozen",
        sentence=lambda each: "Can be used again and lives longer by the time that it was frozen.",
    )


def unfreeze(actor: Actor, package_id: UUID, arguments: Arguments, reason: str) -> Package:
    return billing.unfreeze_package(actor, package_id, reason=reason)


def foresee_finish(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _each(
        session,
        Task,
        ids,
        lambda each: _move_problems(each, TaskStatus.DONE),
        code="done",
        sentence=lambda each: "Will be done.",
    )


def finish(actor: Actor, task_id: UUID, arguments: Arguments, reason: str) -> Task:
    return identity.finish_task(actor, task_id, reason=reason)


def foresee_reopen(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return _each(
        session,
        Task,
        ids,
        lambda each: _move_problems(each, TaskStatus.OPEN),
        code="open",
        sentence=lambda each: "Will be to be done again.",
    )


def reopen(actor: Actor, task_id: UUID, arguments: Arguments, reason: str) -> Task:
    return identity.reopen_task(actor, task_id, reason=reason)


def _move_problems(record: Any, target: Any) -> list[Reason]:
    """By the record's state table."""
    if record.status is target:
        return [Reason("nothing_to_do", f"It is {target.value} already.")]
    if record.states.events(record.status, target):
        return []
    return [Reason("illegal_move", f"It is {record.status.value}: {record.states.meanings[record.status]}.")]
