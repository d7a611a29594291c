"""Files of providers and banks, line by line."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

FILE_KINDS = ("stripe_payouts", "stripe_balance", "paypal", "camt053", "mt940", "bank_csv")
FILE_STATES = ("received", "checked", "confirmed", "imported", "refused", "discarded")
LINE_KINDS = (
    "charge", "refund", "fee", "payout", "dispute", "adjustment", "transfer", "bank_credit", "bank_debit",
)  # fmt: skip
MOST_MINOR = "BETWEEN -1000000000000 AND 1000000000000"
STAGED_TEXTS = (
    "external_id", "source_id", "intent_id", "payment_reference", "refund_reference", "payout_id", "counterparty", "remittance",
)  # fmt: skip
LINES_STAY = """
CREATE FUNCTION settlement_lines_stay() RETURNS trigger LANGUAGE plpgsql AS $$
-- A line stays as it came. Only an id that was not known yet may become known.
DECLARE
  v_later constant text[] := '{source_id,intent_id,payment_reference,refund_reference,payout_id}';
  v_old constant jsonb := to_jsonb(OLD);
BEGIN
  IF to_jsonb(NEW) - v_later = v_old - v_later AND to_jsonb(NEW) @> jsonb_strip_nulls(v_old) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a line of settlement stays as it came' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stays BEFORE UPDATE ON settlement_lines FOR EACH ROW EXECUTE FUNCTION settlement_lines_stay();
CREATE TRIGGER never_gone BEFORE DELETE OR TRUNCATE ON settlement_lines FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.execute("CREATE SEQUENCE settlement_file_reference")
    op.execute("SELECT app_grant('settlement_file_reference', 'USAGE')")
    _create_profiles()
    _create_files()
    _create_parts_and_runs()
    _create_statements()
    _create_lines()
    _create_staging()
    _create_problems()
    op.execute("SELECT audit_attach('settlement_profiles')")
    op.execute("SELECT audit_attach('settlement_files', '{}', '{problems}')")  # they quote what stands in the file
    op.execute("SELECT audit_attach('settlement_statements')")
    for table in ("settlement_parts", "settlement_lines", "settlement_problems"):  # derived in bulk from the file
        op.execute(f"SELECT audit_attach('{table}', '{{}}', '{{}}', false)")
    for table in ("settlement_parts", "settlement_statements", "settlement_problems"):
        op.execute(f"SELECT append_only_attach('{table}')")
        op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT')")
    op.execute(LINES_STAY)
    op.execute(
        "SELECT app_grant('settlement_lines', 'SELECT, INSERT, UPDATE (source_id, intent_id, payment_reference, refund_reference, payout_id)')"
    )
    for table in ("settlement_profiles", "settlement_files"):
        op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")
    op.execute("SELECT app_grant('settlement_runs', 'SELECT, INSERT, UPDATE, DELETE')")
    op.execute("SELECT app_grant('settlement_staging', 'SELECT, INSERT, TRUNCATE')")


def _known(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _times() -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("created_at", "updated_at")]


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)


def _json(name: str, default: str | None = None) -> sa.Column[object]:
    return sa.Column(
        name,
        postgresql.JSONB(astext_type=sa.Text()),
        server_default=sa.text(default) if default else None,
        nullable=False,
    )


def _create_profiles() -> None:
    op.create_table(
        "settlement_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _json("mapping"),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_times(),
        _version(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_profiles")),
        sa.UniqueConstraint("name", name=op.f("uq_settlement_profiles_name")),
    )


def _create_files() -> None:
    table = "settlement_files"
    reference = sa.text("make_reference('STF'::text, 'settlement_file_reference'::text)")
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), server_default=reference, nullable=False),
        sa.Column("kind", _known("kind_known", *FILE_KINDS), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("profile_id", sa.Uuid(), nullable=True),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("status", _known("status_known", *FILE_STATES), nullable=False),
        *(_count(name) for name in ("lines_total", "lines_new", "lines_known", "lines_changed")),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("opening_minor", sa.BigInteger(), nullable=True),
        sa.Column("closing_minor", sa.BigInteger(), nullable=True),
        _json("totals", "'[]'"),
        _json("problems", "'[]'"),
        _count("problems_total"),
        sa.Column("imports_itself", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        *_times(),
        _version(),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_settlement_files_size_not_negative")),
        sa.CheckConstraint(
            "lines_total >= 0 AND lines_new >= 0 AND lines_known >= 0",
            name=op.f("ck_settlement_files_counts_not_negative"),
        ),
        sa.CheckConstraint(
            "(status = 'imported') <= (account IS NOT NULL)", name=op.f("ck_settlement_files_imported_has_account")
        ),
        sa.CheckConstraint(
            "(status = 'imported') = (imported_at IS NOT NULL)", name=op.f("ck_settlement_files_imported_has_time")
        ),
        sa.CheckConstraint(
            "(status = 'refused') <= (problems_total > 0)", name=op.f("ck_settlement_files_refused_says_why")
        ),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_settlement_files_days_in_order")),
        sa.CheckConstraint(
            "(kind = 'bank_csv') = (mapping IS NOT NULL)", name=op.f("ck_settlement_files_csv_has_mapping")
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["settlement_profiles.id"], name=op.f("fk_settlement_files_profile_id")
        ),
        sa.ForeignKeyConstraint(["uploaded_by"], ["users.id"], name=op.f("fk_settlement_files_uploaded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_files")),
        sa.UniqueConstraint("reference", name=op.f("uq_settlement_files_reference")),
    )
    op.create_index(
        "uq_settlement_files_sha256", table, ["sha256"], unique=True,
        postgresql_where=sa.text("status NOT IN ('refused', 'discarded')"),
    )  # fmt: skip
    op.create_index("ix_settlement_files_status", table, ["status", "id"])
    op.create_index("ix_settlement_files_account", table, ["account", "first_on", "id"])


def _create_parts_and_runs() -> None:
    op.create_table(
        "settlement_parts",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["settlement_files.id"], name=op.f("fk_settlement_parts_file_id")),
        sa.PrimaryKeyConstraint("file_id", "sequence", name=op.f("pk_settlement_parts")),
    )
    op.create_table(
        "settlement_runs",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lines_done", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["settlement_files.id"], name=op.f("fk_settlement_runs_file_id")),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_settlement_runs")),
    )


def _create_statements() -> None:
    table = "settlement_statements"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("statement_id", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("opening_minor", sa.BigInteger(), nullable=False),
        sa.Column("movements_minor", sa.BigInteger(), nullable=False),
        sa.Column("closing_minor", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "opening_minor + movements_minor = closing_minor", name=op.f("ck_settlement_statements_adds_up")
        ),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_settlement_statements_days_in_order")),
        sa.ForeignKeyConstraint(["file_id"], ["settlement_files.id"], name=op.f("fk_settlement_statements_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_statements")),
        sa.UniqueConstraint("file_id", "sequence", name="uq_settlement_statements_sequence"),
    )
    op.create_index("ix_settlement_statements_account", table, ["account", "currency", "last_on"])


def _create_lines() -> None:
    table = "settlement_lines"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("side", _known("side_known", "provider", "bank"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", _known("kind_known", *LINE_KINDS), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("intent_id", sa.Text(), nullable=True),
        sa.Column("payment_reference", sa.Text(), nullable=True),
        sa.Column("refund_reference", sa.Text(), nullable=True),
        sa.Column("payout_id", sa.Text(), nullable=True),
        sa.Column("counterparty", sa.Text(), nullable=True),
        sa.Column("remittance", sa.Text(), nullable=True),
        sa.Column("digest", sa.Uuid(), nullable=False),
        sa.CheckConstraint(f"amount_minor {MOST_MINOR}", name=op.f("ck_settlement_lines_amount_range")),
        sa.CheckConstraint(f"fee_minor {MOST_MINOR}", name=op.f("ck_settlement_lines_fee_range")),
        sa.CheckConstraint(
            "net_minor = amount_minor - fee_minor", name=op.f("ck_settlement_lines_net_is_amount_less_fee")
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_settlement_lines_currency_code")),
        sa.ForeignKeyConstraint(["file_id"], ["settlement_files.id"], name=op.f("fk_settlement_lines_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_lines")),
        sa.UniqueConstraint("external_id", "account", name="uq_settlement_lines_external"),
    )
    op.create_index("ix_settlement_lines_file", table, ["file_id", "line_no"])
    op.create_index("ix_settlement_lines_booked", table, ["booked_on", "id"])
    for name in ("source", "intent", "payout"):
        known = sa.text(f"{name}_id IS NOT NULL")
        op.create_index(f"ix_settlement_lines_{name}", table, [f"{name}_id"], postgresql_where=known)


def _create_staging() -> None:
    op.create_table(
        "settlement_staging",
        sa.Column("line_no", sa.Integer(), nullable=True),
        sa.Column("side", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.Column("value_on", sa.Date(), nullable=True),
        *(sa.Column(f"{name}_minor", sa.BigInteger(), nullable=True) for name in ("amount", "fee", "net")),
        sa.Column("currency", sa.String(3), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=True) for name in STAGED_TEXTS),
        prefixes=["UNLOGGED"],
    )


def _create_problems() -> None:
    table = "settlement_problems"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", _known("kind_known", "line_changed"), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        _json("before"),
        _json("after"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["settlement_files.id"], name=op.f("fk_settlement_problems_file_id")),
        sa.ForeignKeyConstraint(["line_id"], ["settlement_lines.id"], name=op.f("fk_settlement_problems_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_problems")),
        sa.UniqueConstraint("file_id", "line_id", name="uq_settlement_problems_line"),
    )
    op.create_index("ix_settlement_problems_line_id", table, ["line_id"])


def downgrade() -> None:
    for table in (
        "settlement_problems",
        "settlement_staging",
        "settlement_lines",
        "settlement_statements",
        "settlement_runs",
        "settlement_parts",
        "settlement_files",
        "settlement_profiles",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION settlement_lines_stay()")
    op.execute("DROP SEQUENCE settlement_file_reference")
