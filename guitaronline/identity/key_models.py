"""Keys with which programs of partners call the API."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Id, Timestamps, Versioned
from guitaronline.identity.models import User


class ServiceKey(Timestamps, Versioned, Base):
    """A program's key. The whole of it was shown once; `prefix` is what people tell keys apart by."""

    __tablename__ = "service_keys"
    __table_args__ = (
        CheckConstraint("prefix ~ '^[0-9a-f]{8}$'", name="prefix_shape"),
        CheckConstraint("octet_length(secret_hash) = 32", name="is_sha256"),
        CheckConstraint("cardinality(scopes) > 0", name="for_something"),
        CheckConstraint("expires_at BETWEEN created_at AND created_at + interval '400 days'", name="ends"),
        CheckConstraint("replaces_id <> id", name="replaces_another"),
        UniqueConstraint("replaces_id", name="uq_service_keys_replaces_id"),
        Index("ix_service_keys_name", "name", "id"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # SHA-256 of the whole key
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("service_keys.id"))  # the key that it took over from
    maker: Mapped[User] = relationship(viewonly=True)


class ServiceKeyUse(Base):
    """When a key was used last, to ten minutes: enough to see that nobody needs it, cheap enough for every call."""

    __tablename__ = "service_key_uses"

    id: Mapped[UUID] = mapped_column(ForeignKey("service_keys.id"), primary_key=True)  # the key's
    last_used_at: Mapped[datetime]
