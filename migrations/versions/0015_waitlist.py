"""The waitlist: who waits for which teacher and when, and what they were offered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATES = ("waiting", "offered", "fulfilled", "canceled", "expired")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE waitlist_reference")
    op.execute("SELECT app_grant('waitlist_reference', 'USAGE')")
    _create_entries()
    _create_offers()
    kept = sa.text("kept_until IS NOT NULL")
    op.create_index("ix_availability_slots_kept", "availability_slots", ["kept_until"], postgresql_where=kept)


def _create_entries() -> None:
    table = "waitlist_entries"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('WL'::text, 'waitlist_reference'::text)"),
            nullable=False,
        ),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lesson_minutes", sa.SmallInteger(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(*STATES, name="status_known", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("passed_because", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "until_at > from_at AND until_at - from_at <= interval '366 days' AND isfinite(until_at) AND isfinite(from_at)",
            name=op.f("ck_waitlist_entries_in_order"),
        ),
        sa.CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name=op.f("ck_waitlist_entries_lesson_length")),
        sa.CheckConstraint(
            "(status IN ('offered', 'fulfilled')) <= (booking_id IS NOT NULL)",
            name=op.f("ck_waitlist_entries_offer_has_booking"),
        ),
        sa.CheckConstraint("student_id <> teacher_id", name=op.f("ck_waitlist_entries_two_people")),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_waitlist_entries_student_id")),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_waitlist_entries_teacher_id")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_waitlist_entries_booking_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entries")),
        sa.UniqueConstraint("reference", name=op.f("uq_waitlist_entries_reference")),
    )
    waiting, open_ = sa.text("status = 'waiting'"), sa.text("status IN ('waiting', 'offered')")
    op.create_index("ix_waitlist_entries_line", table, ["teacher_id", "until_at"], postgresql_where=waiting)
    op.create_index("ix_waitlist_entries_student", table, ["student_id", "id"])
    op.create_index("ix_waitlist_entries_due", table, ["until_at", "id"], postgresql_where=open_)
    op.create_index(
        "uq_waitlist_entries_booking_id",
        table,
        ["booking_id"],
        unique=True,
        postgresql_where=sa.text("status = 'offered'"),
    )
    op.create_index("ix_waitlist_entries_status", table, ["status", "id"])
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _create_offers() -> None:
    table = "waitlist_offers"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["waitlist_entries.id"], name=op.f("fk_waitlist_offers_entry_id")),
        sa.ForeignKeyConstraint(["slot_id"], ["availability_slots.id"], name=op.f("fk_waitlist_offers_slot_id")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_waitlist_offers_booking_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_offers")),
        sa.UniqueConstraint("entry_id", "slot_id", name="waitlist_offers_once"),
        sa.UniqueConstraint("booking_id", name=op.f("uq_waitlist_offers_booking_id")),
    )
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT')")


def downgrade() -> None:
    op.drop_index("ix_availability_slots_kept", table_name="availability_slots")
    op.drop_table("waitlist_offers")
    op.drop_table("waitlist_entries")
    op.execute("DROP SEQUENCE waitlist_reference")
