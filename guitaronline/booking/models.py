"""A student's claim on a slot, and the decision that was taken when it ended."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.billing.models import Package
from guitaronline.booking.series_models import LessonSeries
from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.models import Slot
from guitaronline.states import Move, StateTable, guard_status


class BookingStatus(StrEnum):
    HOLD = "hold"
    CONFIRMED = "confirmed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class CancelCause(StrEnum):
    STUDENT = "student"
    TEACHER = "teacher"
    SCHOOL = "school"
    TECHNICAL = "technical"
    GOODWILL = "goodwill"


ACTIVE = text("status IN ('hold', 'confirmed')")
IN_SERIES = text("series_id IS NOT NULL")
ACTIVE_IN_SERIES = text("series_id IS NOT NULL AND status IN ('hold', 'confirmed')")


@guard_status
class Booking(Timestamps, Versioned, Base):
    """Its teacher and times are its slot's, held equal by the composite foreign key."""

    __tablename__ = "bookings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["slot_id", "teacher_id", "start_at", "end_at"],
            [
                "availability_slots.id",
                "availability_slots.teacher_id",
                "availability_slots.start_at",
                "availability_slots.end_at",
            ],
            name="fk_bookings_slot_whole",
        ),
        ForeignKeyConstraint(
            ["package_id", "student_id"],
            ["packages.id", "packages.student_id"],
            name="fk_bookings_own_package",
            deferrable=True,  # a package and its bookings change hands together when two records become one person
            initially="IMMEDIATE",
        ),
        CheckConstraint("(status = 'hold') <= (hold_expires_at IS NOT NULL)", name="hold_ends"),
        CheckConstraint("(status = 'confirmed') <= (confirmed_at IS NOT NULL)", name="confirmed_at_some_time"),
        CheckConstraint("(status = 'canceled') = (canceled_at IS NOT NULL)", name="canceled_at_some_time"),
        CheckConstraint("student_id <> teacher_id", name="two_people"),
        CheckConstraint("substituted_from_id <> teacher_id", name="substitute_is_another"),
        CheckConstraint("(series_id IS NULL) = (series_day IS NULL)", name="series_has_day"),
        Index("bookings_one_active_per_slot", "slot_id", unique=True, postgresql_where=ACTIVE),
        ExcludeConstraint(
            (text("student_id"), "="),
            (text("tstzrange(start_at, end_at)"), "&&"),
            where=ACTIVE,
            using="gist",
            name="bookings_no_student_overlap",
        ),
        Index("bookings_one_successor", "rescheduled_from_booking_id", unique=True),
        Index("bookings_one_restoration", "restored_from_booking_id", unique=True),
        Index("ix_bookings_student_start", "student_id", "start_at", "id"),
        Index("ix_bookings_teacher_start", "teacher_id", "start_at", "id"),
        Index("ix_bookings_package_id", "package_id"),
        Index("ix_bookings_start", "start_at", "id"),
        Index("ix_bookings_slot_id", "slot_id"),
        Index(  # the rare states only: a hold and its confirmation write nothing here
            "ix_bookings_over", "status", "start_at", "id", postgresql_where=text("status IN ('canceled', 'expired')")
        ),
        Index("ix_bookings_cause", "cancel_cause", "start_at", "id", postgresql_where=text("cancel_cause IS NOT NULL")),
        Index("ix_bookings_student_holds", "student_id", postgresql_where=text("status = 'hold'")),
        Index("ix_bookings_created_at", "created_at"),
        Index("ix_bookings_canceled_at", "canceled_at", postgresql_where=text("canceled_at IS NOT NULL")),
        Index("ix_bookings_series", "series_id", "start_at", "id", postgresql_where=IN_SERIES),
        Index(
            "bookings_one_active_per_series_day",
            "series_id",
            "series_day",
            unique=True,
            postgresql_where=ACTIVE_IN_SERIES,
        ),
        Index("ix_bookings_lapsing", "hold_expires_at", postgresql_where=text("status = 'hold'")),
    )
    states: ClassVar[StateTable] = StateTable(
        "bookings",
        {
            BookingStatus.HOLD: "kept for the student until `hold_expires_at`",
            BookingStatus.CONFIRMED: "a lesson will be given",
            BookingStatus.CANCELED: "called off",
            BookingStatus.EXPIRED: "a hold that nobody confirmed in time",
        },
        [
            Move(None, BookingStatus.HOLD, "booking.held"),
            Move(None, BookingStatus.CONFIRMED, "booking.rescheduled"),
            Move(None, BookingStatus.CONFIRMED, "booking.restored"),
            Move(None, BookingStatus.CONFIRMED, "booking.confirmed"),  # of a series: nobody waits in between
            Move(BookingStatus.HOLD, BookingStatus.CONFIRMED, "booking.confirmed"),
            Move(BookingStatus.HOLD, BookingStatus.CANCELED, "booking.hold_released"),
            Move(BookingStatus.HOLD, BookingStatus.EXPIRED, "booking.expired"),
            Move(BookingStatus.CONFIRMED, BookingStatus.CANCELED, "booking.canceled"),
            Move(BookingStatus.CONFIRMED, BookingStatus.CANCELED, "booking.rescheduled"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('BK'::text, 'booking_reference'::text)"), unique=True
    )
    slot_id: Mapped[UUID]
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    teacher_id: Mapped[UUID]
    substituted_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # whom the student had booked
    package_id: Mapped[UUID]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    status: Mapped[BookingStatus] = mapped_column(choice(BookingStatus, "status_known"))
    hold_expires_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    canceled_at: Mapped[datetime | None]
    cancellation_reason: Mapped[str | None]
    cancel_cause: Mapped[CancelCause | None] = mapped_column(choice(CancelCause, "cause_known"))
    refund_returned: Mapped[bool | None]  # None until it is canceled
    rescheduled_from_booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"))
    restored_from_booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"))  # canceled by mistake
    series_id: Mapped[UUID | None] = mapped_column(ForeignKey("lesson_series.id"))  # stays when it is moved or restored
    series_day: Mapped[date | None]  # the day of the series that it stands for, wherever it was moved to
    revision: Mapped[int] = mapped_column(default=1, server_default=text("1"))  # grows when people must be told anew
    policy: Mapped[dict[str, Any]] = mapped_column(JSONB)  # refund window and notice as they were when it was booked
    decision: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )  # what became of the lesson, and why

    @property
    def status_before(self) -> BookingStatus:
        """Of a canceled booking: what it was until then."""
        return BookingStatus.HOLD if self.confirmed_at is None else BookingStatus.CONFIRMED

    slot: Mapped[Slot] = relationship(primaryjoin="foreign(Booking.slot_id) == Slot.id", viewonly=True)
    series: Mapped[LessonSeries | None] = relationship(viewonly=True)
    student: Mapped[User] = relationship(foreign_keys=[student_id], viewonly=True)
    teacher: Mapped[User] = relationship(primaryjoin="foreign(Booking.teacher_id) == User.id", viewonly=True)
    original_teacher: Mapped[User | None] = relationship(foreign_keys=[substituted_from_id], viewonly=True)
    lesson: Mapped[Lesson | None] = relationship(
        primaryjoin="Booking.id == foreign(Lesson.booking_id)", uselist=False, viewonly=True
    )
    package: Mapped[Package] = relationship(primaryjoin="foreign(Booking.package_id) == Package.id", viewonly=True)
