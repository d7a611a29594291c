"""Who waits for a time that is taken, and what they were offered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.booking.models import Booking
from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class WaitStatus(StrEnum):
    WAITING = "waiting"
    OFFERED = "offered"
    FULFILLED = "fulfilled"
    CANCELED = "canceled"
    EXPIRED = "expired"


@guard_status
class WaitlistEntry(Timestamps, Versioned, Base):
    """The student would take a lesson of the teacher that starts within `[from_at, until_at)`. The line is by `id`."""

    __tablename__ = "waitlist_entries"
    __table_args__ = (
        CheckConstraint(
            "until_at > from_at AND until_at - from_at <= interval '366 days' AND isfinite(until_at) AND isfinite(from_at)",
            name="in_order",
        ),
        CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name="lesson_length"),
        CheckConstraint("(status IN ('offered', 'fulfilled')) <= (booking_id IS NOT NULL)", name="offer_has_booking"),
        CheckConstraint("student_id <> teacher_id", name="two_people"),
        Index("ix_waitlist_entries_line", "teacher_id", "until_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_waitlist_entries_student", "student_id", "id"),
        Index("ix_waitlist_entries_due", "until_at", "id", postgresql_where=text("status IN ('waiting', 'offered')")),
        Index("uq_waitlist_entries_booking_id", "booking_id", unique=True, postgresql_where=text("status = 'offered'")),
        Index("ix_waitlist_entries_status", "status", "id"),
    )
    states: ClassVar[StateTable] = StateTable(
        "waitlist_entries",
        {
            WaitStatus.WAITING: "in the line for a time that comes free",
            WaitStatus.OFFERED: "a free time is kept for them until the hold lapses",
            WaitStatus.FULFILLED: "they took what was offered",
            WaitStatus.CANCELED: "they do not wait any more",
            WaitStatus.EXPIRED: "the time for which they waited has passed",
        },
        [
            Move(None, WaitStatus.WAITING, "waitlist.joined"),
            Move(WaitStatus.WAITING, WaitStatus.OFFERED, "waitlist.offered"),
            Move(WaitStatus.OFFERED, WaitStatus.WAITING, "waitlist.passed"),
            Move(WaitStatus.OFFERED, WaitStatus.FULFILLED, "waitlist.fulfilled"),
            Move(WaitStatus.WAITING, WaitStatus.CANCELED, "waitlist.canceled"),
            Move(WaitStatus.OFFERED, WaitStatus.CANCELED, "waitlist.canceled"),
            Move(WaitStatus.WAITING, WaitStatus.EXPIRED, "waitlist.expired"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('WL'::text, 'waitlist_reference'::text)"), unique=True
    )
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    lesson_minutes: Mapped[int | None] = mapped_column(SmallInteger)  # None: any length
    status: Mapped[WaitStatus] = mapped_column(choice(WaitStatus, "status_known"))
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"))  # the last one they were offered
    passed_because: Mapped[str | None]  # code of what kept them from a free time when it was their turn
    student: Mapped[User] = relationship(foreign_keys=[student_id], viewonly=True)
    teacher: Mapped[User] = relationship(foreign_keys=[teacher_id], viewonly=True)
    booking: Mapped[Booking | None] = relationship(viewonly=True)


class WaitlistOffer(Base):
    """A slot is offered to an entry once."""

    __tablename__ = "waitlist_offers"
    __table_args__ = (UniqueConstraint("entry_id", "slot_id", name="waitlist_offers_once"),)

    id: Mapped[Id]
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("waitlist_entries.id"))
    slot_id: Mapped[UUID] = mapped_column(ForeignKey("availability_slots.id"))
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    created_at: Mapped[datetime]
