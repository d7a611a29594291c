"""What keeps a slot from being booked, and how long a hold lives. Pure.

The list of what is offered, the hold, the move to another slot and `explain` all ask here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, cast
from uuid import UUID

import config
from guitaronline.billing import rules as billing_rules
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking.models import BookingStatus
from guitaronline.errors import Reason
from guitaronline.scheduling.models import SlotStatus

MINUTE = timedelta(minutes=1)


class Occupying(Protocol):
    """A booking, as far as these rules look at it."""

    @property
    def status(self) -> BookingStatus: ...
    @property
    def hold_expires_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Place:
    """A slot and what stands around it."""

    slot_id: UUID
    teacher_id: UUID
    start_at: datetime
    end_at: datetime
    status: SlotStatus
    is_teacher_active: bool
    kept_until: datetime | None = None  # until then for those who wait for it
    is_teacher_away: bool = False
    closed_for: str | None = None  # the name of the school's closure that covers it
    teacher_bookings_that_day: int = 0  # active ones, on the teacher's calendar day; read only where there is a limit

    @property
    def minutes(self) -> int:
        """Whole minutes, rounded up: 60 minutes and a second do not fit a package for 60."""
        return -(-(self.end_at - self.start_at) // MINUTE)


@dataclass(frozen=True)
class Student:
    id: UUID
    is_active: bool  # the person is active and has the role student
    had_lesson: bool = True  # one was taken; read only where the first lesson comes first


@dataclass(frozen=True)
class ActiveBooking:
    """A booking in state hold or confirmed: one on the slot in question, or the student's."""

    id: UUID
    slot_id: UUID
    student_id: UUID
    package_id: UUID
    start_at: datetime
    end_at: datetime
    status: BookingStatus
    hold_expires_at: datetime | None


@dataclass(frozen=True)
class Purse:
    """A package as it will stand once lapsed holds (and a lesson that returns) are back in it."""

    id: UUID
    reference: str
    student_id: UUID
    status: PackageStatus
    lesson_minutes: int | None
    available: int
    expires_at: datetime | None
    frozen_at: datetime | None


@dataclass(frozen=True)
class Liberties:
    """What staff may be excused from, and what a move leaves out of account."""

    override: bool = False  # notice, horizon, length; with a reason
    moving: UUID | None = None  # this booking ends in the same breath
    preferred_package: UUID | None = None
    waited: bool = False  # the slot is kept for this student
    far_ahead: bool = False  # how far ahead does not count: a term of lessons that the school books


def is_lapsed(booking: Occupying, now: datetime) -> bool:
    return (
        booking.status is BookingStatus.HOLD and booking.hold_expires_at is not None and booking.hold_expires_at <= now
    )


def effective_status(booking: Occupying, now: datetime) -> BookingStatus:
    """The status that doors show: a lapsed hold is expired before any job has run."""
    return BookingStatus.EXPIRED if is_lapsed(booking, now) else booking.status


def is_kept(place: Place, now: datetime) -> bool:
    """A freed slot is for those who wait for it, for a while."""
    return place.kept_until is not None and place.kept_until > now


def hold_ends(place: Place, now: datetime, minutes: int) -> datetime:
    """A hold never outlives the moment at which its lesson would start."""
    return min(now + minutes * MINUTE, place.start_at)


def policy_snapshot(settings: config.Settings, *, override: bool = False) -> dict[str, Any]:
    """The terms of this booking, kept with it: later settings do not change them."""
    return {
        "refund_window_hours": settings.BOOKING_REFUND_WINDOW_HOURS,
        "min_notice_minutes": settings.BOOKING_MIN_NOTICE_MINUTES,
        "override": override,
    }


def hold_problems(
    place: Place,
    student: Student,
    active: Sequence[ActiveBooking],
    purses: Sequence[Purse],
    *,
    now: datetime,
    settings: config.Settings,
    liberties: Liberties,
    to_confirm: bool = False,
) -> tuple[Purse | None, list[Reason]]:
    """The package that pays, and every reason why the slot cannot be booked; bookable when there is none.

    `active`: the bookings that occupy the slot, and all that the student has ahead. `to_confirm`: it becomes a
    confirmed booking at once, so the limit of holds does not count."""
    live = [each for each in active if not is_lapsed(each, now) and each.id != liberties.moving]
    reasons = slot_problems(place, live, now=now, settings=settings, liberties=liberties, student_id=student.id)
    reasons += student_problems(place, student, live, now=now, settings=settings, to_confirm=to_confirm)
    purse, unfit = choose_package(place, purses, now=now, liberties=liberties)
    return purse, reasons + unfit


def slot_problems(
    place: Place,
    live: Sequence[ActiveBooking],
    *,
    now: datetime,
    settings: config.Settings,
    liberties: Liberties = Liberties(),
    student_id: UUID | None = None,
) -> list[Reason]:
    """What keeps the slot from being offered, whoever asks. The SQL twin is `queries.offered`."""
    occupants = [each for each in live if each.slot_id == place.slot_id]
    notice, horizon = settings.BOOKING_MIN_NOTICE_MINUTES * MINUTE, timedelta(days=settings.BOOKING_HORIZON_DAYS)
    limit = settings.BOOKING_MAX_PER_TEACHER_DAY
    started = place.start_at <= now
    mine = any(each.student_id == student_id for each in occupants)
    found = [
        (place.status is SlotStatus.BLOCKED, SLOT_BLOCKED),
        (place.status is SlotStatus.WITHDRAWN, SLOT_WITHDRAWN),
        (not place.is_teacher_active, TEACHER_NOT_ACTIVE),
        (started, SLOT_STARTED),
        (
            not started and not liberties.override and place.start_at <= now + notice,
            Reason(
                "too_short_notice",
                f"Lessons are booked more than {settings.BOOKING_MIN_NOTICE_MINUTES} minutes before they start.",
                "Choose a later slot, or ask the school.",
                facts={"limit": settings.BOOKING_MIN_NOTICE_MINUTES},
            ),
        ),
        (
            not (liberties.override or liberties.far_ahead) and place.start_at > now + horizon,
            Reason(
                "beyond_horizon",
                f"Lessons are booked at most {settings.BOOKING_HORIZON_DAYS} days ahead.",
                "Choose an earlier slot, or ask the school.",
                facts={"limit": settings.BOOKING_HORIZON_DAYS},
            ),
        ),
        (bool(occupants), SLOT_YOURS if mine else SLOT_TAKEN),
        (not occupants and not liberties.waited and is_kept(place, now), SLOT_KEPT),
        (place.is_teacher_away, TEACHER_AWAY),
        (
            place.closed_for is not None,
            Reason("school_closed", f"The school is closed: {place.closed_for}.", "Choose another day."),
        ),
        (
            0 < limit <= place.teacher_bookings_that_day,
            Reason(
                "teacher_day_full",
                f"The teacher gives at most {limit} lessons a day.",
                "Choose another day or another teacher.",
                facts={"limit": limit},
            ),
        ),
    ]
    return [reason for applies, reason in found if applies]


def student_problems(
    place: Place,
    student: Student,
    live: Sequence[ActiveBooking],
    *,
    now: datetime,
    settings: config.Settings,
    to_confirm: bool = False,
) -> list[Reason]:
    """What keeps this student from booking this slot, packages aside."""
    own = [each for each in live if each.student_id == student.id]
    holds = sum(each.status is BookingStatus.HOLD for each in own)
    ahead = sum(each.start_at > now for each in own)
    busy = [
        each
        for each in own
        if each.slot_id != place.slot_id and each.start_at < place.end_at and place.start_at < each.end_at
    ]
    most_holds, most_ahead = settings.BOOKING_MAX_LIVE_HOLDS, settings.BOOKING_MAX_ACTIVE_PER_STUDENT
    found = [
        (not student.is_active, STUDENT_NOT_ACTIVE),
        (
            bool(busy),
            Reason(
                "student_busy",
                "There is another booking at this time.",
                "Choose another slot, or cancel or move the other booking first.",
                facts={"booking_ids": [str(each.id) for each in busy]},
            ),
        ),
        (
            not to_confirm and holds >= most_holds,
            Reason(
                "too_many_holds",
                f"At most {most_holds} slots are kept at a time.",
                "Confirm or release one of the holds first.",
                facts={"limit": most_holds},
            ),
        ),
        (
            0 < most_ahead <= ahead,
            Reason(
                "too_many_bookings",
                f"At most {most_ahead} lessons are booked ahead.",
                "Take a lesson, or cancel a booking first.",
                facts={"limit": most_ahead},
            ),
        ),
        (settings.BOOKING_FIRST_LESSON_FIRST and not student.had_lesson and ahead > 0, FIRST_LESSON_PENDING),
    ]
    return [reason for applies, reason in found if applies]


def choose_package(
    place: Place, purses: Sequence[Purse], *, now: datetime, liberties: Liberties
) -> tuple[Purse | None, list[Reason]]:
    """The preferred package if it fits, else the one that fits and expires first; or why none does."""
    unfit: list[Reason] = []
    for purse in sorted(purses, key=lambda each: _package_order(each, liberties.preferred_package)):
        reasons = [
            replace(reason, facts={**reason.facts, "package_id": str(purse.id), "package": purse.reference})
            for reason in billing_rules.package_problems(
                cast(Package, purse), minutes=place.minutes, lesson_start=place.start_at, now=now
            )
            if not (liberties.override and reason.code == "wrong_lesson_length")
        ]
        if not reasons:
            return purse, []
        unfit += reasons
    return None, unfit or [NO_PACKAGE]


def _package_order(purse: Purse, preferred: UUID | None) -> tuple[bool, bool, float, UUID]:
    """Earliest expiry first, no expiry last."""
    ends = purse.expires_at
    return (purse.id != preferred, ends is None, ends.timestamp() if ends else 0.0, purse.id)


def purses(packages: Iterable[Package], lapsed: Iterable[ActiveBooking]) -> list[Purse]:
    """The packages with the lessons of lapsed holds back in them."""
    coming: Mapping[UUID, int] = Counter(each.package_id for each in lapsed)
    return [purse_of(package, more=coming.get(package.id, 0)) for package in packages]


def purse_of(package: Package, *, more: int = 0) -> Purse:
    return Purse(
        id=package.id,
        reference=package.reference,
        student_id=package.student_id,
        status=package.status,
        lesson_minutes=package.lesson_minutes,
        available=package.available + more,
        expires_at=package.expires_at,
        frozen_at=package.frozen_at,
    )


SLOT_BLOCKED = Reason("slot_blocked", "The teacher keeps this time back.", "Choose another slot.")
SLOT_WITHDRAWN = Reason("slot_withdrawn", "This time is no longer offered.", "Choose another slot.")
TEACHER_NOT_ACTIVE = Reason("teacher_not_active", "The teacher gives no lessons at present.", "Choose another teacher.")
SLOT_STARTED = Reason("slot_started", "This time has begun or is over.", "Choose a later slot.")
SLOT_TAKEN = Reason("slot_taken", "Somebody else has this time.", "Choose another slot.")
SLOT_KEPT = Reason(
    "slot_kept", "This time is being offered to those who wait for it.", "Join the waitlist, or choose another slot."
)
TEACHER_AWAY = Reason("teacher_away", "The teacher is away at this time.", "Choose another time or another teacher.")
FIRST_LESSON_PENDING = Reason(
    "first_lesson_pending",
    "The first lesson is booked already; more are booked once it was taken.",
    "Take the first lesson, or ask the school.",
)
SLOT_YOURS = Reason("slot_taken", "The student has this time already.", "Confirm the hold, or look at the booking.")
STUDENT_NOT_ACTIVE = Reason(
    "student_not_active", "Lessons are booked for active students only.", "Ask the school to reactivate the account."
)
NO_PACKAGE = Reason("no_lessons_left", "There is no package with lessons.", "One has to be bought or granted first.")
