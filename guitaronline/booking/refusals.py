"""What booking says no with. Each name is the `code` that clients see; constraints speak through the same names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guitaronline.billing.refusals import NoLessonsLeft, PackageExpired, PackageFrozen, PackageNotActive
from guitaronline.errors import Conflict, DomainError, Invalid, NotFound, Reason, code_of
from guitaronline.teachers.service import TeacherNotActive
from guitaronline.unit_of_work import constraint_errors

# The slot


class SlotTaken(Conflict):
    detail = "Somebody else has this time."


class SlotBlocked(Conflict):
    detail = "The teacher keeps this time back."


class SlotWithdrawn(Conflict):
    detail = "This time is no longer offered."


class SlotStarted(Conflict):
    detail = "This time has begun or is over."


class SlotOccupied(Conflict):
    detail = "A booking occupies this slot. Cancel or move it first."


class TeacherDayFull(Conflict):
    detail = "The teacher gives no more lessons on this day."


class SlotKept(Conflict):
    detail = "This time is being offered to those who wait for it."


class TeacherAway(Conflict):
    detail = "The teacher is away at this time."


class SchoolClosed(Conflict):
    detail = "The school is closed on this day."


class FirstLessonPending(Conflict):
    detail = "The first lesson is booked already; more are booked once it was taken."


class TooShortNotice(Conflict):
    detail = "The lesson would start too soon."


class BeyondHorizon(Conflict):
    detail = "The lesson lies too far ahead."


# The student


class StudentNotActive(Conflict):
    detail = "Lessons are booked for active students only."


class StudentBusy(Conflict):
    detail = "There is another booking at this time."


class TooManyHolds(Conflict):
    detail = "Too many slots are kept already."


class TooManyBookings(Conflict):
    detail = "Too many lessons are booked already."


# The package


class WrongLessonLength(Conflict):
    detail = "The package is for lessons of another length."


class PackageExpiresBeforeLesson(Conflict):
    detail = "The package expires before the lesson starts."


# The booking


class HoldExpired(Conflict):
    detail = "The hold has lapsed; the slot and the lesson are free again."


class BookingCanceled(Conflict):
    detail = "The booking was canceled."


class BookingNotConfirmed(Conflict):
    detail = "Only a confirmed booking can be moved. Confirm it first."


class CancellationWindowClosed(Conflict):
    detail = "The lesson has started; the booking cannot be canceled or moved any more."


class AlreadyRescheduled(Conflict):
    detail = "The booking was moved already."


class SameSlot(Conflict):
    detail = "The booking is on this slot already."


class BookingNotCanceled(Conflict):
    detail = "Only a canceled booking can be restored."


class BookingWasMoved(Conflict):
    detail = "The booking was moved, not called off."


class AlreadyRestored(Conflict):
    detail = "The booking was restored already."


class NotSubstituted(Conflict):
    detail = "Nobody stands in for the teacher of this booking."


class NotTheirsBefore(Conflict):
    detail = "The booking was never with this teacher, so there is nothing to take back."


class SamePerson(Conflict):
    detail = "They are the student of this lesson."


# The request


class BookingInvalid(Invalid):
    detail = "The booking cannot be made like this."


class CancellationInvalid(Invalid):
    detail = "The booking cannot be called off like this."


class SubstitutionInvalid(Invalid):
    detail = "The booking cannot be given to somebody else like this."


HOLD_REFUSALS: dict[str, type[DomainError]] = {
    code_of(kind): kind
    for kind in (
        SlotTaken,
        SlotBlocked,
        SlotWithdrawn,
        SlotStarted,
        TeacherNotActive,
        TeacherDayFull,
        TooShortNotice,
        BeyondHorizon,
        SlotKept,
        TeacherAway,
        SchoolClosed,
        FirstLessonPending,
        StudentNotActive,
        StudentBusy,
        TooManyHolds,
        TooManyBookings,
        WrongLessonLength,
        PackageExpiresBeforeLesson,
        PackageNotActive,
        PackageExpired,
        PackageFrozen,
        NoLessonsLeft,
        SameSlot,
        HoldExpired,
        BookingNotCanceled,
        BookingWasMoved,
        AlreadyRestored,
    )
} | {"lesson_already_started": CancellationWindowClosed, "outcome_already_recorded": CancellationWindowClosed}


def refusal(reasons: Sequence[Reason], **facts: Any) -> DomainError:
    """One refusal with all its reasons; the first gives it its name."""
    return HOLD_REFUSALS[reasons[0].code](reasons=list(reasons), **facts)


constraint_errors.update(
    {
        "bookings_one_active_per_slot": SlotTaken,
        "bookings_no_student_overlap": StudentBusy,
        "bookings_one_successor": AlreadyRescheduled,
        "bookings_one_restoration": AlreadyRestored,
        "fk_bookings_slot_whole": NotFound,  # slots are never deleted and never move: only a made-up id leads here
        "fk_bookings_own_package": NotFound,
    }
)
