"""Teachers' time: weekly hours, time off and closures; slots know where they came from and the pause after them."""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OLD_OVERLAP = """
ALTER TABLE availability_slots ADD CONSTRAINT slots_no_teacher_overlap
  EXCLUDE USING gist (teacher_id WITH =, tstzrange(start_at, end_at) WITH &&) WHERE (status <> 'withdrawn')
"""
OVERLAP = """
ALTER TABLE availability_slots ADD CONSTRAINT slots_no_teacher_overlap
  EXCLUDE USING gist (teacher_id WITH =, tstzrange(start_at, coalesce(busy_until, end_at)) WITH &&) WHERE (status <> 'withdrawn')
"""
# Generated slots are summarised on their action; whatever becomes of them later is told row by row, as ever.
ROWS_OF_SLOTS = """
DROP TRIGGER audit_row ON availability_slots;
CREATE TRIGGER audit_row AFTER UPDATE OR DELETE ON availability_slots FOR EACH ROW EXECUTE FUNCTION audit_row('{}', '{}');
CREATE TRIGGER audit_row_made AFTER INSERT ON availability_slots FOR EACH ROW WHEN (NEW.origin = 'made')
  EXECUTE FUNCTION audit_row('{}', '{}')
"""
OLD_ROWS_OF_SLOTS = """
DROP TRIGGER audit_row_made ON availability_slots;
DROP TRIGGER audit_row ON availability_slots;
CREATE TRIGGER audit_row AFTER INSERT OR UPDATE OR DELETE ON availability_slots FOR EACH ROW EXECUTE FUNCTION audit_row('{}', '{}')
"""
# The shortcut of a hold knows the new rules too: not kept for somebody, the teacher not away, the school not closed.
HOLD_BEFORE = "AND s.teacher_id <> p_student AND u.id = p_student"
HOLD_KEPT = "AND (s.kept_until IS NULL OR s.kept_until <= v_now) " + HOLD_BEFORE
CHECK_BEFORE = (
    "     AND NOT EXISTS (SELECT 1 FROM bookings WHERE slot_id = p_slot AND status IN ('hold', 'confirmed'))\n"
)
CHECK_AWAY = (
    "     AND NOT EXISTS (SELECT 1 FROM time_off WHERE teacher_id = v.teacher_id AND status = 'planned'\n"
    "                      AND end_at > v.start_at AND start_at < v.end_at)\n"
    "     AND NOT EXISTS (SELECT 1 FROM closures WHERE status = 'planned' AND end_at > v.start_at AND start_at < v.end_at)\n"
) + CHECK_BEFORE


def upgrade() -> None:
    _extend_slots()
    _create_weekly_hours()
    _create_horizons()
    _create_time_off()
    _create_closures()
    before = import_module("migrations.versions.0011_fewer_statements").HOLD
    op.get_bind().exec_driver_sql(_replaced(_replaced(before, HOLD_BEFORE, HOLD_KEPT), CHECK_BEFORE, CHECK_AWAY))


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise RuntimeError(f"not there once: {old}")
    return text.replace(old, new)


def _extend_slots() -> None:
    table = "availability_slots"
    op.add_column(
        table,
        sa.Column(
            "origin", _choice("origin_known", "made", "generated", "replaced"), server_default="made", nullable=False
        ),
    )
    op.add_column(table, sa.Column("busy_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column(table, sa.Column("kept_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column(table, sa.Column("wall_start", sa.DateTime(), nullable=True))
    op.add_column(table, sa.Column("wall_zone", sa.Text(), nullable=True))
    op.create_check_constraint(
        "pause", table,
        "busy_until > end_at AND busy_until - end_at <= interval '240 minutes' AND busy_until = date_trunc('second', busy_until)",
    )  # fmt: skip
    op.create_check_constraint("replaced_is_gone", table, "(origin = 'replaced') <= (status = 'withdrawn')")
    op.create_check_constraint("wall_clock_has_zone", table, "(wall_start IS NULL) = (wall_zone IS NULL)")
    op.drop_constraint("slots_no_teacher_overlap", table)
    op.execute(OVERLAP)
    op.execute(ROWS_OF_SLOTS)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def _create_weekly_hours() -> None:
    op.create_table(
        "weekly_hours",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("start_local", sa.Time(), nullable=False),
        sa.Column("end_local", sa.Time(), nullable=False),
        sa.Column("lesson_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("buffer_minutes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        *_times(),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_weekly_hours_weekday_known")),
        sa.CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name=op.f("ck_weekly_hours_lesson_length")),
        sa.CheckConstraint("buffer_minutes BETWEEN 0 AND 240", name=op.f("ck_weekly_hours_buffer_length")),
        sa.CheckConstraint("valid_until >= valid_from", name=op.f("ck_weekly_hours_validity_in_order")),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_weekly_hours_teacher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weekly_hours")),
    )
    op.create_index("ix_weekly_hours_teacher_id", "weekly_hours", ["teacher_id", "weekday", "start_local"])
    op.execute("SELECT audit_attach('weekly_hours')")
    op.execute("SELECT app_grant('weekly_hours', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_horizons() -> None:
    op.create_table(
        "horizons",
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_horizons_teacher_id")),
        sa.PrimaryKeyConstraint("teacher_id", name=op.f("pk_horizons")),
    )
    op.create_index("ix_horizons_due_at", "horizons", ["due_at"])
    op.execute("SELECT app_grant('horizons', 'SELECT, INSERT, UPDATE')")


def _create_time_off() -> None:
    op.execute("CREATE SEQUENCE time_off_reference")
    op.execute("SELECT app_grant('time_off_reference', 'USAGE')")
    op.create_table(
        "time_off",
        sa.Column("id", sa.Uuid(), nullable=False),
        _reference("OFF", "time_off_reference"),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("status", _choice("status_known", "planned", "canceled"), nullable=False),
        *_times(),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "end_at > start_at AND end_at - start_at <= interval '366 days'", name=op.f("ck_time_off_in_order")
        ),
        sa.CheckConstraint(
            "isfinite(start_at) AND isfinite(end_at) AND end_at < '9999-01-01'", name=op.f("ck_time_off_finite")
        ),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_time_off_teacher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_time_off")),
        sa.UniqueConstraint("reference", name=op.f("uq_time_off_reference")),
    )
    planned = sa.text("status = 'planned'")
    op.create_index("ix_time_off_teacher_end", "time_off", ["teacher_id", "end_at"], postgresql_where=planned)
    op.create_index("ix_time_off_end", "time_off", ["end_at"], postgresql_where=planned)
    op.execute("SELECT audit_attach('time_off', '{}', '{reason}')")
    op.execute("SELECT app_grant('time_off', 'SELECT, INSERT, UPDATE')")


def _create_closures() -> None:
    op.execute("CREATE SEQUENCE closure_reference")
    op.execute("SELECT app_grant('closure_reference', 'USAGE')")
    op.create_table(
        "closures",
        sa.Column("id", sa.Uuid(), nullable=False),
        _reference("CLO", "closure_reference"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.Text(), nullable=True),
        sa.Column("status", _choice("status_known", "planned", "canceled"), nullable=False),
        *_times(),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "last_day >= first_day AND last_day - first_day < 366", name=op.f("ck_closures_days_in_order")
        ),
        sa.CheckConstraint("end_at > start_at", name=op.f("ck_closures_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closures")),
        sa.UniqueConstraint("reference", name=op.f("uq_closures_reference")),
    )
    planned = sa.text("status = 'planned'")
    op.create_index("ix_closures_end", "closures", ["end_at"], postgresql_where=planned)
    op.create_index("uq_closures_uid", "closures", ["uid"], unique=True, postgresql_where=planned)
    op.execute("SELECT audit_attach('closures')")
    op.execute("SELECT app_grant('closures', 'SELECT, INSERT, UPDATE')")


def _reference(prefix: str, sequence: str) -> sa.Column[str]:
    default = sa.text(f"make_reference('{prefix}'::text, '{sequence}'::text)")
    return sa.Column("reference", sa.Text(), server_default=default, nullable=False)


def _times() -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("created_at", "updated_at")]


def downgrade() -> None:
    before = import_module("migrations.versions.0011_fewer_statements").HOLD
    op.get_bind().exec_driver_sql(before)
    for table in ("closures", "time_off", "horizons", "weekly_hours"):
        op.drop_table(table)
    op.execute("DROP SEQUENCE closure_reference")
    op.execute("DROP SEQUENCE time_off_reference")
    table = "availability_slots"
    op.execute(OLD_ROWS_OF_SLOTS)
    op.drop_constraint("slots_no_teacher_overlap", table)
    for name in ("wall_clock_has_zone", "replaced_is_gone", "pause"):
        op.drop_constraint(op.f(f"ck_availability_slots_{name}"), table)
    for column in ("wall_zone", "wall_start", "kept_until", "busy_until", "origin"):
        op.drop_column(table, column)
    op.execute(OLD_OVERLAP)
