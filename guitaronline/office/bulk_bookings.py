"""Many bookings at once: canceled, restored, confirmed. What is foreseen comes from the rules of booking/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.billing.models import Package
from guitaronline.booking import queries, service
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.restoring import preview_restores, restore_booking
from guitaronline.booking.rules import effective_status
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.lessons.models import Lesson
from guitaronline.office.bulk_forecast import Forecast, refused
from guitaronline.office.bulk_kinds import FRESH, Arguments, BulkAction, plainly, records, said_why


def foresee_cancel(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    query = (
        select(Booking, Package, Lesson)
        .join(Package, Package.id == Booking.package_id)
        .outerjoin(Lesson, Lesson.booking_id == Booking.id)
        .where(Booking.id.in_(ids))
    )
    found = {row[0].id: row for row in session.execute(query, execution_options=FRESH)}
    cause, waive = arguments["cause"], arguments["waive"]
    forecasts = []
    for booking, package, lesson in (found[each] for each in ids if each in found):
        preview = queries.judge_cancel(actor, booking, package, lesson, now=now, cause=cause, waive=waive)
        if preview.decision is None:
            forecasts.append(refused(booking, booking.reference, preview.reasons))
        else:
            forecasts.append(_will(booking, preview.decision.outcome.value, preview.decision.sentence()))
    return forecasts


def cancel(actor: Actor, booking_id: UUID, arguments: Arguments, reason: str) -> Booking:
    return service.cancel_booking(actor, booking_id, reason=reason, cause=arguments["cause"], waive=arguments["waive"])


def cancel_problems(arguments: Arguments) -> list[Reason]:
    known = arguments.get("cause") in {str(cause) for cause in CancelCause}
    return [] if known else [Reason("cause_not_allowed", "Say because of whom or what.", "Choose a cause.", "/cause")]


def cancel_totals(forecasts: Sequence[Forecast]) -> list[tuple[str, str]]:
    codes = Counter(each.code for each in forecasts if each.is_possible)
    lines = [
        ("Lessons given back", codes["returned"]),
        ("Reserved lessons free again", codes["released"]),
        ("Lessons that count as used", codes["forfeited"]),
        ("Lessons back in a package that is over", codes["expired_bucket"] + codes["revoked_bucket"]),
    ]
    return [*((label, str(number)) for label, number in lines if number), *people_totals(forecasts)]


def people_totals(forecasts: Sequence[Forecast]) -> list[tuple[str, str]]:
    """Students and teachers of what will happen, each once."""
    people = {person for each in forecasts if each.is_possible for person in each.people}
    return [("People it concerns", f"{len(people)} students and teachers")] if people else []


def foresee_restore(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return [
        refused(booking, booking.reference, answer.reasons)
        if answer.reasons
        else _will(booking, "restored", _stands_again(booking))
        for booking, answer in preview_restores(session, ids, now)
    ]


def _stands_again(booking: Booking) -> str:
    if booking.status_before is BookingStatus.HOLD:
        return "Is held again until its old time; its lesson is reserved again."
    if booking.refund_returned is False:
        return "Stands again; its lesson was used already and is not charged twice."
    return "Stands again; its lesson is taken from its package again."


def foresee_confirm(
    session: Session, actor: Actor, ids: Sequence[UUID], arguments: Arguments, now: datetime
) -> list[Forecast]:
    return [_foresee_confirm(each, now) for each in records(session, Booking, ids)]


def _foresee_confirm(booking: Booking, now: datetime) -> Forecast:
    status = effective_status(booking, now)
    if status is BookingStatus.HOLD:
        return _will(booking, "confirmed", "Will be confirmed; its reserved lesson is used.")
    reason = {
        BookingStatus.CONFIRMED: CONFIRMED,
        BookingStatus.CANCELED: queries.CANCELED,
        BookingStatus.EXPIRED: queries.EXPIRED,
    }[status]
    return refused(booking, booking.reference, [reason])


def _will(booking: Booking, code: str, sentence: str) -> Forecast:
    people = frozenset({booking.student_id, booking.teacher_id})
    return Forecast(booking.id, booking.version, booking.reference, code, sentence, people=people)


CONFIRMED = Reason("nothing_to_do", "It is confirmed already.")

ALL = (
    BulkAction(
        "bookings.cancel",
        "bookings",
        "Cancel bookings",
        Permission.CANCEL,
        foresee_cancel,
        cancel,
        lambda booking: booking.decision["sentence"],
        undone_by="bookings.restore",
        undo_words="Each booking is made again where its slot and its student are still free and its package has the lesson."
        " A package that lives longer since keeps that.",
        totals=cancel_totals,
        check=cancel_problems,
        outcome=lambda booking: booking.decision["outcome"],
    ),
    BulkAction(
        "bookings.restore",
        "bookings",
        "Restore bookings",
        Permission.OVERRIDE,
        foresee_restore,
        said_why(restore_booking),
        lambda booking: f"Stands again as {booking.reference}.",
        final_because="It is an undo itself; cancel the bookings again from their list.",
        totals=people_totals,
    ),
    BulkAction(
        "bookings.confirm",
        "bookings",
        "Confirm holds",
        Permission.BOOK,
        foresee_confirm,
        plainly(service.confirm_booking),
        lambda booking: "Confirmed; its lesson is made.",
        final_because="A lesson was made and its people hear of it. Cancel the bookings instead: that shows what it costs.",
        totals=people_totals,
    ),
)
