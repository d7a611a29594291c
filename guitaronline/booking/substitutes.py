"""Who could give a booked lesson instead: the rule that decides, and the order in which teachers are offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import Actor
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, rules
from guitaronline.booking.around import Around, Stage, Standing, read_all, read_around, read_days, taught_before
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.rules import Liberties
from guitaronline.errors import NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson

COUNTED = 50  # the day is counted for the best this many only: it decides last
AGREED_BEFORE = Liberties(override=True)  # notice and horizon were agreed when it was booked
BACK = frozenset({"teacher_away", "school_closed", "teacher_day_full", "teacher_not_active"})


@dataclass(frozen=True)
class Substitute:
    """A teacher who can give the lesson, and what speaks for them."""

    teacher_id: UUID
    name: str
    has_slot: bool  # an open one at exactly these times; else one is made
    taught: int  # lessons that the student had with them
    shared: tuple[str, ...]  # tags that the booked teacher has too, and the student's instrument
    that_day: int = 0  # lessons they give on that day of their calendar

    @property
    def rank(self) -> tuple[bool, bool, int, int, int, str, UUID]:
        """The best first."""
        return (
            not self.has_slot,
            not self.taught,
            -len(self.shared),
            self.that_day,
            -self.taught,
            self.name,
            self.teacher_id,
        )

    def because(self) -> str:
        """For somebody who chooses."""
        had = f"{self.taught} {'lesson' if self.taught == 1 else 'lessons'}"
        day = f"{self.that_day} {'other lesson' if self.that_day == 1 else 'other lessons'} that day"
        parts = [
            "has an open slot exactly then" if self.has_slot else "is free then; a slot is made",
            f"gave this student {had} before" if self.taught else "",
            f"teaches {', '.join(self.shared)} too" if self.shared else "",
            day if self.that_day else "no other lesson that day",
        ]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class SubstitutionPreview:
    """What `substitute_booking` would do now, or everything that says no."""

    reasons: list[Reason]
    stage: Stage | None


def booking_problems(booking: Booking, lesson: Lesson | None, now: datetime) -> list[Reason]:
    """A rule: why nobody else can be given this booking."""
    status = rules.effective_status(booking, now)
    if status is not BookingStatus.CONFIRMED:
        return [{BookingStatus.HOLD: ONLY_HELD, BookingStatus.CANCELED: CANCELED}.get(status, EXPIRED)]
    return cancellation.cancel_problems(booking, lesson, now)


def substitute_problems(
    booking: Booking, stage: Stage, now: datetime, *, excused: frozenset[str] = frozenset()
) -> list[Reason]:
    """A rule: why this teacher cannot give the lesson. `excused`: what does not count when a substitution is taken back."""
    live = [each for each in stage.active if not rules.is_lapsed(each, now)]
    reasons = rules.slot_problems(stage.place, live, now=now, settings=policy.current(), liberties=AGREED_BEFORE)
    if booking.student_id == stage.place.teacher_id:
        reasons.append(SAME_PERSON)
    reasons += [_across(stage, each, now) for each in stage.across]
    if stage.slot is None:
        excused -= {"teacher_not_active"}  # a slot is to be made, and only an active teacher gets one
    return [each for each in reasons if each.code not in excused]


def _across(stage: Stage, other: Standing, now: datetime) -> Reason:
    """Another slot of theirs, or the pause after it, lies across the time."""
    is_taken = other.occupant is not None and not rules.is_lapsed(other.occupant, now)
    if is_taken:
        detail = f"{stage.teacher.name} gives another lesson then, or has the pause after it ({other.reference})."
        return Reason("slot_overlap", detail, "Choose another teacher.", facts={"slot_id": str(other.slot_id)})
    detail = f"{stage.teacher.name} has slot {other.reference} across this time, or the pause after it."
    fix = "Withdraw that slot first, or choose another teacher."
    return Reason("slot_overlap", detail, fix, facts={"slot_id": str(other.slot_id)})


def decline_problems(booking: Booking, lesson: Lesson | None, now: datetime) -> list[Reason]:
    """A rule: why there is no substitute to decline, or not any more."""
    if booking.status is not BookingStatus.CONFIRMED or booking.substituted_from_id is None:
        return [NOT_SUBSTITUTED]
    return cancellation.cancel_problems(booking, lesson, now)


def decline_decision(booking: Booking, package: Package, now: datetime) -> Decision:
    """The lesson returns whatever the notice: that the teacher does not give it is not the student's doing."""
    days = policy.current().PACKAGE_REINSTATE_DAYS
    decision = cancellation.cancel_decision(
        booking, package, cause=CancelCause.TEACHER, waive=False, now=now, reinstate_days=days
    )
    return replace(decision, is_declined=True)


def preview_substitution(session: Session, actor: Actor, booking_id: UUID, *, teacher_id: UUID) -> SubstitutionPreview:
    """By the rule that decides. Raises NotAllowed, NotFound."""
    access.require(actor, Permission.CANCEL)
    now = clock.read(session)
    booking, lesson = booking_with_lesson(session, booking_id)
    own = booking_problems(booking, lesson, now)
    if own or booking.teacher_id == teacher_id:
        return SubstitutionPreview(own or [SAME_TEACHER], None)
    stage = read_around(session, [booking], now, {teacher_id}).stage(booking, teacher_id)
    return SubstitutionPreview(substitute_problems(booking, stage, now), stage)


def booking_with_lesson(session: Session, booking_id: UUID) -> tuple[Booking, Lesson | None]:
    """Raises NotFound."""
    query = select(Booking, Lesson).outerjoin(Lesson, Lesson.booking_id == Booking.id).where(Booking.id == booking_id)
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound()
    return found[0], found[1]


def substitutes_for(session: Session, booking: Booking, now: datetime, *, limit: int = 5) -> list[Substitute]:
    """Active teachers who can give the lesson, the best first; conflicts are looked for by the rule that decides."""
    return substitutes_for_each(session, [booking], now, limit=limit)[booking.id]


def substitutes_for_each(
    session: Session, bookings: Sequence[Booking], now: datetime, *, limit: int = 5
) -> dict[UUID, list[Substitute]]:
    """The same for many, each for itself: two of them may be offered the same teacher. The teacher on it is not offered."""
    if not bookings:
        return {}
    around = read_all(session, bookings)
    booked = read_all(session, [], {each.teacher_id for each in bookings}).teachers
    students = {each.student_id for each in bookings}
    people = session.execute(select(User.id, User.instrument).where(User.id.in_(students)))
    instruments = {row.id: (row.instrument or "").casefold() for row in people}
    taught = taught_before(session, students, now)
    ranked = {}
    for booking in bookings:
        tags = booked[booking.teacher_id].tags if booking.teacher_id in booked else ()
        wanted = {*tags, instruments[booking.student_id]} - {""}
        free = [
            Substitute(
                stage.teacher.user_id,
                stage.teacher.name,
                stage.slot is not None,
                taught.get((booking.student_id, stage.teacher.user_id), 0),
                tuple(sorted(wanted & set(stage.teacher.tags))),
            )
            for stage in _free_stages(around, booking, now)
        ]
        ranked[booking.id] = sorted(free, key=lambda each: each.rank)[: max(limit, COUNTED)]
    counted = {each.teacher_id for found in ranked.values() for each in found}
    around = replace(around, days=read_days(session, around, bookings, counted, now))
    return {each.id: _best(around, each, ranked[each.id], now, limit) for each in bookings}


def _free_stages(around: Around, booking: Booking, now: datetime) -> list[Stage]:
    """Those whom nothing plain keeps away; the rule has the last word in `_best`, where there are few."""
    found = []
    for teacher_id in around.teachers.keys() - {booking.teacher_id, booking.student_id}:
        stage = around.stage(booking, teacher_id)
        if not stage.across and not stage.place.is_teacher_away:
            found.append(stage)
    return found


def _best(around: Around, booking: Booking, free: Sequence[Substitute], now: datetime, limit: int) -> list[Substitute]:
    found: list[Substitute] = []
    counted = [replace(each, that_day=around.days.get((booking.id, each.teacher_id), 0)) for each in free]
    for each in sorted(counted, key=lambda one: one.rank):
        if len(found) < limit and not substitute_problems(booking, around.stage(booking, each.teacher_id), now):
            found.append(each)
    return found


ONLY_HELD = Reason(
    "booking_not_confirmed", "Only a confirmed booking can be given to a substitute.", "Confirm it first."
)
CANCELED = Reason("booking_canceled", "The booking was canceled.", "Book again.")
EXPIRED = Reason("hold_expired", "The hold has lapsed.", "Book again.")
SAME_TEACHER = Reason("same_teacher", "They give this lesson already.", "Choose another teacher.")
SAME_PERSON = Reason("same_person", "They are the student of this lesson.", "Choose another teacher.")
NOT_SUBSTITUTED = Reason("not_substituted", "Nobody stands in for the teacher of this booking.", "Cancel it instead.")
