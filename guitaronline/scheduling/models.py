"""The teachers' time. A slot knows only its own state; held or booked follows from the booking that occupies it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class SlotStatus(StrEnum):
    OPEN = "open"
    BLOCKED = "blocked"
    WITHDRAWN = "withdrawn"


class SlotOrigin(StrEnum):
    MADE = "made"  # by a person
    GENERATED = "generated"  # from weekly hours
    REPLACED = "replaced"  # was generated, and a change of the hours took it away


@guard_status
class Slot(Timestamps, Versioned, Base):
    """A stretch of a teacher's time, `[start_at, end_at)`; its times never change."""

    __tablename__ = "availability_slots"
    __table_args__ = (
        CheckConstraint("end_at - start_at BETWEEN interval '15 minutes' AND interval '240 minutes'", name="length"),
        CheckConstraint(
            "start_at = date_trunc('second', start_at) AND end_at = date_trunc('second', end_at)", name="whole_seconds"
        ),
        CheckConstraint("isfinite(start_at) AND isfinite(end_at) AND end_at < '9999-01-01'", name="finite"),
        CheckConstraint(
            "busy_until > end_at AND busy_until - end_at <= interval '240 minutes' AND busy_until = date_trunc('second', busy_until)",
            name="pause",
        ),
        CheckConstraint("(origin = 'replaced') <= (status = 'withdrawn')", name="replaced_is_gone"),
        CheckConstraint("(wall_start IS NULL) = (wall_zone IS NULL)", name="wall_clock_has_zone"),
        UniqueConstraint("id", "teacher_id", "start_at", "end_at", name="uq_availability_slots_whole"),
        ExcludeConstraint(
            (text("teacher_id"), "="),
            (text("tstzrange(start_at, COALESCE(busy_until, end_at))"), "&&"),
            where=text("status <> 'withdrawn'"),
            using="gist",
            name="slots_no_teacher_overlap",
        ),
        Index("ix_availability_slots_open_start", "start_at", "id", postgresql_where=text("status = 'open'")),
        Index(
            "ix_availability_slots_open_teacher_start",
            "teacher_id",
            "start_at",
            "id",
            postgresql_where=text("status = 'open'"),
        ),
        Index("ix_availability_slots_teacher_start", "teacher_id", "start_at"),
        Index("ix_availability_slots_kept", "kept_until", postgresql_where=text("kept_until IS NOT NULL")),
        Index("ix_availability_slots_start", "start_at", "id"),
        Index("ix_availability_slots_shut", "status", "start_at", "id", postgresql_where=text("status <> 'open'")),
    )
    states: ClassVar[StateTable] = StateTable(
        "availability_slots",
        {
            SlotStatus.OPEN: "may be offered",
            SlotStatus.BLOCKED: "kept back by the teacher or staff",
            SlotStatus.WITHDRAWN: "gone for good",
        },
        [
            Move(None, SlotStatus.OPEN, "slot.created"),
            Move(SlotStatus.OPEN, SlotStatus.BLOCKED, "slot.blocked"),
            Move(SlotStatus.BLOCKED, SlotStatus.OPEN, "slot.unblocked"),
            Move(SlotStatus.OPEN, SlotStatus.WITHDRAWN, "slot.withdrawn"),
            Move(SlotStatus.BLOCKED, SlotStatus.WITHDRAWN, "slot.withdrawn"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('SLT'::text, 'slot_reference'::text)"), unique=True
    )
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    status: Mapped[SlotStatus] = mapped_column(choice(SlotStatus, "status_known"))
    origin: Mapped[SlotOrigin] = mapped_column(
        choice(SlotOrigin, "origin_known"), default=SlotOrigin.MADE, server_default="made"
    )
    busy_until: Mapped[datetime | None]  # end of the pause that belongs to it; nothing of the teacher's starts before
    kept_until: Mapped[datetime | None]  # until then only who waits for this time may have it
    wall_start: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=False)
    )  # what the teacher's clock shows at its start …
    wall_zone: Mapped[str | None]  # … in this zone, by the zone database of the day it was made
    teacher: Mapped[User] = relationship(viewonly=True)

    @property
    def ends_busy(self) -> datetime:
        """When the teacher is free again."""
        return self.busy_until or self.end_at
