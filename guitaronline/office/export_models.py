"""What was exported, by whom and with which filter; and, while a job makes a file, how far it is and its parts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.actor import Role
from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class ExportFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    ZIP = "zip"  # not of a list: everything about one person (privacy/bundle.py)


LIST_FORMATS = (ExportFormat.CSV, ExportFormat.XLSX)


class ExportStatus(StrEnum):
    SENT = "sent"
    REQUESTED = "requested"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


@guard_status
class Export(Timestamps, Versioned, Base):
    """One list that left the console as a file. Stays when the file is gone: it says who took what."""

    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint("rows >= 0", name="rows_not_negative"),
        CheckConstraint("(status IN ('sent', 'ready')) <= (rows IS NOT NULL)", name="rows_known"),
        CheckConstraint("(status = 'ready') <= (expires_at IS NOT NULL)", name="ready_expires"),
        CheckConstraint("(status = 'failed') <= (error IS NOT NULL)", name="failed_says_why"),
        Index("ix_exports_owner", "owner_id", "id"),
        Index("ix_exports_expiring", "expires_at", postgresql_where=text("status = 'ready'")),
    )
    states: ClassVar[StateTable] = StateTable(
        "exports",
        {
            ExportStatus.SENT: "went out at once with the answer",
            ExportStatus.REQUESTED: "waits for the job that makes large files",
            ExportStatus.RUNNING: "the file is being made",
            ExportStatus.READY: "can be downloaded until `expires_at`",
            ExportStatus.FAILED: "no file came of it",
            ExportStatus.CANCELED: "called off; the file is gone",
            ExportStatus.EXPIRED: "its time is over; the file is gone",
        },
        [
            Move(None, ExportStatus.SENT, "export.sent"),
            Move(None, ExportStatus.REQUESTED, "export.requested"),
            Move(ExportStatus.REQUESTED, ExportStatus.RUNNING, "export.started"),
            Move(ExportStatus.RUNNING, ExportStatus.READY, "export.ready"),
            Move(ExportStatus.RUNNING, ExportStatus.FAILED, "export.failed"),
            Move(ExportStatus.REQUESTED, ExportStatus.CANCELED, "export.canceled"),
            Move(ExportStatus.RUNNING, ExportStatus.CANCELED, "export.canceled"),
            Move(ExportStatus.READY, ExportStatus.CANCELED, "export.canceled"),
            Move(ExportStatus.READY, ExportStatus.EXPIRED, "export.expired"),
        ],
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    desk: Mapped[str]  # the list's path below /admin/
    search: Mapped[str]
    filters: Mapped[dict[str, Any]]  # name of the filter → value as typed
    sort: Mapped[str]  # name of the column; empty: the list's usual order
    is_descending: Mapped[bool]
    columns: Mapped[list[str]] = mapped_column(JSONB)
    format: Mapped[ExportFormat] = mapped_column(choice(ExportFormat, "format_known"))
    zone: Mapped[str]  # IANA; in which its times are written
    role: Mapped[Role] = mapped_column(choice(Role, "role_known"))  # of the owner then: what the file may show
    status: Mapped[ExportStatus] = mapped_column(choice(ExportStatus, "status_known"))
    rows: Mapped[int | None]  # None until it is known
    error: Mapped[str | None]  # why it failed, in words
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    owner: Mapped[User] = relationship(viewonly=True)

    @property
    def title(self) -> str:
        return f"{self.desk.replace('-', ' ').capitalize()} as {self.format.upper()}"


class ExportRun(Base):
    """An export that waits or is being made: who works on it, until when, and how far it is. Gone when it is over."""

    __tablename__ = "export_runs"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    attempts: Mapped[int] = mapped_column(server_default="0")
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    rows_done: Mapped[int] = mapped_column(server_default="0")
    rows_total: Mapped[int | None]


class ExportPart(Base):
    """A piece of the file, about a megabyte: web and worker may stand on different machines."""

    __tablename__ = "export_parts"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bytes: Mapped[bytes] = mapped_column(LargeBinary)
