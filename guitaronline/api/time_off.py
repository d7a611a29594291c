"""/scheduling/teachers/me/time-off: when a teacher is away, and what becomes of the bookings inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline.actor import Actor, Role
from guitaronline.api.endpoint import Answer, only
from guitaronline.api.pagination import Order, Page
from guitaronline.api.scheduling import resource
from guitaronline.api.schemas.time_off import TimeOffNew, TimeOffOut, chosen, time_off_json
from guitaronline.booking import absences, refusals
from guitaronline.booking.decisions import CannotKeep, DecisionInvalid, DecisionsNeeded
from guitaronline.db import session
from guitaronline.scheduling.hours_models import TimeOff
from guitaronline.teachers.service import TeacherNotActive

LATEST_FIRST = Order("time_off", lambda off: (off.end_at, off.id))
TEACHER = only(Role.TEACHER)
PATH = "/teachers/me/time-off"


@resource.listing(PATH, TimeOffOut, time_off_json, order=LATEST_FIRST, who=TEACHER)
def time_off(actor: Actor, page: Page) -> Sequence[TimeOff]:
    """When one is away and was; what was called off is not listed"""
    assert actor.id is not None
    return absences.time_off_of(session(), actor.id, after=page.after, offset=page.offset, limit=page.rows)


@resource.endpoint(
    "POST",
    PATH,
    Answer(201, TimeOffOut, time_off_json),
    who=TEACHER,
    body=TimeOffNew,
    keyed=True,
    refuses=(
        absences.AbsenceInvalid,
        DecisionInvalid,
        DecisionsNeeded,
        CannotKeep,
        TeacherNotActive,
        refusals.BookingNotConfirmed,
        refusals.CancellationWindowClosed,
        *dict.fromkeys(refusals.HOLD_REFUSALS.values()),
    ),
)
def take_time_off(actor: Actor, body: dict[str, Any]) -> TimeOff:
    """Be away, and say for every booking inside what becomes of it: all of it happens, or nothing"""
    assert actor.id is not None
    decisions = [chosen(each) for each in body.get("decisions", [])]
    return absences.create_time_off(
        actor,
        teacher_id=actor.id,
        start_at=body["start_at"],
        end_at=body["end_at"],
        reason=body.get("reason"),
        decisions=decisions,
    )


@resource.endpoint(
    "DELETE",
    f"{PATH}/<uuid:time_off_id>",
    Answer(204, words="The teacher is there after all; what was moved or canceled stays so"),
    who=TEACHER,
    refuses=(absences.AbsenceOver,),
)
def call_off_time_off(actor: Actor, time_off_id: UUID) -> None:
    """Call time off off: its hours are offered again"""
    absences.cancel_time_off(actor, time_off_id)
