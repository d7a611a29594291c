from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from guitaronline.api.fields import Id, Input, Moment, OneOf, Output, Text
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.booking.absence_rules import REASON_LENGTH
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.impact import AFFECTED_MAX
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff


class DecisionIn(Input):
    booking_id = Id(required=True)
    decision = OneOf(
        Way,
        required=True,
        metadata={
            "example": "later",
            "description": "`cancel` gives the lesson back, `move` needs `new_slot_id`, `keep`: it is given all the same,"
            " `later`: it waits for a decision at the school",
        },
    )
    new_slot_id = Id(metadata={"description": "only of a move"})


class TimeOffNew(Input):
    start_at = Moment(required=True, metadata={"example": "2026-12-21T00:00:00+01:00"})
    end_at = Moment(
        required=True, metadata={"example": "2027-01-04T00:00:00+01:00", "description": "up to 366 days later"}
    )
    reason = Text(most=REASON_LENGTH, metadata={"example": "holidays", "description": "students do not see it"})
    decisions = fields.List(
        fields.Nested(DecisionIn),
        validate=validate.Length(0, AFFECTED_MAX),
        metadata={
            "example": [],
            "description": "one for every booking inside; the refusal `decisions_needed` lists them",
        },
    )


class TimeOffOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "OFF-7Q4M2"})
    teacher_id = fields.UUID(required=True)
    start_at = time()
    end_at = time()
    reason = maybe(fields.String)
    status = fields.String(required=True, metadata={"enum": list(AbsenceStatus)})
    created_at = time()
    updated_at = time()


def time_off_json(off: TimeOff) -> dict[str, Any]:
    return {
        "id": str(off.id),
        "reference": off.reference,
        "teacher_id": str(off.teacher_id),
        "start_at": moment(off.start_at),
        "end_at": moment(off.end_at),
        "reason": off.reason,
        "status": off.status.value,
        "created_at": moment(off.created_at),
        "updated_at": moment(off.updated_at),
    }


def chosen(given: dict[str, Any]) -> Chosen:
    return Chosen(given["booking_id"], Way(given["decision"]), given.get("new_slot_id"))
