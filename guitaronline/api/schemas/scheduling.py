from __future__ import annotations

from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Id, Input, Moment, Output
from guitaronline.api.schemas.common import moment, time
from guitaronline.booking.queries import Explanation, OfferedSlot
from guitaronline.errors import Reason
from guitaronline.scheduling.models import Slot, SlotStatus


class SlotNew(Input):
    teacher_id = Id(required=True, metadata={"description": "the teacher's user id"})
    start_at = Moment(required=True, metadata={"example": "2026-11-30T15:00:00+01:00", "description": "whole seconds"})
    end_at = Moment(
        required=True, metadata={"example": "2026-11-30T16:00:00+01:00", "description": "15 to 240 minutes later"}
    )


class SlotOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "SLT-7Q4M2"})
    teacher_id = fields.UUID(required=True)
    start_at = time()
    end_at = time()
    status = fields.String(required=True, metadata={"enum": list(SlotStatus)})
    created_at = time()
    updated_at = time()


class OpenSlot(Output):
    id = fields.UUID(required=True)
    teacher_id = fields.UUID(required=True, metadata={"description": "the teacher's user id"})
    teacher_name = fields.String(required=True)
    start_at = time()
    end_at = time()
    status = fields.String(required=True, metadata={"enum": [SlotStatus.OPEN]})


class ReasonOut(Output):
    code = fields.String(required=True)
    detail = fields.String(required=True)
    fix = fields.String(metadata={"description": "what would make it possible"})


class ExplanationOut(Output):
    bookable = fields.Boolean(required=True)
    reasons = fields.List(fields.Nested(ReasonOut), required=True, metadata={"description": "every rule that says no"})


def slot_json(slot: Slot) -> dict[str, Any]:
    return {
        "id": str(slot.id),
        "reference": slot.reference,
        "teacher_id": str(slot.teacher_id),
        "start_at": moment(slot.start_at),
        "end_at": moment(slot.end_at),
        "status": slot.status.value,
        "created_at": moment(slot.created_at),
        "updated_at": moment(slot.updated_at),
    }


def reason_json(reason: Reason) -> dict[str, str]:
    said = {"code": reason.code, "detail": reason.detail}
    return {**said, "fix": reason.fix} if reason.fix else said


def offer_json(offer: OfferedSlot) -> dict[str, Any]:
    return {
        "id": str(offer.id),
        "teacher_id": str(offer.teacher_id),
        "teacher_name": offer.teacher_name,
        "start_at": moment(offer.start_at),
        "end_at": moment(offer.end_at),
        "status": offer.status.value,
    }


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    return {"bookable": explanation.bookable, "reasons": [reason_json(reason) for reason in explanation.reasons]}
