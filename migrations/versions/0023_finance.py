"""Breakage and warnings of packages; rates, other work and statements of teachers; the accounts of the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# table → personal columns, privileges of the application
AUDITED = {
    "package_warnings": ("", "SELECT, INSERT"),
    "teacher_rates": ("", "SELECT, INSERT, UPDATE"),
    "teacher_statements": ("", "SELECT, INSERT"),
    "statement_extras": ("reason", "SELECT, INSERT"),
    "statement_lines": ("words", "SELECT, INSERT"),
    "account_mappings": ("", "SELECT, INSERT, UPDATE"),
}
APPEND_ONLY = ("package_warnings", "teacher_statements", "statement_extras", "statement_lines")
SEQUENCE = "statement_reference"
MOMENT = sa.DateTime(timezone=True)
AMOUNT = "amount_minor BETWEEN {} AND 1000000000000"
KINDS = (
    "package_sold", "payment_received", "refund_paid", "provider_fee", "lessons_earned", "breakage", "lessons_lapsed",
    "lessons_taken_back", "dispute_lost", "teacher_cost",
)  # fmt: skip


def upgrade() -> None:
    for table in ("plans", "packages"):
        op.add_column(table, sa.Column("books_breakage", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute(f"CREATE SEQUENCE {SEQUENCE}")
    op.execute(f"SELECT app_grant('{SEQUENCE}', 'USAGE')")
    _of_packages()
    _of_teachers()
    _of_statements()
    _of_accounts()
    for table, (personal, privileges) in AUDITED.items():
        op.execute(f"SELECT audit_attach('{table}', '{{}}', '{{{personal}}}')")
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")
    for table in APPEND_ONLY:
        op.execute(f"SELECT append_only_attach('{table}')")


def _of_packages() -> None:
    op.add_column(
        "credit_entries", sa.Column("breakage_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    name, rule = "ck_credit_entries_breakage_of_expired", "breakage_minor = 0 OR sign(breakage_minor) = sign(d_expired)"
    op.execute(f"ALTER TABLE credit_entries ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    op.execute(f"ALTER TABLE credit_entries VALIDATE CONSTRAINT {name}")
    op.create_table(
        "package_warnings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("package_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_package_warnings_package_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_warnings")),
        sa.UniqueConstraint("package_id", "expires_at", "days", name="uq_package_warnings_once"),
    )


def _of_teachers() -> None:
    op.create_table(
        "teacher_rates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        _choice("unit", ("lesson", "hour"), "unit_known"),
        sa.Column("lesson_minutes", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        *_stamps(version=True),
        sa.CheckConstraint(AMOUNT.format(0), name=op.f("ck_teacher_rates_amount_range")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_teacher_rates_currency_code")),
        sa.CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name=op.f("ck_teacher_rates_lesson_minutes_plausible")),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_teacher_rates_some_days")),
        postgresql.ExcludeConstraint(
            (sa.text("teacher_id"), "="),
            (sa.text("coalesce(lesson_minutes, 0)"), "="),
            (sa.text("daterange(valid_from, valid_until)"), "&&"),
            using="gist",
            name="teacher_rates_no_overlap",
        ),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_teacher_rates_teacher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teacher_rates")),
    )
    op.create_index("ix_teacher_rates_teacher", "teacher_rates", ["teacher_id", "valid_from"])
    op.create_table(
        "statement_extras",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        _choice("kind", ("lesson", "correction", "work", "deduction"), "kind_known"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        *_stamps(),
        sa.CheckConstraint("kind IN ('work', 'deduction')", name=op.f("ck_statement_extras_no_lesson")),
        sa.CheckConstraint(AMOUNT.format(1), name=op.f("ck_statement_extras_amount_range")),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_statement_extras_first_of_month")),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_statement_extras_teacher_id")),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_statement_extras_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_extras")),
    )
    op.create_index("ix_statement_extras_teacher", "statement_extras", ["teacher_id", "month", "id"])


def _of_statements() -> None:
    op.create_table(
        "teacher_statements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text(f"make_reference('TST'::text, '{SEQUENCE}'::text)"),
            nullable=False,
        ),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=False),
        sa.Column("approved_at", MOMENT, nullable=False),
        *_stamps(),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_teacher_statements_first_of_month")),
        sa.CheckConstraint("approved_by <> teacher_id", name=op.f("ck_teacher_statements_four_eyes")),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_teacher_statements_teacher_id")),
        sa.ForeignKeyConstraint(["approved_by"], ["users.id"], name=op.f("fk_teacher_statements_approved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teacher_statements")),
        sa.UniqueConstraint("reference", name=op.f("uq_teacher_statements_reference")),
        sa.UniqueConstraint("teacher_id", "month", name="uq_teacher_statements_month"),
    )
    op.create_index("ix_teacher_statements_month", "teacher_statements", ["month", "id"])
    op.create_table(
        "statement_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _choice("kind", ("lesson", "correction", "work", "deduction"), "kind_known"),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("lesson_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("rate_id", sa.Uuid(), nullable=True),
        sa.Column("extra_id", sa.Uuid(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(lesson_id IS NULL) = (kind IN ('work', 'deduction'))", name=op.f("ck_statement_lines_lesson_or_other")
        ),
        sa.CheckConstraint(
            "(lesson_id IS NULL) = (revision IS NULL)", name=op.f("ck_statement_lines_revision_of_lesson")
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_statement_lines_currency_code")),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["teacher_statements.id"], name=op.f("fk_statement_lines_statement_id")
        ),
        sa.ForeignKeyConstraint(["lesson_id"], ["lessons.id"], name=op.f("fk_statement_lines_lesson_id")),
        sa.ForeignKeyConstraint(["rate_id"], ["teacher_rates.id"], name=op.f("fk_statement_lines_rate_id")),
        sa.ForeignKeyConstraint(["extra_id"], ["statement_extras.id"], name=op.f("fk_statement_lines_extra_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_lines")),
        sa.UniqueConstraint("statement_id", "position", name="uq_statement_lines_position"),
        sa.UniqueConstraint("lesson_id", "revision", name="uq_statement_lines_revision"),
    )
    op.create_index("uq_statement_lines_extra", "statement_lines", ["extra_id"], unique=True)


def _of_accounts() -> None:
    code = "^[0-9A-Za-z.-]{1,20}$"
    op.create_table(
        "account_mappings",
        sa.Column("id", sa.Uuid(), nullable=False),
        _choice("kind", KINDS, "kind_known"),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("debit_account", sa.Text(), nullable=False),
        sa.Column("credit_account", sa.Text(), nullable=False),
        *_stamps(version=True),
        sa.CheckConstraint("currency = '' OR currency ~ '^[A-Z]{3}$'", name=op.f("ck_account_mappings_currency_code")),
        sa.CheckConstraint("debit_account <> credit_account", name=op.f("ck_account_mappings_two_accounts")),
        sa.CheckConstraint(
            f"debit_account ~ '{code}' AND credit_account ~ '{code}'", name=op.f("ck_account_mappings_account_codes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_mappings")),
        sa.UniqueConstraint("kind", "currency", name="uq_account_mappings_kind"),
    )


def _choice(name: str, values: tuple[str, ...], constraint: str) -> sa.Column[str]:
    kind = sa.Enum(*values, name=constraint, native_enum=False, create_constraint=True, length=20)
    return sa.Column(name, kind, nullable=False)


def _stamps(*, version: bool = False) -> list[sa.Column[object]]:
    found: list[sa.Column[object]] = [sa.Column(name, MOMENT, nullable=False) for name in ("created_at", "updated_at")]
    return [*found, sa.Column("version", sa.Integer(), server_default="1", nullable=False)] if version else found


def downgrade() -> None:
    for table in (
        "account_mappings",
        "statement_lines",
        "teacher_statements",
        "statement_extras",
        "teacher_rates",
        "package_warnings",
    ):
        op.drop_table(table)
    op.execute(f"DROP SEQUENCE {SEQUENCE}")
    op.drop_constraint("ck_credit_entries_breakage_of_expired", "credit_entries")
    op.drop_column("credit_entries", "breakage_minor")
    for table in ("packages", "plans"):
        op.drop_column(table, "books_breakage")
