"""Refunds that came back: when, and the papers that cancel their credit notes. What a run of the matching has seen, and that a payout
arrives at a bank."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLE = "credit_cancellations"
NUMBERED = "series::text || '-' || year::text || '-' || lpad(sequence::text, greatest(length(sequence::text), 6), '0')"
NUMBERED_TABLES = ("number_series", "invoices", "credit_notes")
PERSONAL = "{buyer,lines}"
RETURNED_WAS_PAID = "returned_at IS NULL OR (status = 'failed' AND settled_at IS NOT NULL)"

OUT = "(-r.amount_minor, r.currency) IS DISTINCT FROM (m.amount_minor, m.currency)"
OUT_OR_BACK = (
    "(r.amount_minor, r.currency) IS DISTINCT FROM (abs(m.amount_minor), m.currency)"
    " OR (m.amount_minor > 0 AND r.returned_at IS NULL)"
)
MATCHES_ARE_EQUAL = """
CREATE OR REPLACE FUNCTION matches_are_equal() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = on AS $$
-- Both sides of every match are the same money, and a line stands in one match whichever side of it. Asked once a statement
-- for all its rows; by EXECUTE, so that it is planned for as many rows as there are; counted, since a plan for the first row
-- that is wrong takes a row at a time. What a payout arrived as is a line of a bank: only those are looked through.
DECLARE v_wrong bigint;
BEGIN
  EXECUTE $sql$
    SELECT count(*) FROM made m
      LEFT JOIN settlement_lines l ON l.id = m.line_id
      LEFT JOIN payments p ON p.id = m.payment_id
      LEFT JOIN refunds r ON r.id = m.refund_id
      LEFT JOIN settlement_lines b ON b.id = m.bank_line_id {bank}
     WHERE (l.amount_minor, l.currency, l.booked_on) IS DISTINCT FROM (m.amount_minor, m.currency, m.booked_on)
        OR CASE WHEN m.payment_id IS NOT NULL THEN (p.amount_minor, p.currency) IS DISTINCT FROM (m.amount_minor, m.currency)
                WHEN m.refund_id IS NOT NULL THEN {refund}
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
END $$
"""


def upgrade() -> None:
    op.add_column("refunds", sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True))
    came_back = sa.text("returned_at IS NOT NULL")
    op.create_index("ix_refunds_returned_at", "refunds", ["returned_at"], postgresql_where=came_back)
    _check("refunds", "returned_was_paid", RETURNED_WAS_PAID)
    zero = sa.text("0")
    op.add_column("reconciliation_runs", sa.Column("files_seen", sa.Integer(), server_default=zero, nullable=False))
    matched = sa.text("match_id IS NOT NULL")
    op.create_index(
        "ix_reconciliation_exceptions_match", "reconciliation_exceptions", ["match_id"], postgresql_where=matched
    )
    for table in NUMBERED_TABLES:
        op.drop_constraint(op.f(f"ck_{table}_series_known"), table)
        _check(table, "series_known", "series IN ('INV', 'CN', 'CNC')")
    op.add_column("matching_kept", sa.Column("amount_minor", sa.BigInteger(), nullable=True))
    _match_refunds("refund_id", sa.text("(amount_minor > 0)"))
    op.execute(MATCHES_ARE_EQUAL.format(bank="AND b.side = 'bank'", refund=OUT_OR_BACK))
    _create_cancellations()
    op.execute(f"SELECT audit_attach('{TABLE}', '{{}}', '{PERSONAL}')")
    op.execute(f"SELECT append_only_attach('{TABLE}')")
    op.execute(f"SELECT app_grant('{TABLE}', 'SELECT, INSERT')")


def downgrade() -> None:
    op.execute(MATCHES_ARE_EQUAL.format(bank="", refund=OUT))
    _match_refunds("refund_id")
    op.drop_column("matching_kept", "amount_minor")
    op.drop_table(TABLE)
    for table in NUMBERED_TABLES:
        op.drop_constraint(op.f(f"ck_{table}_series_known"), table)
        _check(table, "series_known", "series IN ('INV', 'CN')")
    op.drop_index("ix_reconciliation_exceptions_match", "reconciliation_exceptions")
    op.drop_column("reconciliation_runs", "files_seen")
    op.drop_constraint(op.f("ck_refunds_returned_was_paid"), "refunds")
    op.drop_column("refunds", "returned_at")


def _match_refunds(*columns: Any) -> None:
    """At most one active match for each value of these columns."""
    table, name = "settlement_matches", "uq_settlement_matches_refund"
    active = sa.text("status = 'active' AND refund_id IS NOT NULL")
    op.drop_index(name, table)
    op.create_index(name, table, list(columns), unique=True, postgresql_where=active)


def _check(table: str, name: str, says: str) -> None:
    """Proved after it holds for new rows, so that nobody waits long."""
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({says}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")


def _points_to(column: str, other: str) -> list[Any]:
    return [
        sa.Column(column, sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{TABLE}_{column}")),
    ]


def _says(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{TABLE}_{name}"))


def _create_cancellations() -> None:
    kinds = sa.Enum("INV", "CN", "CNC", name="series_known", native_enum=False, create_constraint=True, length=20)
    minor = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("gross_minor", "net_minor", "tax_minor")]
    facts = [sa.Column(name, postgresql.JSONB(), nullable=False) for name in ("seller", "buyer", "lines", "texts")]
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.Column("series", kinds, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), sa.Computed(NUMBERED, persisted=True), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        *minor,
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("rate_bps", sa.Integer(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        *facts,
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_points_to("credit_note_id", "credit_notes"),
        *_points_to("student_id", "users"),
        sa.UniqueConstraint("reference", name=f"uq_{TABLE}_reference"),
        sa.UniqueConstraint("series", "year", "sequence", name=f"uq_{TABLE}_number"),
        sa.UniqueConstraint("credit_note_id", name=f"uq_{TABLE}_credit_note_id"),
        _says(f"series_of_{TABLE}", "series = 'CNC'"),
        _says("number_of_its_year", "sequence > 0 AND extract(year FROM issued_on) = year"),
        _says("adds_up", "net_minor + tax_minor = gross_minor"),
        _says("not_negative", "gross_minor > 0 AND net_minor >= 0 AND tax_minor >= 0"),
        _says("rate_range", "rate_bps BETWEEN 0 AND 10000"),
        _says("currency_code", "currency ~ '^[A-Z]{3}$'"),
    )
    op.create_index(f"ix_{TABLE}_student", TABLE, ["student_id", "id"])
    op.create_index(f"ix_{TABLE}_issued_on", TABLE, ["issued_on", "id"])
    op.create_index(f"ix_{TABLE}_gross", TABLE, ["gross_minor", "id"])
    op.create_index(f"ix_{TABLE}_untaxed", TABLE, ["id"], postgresql_where=sa.text("rate_bps = 0"))
