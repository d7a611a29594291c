"""Weekly lessons: the series, and which series and day a booking stands for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE series_reference")
    op.execute("SELECT app_grant('series_reference', 'USAGE')")
    _create_series()
    op.execute("SELECT audit_attach('lesson_series')")
    op.execute("SELECT app_grant('lesson_series', 'SELECT, INSERT, UPDATE')")
    _link_bookings()


def _create_series() -> None:
    status = sa.Enum(
        "active", "ended", "canceled", name="status_known", native_enum=False, create_constraint=True, length=20
    )
    op.create_table(
        "lesson_series",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('SER'::text, 'series_reference'::text)"),
            nullable=False,
        ),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("start_local", sa.Time(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("lesson_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("interval_weeks", sa.SmallInteger(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("package_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("status", status, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_lesson_series_weekday_known")),
        sa.CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name=op.f("ck_lesson_series_lesson_length")),
        sa.CheckConstraint("interval_weeks BETWEEN 1 AND 2", name=op.f("ck_lesson_series_interval_known")),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_lesson_series_days_in_order")),
        sa.CheckConstraint("student_id <> teacher_id", name=op.f("ck_lesson_series_two_people")),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_lesson_series_student_id")),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_lesson_series_teacher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lesson_series")),
        sa.UniqueConstraint("reference", name=op.f("uq_lesson_series_reference")),
    )
    op.create_index("ix_lesson_series_student", "lesson_series", ["student_id", "id"])
    op.create_index("ix_lesson_series_teacher", "lesson_series", ["teacher_id", "id"])
    op.create_index("ix_lesson_series_last_day", "lesson_series", ["last_day", "id"])


def _link_bookings() -> None:
    """Without a long lock: the columns are empty, and the constraint is proved after it holds for new rows."""
    op.add_column("bookings", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("bookings", sa.Column("series_day", sa.Date(), nullable=True))
    op.execute(
        "ALTER TABLE bookings ADD CONSTRAINT fk_bookings_series_id"
        " FOREIGN KEY (series_id) REFERENCES lesson_series (id) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT fk_bookings_series_id")
    op.execute(
        "ALTER TABLE bookings ADD CONSTRAINT ck_bookings_series_has_day"
        " CHECK ((series_id IS NULL) = (series_day IS NULL)) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT ck_bookings_series_has_day")
    in_series = sa.text("series_id IS NOT NULL")
    active = sa.text("series_id IS NOT NULL AND status IN ('hold', 'confirmed')")
    op.create_index("ix_bookings_series", "bookings", ["series_id", "start_at", "id"], postgresql_where=in_series)
    op.create_index(
        "bookings_one_active_per_series_day", "bookings", ["series_id", "series_day"],
        unique=True, postgresql_where=active,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("bookings_one_active_per_series_day", table_name="bookings")
    op.drop_index("ix_bookings_series", table_name="bookings")
    op.drop_constraint("ck_bookings_series_has_day", "bookings")
    op.drop_constraint("fk_bookings_series_id", "bookings")
    op.drop_column("bookings", "series_day")
    op.drop_column("bookings", "series_id")
    op.drop_table("lesson_series")
    op.execute("DROP SEQUENCE series_reference")
