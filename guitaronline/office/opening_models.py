"""Opening imports: what was checked, the files while they wait, and every row that came in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class Sheet(StrEnum):
    """The files, in the order in which they come in: each names rows of those before it."""

    TEACHERS = "teachers"
    PEOPLE = "people"
    GUARDIANS = "guardians"
    PACKAGES = "packages"
    BOOKINGS = "bookings"


class OpeningStatus(StrEnum):
    CHECKED = "checked"
    IMPORTED = "imported"
    DISCARDED = "discarded"


@guard_status
class OpeningImport(Timestamps, Versioned, Base):
    """One set of files. Either all of it came in or nothing."""

    __tablename__ = "opening_imports"
    __table_args__ = (
        CheckConstraint("(status = 'imported') = (imported_at IS NOT NULL)", name="imported_has_time"),
        CheckConstraint("status <> 'imported' OR problems_total = 0", name="only_whole_ones_come_in"),
        CheckConstraint("problems_total >= 0 AND rows_new >= 0", name="counts_not_negative"),
    )
    states: ClassVar[StateTable] = StateTable(
        "opening_imports",
        {
            OpeningStatus.CHECKED: "tried out and taken back; says what an import would bring, or what is wrong",
            OpeningStatus.IMPORTED: "all of its rows are there",
            OpeningStatus.DISCARDED: "a person did not want it",
        },
        [
            Move(None, OpeningStatus.CHECKED, "opening.checked"),
            Move(OpeningStatus.CHECKED, OpeningStatus.IMPORTED, "opening.imported"),
            Move(OpeningStatus.CHECKED, OpeningStatus.DISCARDED, "opening.discarded"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('OPN'::text, 'opening_reference'::text)"), unique=True
    )
    status: Mapped[OpeningStatus] = mapped_column(choice(OpeningStatus, "status_known"))
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)  # see reports.Report; may quote what stands in the files
    problems_total: Mapped[int]
    rows_new: Mapped[int]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # None: the command line
    imported_at: Mapped[datetime | None]
    maker: Mapped[User | None] = relationship(viewonly=True)


class OpeningFile(Base):
    """A file as it was uploaded, until it is imported or discarded. Personal; technical: it never outlives a month."""

    __tablename__ = "opening_files"
    __table_args__ = (
        UniqueConstraint("import_id", "sheet", name="uq_opening_files_sheet"),
        Index("ix_opening_files_created_at", "created_at"),
    )

    id: Mapped[Id]
    import_id: Mapped[UUID] = mapped_column(ForeignKey("opening_imports.id"))
    sheet: Mapped[Sheet] = mapped_column(choice(Sheet, "sheet_known"))
    bytes: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class OpeningRow(Base):
    """A row of a file and the record that it became. The same row again changes nothing. Append-only."""

    __tablename__ = "opening_rows"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="is_sha256"),
        UniqueConstraint("sheet", "external_id", name="uq_opening_rows_once"),
        Index("ix_opening_rows_import", "import_id", "sheet", "id"),
        Index("ix_opening_rows_record", "record_type", "record_id"),
    )

    id: Mapped[Id]
    import_id: Mapped[UUID] = mapped_column(ForeignKey("opening_imports.id"))
    sheet: Mapped[Sheet] = mapped_column(choice(Sheet, "sheet_known"))
    external_id: Mapped[str]  # as the file calls the row
    record_type: Mapped[str]
    record_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # of what the row said
    created_at: Mapped[datetime]
