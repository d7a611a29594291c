"""/scheduling: the teachers' time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline import clock, policy
from guitaronline.actor import Actor, Role
from guitaronline.api.endpoint import PUBLIC, SIGNED_IN, Answer, Resource, may, only
from guitaronline.api.fields import Id, Moment
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.schedule import (
    ScheduleIn,
    ScheduleOut,
    ScheduleSetOut,
    schedule_json,
    schedule_set_json,
    windows_of,
)
from guitaronline.api.schemas.scheduling import (
    ExplanationOut,
    OpenSlot,
    SlotNew,
    SlotOut,
    explanation_json,
    offer_json,
    slot_json,
)
from guitaronline.booking import horizon, queries
from guitaronline.booking.horizon import HoursInvalid, Regenerated
from guitaronline.booking.hours import Schedule
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.scheduling import service
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.service import NotATeacher, TeacherNotActive

resource = Resource("scheduling", "When lessons can be")

SOONEST_FIRST = Order("slots", lambda offer: (offer.start_at, offer.id))
SEARCH = {
    "teacher_id": Id(metadata={"description": "the teacher's user id"}),
    "from": Moment(metadata={"description": "starts then or later", "example": "2026-11-30T00:00:00Z"}),
    "to": Moment(metadata={"description": "starts before then", "example": "2026-12-07T00:00:00Z"}),
}
FOR = {"package_id": Id(metadata={"description": "as if this package was to pay"})}


@resource.listing("/slots/open", OpenSlot, offer_json, order=SOONEST_FIRST, who=PUBLIC, query=SEARCH)
def open_slots(actor: Actor, query: dict[str, Any], page: Page) -> Sequence[queries.OfferedSlot]:
    """Slots that can be booked now, soonest first"""
    return queries.offered_slots(
        session(),
        now=clock.read(session()),
        settings=policy.current(),
        teacher_id=query.get("teacher_id"),
        start_from=query.get("from"),
        start_to=query.get("to"),
        after=page.after,
        offset=page.offset,
        limit=page.rows,
    )


@resource.endpoint(
    "POST",
    "/slots",
    Answer(201, SlotOut, slot_json),
    who=may(Permission.MANAGE_SLOTS),
    body=SlotNew,
    keyed=True,
    refuses=(service.SlotInvalid, service.SlotOverlap, NotATeacher, TeacherNotActive, NotFound),
)
def create(actor: Actor, body: dict[str, Any]) -> Slot:
    """Make a slot; a teacher their own"""
    return service.create_slot(actor, **body)


@resource.endpoint(
    "GET", "/slots/<uuid:slot_id>/explain", Answer(200, ExplanationOut, explanation_json), who=SIGNED_IN, query=FOR
)
def explain(actor: Actor, slot_id: UUID, query: dict[str, Any]) -> queries.Explanation:
    """Whether you could book the slot, and everything that says no"""
    return queries.explain_slot(session(), actor, slot_id, package_id=query.get("package_id"))


@resource.endpoint("GET", "/teachers/me/schedule", Answer(200, ScheduleOut, schedule_json), who=only(Role.TEACHER))
def schedule(actor: Actor) -> Schedule:
    """Your weekly hours, by your own clock"""
    return _schedule_of(actor)


@resource.endpoint(
    "PUT",
    "/teachers/me/schedule",
    Answer(200, ScheduleSetOut, schedule_set_json),
    who=only(Role.TEACHER),
    body=ScheduleIn,
    refuses=(HoursInvalid, NotATeacher, TeacherNotActive, NotFound),
)
def set_schedule(actor: Actor, body: dict[str, Any]) -> tuple[Schedule, Regenerated]:
    """Set your weekly hours; slots follow at once, free ones outside of the hours go"""
    assert actor.id is not None
    done = horizon.set_hours(actor, actor.id, windows=windows_of(body))
    return _schedule_of(actor), done


def _schedule_of(actor: Actor) -> Schedule:
    assert actor.id is not None
    return horizon.schedule_of(session(), actor.id, clock.read(session()))
