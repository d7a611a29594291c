"""Decisions that a lesson is given although its teacher is away or the school closed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id, Timestamps


class KeptBooking(Timestamps, Base):
    """The booking stands in spite of this one absence. It says nothing about any other, and nothing once that is called off."""

    __tablename__ = "kept_bookings"
    __table_args__ = (
        CheckConstraint("num_nonnulls(time_off_id, closure_id) = 1", name="one_absence"),
        Index("uq_kept_bookings_time_off", "time_off_id", "booking_id", unique=True),
        Index("uq_kept_bookings_closure", "closure_id", "booking_id", unique=True),
        Index("ix_kept_bookings_booking_id", "booking_id"),
    )

    id: Mapped[Id]
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"))
    time_off_id: Mapped[UUID | None] = mapped_column(ForeignKey("time_off.id"))
    closure_id: Mapped[UUID | None] = mapped_column(ForeignKey("closures.id"))
    reason: Mapped[str | None]  # personal
