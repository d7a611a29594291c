"""Files of providers and banks, their statements' balances, their lines, and what two files say differently."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status

MOST_MINOR = "BETWEEN -1000000000000 AND 1000000000000"


class FileKind(StrEnum):
    STRIPE_PAYOUTS = "stripe_payouts"  # payout reconciliation, itemized
    STRIPE_BALANCE = "stripe_balance"  # balance change from activity, itemized
    PAYPAL = "paypal"  # settlement report
    CAMT053 = "camt053"
    MT940 = "mt940"
    BANK_CSV = "bank_csv"  # by a profile


class Side(StrEnum):
    PROVIDER = "provider"
    BANK = "bank"


class LineKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    FEE = "fee"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    ADJUSTMENT = "adjustment"
    TRANSFER = "transfer"
    BANK_CREDIT = "bank_credit"
    BANK_DEBIT = "bank_debit"


class FileStatus(StrEnum):
    RECEIVED = "received"
    CHECKED = "checked"
    CONFIRMED = "confirmed"
    IMPORTED = "imported"
    REFUSED = "refused"
    DISCARDED = "discarded"


OPEN = frozenset({FileStatus.RECEIVED, FileStatus.CONFIRMED})  # a job has something to do
ENDED = frozenset({FileStatus.REFUSED, FileStatus.DISCARDED})  # the same bytes may come again


class SettlementProfile(Timestamps, Versioned, Base):
    """How the CSV of one bank is read: its columns, and how it writes dates and amounts."""

    __tablename__ = "settlement_profiles"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)  # see profiles.Mapping
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))


@guard_status
class SettlementFile(Timestamps, Versioned, Base):
    """One file, kept as it came. Either all of it is imported or nothing."""

    __tablename__ = "settlement_files"
    __table_args__ = (
        CheckConstraint("size_bytes >= 0", name="size_not_negative"),
        CheckConstraint("lines_total >= 0 AND lines_new >= 0 AND lines_known >= 0", name="counts_not_negative"),
        CheckConstraint("(status = 'imported') <= (account IS NOT NULL)", name="imported_has_account"),
        CheckConstraint("(status = 'imported') = (imported_at IS NOT NULL)", name="imported_has_time"),
        CheckConstraint("(status = 'refused') <= (problems_total > 0)", name="refused_says_why"),
        CheckConstraint("last_on >= first_on", name="days_in_order"),
        CheckConstraint("(kind = 'bank_csv') = (mapping IS NOT NULL)", name="csv_has_mapping"),
        Index(
            "uq_settlement_files_sha256",
            "sha256",
            unique=True,
            postgresql_where=text("status NOT IN ('refused', 'discarded')"),
        ),
        Index("ix_settlement_files_status", "status", "id"),
        Index("ix_settlement_files_account", "account", "first_on", "id"),
    )
    states: ClassVar[StateTable] = StateTable(
        "settlement_files",
        {
            FileStatus.RECEIVED: "kept as it came; waits to be read",
            FileStatus.CHECKED: "was read to its end; says what an import would bring",
            FileStatus.CONFIRMED: "a person, or the rule for fetched files, wants it imported",
            FileStatus.IMPORTED: "all of its lines are there",
            FileStatus.REFUSED: "something in it is wrong; nothing of it was taken",
            FileStatus.DISCARDED: "a person did not want it",
        },
        [
            Move(None, FileStatus.RECEIVED, "settlement.received"),
            Move(FileStatus.RECEIVED, FileStatus.CHECKED, "settlement.checked"),
            Move(FileStatus.RECEIVED, FileStatus.REFUSED, "settlement.refused"),
            Move(FileStatus.CHECKED, FileStatus.CONFIRMED, "settlement.confirmed"),
            Move(FileStatus.CONFIRMED, FileStatus.IMPORTED, "settlement.imported"),
            Move(FileStatus.CONFIRMED, FileStatus.REFUSED, "settlement.refused"),
            Move(FileStatus.CHECKED, FileStatus.DISCARDED, "settlement.discarded"),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('STF'::text, 'settlement_file_reference'::text)"), unique=True
    )
    kind: Mapped[FileKind] = mapped_column(choice(FileKind, "kind_known"))
    account: Mapped[str | None]  # None: as the file itself will say
    profile_id: Mapped[UUID | None] = mapped_column(ForeignKey("settlement_profiles.id"))
    mapping: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )  # of the profile, as it was when the file came
    file_name: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    status: Mapped[FileStatus] = mapped_column(choice(FileStatus, "status_known"))
    lines_total: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    lines_new: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    lines_known: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # another file brought them
    lines_changed: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # and said something else
    first_on: Mapped[date | None]
    last_on: Mapped[date | None]
    currency: Mapped[str | None]  # None: several
    opening_minor: Mapped[Minor | None]  # of a file with one statement
    closing_minor: Mapped[Minor | None]
    totals: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    problems: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    problems_total: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    imports_itself: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    uploaded_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # None: fetched from the provider
    imported_at: Mapped[datetime | None]
    uploader: Mapped[User | None] = relationship(viewonly=True)
    profile: Mapped[SettlementProfile | None] = relationship(viewonly=True)


class SettlementPart(Base):
    """A piece of the original, about a megabyte. Append-only."""

    __tablename__ = "settlement_parts"

    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bytes: Mapped[bytes] = mapped_column(LargeBinary)


class SettlementRun(Base):
    """A file that a job has to read or to import: who works on it, until when, how far it is. Technical."""

    __tablename__ = "settlement_runs"

    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"), primary_key=True)
    attempts: Mapped[int] = mapped_column(server_default="0")
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    bytes_done: Mapped[int] = mapped_column(server_default="0")
    lines_done: Mapped[int] = mapped_column(server_default="0")


class SettlementStatement(Base):
    """Balances that a file states for one account and currency; they were verified against its lines. Append-only."""

    __tablename__ = "settlement_statements"
    __table_args__ = (
        CheckConstraint("opening_minor + movements_minor = closing_minor", name="adds_up"),
        CheckConstraint("last_on >= first_on", name="days_in_order"),
        UniqueConstraint("file_id", "sequence", name="uq_settlement_statements_sequence"),
        Index("ix_settlement_statements_account", "account", "currency", "last_on"),
    )

    id: Mapped[Id]
    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"))
    sequence: Mapped[int]  # within the file: 1, 2, 3 …
    account: Mapped[str]
    currency: Mapped[Currency]
    statement_id: Mapped[str]  # as the bank calls it; empty when it does not
    first_on: Mapped[date]
    last_on: Mapped[date]
    opening_minor: Mapped[Minor]
    movements_minor: Mapped[Minor]
    closing_minor: Mapped[Minor]
    lines: Mapped[int]
    created_at: Mapped[datetime]


class SettlementLine(Base):
    """One movement of money as a provider or bank tells it. Stays as it came; only an id that was not known yet may become
    known, when a later file tells more (the columns in LATER).

    `id` is made of account and `external_id`, so that the same line has the same id whatever file brought it first."""

    __tablename__ = "settlement_lines"
    __table_args__ = (
        CheckConstraint(f"amount_minor {MOST_MINOR}", name="amount_range"),
        CheckConstraint(f"fee_minor {MOST_MINOR}", name="fee_range"),
        CheckConstraint("net_minor = amount_minor - fee_minor", name="net_is_amount_less_fee"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        UniqueConstraint("external_id", "account", name="uq_settlement_lines_external"),
        Index("ix_settlement_lines_file", "file_id", "line_no"),
        Index("ix_settlement_lines_booked", "booked_on", "id"),
        Index("ix_settlement_lines_source", "source_id", postgresql_where=text("source_id IS NOT NULL")),
        Index("ix_settlement_lines_intent", "intent_id", postgresql_where=text("intent_id IS NOT NULL")),
        Index("ix_settlement_lines_payout", "payout_id", postgresql_where=text("payout_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"))  # that brought it first
    line_no: Mapped[int]  # of the text; of an XML file the number of the entry
    side: Mapped[Side] = mapped_column(choice(Side, "side_known"))
    account: Mapped[str]
    kind: Mapped[LineKind] = mapped_column(choice(LineKind, "kind_known"))
    at: Mapped[datetime]
    booked_on: Mapped[date]
    value_on: Mapped[date | None]  # when the money can be used
    amount_minor: Mapped[Minor]  # > 0: towards the school
    fee_minor: Mapped[Minor]
    net_minor: Mapped[Minor]
    currency: Mapped[Currency]
    external_id: Mapped[str]  # their id of the line; made of its content where they give none
    source_id: Mapped[str | None]  # their id of what it is about: ch_…, re_…, po_…, dp_…
    intent_id: Mapped[str | None]  # their id of the payment that it belongs to: pi_…
    payment_reference: Mapped[str | None]  # ours: id of the payment from metadata, or PAY-… found in the text
    refund_reference: Mapped[str | None]  # ours: id of the refund from metadata, or RFD-… found in the text
    payout_id: Mapped[str | None]
    counterparty: Mapped[str | None]
    remittance: Mapped[str | None]
    digest: Mapped[UUID]  # of what must not change
    file: Mapped[SettlementFile] = relationship(viewonly=True)

    @property
    def title(self) -> str:
        return self.external_id


LATER = ("source_id", "intent_id", "payment_reference", "refund_reference", "payout_id")
STAGED = (  # columns of `settlement_staging`: a line without what the database makes of it
    "line_no", "side", "account", "kind", "at", "booked_on", "value_on", "amount_minor", "fee_minor", "net_minor", "currency",
    "external_id", "source_id", "intent_id", "payment_reference", "refund_reference", "payout_id", "counterparty", "remittance",
)  # fmt: skip
# Where the lines of the one import that runs now stand before it is known which of them are new; empty afterwards. Technical.
# (Not a temporary table: the application's role may make none.)
staging = Table(
    "settlement_staging",
    Base.metadata,
    *(Column(name, Text() if name in ("side", "kind") else SettlementLine.__table__.c[name].type) for name in STAGED),
    prefixes=["UNLOGGED"],
)


class ProblemKind(StrEnum):
    LINE_CHANGED = "line_changed"


class SettlementProblem(Base):
    """A line came again and says something else about the same movement. What came first stands. Append-only."""

    __tablename__ = "settlement_problems"
    __table_args__ = (
        UniqueConstraint("file_id", "line_id", name="uq_settlement_problems_line"),
        Index("ix_settlement_problems_line_id", "line_id"),
    )

    id: Mapped[Id]
    kind: Mapped[ProblemKind] = mapped_column(choice(ProblemKind, "kind_known"))
    file_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_files.id"))  # that says something else
    line_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_lines.id"))  # as it came first
    line_no: Mapped[int]  # in the file that says something else
    before: Mapped[dict[str, Any]]  # the fields that differ, as they came first
    after: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    line: Mapped[SettlementLine] = relationship(viewonly=True)
    file: Mapped[SettlementFile] = relationship(viewonly=True)
