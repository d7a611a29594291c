"""Invoices and credit notes, and what they need to know.

What was issued is append-only for everybody, and a number is taken by one row of `number_series`, locked until the commit:
a transaction that fails gives its number back, so no number is missing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ADDRESS = ("name", "company", "street", "postal_code", "city", "tax_id")
NUMBERED = "series::text || '-' || year::text || '-' || lpad(sequence::text, greatest(length(sequence::text), 6), '0')"
TAKE_NUMBER = """
CREATE FUNCTION take_number(p_series text, p_year int, p_now timestamptz) RETURNS int LANGUAGE sql AS $$
-- The next number. Its row is locked until the commit; what fails gives it back. Called by the INSERT that uses it.
  INSERT INTO number_series (id, series, year, last_number, updated_at) VALUES (gen_random_uuid(), p_series, p_year, 1, p_now)
      ON CONFLICT (series, year) DO UPDATE SET last_number = number_series.last_number + 1, updated_at = p_now
  RETURNING last_number
$$
"""
AUDITED = {  # table: (personal columns, privileges)
    "invoice_sellers": ([], "SELECT, INSERT"),
    "billing_addresses": (ADDRESS, "SELECT, INSERT, UPDATE"),
    "tax_rates": ([], "SELECT, INSERT, UPDATE"),
    "invoices": (["buyer", "lines"], "SELECT, INSERT"),
    "credit_notes": (["buyer", "lines"], "SELECT, INSERT"),
    "withdrawal_consents": ([], "SELECT, INSERT"),
}
APPEND_ONLY = ("invoice_sellers", "invoices", "credit_notes", "withdrawal_consents")


def upgrade() -> None:
    _create_settings()
    _create_numbers()
    _create_issued("invoices", "INV", "payment_id", "payments")
    _create_issued("credit_notes", "CN", "refund_id", "refunds", _id("invoice_id", "invoices", "credit_notes"))
    op.create_index("ix_credit_notes_invoice_id", "credit_notes", ["invoice_id"])
    _create_consents()
    for table, (personal, privileges) in AUDITED.items():
        op.execute(f"SELECT audit_attach('{table}', '{{}}', '{{{','.join(personal)}}}')")
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")
    for table in APPEND_ONLY:
        op.execute(f"SELECT append_only_attach('{table}')")
    op.execute("SELECT audit_attach('number_series', '{}', '{}', false)")  # derived from what was issued
    op.execute("SELECT app_grant('number_series', 'SELECT, INSERT, UPDATE')")


def downgrade() -> None:
    op.execute("DROP FUNCTION take_number(text, int, timestamptz)")
    for table in (
        "withdrawal_consents",
        "credit_notes",
        "invoices",
        "number_series",
        "tax_rates",
        "billing_addresses",
        "invoice_sellers",
    ):
        op.drop_table(table)


def _text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _day(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Date(), nullable=nullable)


def _id(name: str, target: str, table: str) -> list[Any]:
    """A column that points to a row of another table."""
    return [
        sa.Column(name, sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint([name], [f"{target}.id"], name=op.f(f"fk_{table}_{name}")),
    ]


def _key(table: str) -> list[Any]:
    return [sa.Column("id", sa.Uuid(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))]


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _country(table: str) -> sa.CheckConstraint:
    return _check(table, "country_code", "country ~ '^[A-Z]{2}$'")


def _versioned() -> list[sa.Column[Any]]:
    version = sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)
    return [_moment("created_at"), _moment("updated_at"), version]


def _create_settings() -> None:
    table = "invoice_sellers"
    op.create_table(
        table,
        *_key(table),
        sa.Column("revision", sa.Integer(), nullable=False),
        _day("valid_from"),
        *_text(
            "name", "street", "postal_code", "city", "country", "tax_id", "registration", "contact", "bank", "footer"
        ),
        sa.Column("exemption", sa.Text(), nullable=True),
        _moment("created_at"),
        sa.UniqueConstraint("revision", name="uq_invoice_sellers_revision"),
        _country(table),
        _check(table, "has_address", "name <> '' AND street <> '' AND city <> ''"),
        _check(table, "exemption_says_something", "exemption <> ''"),
    )
    table = "billing_addresses"
    op.create_table(
        table,
        *_key(table),
        *_id("user_id", "users", table),
        *_text("name", "company", "street", "postal_code", "city", "country", "tax_id"),
        *_versioned(),
        sa.UniqueConstraint("user_id", name="uq_billing_addresses_user_id"),
        _country(table),
    )
    table = "tax_rates"
    days = sa.Computed("daterange(valid_from, valid_until)", persisted=True)
    op.create_table(
        table,
        *_key(table),
        *_text("country"),
        _day("valid_from"),
        _day("valid_until", nullable=True),
        sa.Column("days", postgresql.DATERANGE(), days, nullable=False),
        sa.Column("rate_bps", sa.Integer(), nullable=False),
        sa.Column("exemption", sa.Text(), nullable=True),
        *_versioned(),
        _country(table),
        _check(table, "rate_range", "rate_bps BETWEEN 0 AND 10000"),
        _check(table, "exemption_says_why", "(rate_bps = 0) = (exemption IS NOT NULL)"),
        _check(table, "begins_before_it_ends", "valid_until > valid_from"),
        postgresql.ExcludeConstraint(("country", "="), ("days", "&&"), using="gist", name="tax_rates_one_a_day"),
    )
    op.create_index("ix_tax_rates_country", table, ["country", "valid_from"])


def _series(table: str) -> list[Any]:
    kinds = sa.Enum("INV", "CN", name="series_known", native_enum=False, create_constraint=True, length=20)
    return [sa.Column("series", kinds, nullable=False), sa.Column("year", sa.Integer(), nullable=False)]


def _create_numbers() -> None:
    op.create_table(
        "number_series",
        *_key("number_series"),
        *_series("number_series"),
        sa.Column("last_number", sa.Integer(), nullable=False),
        _moment("updated_at"),
        sa.UniqueConstraint("series", "year", name="uq_number_series_year"),
    )
    op.execute(TAKE_NUMBER)


def _create_issued(table: str, series: str, about: str, target: str, more: list[Any] | None = None) -> None:
    """`about`: the column that points to the one payment or refund it is about."""
    minor = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("gross_minor", "net_minor", "tax_minor")]
    facts = [sa.Column(name, postgresql.JSONB(), nullable=False) for name in ("seller", "buyer", "lines", "texts")]
    op.create_table(
        table,
        *_key(table),
        *_series(table),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), sa.Computed(NUMBERED, persisted=True), nullable=False),
        _day("issued_on"),
        *minor,
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("rate_bps", sa.Integer(), nullable=False),
        *_text("country"),
        *facts,
        _moment("created_at"),
        *(more or []),
        *_id(about, target, table),
        *_id("student_id", "users", table),
        sa.UniqueConstraint("reference", name=f"uq_{table}_reference"),
        sa.UniqueConstraint("series", "year", "sequence", name=f"uq_{table}_number"),
        sa.UniqueConstraint(about, name=f"uq_{table}_{about}"),
        _check(table, f"series_of_{table}", f"series = '{series}'"),
        _check(table, "number_of_its_year", "sequence > 0 AND extract(year FROM issued_on) = year"),
        _check(table, "adds_up", "net_minor + tax_minor = gross_minor"),
        _check(table, "not_negative", "gross_minor > 0 AND net_minor >= 0 AND tax_minor >= 0"),
        _check(table, "rate_range", "rate_bps BETWEEN 0 AND 10000"),
        _check(table, "currency_code", "currency ~ '^[A-Z]{3}$'"),
    )
    op.create_index(f"ix_{table}_student", table, ["student_id", "id"])
    op.create_index(f"ix_{table}_issued_on", table, ["issued_on", "id"])
    op.create_index(f"ix_{table}_gross", table, ["gross_minor", "id"])
    op.create_index(f"ix_{table}_untaxed", table, ["id"], postgresql_where=sa.text("rate_bps = 0"))


def _create_consents() -> None:
    table = "withdrawal_consents"
    op.create_table(
        table,
        *_key(table),
        *_id("package_id", "packages", table),
        sa.Column("is_given", sa.Boolean(), nullable=False),
        *_text("text_version"),
        sa.Column("days", sa.Integer(), nullable=False),
        _moment("created_at"),
        sa.UniqueConstraint("package_id", name="uq_withdrawal_consents_package_id"),
        _check(table, "days_plausible", "days BETWEEN 0 AND 366"),
    )
