"""Many lessons, slots, packages or tasks at once. What is foreseen comes from the rules of their domains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

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
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, TaskStatus
from guitaronline.lessons import rules as lesson_rules
from guitaronline.lessons import service as lessons
from guitaronline.lessons.models import Lesson
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.bulk_kinds import (
    Arguments,
    BulkAction,
    Foresee,
    forecast,
    foresee_each,
    move_problems,
    plainly,
    records,
    said_why,
)
from guitaronline.scheduling import service as scheduling
from guitaronline.scheduling.models import Slot, SlotStatus

DAYS_MOST = 366


def _foresee_out(target: SlotStatus, sentence: str) -> Foresee:
    """A slot is taken out of what is offered; whether it may be depends on the bookings that stand on it."""

    def foresee(
        session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
    ) -> list[Forecast]:
        standing = facts.read_standing(session, ids)
        already = [Reason("nothing_to_do", f"It is {target.value} already.")]
        return [
            forecast(
                each,
                target.value,
                sentence,
                already
                if each.status is target
                else booking_slots.out_problems(each, standing.get(each.id, []), target, now),
            )
            for each in records(session, Slot, ids)
        ]

    return foresee


def extend_problems(arguments: Arguments) -> list[Reason]:
    days = arguments.get("days")
    if isinstance(days, int) and 1 <= days <= DAYS_MOST:
        return []
    return [Reason("days_out_of_range", f"1 to {DAYS_MOST} days.", "Correct the days.", "/days")]


def _longer(package: Package, arguments: Arguments) -> datetime | None:
    return package.expires_at + timedelta(days=arguments["days"]) if package.expires_at else None


def _extension_problems(package: Package, arguments: Arguments, now: datetime) -> Sequence[Reason]:
    later = _longer(package, arguments)
    if later is None:
        return [Reason("nothing_to_do", "It never expires.")]
    return billing_rules.living_problems(package, now) or billing_rules.extension_problems(package, later, now)


def extend(actor: Actor, package_id: UUID, arguments: Arguments, reason: str) -> Package:
    """From the expiry that it has now; the version that was seen is compared under the lock."""
    package = current_session().get(Package, package_id, populate_existing=True)
    if package is None:
        raise NotFound()
    return billing.extend_package(actor, package_id, expires_at=_longer(package, arguments), reason=reason)


def says_expiry(package: Package) -> str:
    return f"Expires on {package.expires_at:%d %B %Y}." if package.expires_at else "Never expires."


def _freeze_problems(package: Package, arguments: Arguments, now: datetime) -> Sequence[Reason]:
    if package.frozen_at:
        return [Reason("nothing_to_do", "It is frozen already.")]
    return billing_rules.living_problems(package, now)


ALL = (
    BulkAction(
        "lessons.complete",
        "lessons",
        "Mark lessons as taken",
        Permission.RECORD_OUTCOME,
        foresee_each(
            Lesson,
            "completed",
            "Was given; the package's lesson stays used.",
            lambda lesson, arguments, now: lesson_rules.outcome_problems(lesson, now),
        ),
        plainly(lessons.complete_lesson),
        lambda lesson: "Was given.",
        final_because="An outcome is never forgotten, only corrected: one by one, with the right outcome and a reason.",
    ),
    BulkAction(
        "slots.block",
        "availability_slots",
        "Block slots",
        Permission.MANAGE_SLOTS,
        _foresee_out(SlotStatus.BLOCKED, "Will not be offered until it is unblocked."),
        said_why(booking_slots.block_slot),
        lambda slot: "Blocked.",
        undone_by="slots.unblock",
        undo_words="Each slot is open again. A booking missed in between does not come by itself.",
    ),
    BulkAction(
        "slots.unblock",
        "availability_slots",
        "Unblock slots",
        Permission.MANAGE_SLOTS,
        foresee_each(
            Slot,
            "open",
            "Will be offered again.",
            lambda slot, arguments, now: move_problems(slot, SlotStatus.OPEN),
        ),
        said_why(scheduling.unblock_slot),
        lambda slot: "Open again.",
        undone_by="slots.block",
        undo_words="Each slot is blocked again, unless somebody has booked it by then.",
    ),
    BulkAction(
        "slots.withdraw",
        "availability_slots",
        "Withdraw slots",
        Permission.MANAGE_SLOTS,
        _foresee_out(SlotStatus.WITHDRAWN, "Will be gone for good."),
        said_why(booking_slots.withdraw_slot),
        lambda slot: "Withdrawn.",
        final_because="A withdrawn slot is gone for good; make new slots at these times.",
    ),
    BulkAction(
        "packages.extend",
        "packages",
        "Extend packages",
        Permission.EXTEND_PACKAGES,
        foresee_each(
            Package,
            "extended",
            lambda package, arguments: f"Will expire on {_longer(package, arguments):%d %B %Y}.",
            _extension_problems,
        ),
        extend,
        says_expiry,
        final_because="The life of a package is never shortened: lessons may be booked in the new time already.",
        check=extend_problems,
    ),
    BulkAction(
        "packages.freeze",
        "packages",
        "Freeze packages",
        Permission.EXTEND_PACKAGES,
        foresee_each(Package, "frozen", "No new bookings, and its clock stands.", _freeze_problems),
        said_why(billing.freeze_package),
        lambda package: "Frozen.",
        undone_by="packages.unfreeze",
        undo_words="Each package can be used again and lives longer by the minutes that it was frozen.",
    ),
    BulkAction(
        "packages.unfreeze",
        "packages",
        "Unfreeze packages",
        Permission.EXTEND_PACKAGES,
        foresee_each(
            Package,
            "unfrozen",
            "Can be used again and lives longer by the time that it was frozen.",
            lambda package, arguments, now: [] if package.frozen_at else [Reason("nothing_to_do", "It is not frozen.")],
        ),
        said_why(billing.unfreeze_package),
        says_expiry,
        undone_by="packages.freeze",
        undo_words="Each package is frozen again from now on, with the reason of the undo; the time it gained stays.",
    ),
    BulkAction(
        "tasks.finish",
        "tasks",
        "Finish tasks",
        Permission.WRITE_NOTES,
        foresee_each(Task, "done", "Will be done.", lambda task, arguments, now: move_problems(task, TaskStatus.DONE)),
        said_why(identity.finish_task),
        lambda task: "Done.",
        undone_by="tasks.reopen",
        undo_words="Each task is open again.",
    ),
    BulkAction(
        "tasks.reopen",
        "tasks",
        "Reopen tasks",
        Permission.WRITE_NOTES,
        foresee_each(
            Task,
            "open",
            "Will be to be done again.",
            lambda task, arguments, now: move_problems(task, TaskStatus.OPEN),
        ),
        said_why(identity.reopen_task),
        lambda task: "Open again.",
        undone_by="tasks.finish",
        undo_words="Each task is done again.",
    ),
)
