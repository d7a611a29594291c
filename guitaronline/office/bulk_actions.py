"""The bulk actions there are: who may, what each would do to every record, and the one command that it calls a row.

What is foreseen is answered by the rule that the command itself asks, so a preview and its run cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.office import bulk_absences as absences
from guitaronline.office import bulk_bookings as bookings
from guitaronline.office import bulk_others as others
from guitaronline.office.bulk_forecast import Forecast

Arguments = Mapping[str, Any]
Foresee = Callable[[Session, Actor, Sequence[UUID], Arguments, datetime], list[Forecast]]
Act = Callable[[Actor, UUID, Arguments, str], Any]
Totals = Callable[[Sequence[Forecast]], list[tuple[str, str]]]


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
    told_of_row: Callable[[Any, UUID, Arguments], str] | None = (
        None  # instead of `told`, where rows differ in what is asked
    )
    undo_arguments: Callable[[Arguments], Arguments] = lambda arguments: {}  # for the action that takes it back
    with_words: Callable[[Arguments], str] | None = None  # the arguments as people read them


ALL = (
    BulkAction(
        "bookings.cancel",
        "bookings",
        "Cancel bookings",
        Permission.CANCEL,
        bookings.foresee_cancel,
        bookings.cancel,
        lambda booking: (booking.decision or {}).get("sentence", "Canceled."),
        undone_by="bookings.restore",
        undo_words="Each booking is made again where its slot and its student are still free and its package has the lesson."
        " A package that lives longer since keeps that.",
        totals=bookings.cancel_totals,
        check=bookings.cancel_problems,
    ),
    BulkAction(
        "bookings.restore",
        "bookings",
        "Restore bookings",
        Permission.OVERRIDE,
        bookings.foresee_restore,
        bookings.restore,
        lambda booking: f"Stands again as {booking.reference}.",
        final_because="It is an undo itself; cancel the bookings again from their list.",
        totals=bookings.people_totals,
    ),
    BulkAction(
        "bookings.confirm",
        "bookings",
        "Confirm holds",
        Permission.BOOK,
        bookings.foresee_confirm,
        bookings.confirm,
        lambda booking: "Confirmed; its lesson is made.",
        final_because="A lesson was made and its people hear of it. Cancel the bookings instead: that shows what it costs.",
        totals=bookings.people_totals,
    ),
    BulkAction(
        "lessons.complete",
        "lessons",
        "Mark lessons as taken",
        Permission.RECORD_OUTCOME,
        others.foresee_complete,
        others.complete,
        lambda lesson: "Was given.",
        final_because="An outcome is never forgotten, only corrected: one by one, with the right outcome and a reason.",
    ),
    BulkAction(
        "slots.block",
        "availability_slots",
        "Block slots",
        Permission.MANAGE_SLOTS,
        others.foresee_block,
        others.block,
        lambda slot: "Blocked.",
        undone_by="slots.unblock",
        undo_words="Each slot is open again. A booking missed in between does not come by itself.",
    ),
    BulkAction(
        "slots.unblock",
        "availability_slots",
        "Unblock slots",
        Permission.MANAGE_SLOTS,
        others.foresee_unblock,
        others.unblock,
        lambda slot: "Open again.",
        undone_by="slots.block",
        undo_words="Each slot is blocked again, unless somebody has booked it by then.",
    ),
    BulkAction(
        "slots.withdraw",
        "availability_slots",
        "Withdraw slots",
        Permission.MANAGE_SLOTS,
        others.foresee_withdraw,
        others.withdraw,
        lambda slot: "Withdrawn.",
        final_because="A withdrawn slot is gone for good; make new slots at these times.",
    ),
    BulkAction(
        "packages.extend",
        "packages",
        "Extend packages",
        Permission.EXTEND_PACKAGES,
        others.foresee_extend,
        others.extend,
        others.says_expiry,
        final_because="The life of a package is never shortened: lessons may be booked in the new time already.",
        check=others.extend_problems,
    ),
    BulkAction(
        "packages.freeze",
        "packages",
        "Freeze packages",
        Permission.EXTEND_PACKAGES,
        others.foresee_freeze,
        others.freeze,
        lambda package: "Frozen.",
        undone_by="packages.unfreeze",
        undo_words="Each package can be used again and lives longer by the minutes that it was frozen.",
    ),
    BulkAction(
        "packages.unfreeze",
        "packages",
        "Unfreeze packages",
        Permission.EXTEND_PACKAGES,
        others.foresee_unfreeze,
        others.unfreeze,
        others.says_expiry,
        undone_by="packages.freeze",
        undo_words="Each package is frozen again from now on, with the reason of the undo; the time it gained stays.",
    ),
    BulkAction(
        "tasks.finish",
        "tasks",
        "Finish tasks",
        Permission.WRITE_NOTES,
        others.foresee_finish,
        others.finish,
        lambda task: "Done.",
        undone_by="tasks.reopen",
        undo_words="Each task is open again.",
    ),
    BulkAction(
        "tasks.reopen",
        "tasks",
        "Reopen tasks",
        Permission.WRITE_NOTES,
        others.foresee_reopen,
        others.reopen,
        lambda task: "Open again.",
        undone_by="tasks.finish",
        undo_words="Each task is done again.",
    ),
    BulkAction(
        "absences.decide",
        "bookings",
        "Decide about the lessons of an absence",
        Permission.MANAGE_SLOTS,
        absences.foresee_decide,
        absences.decide,
        lambda booking: "Done.",
        undone_by="absences.take_back",
        undo_words="Substitutes are taken back, canceled bookings stand again, kept ones wait again; what was moved stays moved."
        " The time off itself stays.",
        totals=absences.totals,
        check=absences.problems,
        told_of_row=absences.told_of_row,
        undo_arguments=absences.undo_arguments,
        with_words=absences.with_words,
    ),
    BulkAction(
        "absences.take_back",
        "bookings",
        "Take back decisions about lessons",
        Permission.MANAGE_SLOTS,
        absences.foresee_take_back,
        absences.take_back,
        lambda booking: "Done.",
        final_because="It is an undo itself; decide about each booking again.",
        totals=bookings.people_totals,
        check=absences.problems,
        told_of_row=absences.told_of_taken_back,
        with_words=absences.with_words,
    ),
)
ACTIONS = {action.name: action for action in ALL}
