"""Bulk actions: a run, a row for each record, and what undid it; a booking that stands again says which one it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

RUN_STATES = ("requested", "running", "done", "stopped")
ROW_STATES = ("waiting", "done", "refused", "failed")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE bulk_reference")
    op.execute("SELECT app_grant('bulk_reference', 'USAGE')")
    _create_runs()
    _create_rows()
    _create_queue()
    op.execute("SELECT audit_attach('bulk_runs', '{}', '{reason}')")
    op.execute("SELECT app_grant('bulk_runs', 'SELECT, INSERT, UPDATE')")
    op.execute("SELECT app_grant('bulk_rows', 'SELECT, INSERT, UPDATE')")
    op.execute("SELECT app_grant('bulk_queue', 'SELECT, INSERT, UPDATE, DELETE')")
    _link_bookings()


def _create_runs() -> None:
    op.create_table(
        "bulk_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('BLK'::text, 'bulk_reference'::text)"),
            nullable=False,
        ),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", _choice(RUN_STATES), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("rows_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_because", sa.Text(), nullable=True),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undoes_run_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("rows_total BETWEEN 1 AND 5000", name=op.f("ck_bulk_runs_rows_plausible")),
        sa.CheckConstraint("rows_done = succeeded + refused + failed", name=op.f("ck_bulk_runs_counts_add_up")),
        sa.CheckConstraint(
            "(finished_at IS NOT NULL) = (status IN ('done', 'stopped'))", name=op.f("ck_bulk_runs_finished_at_end")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_bulk_runs_owner_id")),
        sa.ForeignKeyConstraint(["undoes_run_id"], ["bulk_runs.id"], name=op.f("fk_bulk_runs_undoes_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_runs")),
        sa.UniqueConstraint("reference", name=op.f("uq_bulk_runs_reference")),
        sa.UniqueConstraint("undoes_run_id", name=op.f("uq_bulk_runs_undoes_run_id")),
    )
    op.create_index("ix_bulk_runs_owner", "bulk_runs", ["owner_id", "id"])


def _create_rows() -> None:
    op.create_table(
        "bulk_rows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("seen_version", sa.Integer(), nullable=False),
        sa.Column("status", _choice(ROW_STATES), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("result_version", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["bulk_runs.id"], name=op.f("fk_bulk_rows_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_rows")),
        sa.UniqueConstraint("run_id", "position", name="uq_bulk_rows_position"),
        sa.UniqueConstraint("run_id", "record_id", name="uq_bulk_rows_record"),
    )
    op.create_index(
        "ix_bulk_rows_waiting",
        "bulk_rows",
        ["run_id", "attempts", "position"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index("ix_bulk_rows_status", "bulk_rows", ["run_id", "status"])


def _create_queue() -> None:
    op.create_table(
        "bulk_queue",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["bulk_runs.id"], name=op.f("fk_bulk_queue_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_bulk_queue")),
    )


def _link_bookings() -> None:
    """Without a long lock: the column is empty, and the constraint is proved after it holds for new rows."""
    op.add_column("bookings", sa.Column("restored_from_booking_id", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE bookings ADD CONSTRAINT fk_bookings_restored_from_booking_id"
        " FOREIGN KEY (restored_from_booking_id) REFERENCES bookings (id) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT fk_bookings_restored_from_booking_id")
    op.create_index("bookings_one_restoration", "bookings", ["restored_from_booking_id"], unique=True)


def _choice(values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name="status_known", native_enum=False, create_constraint=True, length=20)


def downgrade() -> None:
    op.drop_index("bookings_one_restoration", table_name="bookings")
    op.drop_constraint("fk_bookings_restored_from_booking_id", "bookings")
    op.drop_column("bookings", "restored_from_booking_id")
    op.drop_table("bulk_queue")
    op.drop_table("bulk_rows")
    op.drop_table("bulk_runs")
    op.execute("DROP SEQUENCE bulk_reference")
