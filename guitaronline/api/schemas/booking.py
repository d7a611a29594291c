from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import fields

from guitaronline.actor import Role
from guitaronline.api.fields import Id, Input, OneOf, Output, Text, YesNo
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.api.schemas.scheduling import ReasonOut, reason_json
from guitaronline.booking.cancellation import REASON_LENGTH, Decision, Outcome
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.queries import CancelPreview, ReschedulePreview, TaughtStudent
from guitaronline.booking.rules import effective_status


class Hold(Input):
    slot_id = Id(required=True)
    package_id = Id(metadata={"description": "none given: the one that fits, earliest expiry first"})


def _reason() -> Text:
    return Text(
        most=REASON_LENGTH, allow_none=True, metadata={"example": "I have a cold", "description": "staff must give one"}
    )


def _cause() -> OneOf:
    words = "by teachers: teacher, technical; by staff: any; not by students"
    return OneOf(CancelCause, allow_none=True, metadata={"description": words})


def _waive() -> YesNo:
    return YesNo(metadata={"description": "staff only: the lesson returns whatever the notice"})


class Cancel(Input):
    reason = _reason()
    cause = _cause()
    waive = _waive()


class Reschedule(Input):
    new_slot_id = Id(required=True)
    reason = _reason()
    cause = _cause()
    waive = _waive()


class Decline(Input):
    reason = _reason()


class DecisionOut(Output):
    """What became of the lesson, and why."""

    actor_id = maybe(fields.UUID)
    actor_role = fields.String(required=True, metadata={"enum": list(Role)})
    cause = fields.String(required=True, metadata={"enum": list(CancelCause)})
    outcome = fields.String(required=True, metadata={"enum": list(Outcome)})
    minutes_of_notice = fields.Integer(required=True)
    waived = fields.Boolean(required=True)
    policy = fields.Dict(required=True, metadata={"description": "the terms as they were when it was booked"})
    package_id = fields.UUID(required=True)
    package_expires_at = maybe(fields.DateTime)
    sentence = fields.String(required=True, metadata={"description": "for the student"})


class BookingOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "BK-7Q4M2"})
    slot_id = fields.UUID(required=True)
    student_id = fields.UUID(required=True)
    teacher_id = fields.UUID(required=True)
    original_teacher_id = maybe(
        fields.UUID, metadata={"description": "whom the student booked, while somebody else gives the lesson"}
    )
    package_id = fields.UUID(required=True)
    start_at = time()
    end_at = time()
    status = fields.String(required=True, metadata={"enum": list(BookingStatus)})
    hold_expires_at = maybe(fields.DateTime)
    confirmed_at = maybe(fields.DateTime)
    canceled_at = maybe(fields.DateTime)
    cancellation_reason = maybe(fields.String)
    refund_returned = fields.Boolean(required=True, metadata={"description": "the lesson went back to its package"})
    rescheduled_from_booking_id = maybe(fields.UUID)
    revision = fields.Integer(required=True, metadata={"description": "grows when people must be told anew"})
    decision = fields.Nested(DecisionOut, metadata={"description": "once it is canceled"})
    created_at = time()
    updated_at = time()


class Foreseen(Output):
    """What would become of the lesson, and why."""

    cause = fields.String(required=True, metadata={"enum": list(CancelCause)})
    outcome = fields.String(required=True, metadata={"enum": list(Outcome)})
    minutes_of_notice = fields.Integer(required=True)
    waived = fields.Boolean(required=True)
    package_id = fields.UUID(required=True)
    package_expires_at = maybe(fields.DateTime)
    sentence = fields.String(required=True, metadata={"description": "for the student"})


class CancelPreviewOut(Output):
    possible = fields.Boolean(required=True)
    reasons = fields.List(fields.Nested(ReasonOut), required=True, metadata={"description": "every rule that says no"})
    refund_returned = fields.Boolean(required=True, metadata={"description": "the lesson would go back to its package"})
    decision = fields.Nested(Foreseen, metadata={"description": "when it is possible"})


class MovePreviewOut(CancelPreviewOut):
    package_id = maybe(fields.UUID, metadata={"description": "the one that would pay for the new lesson"})


class StudentOut(Output):
    id = fields.UUID(required=True)
    full_name = fields.String(required=True)
    lessons = fields.Integer(required=True, metadata={"description": "booked, past and future"})
    next_start_at = maybe(fields.DateTime)


@dataclass(frozen=True)
class Seen:
    """A booking as it reads at a moment: a lapsed hold is expired whether or not a job has run."""

    booking: Booking
    now: datetime

    @property
    def version(self) -> int:
        return self.booking.version


def seen_json(seen: Seen) -> dict[str, Any]:
    return {**booking_json(seen.booking), "status": effective_status(seen.booking, seen.now).value}


def booking_json(booking: Booking) -> dict[str, Any]:
    made = {
        "id": str(booking.id),
        "reference": booking.reference,
        "slot_id": str(booking.slot_id),
        "student_id": str(booking.student_id),
        "teacher_id": str(booking.teacher_id),
        "original_teacher_id": _id(booking.substituted_from_id),
        "package_id": str(booking.package_id),
        "start_at": moment(booking.start_at),
        "end_at": moment(booking.end_at),
        "status": booking.status.value,
        "hold_expires_at": moment(booking.hold_expires_at),
        "confirmed_at": moment(booking.confirmed_at),
        "canceled_at": moment(booking.canceled_at),
        "cancellation_reason": booking.cancellation_reason,
        "refund_returned": bool(booking.refund_returned),
        "rescheduled_from_booking_id": _id(booking.rescheduled_from_booking_id),
        "revision": booking.revision,
        "created_at": moment(booking.created_at),
        "updated_at": moment(booking.updated_at),
    }
    return {**made, "decision": _stored(booking.decision)} if booking.decision is not None else made


def cancel_preview_json(preview: CancelPreview | ReschedulePreview) -> dict[str, Any]:
    decision = preview.decision
    made = {
        "possible": preview.possible,
        "reasons": [reason_json(reason) for reason in preview.reasons],
        "refund_returned": decision is not None and decision.is_returned,
    }
    return {**made, "decision": foreseen_json(decision)} if decision is not None else made


def move_preview_json(preview: ReschedulePreview) -> dict[str, Any]:
    return {**cancel_preview_json(preview), "package_id": _id(preview.package_id)}


def foreseen_json(decision: Decision) -> dict[str, Any]:
    return {
        "cause": decision.cause.value,
        "outcome": decision.outcome.value,
        "minutes_of_notice": decision.minutes_of_notice,
        "waived": decision.waived,
        "package_id": decision.package_id,
        "package_expires_at": moment(decision.package_expires_at),
        "sentence": decision.sentence(),
    }


def student_json(student: TaughtStudent) -> dict[str, Any]:
    return {
        "id": str(student.student_id),
        "full_name": student.full_name,
        "lessons": student.lessons,
        "next_start_at": moment(student.next_start_at),
    }


def _stored(decision: dict[str, Any]) -> dict[str, Any]:
    ends = decision["package_expires_at"]
    return {**decision, "package_expires_at": ends.replace("+00:00", "Z") if ends else None}


def _id(value: UUID | None) -> str | None:
    return str(value) if value is not None else None
