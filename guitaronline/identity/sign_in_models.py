"""What stands behind a second factor and behind a change of address. Technical tables: no audit watches them, the commands do."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id


class TotpUse(Base):
    """The newest code of a person's authenticator app that was used: that one and all before it are worth nothing."""

    __tablename__ = "totp_uses"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    last_step: Mapped[int] = mapped_column(BigInteger)  # of 30 seconds each, counted from 1970


class RecoveryCode(Base):
    """A code that stands in for the authenticator app, once; as SHA-256 only."""

    __tablename__ = "recovery_codes"
    __table_args__ = (
        UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_once"),
        CheckConstraint("octet_length(code_hash) = 32", name="is_sha256"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AddressChange(Base):
    """Somebody wants to be written to elsewhere. Asked for, then done by the link to the new address, and for a while undone
    by the link to the one before."""

    __tablename__ = "address_changes"
    __table_args__ = (
        CheckConstraint(
            "(done_at IS NULL) = (former_key IS NULL) AND (done_at IS NULL) = (former_email IS NULL)"
            " AND (done_at IS NULL) = (undo_until IS NULL) AND (done_at IS NULL) = (undo_link_id IS NULL)",
            name="done_as_a_whole",
        ),
        CheckConstraint("undone_at IS NULL OR done_at IS NOT NULL", name="done_before_undone"),
        Index("ix_address_changes_user_id", "user_id", "id"),
        Index("ix_address_changes_created_at", "created_at"),
        Index(
            "ix_address_changes_kept_free",
            "former_key",
            "undo_until",
            postgresql_where=text("done_at IS NOT NULL AND undone_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    link_id: Mapped[UUID] = mapped_column(unique=True)  # no foreign keys: links may be forgotten before this is
    undo_link_id: Mapped[UUID | None] = mapped_column(unique=True)
    new_email: Mapped[str]
    former_email: Mapped[str | None]  # these from when it is done
    former_key: Mapped[str | None]  # nobody else gets this address while it can be undone
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    undo_until: Mapped[datetime | None]
