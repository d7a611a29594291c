"""Today: what needs somebody now, each count one click from its list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import flask
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from guitaronline.admin import gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.bookings import booking_state
from guitaronline.admin.command_page import button_of, commands
from guitaronline.admin.lessons import is_waiting
from guitaronline.admin.new_booking import NewBooking
from guitaronline.billing import rules
from guitaronline.billing.models import Approval, ApprovalStatus, Package, Payment, PaymentStatus, Refund, RefundStatus
from guitaronline.booking import facts, queries
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, TaskStatus
from guitaronline.lessons.models import Lesson

COUNT_UP_TO = 1000
LESSONS_SHOWN = 50


@dataclass(frozen=True)
class Queue:
    """Something that waits for people: how many, and where they are."""

    title: str
    permission: Permission
    number: Callable[[], int]
    url: Callable[[], str]
    why: str


def count(*conditions: Any, model: Any) -> int:
    """Up to COUNT_UP_TO; more is as bad."""
    return (
        session().scalar(
            select(func.count()).select_from(select(model.id).where(*conditions).limit(COUNT_UP_TO).subquery())
        )
        or 0
    )


def _url(endpoint: str, **query: Any) -> Callable[[], str]:
    return lambda: flask.url_for(f"desk_{endpoint}.index_view", **query)


QUEUES = (
    Queue(
        "Bookings that need a decision",
        Permission.READ_BOOKINGS,
        lambda: len(queries.needs_decision(session(), gate.now())),
        lambda: flask.url_for("desk_decisions.index"),
        "Their teacher is not active any more.",
    ),
    Queue(
        "Holds about to lapse",
        Permission.READ_BOOKINGS,
        lambda: count(Booking.status == BookingStatus.HOLD, ~facts.lapsed(gate.now()), model=Booking),
        _url("bookings", state="hold"),
        "Kept for a few minutes, then free again.",
    ),
    Queue(
        "Lessons without an outcome",
        Permission.READ_BOOKINGS,
        lambda: count(is_waiting(), model=Lesson),
        _url("lessons", outcome="missing"),
        "Over, and nobody said how it went.",
    ),
    Queue(
        "Your tasks",
        Permission.READ_PEOPLE,
        lambda: count(Task.owner_id == gate.viewer().id, Task.status == TaskStatus.OPEN, model=Task),
        _url("tasks", owner="me", state="open"),
        "Open tasks that you own.",
    ),
    Queue(
        "Approvals waiting",
        Permission.READ_PAYMENTS,
        lambda: count(Approval.status == ApprovalStatus.PENDING, model=Approval),
        _url("approvals", state="pending"),
        "A second person has to allow them.",
    ),
    Queue(
        "Payments awaited",
        Permission.READ_PAYMENTS,
        lambda: count(Payment.status == PaymentStatus.PENDING, model=Payment),
        _url("payments", state="pending"),
        "Recorded, and the money is not there yet.",
    ),
    Queue(
        "Refunds to pay out",
        Permission.READ_PAYMENTS,
        lambda: count(Refund.status == RefundStatus.PENDING, model=Refund),
        _url("refunds", state="pending"),
        "Promised, not yet paid out.",
    ),
    Queue(
        "Packages that expire within 7 days",
        Permission.READ_PACKAGES,
        lambda: count(
            Package.status.in_(rules.LIVING),
            Package.frozen_at.is_(None),
            Package.expires_at > gate.now(),
            Package.expires_at < gate.now() + timedelta(days=7),
            model=Package,
        ),
        _url("packages", expires="next 7 days"),
        "Tell the student, or extend.",
    ),
)


class Today(ConsolePage):
    path = ""
    title = "Today"
    permission = Permission.READ_BOOKINGS

    def page(self) -> Any:
        queues = [(queue, queue.number(), queue.url()) for queue in QUEUES if gate.may(queue.permission)]
        return self.render(
            "admin/today.html", queues=queues, lessons=_lessons_today(), buttons=[button_of(commands.named(NewBooking))]
        )


def _lessons_today() -> list[list[Any]]:
    """The viewer's day, as the clock runs."""
    midnight = gate.now().astimezone(show.zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    query = (
        select(Booking)
        .where(Booking.start_at >= midnight, Booking.start_at < midnight + timedelta(days=1), facts.live(gate.now()))
        .order_by(Booking.start_at, Booking.id)
        .limit(LESSONS_SHOWN)
        .options(selectinload(Booking.student), selectinload(Booking.teacher))
    )
    found = session().scalars(query)
    return [
        [
            show.when(each.start_at, each.student, each.teacher),
            show.link(each),
            show.link(each.student),
            show.link(each.teacher),
            booking_state(each),
        ]
        for each in found
    ]


class Decisions(ConsolePage):
    """Bookings ahead whose teacher is not active any more: each is moved or canceled."""

    path = "decisions"
    title = "Needs a decision"
    permission = Permission.READ_BOOKINGS

    def page(self) -> Any:
        found = queries.needs_decision(session(), gate.now())
        table = [
            [
                show.when(each.start_at, each.student),
                show.link(each),
                show.link(each.student),
                show.link(each.teacher),
                booking_state(each),
            ]
            for each in found
        ]
        return self.render("admin/decisions.html", rows=table)
