"""The lessons of an absence, each with a decision of its own: given to a substitute, moved, canceled or kept; and that taken back.

`arguments["rows"]` has a decision for each booking's id: `{"way": …, "teacher_id" | "new_slot_id": …}`. The rules are booking's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from guitaronline.actor import Actor
from guitaronline.booking import rules
from guitaronline.booking.around import TO_BE_MADE, Around, day_of, read_around
from guitaronline.booking.deciding import decide_booking, unkeep_booking
from guitaronline.booking.decision_preview import preview_decision
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.impact import Why
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.restoring import preview_restores, restore_booking
from guitaronline.booking.substitutes import BACK, booking_problems, substitute_problems
from guitaronline.booking.substitution import substitute_booking, take_back_substitution
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.office.bulk_bookings import people_totals
from guitaronline.office.bulk_forecast import Forecast, refused
from guitaronline.office.bulk_kinds import FRESH, Arguments, BulkAction
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff
from guitaronline.scheduling.models import Slot

SUBSTITUTE, MOVE, CANCEL, KEEP = "substitute", "move", "cancel", "keep"
WORDS = {SUBSTITUTE: "given to a substitute", MOVE: "moved", CANCEL: "canceled with credit", KEEP: "kept"}


@dataclass
class Promised:
    """What the rows above have taken already, so that no two are promised the same."""

    slots: set[UUID] = field(default_factory=set)
    days: Counter[tuple[UUID, object]] = field(default_factory=Counter)
    students: list[tuple[UUID, datetime, datetime]] = field(default_factory=list)


def problems(arguments: Arguments) -> list[Reason]:
    """What cannot be read; only a page that was tampered with sends that."""
    rows = arguments.get("rows", {})
    return [] if all(_is_readable(each) for each in rows.values()) else [UNREADABLE]


def _is_readable(row: Any) -> bool:
    names = {SUBSTITUTE: "teacher_id", MOVE: "new_slot_id"}
    if not isinstance(row, dict) or row.get("way") not in WORDS:
        return False
    name = names.get(row["way"])
    try:
        return name is None or bool(UUID(row[name]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return False


def with_words(arguments: Arguments) -> str:
    counted = Counter(WORDS[row["way"]] for row in arguments["rows"].values())
    return ", ".join(f"{number} {words}" for words, number in counted.items())


def totals(forecasts: Sequence[Forecast]) -> list[tuple[str, str]]:
    counted = Counter(each.code for each in forecasts if each.is_possible)
    people = {person for each in forecasts if each.is_possible for person in each.people}
    lines = [(words.capitalize(), str(counted[way])) for way, words in WORDS.items() if counted[way]]
    return [*lines, ("People it concerns", f"{len(people)} students and teachers")] if people else lines


def foresee_decide(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    """In the order of the rows: what the first one takes, the second one does not get."""
    found = _bookings(session, ids)
    rows = {each.id: arguments["rows"][str(each.id)] for each in found}
    teachers = {UUID(row["teacher_id"]) for row in rows.values() if row["way"] == SUBSTITUTE}
    given = [each for each in found if rows[each.id]["way"] == SUBSTITUTE]
    around = read_around(session, given, now, teachers)
    away, promised = _away(arguments) if found else None, Promised()
    return [_foresee(session, each, rows[each.id], around, away, promised, now) for each in found]


def _bookings(session: Session, ids: Sequence[UUID]) -> list[Booking]:
    query = select(Booking).where(Booking.id.in_(ids)).options(joinedload(Booking.lesson))
    found = {each.id: each for each in session.scalars(query, execution_options=FRESH)}
    return [found[each] for each in ids if each in found]


def _away(arguments: Arguments) -> TimeOff:
    """The absence that is about to be, or was, saved."""
    return TimeOff(
        teacher_id=UUID(arguments["teacher_id"]),
        start_at=datetime.fromisoformat(arguments["start_at"]),
        end_at=datetime.fromisoformat(arguments["end_at"]),
        status=AbsenceStatus.PLANNED,
    )


def _foresee(  # noqa: PLR0917
    session: Session,
    booking: Booking,
    row: Mapping[str, str],
    around: Around,
    away: TimeOff | None,
    promised: Promised,
    now: datetime,
) -> Forecast:
    if row["way"] == SUBSTITUTE:
        return _foresee_substitute(booking, UUID(row["teacher_id"]), around, promised, now)
    slot = session.get(Slot, UUID(row["new_slot_id"])) if row["way"] == MOVE else None
    if row["way"] == MOVE:
        if slot is None:
            return refused(booking, booking.reference, [NO_SUCH_SLOT])
        if taken := _promised_to_others(booking, slot, promised):
            return refused(booking, booking.reference, [taken])
    chosen = Chosen(booking.id, Way(row["way"]), slot.id if slot else None)
    preview = preview_decision(session, booking, chosen, [Why(away)], now)
    if preview.reasons:
        return refused(booking, booking.reference, preview.reasons)
    if slot is None:
        return _will(booking, row["way"], preview.sentence, booking.teacher_id)
    promised.slots.add(slot.id)
    promised.students.append((booking.student_id, slot.start_at, slot.end_at))
    where = f"Moves to {_spoken(slot)} with {slot.teacher.full_name}."
    return _will(booking, MOVE, f"{where} {preview.sentence}", slot.teacher_id)


def _promised_to_others(booking: Booking, slot: Slot, promised: Promised) -> Reason | None:
    busy = any(
        student == booking.student_id and start < slot.end_at and slot.start_at < end
        for student, start, end in promised.students
    )
    if slot.id in promised.slots:
        return TAKEN_ABOVE
    return BUSY_ABOVE if busy else None


def _foresee_substitute(
    booking: Booking, teacher_id: UUID, around: Around, promised: Promised, now: datetime
) -> Forecast:
    own = booking_problems(booking, booking.lesson, now)
    if own or teacher_id not in around.teachers:
        return refused(booking, booking.reference, own or [NO_TEACHER])
    day = (teacher_id, day_of(around.teachers[teacher_id], booking.start_at))
    stage = around.stage(booking, teacher_id, more_that_day=promised.days[day])
    reasons = substitute_problems(booking, stage, now)
    if stage.place.slot_id in promised.slots:
        reasons = [*reasons, TAKEN_ABOVE]
    if reasons:
        return refused(booking, booking.reference, reasons)
    promised.days[day] += 1
    if stage.place.slot_id != TO_BE_MADE:
        promised.slots.add(stage.place.slot_id)
    where = "in their open slot" if stage.slot else "in a slot that is made"
    return _will(booking, SUBSTITUTE, f"{stage.teacher.name} gives it, {where}.", teacher_id)


def _will(booking: Booking, code: str, sentence: str, *teachers: UUID) -> Forecast:
    people = frozenset({booking.student_id, booking.teacher_id, *teachers})
    return Forecast(booking.id, booking.version, booking.reference, code, sentence, people=people)


def _spoken(slot: Slot) -> str:
    """On the clock of its teacher."""
    wall = f"{slot.wall_start:%a %d %b %H:%M}" if slot.wall_start else f"{slot.start_at:%a %d %b %H:%M}"
    return f"{wall} ({slot.wall_zone or 'UTC'})"


def decide(actor: Actor, booking_id: UUID, arguments: Arguments, reason: str) -> Booking:
    row = arguments["rows"][str(booking_id)]
    if row["way"] == SUBSTITUTE:
        return substitute_booking(actor, booking_id, teacher_id=UUID(row["teacher_id"]), reason=reason)
    slot_id = UUID(row["new_slot_id"]) if row["way"] == MOVE else None
    return decide_booking(actor, booking_id, decision=Way(row["way"]), new_slot_id=slot_id, reason=reason)


def told_of_row(booking: Booking, booking_id: UUID, arguments: Arguments) -> str:
    way = arguments["rows"][str(booking_id)]["way"]
    told: dict[str, str] = {
        SUBSTITUTE: "Given by the substitute.",
        MOVE: f"Moved: {booking.reference} takes its place.",
        CANCEL: (booking.decision or {}).get("sentence", "Canceled."),
        KEEP: "The lesson is given as agreed.",
    }
    return told[way]


# And back


def undo_arguments(arguments: Arguments) -> Arguments:
    """The same decisions, and whose lessons they were."""
    return {"rows": arguments["rows"], "teacher_id": arguments["teacher_id"]}


def foresee_take_back(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    found = _bookings(session, ids)
    ways = {each.id: arguments["rows"][str(each.id)]["way"] for each in found}
    canceled = [each.id for each in found if ways[each.id] == CANCEL]
    previews = preview_restores(session, canceled, now, despite_absence=True)
    restored = {booking.id: answer.reasons for booking, answer in previews}
    given = [each for each in found if ways[each.id] == SUBSTITUTE]
    around = read_around(session, given, now, {UUID(arguments["teacher_id"])}) if given else None
    return [_foresee_back(each, ways[each.id], restored, around, arguments, now) for each in found]


def _foresee_back(  # noqa: PLR0917
    booking: Booking,
    way: str,
    restored: Mapping[UUID, list[Reason]],
    around: Around | None,
    arguments: Arguments,
    now: datetime,
) -> Forecast:
    reasons = restored.get(booking.id, [])
    if way == SUBSTITUTE and around is not None:
        reasons = booking_problems(booking, booking.lesson, now)
        stage = around.stage(booking, UUID(arguments["teacher_id"]))
        reasons = reasons or substitute_problems(booking, stage, now, excused=BACK)
    elif way == MOVE:
        reasons = [STAYS_MOVED]
    elif way == KEEP:
        is_there = rules.effective_status(booking, now) in (BookingStatus.HOLD, BookingStatus.CONFIRMED)
        reasons = [] if is_there and booking.start_at > now else [OVER]
    if reasons:
        return refused(booking, booking.reference, reasons)
    return _will(booking, f"{way}_back", BACK_WORDS[way])


def take_back(actor: Actor, booking_id: UUID, arguments: Arguments, reason: str) -> Booking:
    way = arguments["rows"][str(booking_id)]["way"]
    if way == SUBSTITUTE:
        teacher_id = UUID(arguments["teacher_id"])
        return take_back_substitution(actor, booking_id, teacher_id=teacher_id, reason=reason)
    if way == CANCEL:
        return restore_booking(actor, booking_id, reason=reason, despite_absence=True)
    return unkeep_booking(actor, booking_id, reason=reason)


def told_of_taken_back(booking: Booking, booking_id: UUID, arguments: Arguments) -> str:
    way = arguments["rows"][str(booking_id)]["way"]
    return f"Stands again as {booking.reference}." if way == CANCEL else BACK_WORDS[way]


BACK_WORDS = {
    SUBSTITUTE: "Is with its teacher again and waits for a decision.",
    CANCEL: "Stands again; its lesson is taken from its package again, and it waits for a decision.",
    KEEP: "Waits for a decision again.",
}
UNREADABLE = Reason("not_a_decision", "A decision cannot be read.", "Open the page again.")
NO_SUCH_SLOT = Reason("slot_not_found", "There is no such slot.", "Choose another one.")
NO_TEACHER = Reason("not_a_teacher", "They never taught here.", "Choose another teacher.")
TAKEN_ABOVE = Reason("slot_taken", "Another row takes this slot already.", "Choose another one.")
BUSY_ABOVE = Reason("student_busy", "The student has another row at this time already.", "Choose another slot.")
STAYS_MOVED = Reason(
    "stays_moved", "It was moved: the new time was agreed. Move it back by hand.", "Move the new booking."
)
OVER = Reason("booking_over", "It is over, so there is nothing to wait for.")


ALL = (
    BulkAction(
        "absences.decide",
        "bookings",
        "Decide about the lessons of an absence",
        Permission.MANAGE_SLOTS,
        foresee_decide,
        decide,
        lambda booking: "Done.",
        undone_by="absences.take_back",
        undo_words="Substitutes are taken back, canceled bookings stand again, kept ones wait again; what was moved stays moved."
        " The time off itself stays.",
        totals=totals,
        check=problems,
        told_of_row=told_of_row,
        undo_arguments=undo_arguments,
        with_words=with_words,
    ),
    BulkAction(
        "absences.take_back",
        "bookings",
        "Take back decisions about lessons",
        Permission.MANAGE_SLOTS,
        foresee_take_back,
        take_back,
        lambda booking: "Done.",
        final_because="It is an undo itself; decide about each booking again.",
        totals=people_totals,
        check=problems,
        told_of_row=told_of_taken_back,
        with_words=with_words,
    ),
)
