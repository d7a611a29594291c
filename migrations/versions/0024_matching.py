"""Matches, exceptions and periods."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

RULES = ("provider_id", "our_id", "amount_and_customer", "payout_reference", "payout_amount", "person", "split")
CATEGORIES = (
    "missing_there", "missing_here", "amount", "currency", "fee", "state", "duplicate", "unknown_refund", "dispute",
    "payout_sum", "payout_not_in_bank", "ambiguous", "line_changed", "bad_file", "missing_file",
)  # fmt: skip
EXCEPTION_STATES = ("open", "escalated", "resolved", "ignored", "written_off")
PERIOD_STATES = ("open", "prepared", "closed")
EQUAL = """
CREATE FUNCTION matches_are_equal() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = on AS $$
-- Both sides of every match are the same money, and a line stands in one match whichever side of it. Asked once a statement
-- for all its rows; by EXECUTE, so that it is planned for as many rows as there are; counted, since a plan for the first row
-- that is wrong takes a row at a time.
DECLARE v_wrong bigint;
BEGIN
  EXECUTE $sql$
    SELECT count(*) FROM made m
      LEFT JOIN settlement_lines l ON l.id = m.line_id
      LEFT JOIN payments p ON p.id = m.payment_id
      LEFT JOIN refunds r ON r.id = m.refund_id
      LEFT JOIN settlement_lines b ON b.id = m.bank_line_id
     WHERE (l.amount_minor, l.currency, l.booked_on) IS DISTINCT FROM (m.amount_minor, m.currency, m.booked_on)
        OR CASE WHEN m.payment_id IS NOT NULL THEN (p.amount_minor, p.currency) IS DISTINCT FROM (m.amount_minor, m.currency)
                WHEN m.refund_id IS NOT NULL THEN (-r.amount_minor, r.currency) IS DISTINCT FROM (m.amount_minor, m.currency)
                WHEN m.bank_line_id IS NOT NULL THEN (b.amount_minor, b.currency) IS DISTINCT FROM (-l.net_minor, m.currency)
                ELSE false END $sql$ INTO v_wrong;
  IF v_wrong > 0 THEN
    RAISE EXCEPTION 'the two sides of a match differ' USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_matches_equal';
  END IF;
  EXECUTE $sql$
    SELECT (SELECT count(*) FROM (SELECT bank_line_id FROM made WHERE bank_line_id IS NOT NULL) m
              JOIN settlement_matches o ON o.line_id = m.bank_line_id AND o.status = 'active')
         + (SELECT count(*) FROM made m JOIN settlement_matches o ON o.bank_line_id = m.line_id AND o.status = 'active') $sql$ INTO v_wrong;
  IF v_wrong > 0 THEN
    RAISE EXCEPTION 'a line stands in two matches' USING ERRCODE = 'unique_violation', CONSTRAINT = 'settlement_matches_one_side';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER equal AFTER INSERT ON settlement_matches REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION matches_are_equal()
"""

# Only the owner of a table may do this, and without it a million rows are planned for as if they were a handful.
LOOK = """
CREATE FUNCTION look_at_work_tables() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET default_statistics_target = 10 AS $$
BEGIN
  ANALYZE matching_files, matching_kept, matching_barred, matching_found, matching_customers, matching_pairs, matching_payouts, matching_wrong;
END $$
"""


def upgrade() -> None:
    op.execute("CREATE SEQUENCE exception_reference")
    op.execute("SELECT app_grant('exception_reference', 'USAGE')")
    _create_matches()
    _create_parts()
    _create_exceptions()
    _create_periods()
    _create_runs_and_contracts()
    op.execute("SELECT audit_attach('settlement_matches', '{}', '{}', false)")  # a million in one run
    for table in ("settlement_match_parts", "reconciliation_exceptions", "reconciliation_periods"):
        op.execute(f"SELECT audit_attach('{table}')")
    for table in (
        "settlement_matches",
        "settlement_match_parts",
        "reconciliation_exceptions",
        "reconciliation_periods",
    ):
        op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")
    for table in ("fee_contracts", "reconciliation_period_files", "reconciliation_runs"):
        op.execute(f"SELECT audit_attach('{table}')")
        op.execute(f"SELECT append_only_attach('{table}')")
        op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT')")
    _create_work_tables()
    op.execute(LOOK)
    op.execute(EQUAL)


def _known(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def _id(name: str = "id", *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)


def _json(name: str, *, default: bool = True) -> sa.Column[object]:
    empty = sa.text("'{}'") if default else None
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), server_default=empty, nullable=False)


def _points_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _create_matches() -> None:
    table = "settlement_matches"
    op.create_table(
        table,
        _id(),
        sa.Column("rule", _known("rule_known", *RULES), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        _id("line_id"),
        _id("payment_id", null=True),
        _id("refund_id", null=True),
        _id("bank_line_id", null=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        _id("file_id"),
        _json("evidence", default=False),
        sa.Column("status", _known("status_known", "active", "undone"), nullable=False),
        _moment("matched_at"),
        _id("matched_by", null=True),
        _moment("undone_at", null=True),
        _id("undone_by", null=True),
        sa.Column("undone_because", sa.Text(), nullable=True),
        _version(),
        sa.CheckConstraint(
            "num_nonnulls(payment_id, refund_id, bank_line_id) = (rule <> 'split')::integer",
            name=op.f("ck_settlement_matches_one_side"),
        ),
        sa.CheckConstraint(
            "(status = 'undone') = (undone_at IS NOT NULL)", name=op.f("ck_settlement_matches_undone_has_time")
        ),
        sa.CheckConstraint(
            "(rule IN ('person', 'split')) = (matched_by IS NOT NULL)",
            name=op.f("ck_settlement_matches_people_have_names"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_matches")),
    )
    active = sa.text("status = 'active'")
    op.create_index("uq_settlement_matches_line", table, ["line_id"], unique=True, postgresql_where=active)
    for name in ("payment", "refund", "bank_line"):
        where = sa.text(f"status = 'active' AND {name}_id IS NOT NULL")
        op.create_index(f"uq_settlement_matches_{name}", table, [f"{name}_id"], unique=True, postgresql_where=where)
    op.create_index(
        "ix_settlement_matches_undone", table, ["undone_at", "id"], postgresql_where=sa.text("status = 'undone'")
    )
    by_people = sa.text("matched_by IS NOT NULL")
    op.create_index("ix_settlement_matches_people", table, ["matched_by", "id"], postgresql_where=by_people)


def _create_parts() -> None:
    table = "settlement_match_parts"
    op.create_table(
        table,
        _id(),
        _id("match_id"),
        _id("payment_id"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_settlement_match_parts_amount_positive")),
        _points_to(table, "match_id", "settlement_matches"),
        _points_to(table, "payment_id", "payments"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_match_parts")),
        sa.UniqueConstraint("match_id", "payment_id", name="uq_settlement_match_parts_once"),
    )
    op.create_index(
        "uq_settlement_match_parts_payment", table, ["payment_id"], unique=True, postgresql_where=sa.text("is_active")
    )


def _create_exceptions() -> None:
    table = "reconciliation_exceptions"
    reference = sa.text("make_reference('EXC'::text, 'exception_reference'::text)")
    op.create_table(
        table,
        _id(),
        sa.Column("reference", sa.Text(), server_default=reference, nullable=False),
        sa.Column("category", _known("category_known", *CATEGORIES), nullable=False),
        sa.Column("natural_key", sa.Text(), nullable=False),
        sa.Column("status", _known("status_known", *EXCEPTION_STATES), nullable=False),
        *(_id(name, null=True) for name in ("line_id", "payment_id", "refund_id", "file_id")),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("value_minor", sa.BigInteger(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        _json("detail"),
        _id("owner_id", null=True),
        _moment("decided_at", null=True),
        _id("decided_by", null=True),
        sa.Column("decided_because", sa.Text(), nullable=True),
        _id("match_id", null=True),
        _moment("created_at"),
        _moment("updated_at"),
        _version(),
        sa.CheckConstraint("value_minor >= 0", name=op.f("ck_reconciliation_exceptions_value_not_negative")),
        sa.CheckConstraint(
            "(status IN ('open', 'escalated')) = (decided_at IS NULL)",
            name=op.f("ck_reconciliation_exceptions_decided_has_time"),
        ),
        sa.CheckConstraint(
            "(status = 'escalated') <= (owner_id IS NOT NULL)",
            name=op.f("ck_reconciliation_exceptions_escalated_to_somebody"),
        ),
        _points_to(table, "line_id", "settlement_lines"),
        _points_to(table, "payment_id", "payments"),
        _points_to(table, "refund_id", "refunds"),
        _points_to(table, "file_id", "settlement_files"),
        _points_to(table, "owner_id", "users"),
        _points_to(table, "decided_by", "users"),
        _points_to(table, "match_id", "settlement_matches"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_exceptions")),
        sa.UniqueConstraint("reference", name=op.f("uq_reconciliation_exceptions_reference")),
        sa.UniqueConstraint("natural_key", name="uq_reconciliation_exceptions_natural_key"),
    )
    for name, columns in {
        "status": ["status", "id"],
        "category": ["category", "id"],
        "line_id": ["line_id"],
        "payment_id": ["payment_id"],
        "value": ["value_minor", "id"],
        "owner": ["owner_id", "id"],
    }.items():
        op.create_index(f"ix_reconciliation_exceptions_{name}", table, columns)


def _create_periods() -> None:
    table = "reconciliation_periods"
    op.create_table(
        table,
        _id(),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("status", _known("status_known", *PERIOD_STATES), nullable=False),
        _json("snapshot"),
        sa.Column("snapshot_hash", sa.Text(), nullable=True),
        _id("prepared_by", null=True),
        _moment("prepared_at", null=True),
        _id("reviewed_by", null=True),
        _moment("closed_at", null=True),
        _moment("created_at"),
        _moment("updated_at"),
        _version(),
        sa.CheckConstraint(
            "last_on >= first_on AND last_on - first_on < 366", name=op.f("ck_reconciliation_periods_days_in_order")
        ),
        sa.CheckConstraint("reviewed_by <> prepared_by", name=op.f("ck_reconciliation_periods_two_people")),
        sa.CheckConstraint(
            "(status = 'open') = (prepared_by IS NULL)", name=op.f("ck_reconciliation_periods_prepared_by_somebody")
        ),
        sa.CheckConstraint(
            "(status = 'closed') = (reviewed_by IS NOT NULL)", name=op.f("ck_reconciliation_periods_closed_by_somebody")
        ),
        sa.CheckConstraint(
            "(status = 'open') = (snapshot_hash IS NULL)", name=op.f("ck_reconciliation_periods_prepared_has_snapshot")
        ),
        _points_to(table, "prepared_by", "users"),
        _points_to(table, "reviewed_by", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_periods")),
        sa.UniqueConstraint("first_on", name="uq_reconciliation_periods_first_on"),
    )
    files = "reconciliation_period_files"
    op.create_table(
        files,
        _id(),
        _id("period_id"),
        _id("file_id"),
        _points_to(files, "period_id", table),
        _points_to(files, "file_id", "settlement_files"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_period_files")),
        sa.UniqueConstraint("period_id", "file_id", name="uq_reconciliation_period_files_once"),
    )


def _create_runs_and_contracts() -> None:
    op.create_table(
        "reconciliation_runs",
        _id(),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("rule_version", "lines_seen", "made", "undone", "opened", "resolved")
        ),
        _json("mix", default=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
    )
    op.create_index("ix_reconciliation_runs_created_at", "reconciliation_runs", ["created_at"])
    table = "fee_contracts"
    op.create_table(
        table,
        _id(),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("percent_bps", sa.Integer(), nullable=False),
        sa.Column("fixed_minor", sa.BigInteger(), nullable=False),
        _moment("created_at"),
        sa.CheckConstraint("percent_bps BETWEEN 0 AND 10000", name=op.f("ck_fee_contracts_percent_plausible")),
        sa.CheckConstraint("fixed_minor BETWEEN 0 AND 1000000", name=op.f("ck_fee_contracts_fixed_plausible")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_fee_contracts_currency_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_contracts")),
        sa.UniqueConstraint("account", "currency", "from_on", name="uq_fee_contracts_from"),
    )


def _create_work_tables() -> None:
    uuid, day, words = sa.Uuid(), sa.Date(), sa.Text()
    amount, code, truth = sa.BigInteger(), sa.String(3), sa.Boolean()
    sides = {"payment_id": uuid, "refund_id": uuid}
    tables: dict[str, dict[str, Any]] = {
        "files": {"id": uuid, "through": day},
        "kept": {"line_id": uuid, "bank_line_id": uuid, **sides},
        "barred": {"line_id": uuid, "other_id": uuid},
        "found": {
            "line_id": uuid, "file_id": uuid, "kind": words, "side": words, "amount_minor": amount, "currency": code, "booked_on": day,
            **sides, "their_status": words, "rule": words, "seen": words, "verdict": words,
        },
        "customers": {"line_id": uuid, "student_id": uuid},
        "pairs": {"line_id": uuid, "payment_id": uuid, "status": words},
        "payouts": {"line_id": uuid, "bank_line_id": uuid, "rule": words, "is_unique": truth},
        "wrong": {
            "category": words, "natural_key": words, "line_id": uuid, **sides, "file_id": uuid, "currency": code,
            "value_minor": amount, "detail": postgresql.JSONB(astext_type=sa.Text()), "booked_on": day,
        },
    }  # fmt: skip
    for name, columns in tables.items():
        op.create_table(f"matching_{name}", *(sa.Column(*each) for each in columns.items()), prefixes=["UNLOGGED"])
        op.execute(f"SELECT app_grant('matching_{name}', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')")


def downgrade() -> None:
    for table in (
        *(
            f"matching_{name}"
            for name in ("wrong", "payouts", "pairs", "customers", "found", "barred", "kept", "files")
        ),
        "fee_contracts",
        "reconciliation_runs",
        "reconciliation_period_files",
        "reconciliation_periods",
        "reconciliation_exceptions",
        "settlement_match_parts",
        "settlement_matches",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION matches_are_equal()")
    op.execute("DROP FUNCTION look_at_work_tables()")
    op.execute("DROP SEQUENCE exception_reference")
