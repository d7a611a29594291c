"""Providers of payments, what they told us, and the checkout of a purchase."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

PROVIDERS = ("manual", "sandbox", "stripe")
FACTS = (
    "paid",
    "failed",
    "checkout_expired",
    "refunded",
    "refund_failed",
    "dispute_opened",
    "dispute_won",
    "dispute_lost",
    "other",
)
EXCEPTIONS = (
    "wrong_amount",
    "wrong_currency",
    "paid_twice",
    "already_paid",
    "package_taken_back",
    "second_trial",
    "unknown_payment",
)
STATES = ("received", "applied", "parked", "ignored", "dead")


def upgrade() -> None:
    _know_providers(PROVIDERS)
    _create_checkouts()
    _create_facts()
    _create_exceptions()
    _create_inbox()
    _create_asks()
    _create_sandbox()


def _know_providers(known: tuple[str, ...]) -> None:
    """Without a long lock: the constraint is proved after it holds for new rows."""
    listed = ", ".join(f"'{each}'" for each in known)
    op.execute("ALTER TABLE payments DROP CONSTRAINT ck_payments_provider_known")
    op.execute(
        f"ALTER TABLE payments ADD CONSTRAINT ck_payments_provider_known CHECK (provider IN ({listed})) NOT VALID"
    )
    op.execute("ALTER TABLE payments VALIDATE CONSTRAINT ck_payments_provider_known")


def _create_checkouts() -> None:
    table = "checkouts"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        _moment("expires_at", nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        _moment("lapsed_at", nullable=True),
        _moment("created_at"),
        _moment("updated_at"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_checkouts_number_positive")),
        sa.CheckConstraint("(url IS NULL) = (reference IS NULL)", name=op.f("ck_checkouts_page_has_reference")),
        sa.CheckConstraint("(url IS NULL) = (expires_at IS NULL)", name=op.f("ck_checkouts_page_expires")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_checkouts_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_checkouts_payment_id")),
    )
    op.execute(f"SELECT audit_attach('{table}', '{{url}}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _create_facts() -> None:
    table = "payment_facts"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", _choice(FACTS, "kind_known"), nullable=False),
        _moment("at"),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("refund_reference", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        _moment("created_at"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_facts_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_facts")),
        sa.UniqueConstraint("payment_id", "event_id", "kind", name="uq_payment_facts_once"),
    )
    op.create_index("ix_payment_facts_payment", table, ["payment_id", "at"])
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT append_only_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT')")


def _create_exceptions() -> None:
    table = "payment_exceptions"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", _choice(EXCEPTIONS, "kind_known"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("provider", _choice(PROVIDERS, "provider_known"), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
        _moment("resolved_at", nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        _moment("created_at"),
        _moment("updated_at"),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolution IS NULL)", name=op.f("ck_payment_exceptions_resolved_with_words")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_exceptions_payment_id")),
        sa.ForeignKeyConstraint(["resolved_by"], ["users.id"], name=op.f("fk_payment_exceptions_resolved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_exceptions")),
        sa.UniqueConstraint("kind", "key", name="uq_payment_exceptions_once"),
    )
    unresolved = sa.text("resolved_at IS NULL")
    op.create_index("ix_payment_exceptions_open", table, ["created_at", "id"], postgresql_where=unresolved)
    op.create_index("ix_payment_exceptions_payment_id", table, ["payment_id"])
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _create_inbox() -> None:
    table = "provider_events"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", _choice(PROVIDERS, "provider_known"), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _moment("received_at"),
        sa.Column("status", _choice(STATES, "status_known"), nullable=False),
        sa.Column("said", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("available_at"),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        _moment("lease_until", nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        _moment("closed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
        sa.UniqueConstraint("provider", "event_id", name="uq_provider_events_once"),
    )
    due = sa.text("status IN ('received', 'parked')")
    op.create_index("ix_provider_events_due", table, ["available_at", "id"], postgresql_where=due)
    op.create_index("ix_provider_events_status", table, ["status", "id"])
    op.create_index("ix_provider_events_payment_id", table, ["payment_id"])
    op.create_index("ix_provider_events_received_at", table, ["received_at"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_asks() -> None:
    table = "payment_asks"
    op.create_table(
        table,
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        _moment("ask_at"),
        sa.Column("asks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("lapse_at"),
        _moment("unknown_since", nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        _moment("lease_until", nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_asks_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payment_asks")),
    )
    silent = sa.text("unknown_since IS NOT NULL")
    op.create_index("ix_payment_asks_due", table, ["ask_at"])
    op.create_index("ix_payment_asks_unknown", table, ["unknown_since"], postgresql_where=silent)
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_sandbox() -> None:
    op.create_table(
        "sandbox_checkouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), nullable=False),
        sa.Column("state", _choice(("open", "paid"), "state_known"), nullable=False),
        sa.Column("declined", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("paid_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_checkouts")),
        sa.UniqueConstraint("token", name=op.f("uq_sandbox_checkouts_token")),
        sa.UniqueConstraint("key", name=op.f("uq_sandbox_checkouts_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_sandbox_checkouts_reference")),
    )
    op.create_index("ix_sandbox_checkouts_payment_id", "sandbox_checkouts", ["payment_id"])
    op.create_table(
        "sandbox_refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_refunds")),
        sa.UniqueConstraint("key", name=op.f("uq_sandbox_refunds_key")),
    )
    op.create_index("ix_sandbox_refunds_reference", "sandbox_refunds", ["reference"])
    op.create_table(
        "sandbox_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _moment("send_at"),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("sent_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_events")),
    )
    op.create_index("ix_sandbox_events_due", "sandbox_events", ["send_at"], postgresql_where=sa.text("sent_at IS NULL"))
    for table in ("sandbox_checkouts", "sandbox_refunds", "sandbox_events"):
        op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _choice(values: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def downgrade() -> None:
    for table in (
        "sandbox_events",
        "sandbox_refunds",
        "sandbox_checkouts",
        "payment_asks",
        "provider_events",
        "payment_exceptions",
        "payment_facts",
        "checkouts",
    ):
        op.drop_table(table)
    _know_providers(("manual",))
