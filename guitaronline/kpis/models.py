"""Numbers per day of the school, which days must be counted anew, and how far the counting has come.

Technical tables: everything in them can be counted again from the business rows, kept numbers aside."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from guitaronline.audit.models import Xid8
from guitaronline.db import Base


class KpiDay(Base):
    """One number of one day; money in minor units of `currency`, which is empty for everything else."""

    __tablename__ = "kpi_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True, server_default="")
    currency: Mapped[str] = mapped_column(primary_key=True, server_default="")
    value: Mapped[int] = mapped_column(BigInteger)
    counted_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class KpiTouched(Base):
    """A day on which something that counts has changed since it was counted. The job takes the row with the counting."""

    __tablename__ = "kpi_touched"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    touched_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class KpiProgress(Base):
    """One row: which changes have been looked at, and the last day that is over and was given to be counted."""

    __tablename__ = "kpi_progress"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    timezone: Mapped[str]
    cluster: Mapped[str]  # transaction ids mean something in the cluster that gave them, and nowhere else
    counted_until: Mapped[date] = mapped_column(Date)
    seen_xid: Mapped[str] = mapped_column(Xid8)  # changes of all transactions before it are looked at
    change_id: Mapped[int] = mapped_column(BigInteger)  # no change up to here is still to be looked at
    ceiling_id: Mapped[int] = mapped_column(BigInteger)  # the next `change_id`,
    ceiling_xid: Mapped[str] = mapped_column(Xid8)  # once every transaction before this one has ended
    looked_at: Mapped[datetime]
