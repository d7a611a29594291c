"""A booking of the teacher's: who, when, the lesson's outcome and report; and how it is called off or moved."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from flask.typing import ResponseReturnValue
from wtforms import RadioField, SelectField
from wtforms.validators import InputRequired

from guitaronline import policy
from guitaronline.booking import queries as booking_queries
from guitaronline.booking import service
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.rules import effective_status
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity.access import Permission
from guitaronline.lessons.queries import join_urls
from guitaronline.portal import fields, queries, times
from guitaronline.portal.doing import carry_out
from guitaronline.portal.gate import page
from guitaronline.portal.today import card_of
from guitaronline.signed_in import now, viewer

CAUSES = ((CancelCause.TEACHER, "I cannot give it"), (CancelCause.TECHNICAL, "a technical failure"))
OFFERED = 60


@page("/bookings/<uuid:id>", Permission.READ_BOOKINGS)
def booking(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    return booking_page(queries.own_booking(session(), viewer().id, id))


def booking_page(found: Booking, refusal: DomainError | None = None) -> str:
    lesson = found.lesson
    card = card_of(lesson, join_urls(session(), [lesson]).get(lesson.id)) if lesson else None
    status = effective_status(found, now())
    return flask.render_template(
        "portal/booking.html",
        booking=found,
        card=card,
        status=status,
        when=times.stretch(found.start_at, found.end_at),
        theirs=their_clock(found),
        may_change=status is BookingStatus.CONFIRMED and found.start_at > now(),
        refusal=refusal,
    )


def their_clock(found: Booking) -> str:
    """What the student's clock shows then; nothing where it is the teacher's own zone."""
    zone = found.student.timezone
    if zone == viewer().timezone:
        return ""
    return f"{found.start_at.astimezone(ZoneInfo(zone)):%a %H:%M} in {times.place_of(zone)}"


class CancelForm(fields.CommandForm):
    cause = RadioField("Because of", choices=fields.choices((str(cause), words) for cause, words in CAUSES))
    reason = fields.reason(help="The student and the school read this.")


@page("/bookings/<uuid:id>/cancel", Permission.CANCEL, "GET", "POST")
def cancel_booking(id: UUID) -> ResponseReturnValue:  # noqa: A002
    found = queries.own_booking(session(), viewer().id, id)
    form = CancelForm.about(found, cause=str(CancelCause.TEACHER))
    previews = [
        (words, booking_queries.preview_cancel(session(), viewer().actor, id, cause=str(cause)))
        for cause, words in CAUSES
    ]

    def again(refusal: DomainError | None = None) -> str:
        return flask.render_template(
            "portal/cancel_booking.html",
            booking=found,
            when=times.stretch(found.start_at, found.end_at),
            form=form,
            refusal=refusal,
            blockers=previews[0][1].reasons,
            outcomes=[(words, each.decision.sentence()) for words, each in previews if each.decision],
        )

    if flask.request.method == "GET":
        return again()
    return carry_out(
        form,
        lambda: service.cancel_booking(viewer().actor, id, cause=form.cause.data, reason=form.reason.data),
        record=found,
        to=lambda _: flask.url_for("portal.booking", id=id),
        say=lambda done: f"Called off. {(done.decision or {}).get('sentence', '')}",
        again=again,
    )


class MoveForm(fields.CommandForm):
    new_slot_id = RadioField("To", choices=[], validate_choice=False, validators=[InputRequired("Choose a time.")])
    cause = SelectField("Because of", choices=fields.choices((str(cause), words) for cause, words in CAUSES))
    reason = fields.reason(required=False, help="The student reads this.")


@page("/bookings/<uuid:id>/move", Permission.CANCEL, "GET", "POST")
def move_booking(id: UUID) -> ResponseReturnValue:  # noqa: A002
    found = queries.own_booking(session(), viewer().id, id)
    form = MoveForm.about(found, cause=str(CancelCause.TEACHER))
    form.new_slot_id.choices = _free_times(found)

    def again(refusal: DomainError | None = None) -> str:
        return flask.render_template(
            "portal/move_booking.html",
            booking=found,
            when=times.stretch(found.start_at, found.end_at),
            form=form,
            refusal=refusal,
            preview=_preview(found, form),
        )

    if flask.request.method == "GET" or "look" in flask.request.form:
        return again()
    return carry_out(
        form,
        lambda: service.reschedule_booking(
            viewer().actor, id, new_slot_id=_chosen(form), cause=form.cause.data, reason=form.reason.data
        ),
        record=found,
        to=lambda successor: flask.url_for("portal.booking", id=successor.id),
        say=lambda successor: f"Moved to {times.moment(successor.start_at)}.",
        again=again,
    )


def _free_times(found: Booking) -> list[Any]:
    """The teacher's offered slots of the same length, those of the same week first in time."""
    offered = booking_queries.offered_slots(
        session(), now=now(), settings=policy.current(), teacher_id=viewer().id, limit=OFFERED
    )
    length = found.end_at - found.start_at
    return fields.choices(
        (str(each.id), times.stretch(each.start_at, each.end_at))
        for each in offered
        if each.end_at - each.start_at == length and each.id != found.slot_id
    )


def _chosen(form: Any) -> UUID:
    try:
        return UUID(form.new_slot_id.data)
    except ValueError:
        return UUID(int=0)  # no slot: the command says that there is none


def _preview(found: Booking, form: Any) -> Any:
    """What the move would do, by the rule that decides; None while no time is chosen."""
    if not form.new_slot_id.data:
        return None
    known = {each.value for each, _ in CAUSES}
    cause = form.cause.data if form.cause.data in known else str(CancelCause.TEACHER)
    try:
        return booking_queries.preview_reschedule(
            session(), viewer().actor, found.id, new_slot_id=_chosen(form), cause=cause
        )
    except DomainError as refusal:
        return refusal
