"""What a decision about a booking would do now, by the rules that decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation, facts, impact
from guitaronline.booking.decisions import CannotKeep, Chosen, NothingToDecide, Way
from guitaronline.booking.impact import Why
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.moving import judge_move
from guitaronline.booking.queries import CANCELED, EXPIRED, NOT_CONFIRMED, SAME_SLOT
from guitaronline.booking.rules import effective_status
from guitaronline.errors import Reason
from guitaronline.lessons.models import Lesson


@dataclass(frozen=True)
class DecisionPreview:
    """What becomes of the lesson, in words; or everything that says no."""

    reasons: list[Reason]
    sentence: str = ""


def preview_decision(
    session: Session, booking: Booking, chosen: Chosen, found: Sequence[Why], now: datetime
) -> DecisionPreview:
    """What `decide_booking` would do; `found`: what stands against the booking and was not decided yet."""
    status = effective_status(booking, now)
    over = {BookingStatus.CANCELED: [CANCELED], BookingStatus.EXPIRED: [EXPIRED]}.get(status, [])
    if over:
        return DecisionPreview(over)
    if not found:
        return DecisionPreview([Reason("nothing_to_decide", NothingToDecide.detail)])
    if chosen.way is Way.KEEP:
        return _kept(found)
    if chosen.way is Way.CANCEL:
        return _canceled(session, booking, found, now)
    if chosen.way is Way.MOVE and chosen.new_slot_id is not None:
        return _moved(session, booking, chosen, found, now)
    return DecisionPreview([], "It waits for a decision.")


def _kept(found: Sequence[Why]) -> DecisionPreview:
    if any(each.absence is None for each in found):
        return DecisionPreview([Reason("cannot_keep", CannotKeep.detail)])
    return DecisionPreview([], "The lesson is given as agreed; it waits no more.")


def _canceled(session: Session, booking: Booking, found: Sequence[Why], now: datetime) -> DecisionPreview:
    package, lesson = _package_and_lesson(session, booking)
    problems = cancellation.cancel_problems(booking, lesson, now)
    decision = cancellation.cancel_decision(
        booking,
        package,
        cause=impact.cause_of(found),
        waive=False,
        now=now,
        reinstate_days=policy.current().PACKAGE_REINSTATE_DAYS,
    )
    return DecisionPreview(problems, "" if problems else decision.sentence())


def _moved(session: Session, booking: Booking, chosen: Chosen, found: Sequence[Why], now: datetime) -> DecisionPreview:
    assert chosen.new_slot_id is not None
    if booking.status is BookingStatus.HOLD:
        return DecisionPreview([NOT_CONFIRMED])
    if booking.slot_id == chosen.new_slot_id:
        return DecisionPreview([SAME_SLOT])
    package, lesson = _package_and_lesson(session, booking)
    scene = facts.read_scene(session, chosen.new_slot_id, student_id=booking.student_id, now=now, moving=booking)
    move = judge_move(scene, booking, lesson, package, cause=impact.cause_of(found), waive=False, override=False)
    return DecisionPreview(move.reasons, "" if move.reasons else move.decision.sentence())


def _package_and_lesson(session: Session, booking: Booking) -> tuple[Package, Lesson | None]:
    lesson = session.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one_or_none()
    return session.get_one(Package, booking.package_id), lesson
