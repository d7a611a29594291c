"""What a settlement line stands for (matches), and what does not agree (exceptions)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship, remote

from guitaronline.billing.models import Payment, Refund
from guitaronline.billing.settlements.models import SettlementFile, SettlementLine
from guitaronline.db import Base, Currency, Id, Minor, Timestamps, Versioned, choice
from guitaronline.identity.models import User
from guitaronline.states import Move, StateTable, guard_status


class Rule(StrEnum):
    """In the order in which they are asked; `person` and `split` are people's own."""

    PROVIDER_ID = "provider_id"
    OUR_ID = "our_id"
    AMOUNT_AND_CUSTOMER = "amount_and_customer"
    PAYOUT_REFERENCE = "payout_reference"
    PAYOUT_AMOUNT = "payout_amount"
    PERSON = "person"
    SPLIT = "split"


class MatchStatus(StrEnum):
    ACTIVE = "active"
    UNDONE = "undone"


@guard_status
class Match(Versioned, Base):
    """A settlement line is this payment, this refund, or (a payout) this line of a bank; both sides equal to the minor unit.

    Made in bulk, so the rows have no audit of their own: the action says who, the row says the rest. No foreign keys: checked
    one by one, a million of them take longer than the matching. A trigger proves the same for each statement as a whole,
    and lines, payments and refunds are never deleted."""

    __tablename__ = "settlement_matches"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(payment_id, refund_id, bank_line_id) = (rule <> 'split')::integer", name="one_side"
        ),
        CheckConstraint("(status = 'undone') = (undone_at IS NOT NULL)", name="undone_has_time"),
        CheckConstraint("(rule IN ('person', 'split')) = (matched_by IS NOT NULL)", name="people_have_names"),
        Index("uq_settlement_matches_line", "line_id", unique=True, postgresql_where=text("status = 'active'")),
        Index(
            "uq_settlement_matches_payment",
            "payment_id",
            unique=True,
            postgresql_where=text("status = 'active' AND payment_id IS NOT NULL"),
        ),
        Index(
            "uq_settlement_matches_refund",
            "refund_id",
            text("(amount_minor > 0)"),  # once on its way out, and once back where it could not be paid out
            unique=True,
            postgresql_where=text("status = 'active' AND refund_id IS NOT NULL"),
        ),
        Index(
            "uq_settlement_matches_bank_line",
            "bank_line_id",
            unique=True,
            postgresql_where=text("status = 'active' AND bank_line_id IS NOT NULL"),
        ),
        Index("ix_settlement_matches_undone", "undone_at", "id", postgresql_where=text("status = 'undone'")),
        Index("ix_settlement_matches_people", "matched_by", "id", postgresql_where=text("matched_by IS NOT NULL")),
    )
    states: ClassVar[StateTable] = StateTable(
        "settlement_matches",
        {
            MatchStatus.ACTIVE: "both sides are the same money",
            MatchStatus.UNDONE: "it was wrong, or the facts changed",
        },
        [
            Move(None, MatchStatus.ACTIVE, "match.made"),
            Move(MatchStatus.ACTIVE, MatchStatus.UNDONE, "match.undone"),
        ],
    )

    id: Mapped[Id]
    rule: Mapped[Rule] = mapped_column(choice(Rule, "rule_known"))
    rule_version: Mapped[int]
    line_id: Mapped[UUID]
    payment_id: Mapped[UUID | None]
    refund_id: Mapped[UUID | None]
    bank_line_id: Mapped[UUID | None]
    amount_minor: Mapped[Minor]  # as the line says it, signed
    currency: Mapped[Currency]
    booked_on: Mapped[date]  # of the line, and the file that brought it: they say whether a closed period holds it
    file_id: Mapped[UUID]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[MatchStatus] = mapped_column(choice(MatchStatus, "status_known"))
    matched_at: Mapped[datetime]
    matched_by: Mapped[UUID | None]  # None: the system, by a rule
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]  # None: the system, since the facts changed
    undone_because: Mapped[str | None]
    line: Mapped[SettlementLine] = relationship(
        primaryjoin=lambda: foreign(Match.line_id) == remote(SettlementLine.id), viewonly=True
    )
    bank_line: Mapped[SettlementLine | None] = relationship(
        primaryjoin=lambda: foreign(Match.bank_line_id) == remote(SettlementLine.id), viewonly=True
    )
    payment: Mapped[Payment | None] = relationship(
        primaryjoin=lambda: foreign(Match.payment_id) == remote(Payment.id), viewonly=True
    )
    refund: Mapped[Refund | None] = relationship(
        primaryjoin=lambda: foreign(Match.refund_id) == remote(Refund.id), viewonly=True
    )


class MatchPart(Base):
    """One of the payments that a line pays together (rule `split`). `is_active` follows its match."""

    __tablename__ = "settlement_match_parts"
    __table_args__ = (
        UniqueConstraint("match_id", "payment_id", name="uq_settlement_match_parts_once"),
        Index("uq_settlement_match_parts_payment", "payment_id", unique=True, postgresql_where=text("is_active")),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )

    id: Mapped[Id]
    match_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_matches.id"))
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    payment: Mapped[Payment] = relationship(viewonly=True)


class Category(StrEnum):
    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    AMOUNT = "amount"
    CURRENCY = "currency"
    FEE = "fee"
    STATE = "state"
    DUPLICATE = "duplicate"
    UNKNOWN_REFUND = "unknown_refund"
    DISPUTE = "dispute"
    PAYOUT_SUM = "payout_sum"
    PAYOUT_NOT_IN_BANK = "payout_not_in_bank"
    AMBIGUOUS = "ambiguous"
    LINE_CHANGED = "line_changed"
    BAD_FILE = "bad_file"
    MISSING_FILE = "missing_file"


WORDS: dict[Category, str] = {
    Category.MISSING_THERE: "We say that it was paid; the provider's files do not have it.",
    Category.MISSING_HERE: "Money came that no payment of ours is about.",
    Category.AMOUNT: "Both sides know it, with different amounts.",
    Category.CURRENCY: "Both sides know it, in different currencies.",
    Category.FEE: "The fee is not what the contract says.",
    Category.STATE: "The money moved, and our payment or refund does not say so.",
    Category.DUPLICATE: "The same payment or refund a second time.",
    Category.UNKNOWN_REFUND: "Money went back that we never refunded.",
    Category.DISPUTE: "A cardholder or bank took money back.",
    Category.PAYOUT_SUM: "A payout is not the sum of its lines.",
    Category.PAYOUT_NOT_IN_BANK: "A payout has not arrived at the bank.",
    Category.AMBIGUOUS: "More than one fits; nobody but a person can tell.",
    Category.LINE_CHANGED: "A line came again and says something else.",
    Category.BAD_FILE: "A file could not be read, and nothing of it was taken.",
    Category.MISSING_FILE: "Days are missing between two files of an account.",
}


class ExceptionStatus(StrEnum):
    OPEN = "open"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    WRITTEN_OFF = "written_off"


UNDECIDED = (ExceptionStatus.OPEN, ExceptionStatus.ESCALATED)
DECIDED = (ExceptionStatus.RESOLVED, ExceptionStatus.IGNORED, ExceptionStatus.WRITTEN_OFF)


@guard_status
class ReconciliationException(Timestamps, Versioned, Base):
    """One thing that does not agree. `natural_key` is made of what it is about: found again, it is the same row."""

    __tablename__ = "reconciliation_exceptions"
    __table_args__ = (
        UniqueConstraint("natural_key", name="uq_reconciliation_exceptions_natural_key"),
        CheckConstraint("value_minor >= 0", name="value_not_negative"),
        CheckConstraint("(status IN ('open', 'escalated')) = (decided_at IS NULL)", name="decided_has_time"),
        CheckConstraint("(status = 'escalated') <= (owner_id IS NOT NULL)", name="escalated_to_somebody"),
        Index("ix_reconciliation_exceptions_status", "status", "id"),
        Index("ix_reconciliation_exceptions_category", "category", "id"),
        Index("ix_reconciliation_exceptions_line_id", "line_id"),
        Index("ix_reconciliation_exceptions_payment_id", "payment_id"),
        Index("ix_reconciliation_exceptions_value", "value_minor", "id"),
        Index("ix_reconciliation_exceptions_owner", "owner_id", "id"),
        Index("ix_reconciliation_exceptions_match", "match_id", postgresql_where=text("match_id IS NOT NULL")),
    )
    states: ClassVar[StateTable] = StateTable(
        "reconciliation_exceptions",
        {
            ExceptionStatus.OPEN: "waits for somebody in finance",
            ExceptionStatus.ESCALATED: "waits for its owner",
            ExceptionStatus.RESOLVED: "both sides agree now",
            ExceptionStatus.IGNORED: "a person said why it does not matter",
            ExceptionStatus.WRITTEN_OFF: "a person gave the difference up",
        },
        [
            Move(None, ExceptionStatus.OPEN, "exception.opened"),
            *(
                Move(source, target, f"exception.{target.value}")
                for source in UNDECIDED
                for target in (*DECIDED, ExceptionStatus.ESCALATED)
                if source is not target
            ),
            *(
                Move(source, ExceptionStatus.OPEN, "exception.reopened")
                for source in (*DECIDED, ExceptionStatus.ESCALATED)
            ),
        ],
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('EXC'::text, 'exception_reference'::text)"), unique=True
    )
    category: Mapped[Category] = mapped_column(choice(Category, "category_known"))
    natural_key: Mapped[str]
    status: Mapped[ExceptionStatus] = mapped_column(choice(ExceptionStatus, "status_known"))
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey("settlement_lines.id"))
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"))
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"))
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("settlement_files.id"))
    currency: Mapped[str | None]
    value_minor: Mapped[Minor]  # how much money it is about
    booked_on: Mapped[date]  # the day that decides into which period it falls
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))  # None: the system
    decided_because: Mapped[str | None]
    match_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("settlement_matches.id")
    )  # that a person made to resolve it
    line: Mapped[SettlementLine | None] = relationship(viewonly=True)
    payment: Mapped[Payment | None] = relationship(viewonly=True)
    refund: Mapped[Refund | None] = relationship(viewonly=True)
    file: Mapped[SettlementFile | None] = relationship(viewonly=True)
    owner: Mapped[User | None] = relationship(viewonly=True, foreign_keys=[owner_id])
