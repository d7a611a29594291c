"""What becomes of the lesson when a booking is called off, and who may say why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from guitaronline.actor import Actor, Role
from guitaronline.billing import rules as billing_rules
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.rules import Purse, purse_of
from guitaronline.errors import Reason
from guitaronline.lessons.models import Lesson, LessonStatus

REASON_LENGTH = 500

CAUSES: dict[Role, frozenset[CancelCause]] = {
    Role.STUDENT: frozenset(),  # a student's is `student` and cannot be sent
    Role.TEACHER: frozenset({CancelCause.TEACHER, CancelCause.TECHNICAL}),
    Role.SERVICE: frozenset(),  # a partner's program speaks for the student; whose fault it was, the office says
}
OWN_CAUSE = {  # staff speak for the school
    Role.STUDENT: CancelCause.STUDENT,
    Role.TEACHER: CancelCause.TEACHER,
    Role.SERVICE: CancelCause.STUDENT,
}


class Outcome(StrEnum):
    RELEASED = "released"  # a hold: the reserved lesson is free again
    RETURNED = "returned"
    FORFEITED = "forfeited"
    EXPIRED_BUCKET = "expired_bucket"  # returned to a package whose time is over
    REVOKED_BUCKET = "revoked_bucket"  # returned to a package that was taken back


@dataclass(frozen=True)
class Decision:
    """What becomes of the lesson, and why."""

    cause: CancelCause
    outcome: Outcome
    minutes_of_notice: int
    window_hours: int
    waived: bool
    package_id: str
    package: str  # reference
    package_expires_at: datetime | None  # as it stands after the decision
    is_declined: bool = False  # the student did not want the substitute

    @property
    def is_returned(self) -> bool:
        return self.outcome is not Outcome.FORFEITED

    @property
    def is_students_fault(self) -> bool:
        """A waiver changes what the notice costs, not whose doing it was."""
        return self.cause is CancelCause.STUDENT

    def sentence(self) -> str:
        """For the student. UTC; a door that knows the reader's zone shows `package_expires_at` in it."""
        until = self.package_expires_at
        valid = f", which is valid until {until:%d %B %Y}" if until is not None else ""
        notice = f"with {spoken(self.minutes_of_notice)} of notice"
        called_off = "The substitute was declined" if self.is_declined else f"Called off {notice}"
        return {
            Outcome.RELEASED: f"The slot is free again and the reserved lesson is back in package {self.package}.",
            Outcome.RETURNED: f"{called_off}: the lesson is back in package {self.package}{valid}.",
            Outcome.FORFEITED: f"Called off {notice}; {self.window_hours} hours are needed to get the lesson back, so it counts as used.",
            Outcome.EXPIRED_BUCKET: f"{called_off}: the lesson is back in package {self.package}, but that has expired.",
            Outcome.REVOKED_BUCKET: f"{called_off}: the lesson is back in package {self.package}, but that was taken back.",
        }[self.outcome]

    def as_stored(self, actor: Actor, policy: dict[str, Any]) -> dict[str, Any]:
        return {
            "actor_id": str(actor.id) if actor.id else None,
            "actor_role": actor.role.value,
            "cause": self.cause.value,
            "outcome": self.outcome.value,
            "minutes_of_notice": self.minutes_of_notice,
            "waived": self.waived,
            "policy": policy,
            "package_id": self.package_id,
            "package_expires_at": self.package_expires_at.isoformat() if self.package_expires_at else None,
            "sentence": self.sentence(),
        }


def own_cause(actor: Actor) -> CancelCause:
    """The cause when none is named: whoever calls it off."""
    return OWN_CAUSE.get(actor.role, CancelCause.SCHOOL)


def cause_problems(actor: Actor, *, cause: str | None, waive: bool, reason: str | None) -> list[Reason]:
    """What this actor may not say."""
    is_office = actor.is_staff or actor.is_system
    allowed = CAUSES.get(actor.role, frozenset(CancelCause))
    found = [
        (
            cause is not None and cause not in {each.value for each in allowed},
            Reason(
                "cause_not_allowed",
                f"The cause may be one of: {', '.join(sorted(allowed))}."
                if allowed
                else "A cause cannot be named here.",
                "Leave the cause out.",
                "/cause",
                {"allowed": sorted(each.value for each in allowed)},
            ),
        ),
        (waive and not is_office, Reason("waive_not_allowed", "Only the school can waive.", "Leave it out.", "/waive")),
        (is_office and not (reason or "").strip(), REASON_MISSING),
        (len(reason or "") > REASON_LENGTH, REASON_TOO_LONG),
    ]
    return [each for applies, each in found if applies]


def cancel_problems(booking: Booking, lesson: Lesson | None, now: datetime) -> list[Reason]:
    """Why a hold or confirmed booking cannot be called off any more."""
    found = [
        (booking.status is BookingStatus.CONFIRMED and booking.start_at <= now, STARTED),
        (lesson is not None and lesson.status is not LessonStatus.SCHEDULED, OUTCOME_RECORDED),
    ]
    return [reason for applies, reason in found if applies]


def cancel_decision(
    booking: Booking, package: Package, *, cause: CancelCause, waive: bool, now: datetime, reinstate_days: int
) -> Decision:
    """What becomes of the booking's lesson, by the terms that were agreed when it was booked."""
    window_hours = int(booking.policy["refund_window_hours"])
    notice = booking.start_at - now
    is_kept = cause is CancelCause.STUDENT and not waive and notice < timedelta(hours=window_hours)
    after = package_after_return(
        package, now=now, students_fault=cause is CancelCause.STUDENT, reinstate_days=reinstate_days
    )
    if booking.status is BookingStatus.HOLD:
        outcome, ends = Outcome.RELEASED, package.expires_at
    elif is_kept:
        outcome, ends = Outcome.FORFEITED, package.expires_at
    else:
        outcome, ends = _home(after), after.expires_at
    return Decision(
        cause=cause,
        outcome=outcome,
        minutes_of_notice=max(0, int(notice.total_seconds() // 60)),
        window_hours=window_hours,
        waived=waive,
        package_id=str(package.id),
        package=package.reference,
        package_expires_at=ends,
    )


def package_after_return(
    package: Package, *, now: datetime, students_fault: bool, reinstate_days: int, more: int = 0
) -> Purse:
    """The package as `ledger.give_back` will leave it (a test holds the two together); `more`: lapsed holds coming back."""
    purse = purse_of(package, more=more)
    status = billing_rules.effective_package_status(package, now)
    if billing_rules.is_lapsed(package, now):
        purse = replace(purse, status=PackageStatus.EXPIRED, available=0)
    if status is PackageStatus.REVOKED or (status is PackageStatus.EXPIRED and students_fault):
        return purse
    ends = package.expires_at if students_fault else billing_rules.lives_until(package, now, reinstate_days)
    return replace(purse, status=PackageStatus.ACTIVE, available=purse.available + 1, expires_at=ends)


def _home(purse: Purse) -> Outcome:
    homes = {PackageStatus.EXPIRED: Outcome.EXPIRED_BUCKET, PackageStatus.REVOKED: Outcome.REVOKED_BUCKET}
    return homes.get(purse.status, Outcome.RETURNED)


def spoken(minutes: int) -> str:
    """`1505` → `25 hours`; below two hours, minutes."""
    if minutes < 120:
        return f"{minutes} {'minute' if minutes == 1 else 'minutes'}"
    return f"{minutes // 60} hours" if minutes < 4320 else f"{minutes // 1440} days"


STARTED = Reason("lesson_already_started", "The lesson has started.", "Record its outcome instead.")
OUTCOME_RECORDED = Reason(
    "outcome_already_recorded", "The lesson's outcome is recorded.", "Ask the school to correct the outcome."
)
REASON_MISSING = Reason("reason_required", "Say why: this is kept with the booking.", "Give a reason.", "/reason")
REASON_TOO_LONG = Reason(
    "reason_too_long", f"At most {REASON_LENGTH} characters.", "Shorten it.", "/reason", {"limit": REASON_LENGTH}
)
