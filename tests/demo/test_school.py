"""The demo school: every state is there, and every invariant holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import func, select

from guitaronline import checks, clock
from guitaronline.audit.models import AuditAction, OutboxEvent, OutboxStatus
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.models import (
    Approval,
    CreditEntry,
    EntryKind,
    Package,
    Payment,
    PaymentProvider,
    PaymentStatus,
    Refund,
)
from guitaronline.billing.provider_models import EventStatus, PaymentCheckout, PaymentException, ProviderEvent
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.queries import needs_decision
from guitaronline.db import database, session
from guitaronline.demo.load import Loaded, load_school
from guitaronline.identity.models import Guardian, Note, Task, User
from guitaronline.identity.passwords import fits
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide
from guitaronline.notifications import calls
from guitaronline.notifications.models import Message, MessageBody, MessageStatus
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.teachers.models import TeacherProfile, TeacherStatus
from tests.conftest import empty

NOW = datetime(2027, 4, 12, 10, 30, tzinfo=UTC)  # Europe's clocks went forward within the six weeks
STUDENTS = 28  # the fewest with whom every incident happens


@pytest.fixture(scope="module")
def loaded(app: Flask, owner: Connection) -> Iterator[Loaded]:
    """The school as it is at NOW, once for all tests that only look at it."""
    with app.app_context(), clock.standing_at(NOW):
        try:
            yield load_school(STUDENTS)
        finally:
            database.session.remove()
            empty(owner)


def states(column: object) -> set[object]:
    return set(session().scalars(select(column).distinct()))  # type: ignore[call-overload]


def number_of(model: type, *conditions: object) -> int:
    return session().scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]


def test_no_invariant_is_broken(loaded: Loaded) -> None:
    assert checks.run_all(session()) == []
    assert sum(loaded.refused.values()) <= 5


def test_bookings_are_in_every_state(loaded: Loaded) -> None:
    assert states(Booking.status) == set(BookingStatus)
    assert states(Booking.cancel_cause) >= {CancelCause.STUDENT, CancelCause.TEACHER, CancelCause.TECHNICAL}
    assert states(Booking.decision["outcome"].astext) >= {"returned", "forfeited", "released"}
    assert number_of(Booking, Booking.rescheduled_from_booking_id.is_not(None)) >= 1
    assert number_of(Booking, Booking.decision["waived"].astext == "true") >= 1


def test_some_holds_live_and_one_has_lapsed(loaded: Loaded) -> None:
    held = Booking.status == BookingStatus.HOLD

    assert number_of(Booking, held, Booking.hold_expires_at > NOW) == 3
    assert number_of(Booking, held, Booking.hold_expires_at <= NOW) == 1


def test_lessons_are_in_every_state(loaded: Loaded) -> None:
    assert states(Lesson.status) == set(LessonStatus)
    assert states(Lesson.no_show_side) - {None} == set(NoShowSide)
    forgotten = Lesson.scheduled_end_at < NOW - timedelta(hours=12)
    assert number_of(Lesson, Lesson.status == LessonStatus.SCHEDULED, forgotten) >= 1
    assert number_of(AuditAction, AuditAction.name == "lesson.correct_outcome") >= 2
    assert number_of(Lesson, Lesson.scheduled_start_at > NOW, Lesson.status == LessonStatus.SCHEDULED) >= 10


def test_money_is_in_every_state(loaded: Loaded) -> None:
    assert states(Payment.status) == set(PaymentStatus)
    assert states(Payment.currency) == {"USD", "EUR"}
    assert states(Refund.status) == {"pending", "succeeded", "failed", "canceled"}
    assert {(each.kind, each.status) for each in session().scalars(select(Approval))} == {
        ("payment_succeeded", "pending"),
        ("payment_succeeded", "approved"),
        ("refund", "pending"),
        ("refund", "rejected"),
    }


def test_money_comes_online_in_every_way(loaded: Loaded) -> None:
    online = Payment.provider == PaymentProvider.SANDBOX

    assert set(session().scalars(select(Payment.status).where(online))) == {"pending", "succeeded", "failed"}
    assert number_of(ProviderEvent, ProviderEvent.status != EventStatus.APPLIED) == 0
    assert number_of(PaymentException) == 1
    assert number_of(PaymentCheckout, PaymentCheckout.lapsed_at.is_not(None)) >= 1


def test_somebodys_bank_asks_for_money_back(loaded: Loaded) -> None:
    assert number_of(Dispute, Dispute.status == "open", Dispute.freezes) == 1


def test_packages_are_in_every_state_and_every_fact_stands_in_the_ledger(loaded: Loaded) -> None:
    assert states(Package.status) == {"pending", "active", "depleted", "expired", "revoked"}
    assert states(Package.origin) == {"purchase", "granted", "on_account"}
    assert number_of(Package, Package.frozen_at.is_not(None), Package.available > 0) == 2  # ill, and disputed
    assert states(CreditEntry.kind) == set(EntryKind) - {EntryKind.OPENING}


def test_teachers_slots_and_people_are_as_in_a_school(loaded: Loaded) -> None:
    first, last = session().execute(select(func.min(Slot.start_at), func.max(Slot.start_at))).one()

    assert states(Slot.status) == set(SlotStatus)
    assert (NOW - first >= timedelta(days=41), last - NOW >= timedelta(days=27)) == (True, True)
    assert number_of(TeacherProfile) == 12
    assert number_of(TeacherProfile, TeacherProfile.status == TeacherStatus.DISABLED) == 1
    assert number_of(User, User.is_active.is_(False)) == 3  # one left, one was merged, one was erased
    assert len(needs_decision(session(), NOW)) >= 1
    assert states(Task.status) == {"open", "done", "canceled"}
    assert number_of(Note) >= 3


def test_two_children_share_one_parent_and_have_no_address(loaded: Loaded) -> None:
    shared = select(Guardian.guardian_id).group_by(Guardian.guardian_id).having(func.count() == 2)
    children = session().scalars(
        select(User.email).join(Guardian, Guardian.student_id == User.id).where(Guardian.guardian_id.in_(shared))
    )

    assert list(children)[:2] == [None, None]


def test_everything_was_done_by_somebody_through_a_command(loaded: Loaded) -> None:
    assert states(AuditAction.actor_kind) == {"system", "admin", "support", "finance", "teacher", "student"}
    assert number_of(AuditAction, AuditAction.at > NOW) == 0
    assert session().scalar(select(func.min(AuditAction.at))) == NOW - timedelta(days=44)


def test_every_login_works(loaded: Loaded) -> None:
    roles = [login.role.value for login in loaded.logins]
    hashes = dict(session().execute(select(User.email, User.password_hash)).all())

    assert roles == ["admin", "support", "finance", "finance", "auditor", "teacher", "student"]
    assert all(fits(hashes[login.email], login.password) and len(login.password) >= 15 for login in loaded.logins)


def test_people_were_told_of_the_last_days_and_of_no_others(loaded: Loaded) -> None:
    told = states(Message.status)

    assert told >= {MessageStatus.QUEUED, MessageStatus.SENT, MessageStatus.FAILED}
    assert number_of(Message, Message.happened_at < NOW - timedelta(days=4)) == 0
    assert number_of(OutboxEvent, OutboxEvent.status == OutboxStatus.PENDING) == 0
    assert 1 <= number_of(Message, Message.status == MessageStatus.QUEUED) <= 4


def test_every_sent_message_can_be_read_as_it_was_sent(loaded: Loaded) -> None:
    sent = number_of(Message, Message.status == MessageStatus.SENT)

    assert sent == number_of(MessageBody) > 20
    assert number_of(MessageBody, MessageBody.subject == "") == 0


def test_somebody_is_to_be_called(loaded: Loaded) -> None:
    assert number_of(Task, calls.to_call(NOW)) == 1
