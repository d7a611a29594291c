"""A school moves in: opening imports; people who are one are merged, and possible duplicates are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None
SAFE_BECAUSE = {
    "require-concurrent-index-creation": "users holds the people of one school: 100,000 rows are indexed in less than the lock's time-out",
    "ban-drop-constraint": "put back at once, with one origin more",
    "constraint-missing-not-valid": "users and packages are those of one school: 100,000 rows are read in a tenth of a second",
}

SHEETS = ("teachers", "people", "guardians", "packages", "bookings")
ORIGINS = ("purchase", "granted", "on_account", "opening")
CHECKS = {  # of tables that stand: proved after they hold for new rows, so that nobody waits long
    "ck_users_merged_into_another": ("users", "merged_into_id <> id"),
    "ck_users_merged_is_inactive": ("users", "merged_into_id IS NULL OR NOT is_active"),
}
SAME_PERSON = "lower(full_name), regexp_replace(phone, '\\D'::text, ''::text, 'g'::text)"
# table → personal columns, privileges of the application
AUDITED = {
    "opening_imports": (["report"], "SELECT, INSERT, UPDATE"),
    "opening_rows": ([], "SELECT, INSERT"),
    "person_merges": (["fields"], "SELECT, INSERT, UPDATE"),
    "merged_rows": ([], "SELECT, INSERT"),
    "duplicate_pairs": ([], "SELECT, INSERT, UPDATE"),
}
APPEND_ONLY = ("opening_rows", "merged_rows")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE opening_reference")
    op.execute("SELECT app_grant('opening_reference', 'USAGE')")
    op.execute("CREATE SEQUENCE merge_reference")
    op.execute("SELECT app_grant('merge_reference', 'USAGE')")
    _point_to_whom_they_are()
    _allow_origins(ORIGINS)
    _create_imports()
    _create_merges()
    _create_pairs()
    for table, (personal, privileges) in AUDITED.items():
        op.execute(f"SELECT audit_attach('{table}', '{{}}', '{{{','.join(personal)}}}')")
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")
    for table in APPEND_ONLY:
        op.execute(f"SELECT append_only_attach('{table}')")
    op.execute("SELECT app_grant('opening_files', 'SELECT, INSERT, DELETE')")


def _point_to_whom_they_are() -> None:
    op.add_column("users", sa.Column("merged_into_id", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE users ADD CONSTRAINT fk_users_merged_into_id FOREIGN KEY (merged_into_id) REFERENCES users (id) NOT VALID"
    )
    op.execute("ALTER TABLE users VALIDATE CONSTRAINT fk_users_merged_into_id")
    for name, (table, says) in CHECKS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({says}) NOT VALID")
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    merged = sa.text("merged_into_id IS NOT NULL")
    op.create_index("ix_users_merged_into", "users", ["merged_into_id"], postgresql_where=merged)
    op.execute(
        f"CREATE INDEX ix_users_same_person ON users ({SAME_PERSON}) WHERE phone IS NOT NULL AND merged_into_id IS NULL"
    )
    # A package and its bookings change hands in two statements of one transaction. Otherwise it is looked at as before: at once.
    op.execute("ALTER TABLE bookings ALTER CONSTRAINT fk_bookings_own_package DEFERRABLE INITIALLY IMMEDIATE")


def _allow_origins(origins: tuple[str, ...]) -> None:
    words = ", ".join(f"'{each}'" for each in origins)
    op.execute("ALTER TABLE packages DROP CONSTRAINT ck_packages_origin_known")
    op.execute(f"ALTER TABLE packages ADD CONSTRAINT ck_packages_origin_known CHECK (origin IN ({words})) NOT VALID")
    op.execute("ALTER TABLE packages VALIDATE CONSTRAINT ck_packages_origin_known")


def _known(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=20)


def _reference(prefix: str, sequence: str) -> sa.Column[str]:
    default = sa.text(f"make_reference('{prefix}'::text, '{sequence}'::text)")
    return sa.Column("reference", sa.Text(), server_default=default, nullable=False)


def _kept() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )


def _create_imports() -> None:
    op.create_table(
        "opening_imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        _reference("OPN", "opening_reference"),
        sa.Column("status", _known("status_known", "checked", "imported", "discarded"), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problems_total", sa.Integer(), nullable=False),
        sa.Column("rows_new", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        *_kept(),
        sa.CheckConstraint(
            "(status = 'imported') = (imported_at IS NOT NULL)", name=op.f("ck_opening_imports_imported_has_time")
        ),
        sa.CheckConstraint(
            "status <> 'imported' OR problems_total = 0", name=op.f("ck_opening_imports_only_whole_ones_come_in")
        ),
        sa.CheckConstraint(
            "problems_total >= 0 AND rows_new >= 0", name=op.f("ck_opening_imports_counts_not_negative")
        ),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_opening_imports_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_imports")),
        sa.UniqueConstraint("reference", name=op.f("uq_opening_imports_reference")),
    )
    op.create_table(
        "opening_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("sheet", _known("sheet_known", *SHEETS), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["opening_imports.id"], name=op.f("fk_opening_files_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_files")),
        sa.UniqueConstraint("import_id", "sheet", name="uq_opening_files_sheet"),
    )
    op.create_index("ix_opening_files_created_at", "opening_files", ["created_at"])
    op.create_table(
        "opening_rows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("sheet", _known("sheet_known", *SHEETS), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_type", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_opening_rows_is_sha256")),
        sa.ForeignKeyConstraint(["import_id"], ["opening_imports.id"], name=op.f("fk_opening_rows_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_rows")),
        sa.UniqueConstraint("sheet", "external_id", name="uq_opening_rows_once"),
    )
    op.create_index("ix_opening_rows_import", "opening_rows", ["import_id", "sheet", "id"])
    op.create_index("ix_opening_rows_record", "opening_rows", ["record_type", "record_id"])


def _create_merges() -> None:
    table = "person_merges"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        _reference("MRG", "merge_reference"),
        sa.Column("winner_id", sa.Uuid(), nullable=False),
        sa.Column("loser_id", sa.Uuid(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("loser_was_active", sa.Boolean(), nullable=False),
        sa.Column("rows_moved", sa.Integer(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows_back", sa.Integer(), nullable=True),
        *_kept(),
        sa.CheckConstraint("winner_id <> loser_id", name=op.f("ck_person_merges_two_records")),
        sa.CheckConstraint(
            "(undone_at IS NULL) = (rows_back IS NULL)", name=op.f("ck_person_merges_undone_as_a_whole")
        ),
        sa.CheckConstraint("rows_back <= rows_moved", name=op.f("ck_person_merges_no_more_back_than_moved")),
        sa.CheckConstraint(
            "undone_at <= created_at + interval '30 days'", name=op.f("ck_person_merges_undone_within_a_month")
        ),
        sa.ForeignKeyConstraint(["winner_id"], ["users.id"], name=op.f("fk_person_merges_winner_id")),
        sa.ForeignKeyConstraint(["loser_id"], ["users.id"], name=op.f("fk_person_merges_loser_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_merges")),
        sa.UniqueConstraint("reference", name=op.f("uq_person_merges_reference")),
    )
    stands = sa.text("undone_at IS NULL")
    op.create_index("uq_person_merges_standing", table, ["loser_id"], unique=True, postgresql_where=stands)
    op.create_index("ix_person_merges_winner", table, ["winner_id", "id"])
    op.create_table(
        "merged_rows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merge_id"], ["person_merges.id"], name=op.f("fk_merged_rows_merge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merged_rows")),
        sa.UniqueConstraint("merge_id", "table_name", "column_name", "row_id", name="uq_merged_rows_once"),
    )


def _create_pairs() -> None:
    table = "duplicate_pairs"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("why", _known("why_known", "phone", "guardian"), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        *_kept(),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_duplicate_pairs_in_order")),
        sa.ForeignKeyConstraint(["first_id"], ["users.id"], name=op.f("fk_duplicate_pairs_first_id")),
        sa.ForeignKeyConstraint(["second_id"], ["users.id"], name=op.f("fk_duplicate_pairs_second_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_pairs")),
        sa.UniqueConstraint("first_id", "second_id", name="uq_duplicate_pairs_once"),
    )
    op.create_index("ix_duplicate_pairs_second", table, ["second_id"])
    op.create_index("ix_duplicate_pairs_open", table, ["id"], postgresql_where=sa.text("dismissed_at IS NULL"))


def downgrade() -> None:
    for table in (
        "duplicate_pairs",
        "merged_rows",
        "person_merges",
        "opening_rows",
        "opening_files",
        "opening_imports",
    ):
        op.drop_table(table)
    op.execute("ALTER TABLE bookings ALTER CONSTRAINT fk_bookings_own_package NOT DEFERRABLE")
    op.execute("DROP INDEX ix_users_same_person")
    for name in CHECKS:
        op.drop_constraint(name, "users")
    op.drop_column("users", "merged_into_id")
    _allow_origins(ORIGINS[:3])
    for sequence in ("opening_reference", "merge_reference"):
        op.execute(f"DROP SEQUENCE {sequence}")
