"""A refund together with the package's bookings still to come: each is canceled or kept, in the refund's own transaction.

Whoever may give the money back may cancel, with it, the lessons that it pays for. Such a cancellation is the school's
goodwill: the lesson returns whatever the notice, and the refund takes it.

Lock order: (student) → payment → package → bookings → lessons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.billing import approvals, refund_queue, refunds, settling
from guitaronline.billing import credits as lessons_instead
from guitaronline.billing import rules as billing_rules
from guitaronline.billing.credits import CreditPreview
from guitaronline.billing.models import Approval, Package, Payment, Refund
from guitaronline.billing.refund_models import RefundCredit
from guitaronline.billing.refunds import RefundPreview
from guitaronline.billing.refusals import BookingsChanged, require_reason
from guitaronline.booking import rules, service, steps
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

CAUSE = CancelCause.GOODWILL
LIVE = (BookingStatus.HOLD, BookingStatus.CONFIRMED)
MOST = 50  # as many as the page shows


class With(StrEnum):
    """What becomes of a booking when its package is refunded."""

    CANCEL = "cancel"
    KEEP = "keep"


@dataclass(frozen=True)
class Decided:
    booking_id: UUID
    decision: With


@command("refund.ask_with_bookings", on="payments")
def refund_with_bookings(
    work: Work,
    payment_id: UUID,
    *,
    amount_minor: int | None = None,
    bookings: Sequence[Decided] = (),
    reason: str | None,
) -> Refund | Approval:
    """As `refund_payment`, and the bookings chosen for it are canceled first, so that the refund takes their lessons too.

    A booking that is not named is kept. Raises what `refund_payment` raises, and BookingsChanged naming each booking that
    is not one of the package still to come."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package = settling.lock_payment(work, payment_id)
    refund_queue.require_known(work, payment)
    figures, amount = refunds.judge(work, payment, package, amount_minor)
    ending = _lock_ending(work, package, chosen_ids(bookings))
    approval = refunds.ask_approval(work, payment, figures, amount, reason=said, wish=_wish(ending))
    if approval is not None:
        return approval
    _call_off(work, package, ending, said)
    return settling.make_refund(work, payment, package, figures, amount, reason=said, requested_by=work.actor.id)


@command("refund.credit_with_bookings", on="payments")
def credit_with_bookings(
    work: Work,
    payment_id: UUID,
    *,
    amount_minor: int | None = None,
    lessons: int | None = None,
    bookings: Sequence[Decided] = (),
    reason: str | None,
) -> RefundCredit | Approval:
    """As `credit_payment`, and the bookings chosen for it are canceled first. Raises as `refund_with_bookings` besides."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    said = require_reason(reason)
    payment, package = settling.lock_with_student(work, payment_id)
    refund_queue.require_known(work, payment)
    figures, amount = refunds.judge(work, payment, package, amount_minor)
    ending = _lock_ending(work, package, chosen_ids(bookings))
    free = available_after(package, ending)
    number = lessons_instead.judge_lessons(
        work, payment, package, figures, amount_minor=amount, lessons=lessons, available=free
    )
    wish = {"to": lessons_instead.TO_CREDIT, "lessons": number, **_wish(ending)}
    approval = refunds.ask_approval(work, payment, figures, amount, reason=said, wish=wish)
    if approval is not None:
        return approval
    _call_off(work, package, ending, said)
    return lessons_instead.make_credit(
        work,
        payment,
        package,
        figures,
        amount_minor=amount,
        lessons=number,
        reason=said,
        requested_by=work.actor.id,
    )


def preview_with_bookings(
    session: Session,
    payment_id: UUID,
    *,
    now: datetime,
    amount_minor: int | None = None,
    bookings: Sequence[Decided] = (),
) -> RefundPreview:
    """As `refund_preview`, with these bookings canceled. Raises what `refund_with_bookings` would raise."""
    free = _free_after(session, payment_id, bookings, now)
    return refunds.refund_preview(session, payment_id, now=now, amount_minor=amount_minor, available=free)


def credit_preview_with_bookings(
    session: Session,
    payment_id: UUID,
    *,
    now: datetime,
    amount_minor: int | None = None,
    bookings: Sequence[Decided] = (),
) -> CreditPreview:
    """As `credit_preview`, with these bookings canceled."""
    free = _free_after(session, payment_id, bookings, now)
    return lessons_instead.credit_preview(session, payment_id, now=now, amount_minor=amount_minor, available=free)


def available_after(package: Package, ending: Sequence[Booking]) -> int:
    """How many lessons can be taken once these bookings are canceled: each gives its lesson back. A package that has ended
    has none to take, and no booking still to come either."""
    return package.available + len(ending) if package.status in billing_rules.LIVING else 0


def _free_after(session: Session, payment_id: UUID, bookings: Sequence[Decided], now: datetime) -> int | None:
    ids = chosen_ids(bookings)
    if not ids:
        return None
    _, package = refunds.payment_and_package(session, payment_id)
    query = select(Booking).where(Booking.id.in_(ids)).order_by(Booking.id)
    found = list(session.scalars(query, execution_options={"populate_existing": True}))
    _refuse_others(package, ids, found, now)
    return available_after(package, found)


def chosen_ids(bookings: Sequence[Decided]) -> list[UUID]:
    """Those to be canceled, in the order of ids."""
    return sorted({each.booking_id for each in bookings if each.decision is With.CANCEL})


def _lock_ending(work: Work, package: Package, ids: Sequence[UUID]) -> list[Booking]:
    found = work.lock_all(Booking, ids)
    _refuse_others(package, ids, found, work.now)
    return found


def _refuse_others(package: Package, ids: Sequence[UUID], found: Sequence[Booking], now: datetime) -> None:
    """Raises BookingsChanged: each named booking is one of this package that has not begun."""
    fits = {
        each.id
        for each in found
        if each.package_id == package.id and each.status in LIVE and (each.start_at > now or rules.is_lapsed(each, now))
    }
    names = {each.id: each.reference for each in found if each.package_id == package.id}
    wrong = [each for each in ids if each not in fits]
    if wrong:
        raise BookingsChanged(
            reasons=[
                Reason(
                    "booking_not_to_come",
                    f"{names.get(each, each)} is not a booking of this package still to come.",
                    "Look at the bookings again.",
                    "/bookings",
                    {"booking_id": str(each)},
                )
                for each in wrong
            ]
        )


def _call_off(work: Work, package: Package, ending: Sequence[Booking], reason: str) -> None:
    for booking in ending:
        if rules.is_lapsed(booking, work.now):
            steps.expire(work, booking, package)
        else:
            service.cancel(work, booking, package, cause=CAUSE, reason=reason)
    work.session.flush()


def _wish(ending: Sequence[Booking]) -> dict[str, list[str]]:
    return {"bookings": [str(each.id) for each in ending]} if ending else {}


def _do_first(work: Work, payment: Payment, package: Package, approval: Approval) -> None:
    """The bookings of an approved wish are canceled, if each of them still stands."""
    ids = [UUID(each) for each in approval.wish["bookings"]]
    _call_off(work, package, _lock_ending(work, package, sorted(ids)), approval.reason)


approvals.done_first["bookings"] = _do_first
