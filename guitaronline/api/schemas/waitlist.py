from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Id, Input, Moment, Output, Whole
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.booking.waitlist import effective_status
from guitaronline.booking.waitlist_models import WaitlistEntry, WaitStatus
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX, SLOT_MINUTES_MIN


class WaitNew(Input):
    teacher_id = Id(required=True, metadata={"description": "the teacher's user id"})
    from_ = Moment(
        required=True,
        data_key="from",
        metadata={"example": "2026-11-30T00:00:00Z", "description": "the lesson starts then or later"},
    )
    to = Moment(required=True, metadata={"example": "2026-12-07T00:00:00Z", "description": "… and before then"})
    lesson_minutes = Whole(
        least=SLOT_MINUTES_MIN,
        most=SLOT_MINUTES_MAX,
        metadata={"description": "without it a lesson of any length is offered"},
    )


class WaitOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "WL-7Q4M2"})
    student_id = fields.UUID(required=True)
    teacher_id = fields.UUID(required=True)
    from_ = time(data_key="from")
    to = time()
    lesson_minutes = maybe(fields.Integer)
    status = fields.String(required=True, metadata={"enum": list(WaitStatus)})
    booking_id = maybe(fields.UUID, metadata={"description": "the hold that was offered last; confirm it to take it"})
    created_at = time()
    updated_at = time()


@dataclass(frozen=True)
class Waiting:
    """An entry as it stands at a moment: doors show what became of an offer before the job has written it down."""

    entry: WaitlistEntry
    now: datetime


def wait_json(waiting: Waiting) -> dict[str, Any]:
    entry = waiting.entry
    return {
        "id": str(entry.id),
        "reference": entry.reference,
        "student_id": str(entry.student_id),
        "teacher_id": str(entry.teacher_id),
        "from": moment(entry.from_at),
        "to": moment(entry.until_at),
        "lesson_minutes": entry.lesson_minutes,
        "status": effective_status(entry, entry.booking, waiting.now).value,
        "booking_id": str(entry.booking_id) if entry.booking_id else None,
        "created_at": moment(entry.created_at),
        "updated_at": moment(entry.updated_at),
    }
