"""/booking: hold, confirm, cancel, reschedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.api.endpoint import SIGNED_IN, Answer, Resource, may, only
from guitaronline.api.fields import Id, OneOf
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.booking import (
    BookingOut,
    Cancel,
    CancelPreviewOut,
    Decline,
    Hold,
    MovePreviewOut,
    Reschedule,
    Seen,
    StudentOut,
    booking_json,
    cancel_preview_json,
    move_preview_json,
    seen_json,
    student_json,
)
from guitaronline.booking import queries, refusals, service
from guitaronline.booking.models import Booking, CancelCause
from guitaronline.booking.substitution import decline_substitute
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission

resource = Resource("booking", "From a free slot to a lesson")

LATEST_FIRST = Order("bookings", lambda seen: (seen.booking.start_at, seen.booking.id))
BY_NAME = Order("students", lambda student: (student.full_name, student.student_id), (str, UUID))
BOOKING = Answer(200, BookingOut, booking_json)
CANCEL = may(Permission.CANCEL)
AS_IF = {
    "cause": OneOf(CancelCause, metadata={"description": "as if this was the cause"}),
    "waive": OneOf(["true", "false"], metadata={"description": "as if the school waived the notice"}),
}
TO_SLOT = {"new_slot_id": Id(required=True), **AS_IF}
HOLD_REFUSALS = tuple(dict.fromkeys(refusals.HOLD_REFUSALS.values()))
MOVE_REFUSALS = (refusals.CancellationInvalid, refusals.CancellationWindowClosed, refusals.HoldExpired)


@resource.endpoint(
    "POST",
    "/hold",
    BOOKING,
    who=only(Role.STUDENT),
    body=Hold,
    tagged=True,
    keyed=True,
    refuses=(*HOLD_REFUSALS, NotFound),
)
def hold(actor: Actor, body: dict[str, Any]) -> Booking:
    """Keep a slot for a few minutes, and a lesson with it"""
    return service.hold_slot(actor, body["slot_id"], package_id=body.get("package_id"))


@resource.endpoint(
    "POST",
    "/<uuid:booking_id>/confirm",
    BOOKING,
    who=may(Permission.BOOK),
    tagged=True,
    keyed=True,
    refuses=(refusals.HoldExpired, refusals.BookingCanceled),
)
def confirm(actor: Actor, booking_id: UUID) -> Booking:
    """Confirm a hold: there will be a lesson"""
    return service.confirm_booking(actor, booking_id)


@resource.endpoint(
    "POST",
    "/<uuid:booking_id>/cancel",
    BOOKING,
    who=CANCEL,
    body=Cancel,
    tagged=True,
    edits="booking_id",
    sees=queries.visible_booking,
    keyed=True,
    refuses=MOVE_REFUSALS,
)
def cancel(actor: Actor, booking_id: UUID, body: dict[str, Any]) -> Booking:
    """Call a booking off; `decision` says what becomes of the lesson"""
    return service.cancel_booking(actor, booking_id, **body)


@resource.endpoint(
    "GET",
    "/<uuid:booking_id>/cancel/preview",
    Answer(200, CancelPreviewOut, cancel_preview_json),
    who=CANCEL,
    query=AS_IF,
)
def preview_cancel(actor: Actor, booking_id: UUID, query: dict[str, Any]) -> queries.CancelPreview:
    """What calling it off would do now"""
    return queries.preview_cancel(session(), actor, booking_id, **_as_if(query))


@resource.endpoint(
    "POST",
    "/<uuid:booking_id>/reschedule",
    BOOKING,
    who=CANCEL,
    body=Reschedule,
    tagged=True,
    edits="booking_id",
    sees=queries.visible_booking,
    keyed=True,
    refuses=(
        *MOVE_REFUSALS,
        refusals.AlreadyRescheduled,
        refusals.BookingNotConfirmed,
        refusals.BookingCanceled,
        *HOLD_REFUSALS,
    ),
)
def reschedule(actor: Actor, booking_id: UUID, body: dict[str, Any]) -> Booking:
    """Move a booking to another slot; the answer is the new booking"""
    return service.reschedule_booking(actor, booking_id, **body)


@resource.endpoint(
    "POST",
    "/<uuid:booking_id>/decline",
    BOOKING,
    who=may(Permission.BOOK),
    body=Decline,
    tagged=True,
    edits="booking_id",
    sees=queries.visible_booking,
    keyed=True,
    refuses=(refusals.NotSubstituted, refusals.CancellationWindowClosed, refusals.CancellationInvalid),
)
def decline(actor: Actor, booking_id: UUID, body: dict[str, Any]) -> Booking:
    """Do without a substitute: the booking is called off and the lesson returns, whatever the notice"""
    return decline_substitute(actor, booking_id, **body)


@resource.endpoint(
    "GET",
    "/<uuid:booking_id>/reschedule/preview",
    Answer(200, MovePreviewOut, move_preview_json),
    who=CANCEL,
    query=TO_SLOT,
)
def preview_reschedule(actor: Actor, booking_id: UUID, query: dict[str, Any]) -> queries.ReschedulePreview:
    """What moving it would do now"""
    return queries.preview_reschedule(session(), actor, booking_id, new_slot_id=query["new_slot_id"], **_as_if(query))


@resource.listing("/my", BookingOut, seen_json, order=LATEST_FIRST, who=SIGNED_IN)
def mine(actor: Actor, page: Page) -> Sequence[Seen]:
    """One's own bookings, as student or teacher, latest first"""
    assert actor.id is not None
    now = clock.read(session())
    found = queries.bookings_of_person(session(), actor.id, after=page.after, offset=page.offset, limit=page.rows)
    return [Seen(booking, now) for booking in found]


@resource.endpoint(
    "GET", "/<uuid:booking_id>", Answer(200, BookingOut, seen_json), who=may(Permission.READ_BOOKINGS), tagged=True
)
def booking(actor: Actor, booking_id: UUID) -> Seen:
    """A booking"""
    return Seen(queries.visible_booking(session(), actor, booking_id), clock.read(session()))


@resource.listing("/teacher/students", StudentOut, student_json, order=BY_NAME, who=only(Role.TEACHER))
def students(actor: Actor, page: Page) -> Sequence[queries.TaughtStudent]:
    """One's own students, by name"""
    assert actor.id is not None
    now = clock.read(session())
    return queries.students_of_teacher(
        session(), actor.id, now=now, after=page.after, offset=page.offset, limit=page.rows
    )


@resource.endpoint(
    "POST",
    "/holds/expire",
    Answer(200, "integer", int, words="How many holds expired"),
    who=may(Permission.ADMINISTER),
    keyed=True,
)
def expire_holds(actor: Actor) -> int:
    """Write down which holds have lapsed"""
    return service.expire_holds(actor)


def _as_if(query: dict[str, Any]) -> dict[str, Any]:
    return {"cause": query.get("cause"), "waive": query.get("waive") == "true"}
