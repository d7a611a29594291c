"""That the end of a package was told in time. Append-only."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.db import Base, Id


class PackageWarning(Base):
    """That a package expires in so many days was told; once for each day on which it would expire."""

    __tablename__ = "package_warnings"
    __table_args__ = (UniqueConstraint("package_id", "expires_at", "days", name="uq_package_warnings_once"),)

    id: Mapped[Id]
    package_id: Mapped[UUID] = mapped_column(ForeignKey("packages.id"))
    expires_at: Mapped[datetime]
    days: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]
