"""The tables of the core, put under audit, append-only where history is kept, with the application role's privileges."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


class Xid8(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


XID8 = Xid8()

# table: (secret columns, personal columns, privileges)
AUDITED = {
    "users": (["password_hash", "totp_secret"], ["email", "email_key", "full_name", "phone"], "SELECT, INSERT, UPDATE"),
    "guardians": ([], [], "SELECT, INSERT, UPDATE, DELETE"),
    "notes": ([], ["body"], "SELECT, INSERT"),
    "tasks": ([], ["title"], "SELECT, INSERT, UPDATE"),
    "teacher_profiles": ([], ["display_name", "bio", "meeting_url"], "SELECT, INSERT, UPDATE"),
    "availability_slots": ([], [], "SELECT, INSERT, UPDATE"),
    "plans": ([], [], "SELECT, INSERT, UPDATE"),
    "plan_prices": ([], [], "SELECT, INSERT"),
    "packages": ([], ["frozen_reason"], "SELECT, INSERT, UPDATE"),
    "credit_entries": ([], [], "SELECT, INSERT"),
    "payments": ([], [], "SELECT, INSERT, UPDATE"),
    "payment_transitions": ([], ["evidence"], "SELECT, INSERT"),
    "refunds": ([], [], "SELECT, INSERT, UPDATE"),
    "approvals": ([], ["wish"], "SELECT, INSERT, UPDATE"),
    "bookings": ([], ["cancellation_reason"], "SELECT, INSERT, UPDATE"),
    "lessons": ([], ["topic", "notes", "private_note", "homework"], "SELECT, INSERT, UPDATE"),
}
APPEND_ONLY = (
    "audit_actions",
    "audit_changes",
    "audit_seals",
    "audit_checkpoints",
    "plan_prices",
    "credit_entries",
    "payment_transitions",
    "notes",
)
TECHNICAL = {
    "audit_actions": "SELECT, INSERT",
    "audit_changes": "SELECT",  # written by the trigger, which runs as the owner
    "audit_personal": "SELECT",
    "audit_seals": "SELECT, INSERT",
    "audit_checkpoints": "SELECT, INSERT",
    "outbox_events": "SELECT, INSERT, UPDATE, DELETE",
    "idempotency_keys": "SELECT, INSERT, DELETE",
    "job_ticks": "SELECT, INSERT, UPDATE, DELETE",
    "check_runs": "SELECT, INSERT, DELETE",
    "console_sessions": "SELECT, INSERT, UPDATE, DELETE",
    "token_families": "SELECT, INSERT, UPDATE, DELETE",
    "api_tokens": "SELECT, INSERT, UPDATE, DELETE",
    "sign_in_links": "SELECT, INSERT, UPDATE, DELETE",
    "failed_logins": "SELECT, INSERT, DELETE",
    "alembic_version": "SELECT",
}


def upgrade() -> None:
    _create_tables()
    for table, (secret, personal, privileges) in AUDITED.items():
        columns = [",".join(each) for each in (secret, personal)]
        op.execute(f"SELECT audit_attach('{table}', '{{{columns[0]}}}', '{{{columns[1]}}}')")
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")
    for table in APPEND_ONLY:
        op.execute(f"SELECT append_only_attach('{table}')")
    for table, privileges in TECHNICAL.items():
        op.execute(f"SELECT app_grant('{table}', '{privileges}')")


def _create_tables() -> None:
    op.create_table(
        "audit_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("record_type", sa.Text(), nullable=True),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("xid", XID8, server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_actions")),
    )
    op.create_index("ix_audit_actions_actor", "audit_actions", ["actor_id", "id"], unique=False)
    op.create_index("ix_audit_actions_name", "audit_actions", ["name", "id"], unique=False)
    op.create_index("ix_audit_actions_record", "audit_actions", ["record_type", "record_id", "id"], unique=False)
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoints")),
        sa.UniqueConstraint("sequence", name=op.f("uq_audit_checkpoints_sequence")),
    )
    op.create_table(
        "check_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_runs")),
    )
    op.create_table(
        "failed_logins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_digest", sa.LargeBinary(), nullable=False),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_logins")),
    )
    op.create_index("ix_failed_logins_account", "failed_logins", ["account_digest", "at"], unique=False)
    op.create_index("ix_failed_logins_address", "failed_logins", ["address_digest", "at"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_index("uq_idempotency_keys_scope", "idempotency_keys", ["user_id", "method", "path", "key"], unique=True)
    op.create_table(
        "job_ticks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("tick_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_ticks")),
    )
    op.create_index("uq_job_ticks_job_tick_at", "job_ticks", ["job", "tick_at"], unique=True)
    op.create_table(
        "outbox_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("record_type", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "done",
                "no_handler",
                "dead",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_events")),
    )
    op.create_index(
        "ix_outbox_events_closed_at",
        "outbox_events",
        ["closed_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_events_due",
        "outbox_events",
        ["available_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_outbox_events_record", "outbox_events", ["record_type", "record_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lessons_total", sa.Integer(), nullable=False),
        sa.Column("lesson_minutes", sa.Integer(), nullable=True),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("is_trial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("lesson_minutes BETWEEN 15 AND 240", name=op.f("ck_plans_lesson_minutes_plausible")),
        sa.CheckConstraint("lessons_total BETWEEN 1 AND 1000", name=op.f("ck_plans_lessons_plausible")),
        sa.CheckConstraint("valid_days BETWEEN 1 AND 3660", name=op.f("ck_plans_valid_days_plausible")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_plans_name")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('USR'::text, 'user_reference'::text)"),
            nullable=False,
        ),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), server_default="", nullable=False),
        sa.Column("timezone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "student",
                "teacher",
                "support",
                "finance",
                "auditor",
                "admin",
                "system",
                "anonymous",
                name="role_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_test", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_secret", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("instrument", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("email IS NOT NULL OR role = 'student'", name=op.f("ck_users_only_children_lack_email")),
        sa.CheckConstraint("role <> 'system' AND role <> 'anonymous'", name=op.f("ck_users_role_is_a_persons")),
        sa.CheckConstraint("(email IS NULL) = (email_key IS NULL)", name=op.f("ck_users_email_has_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("reference", name=op.f("uq_users_reference")),
    )
    op.create_index(
        "ix_users_email_trgm",
        "users",
        ["email"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"email": "gin_trgm_ops"},
    )
    op.create_index(
        "ix_users_full_name_trgm",
        "users",
        ["full_name"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"full_name": "gin_trgm_ops"},
    )
    op.create_index("ix_users_role_name", "users", ["role", "full_name", "id"], unique=False)
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True)
    op.create_table(
        "audit_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_changes")),
    )
    op.create_index("ix_audit_changes_action_id", "audit_changes", ["action_id"], unique=False)
    op.create_index("ix_audit_changes_row", "audit_changes", ["table_name", "row_id", "id"], unique=False)
    op.create_table(
        "audit_seals",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["action_id"], ["audit_actions.id"], name=op.f("fk_audit_seals_action_id")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("action_id", name=op.f("uq_audit_seals_action_id")),
    )
    op.create_table(
        "availability_slots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('SLT'::text, 'slot_reference'::text)"),
            nullable=False,
        ),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "blocked",
                "withdrawn",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.text("teacher_id"), "="),
            (sa.text("tstzrange(start_at, end_at)"), "&&"),
            where=sa.text("status <> 'withdrawn'"),
            using="gist",
            name="slots_no_teacher_overlap",
        ),
        sa.CheckConstraint(
            "end_at - start_at BETWEEN interval '15 minutes' AND interval '240 minutes'",
            name=op.f("ck_availability_slots_length"),
        ),
        sa.CheckConstraint(
            "isfinite(start_at) AND isfinite(end_at) AND end_at < '9999-01-01'",
            name=op.f("ck_availability_slots_finite"),
        ),
        sa.CheckConstraint(
            "start_at = date_trunc('second', start_at) AND end_at = date_trunc('second', end_at)",
            name=op.f("ck_availability_slots_whole_seconds"),
        ),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_availability_slots_teacher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_availability_slots")),
        sa.UniqueConstraint("id", "teacher_id", "start_at", "end_at", name="uq_availability_slots_whole"),
        sa.UniqueConstraint("reference", name=op.f("uq_availability_slots_reference")),
    )
    op.create_index(
        "ix_availability_slots_open_start",
        "availability_slots",
        ["start_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "ix_availability_slots_open_teacher_start",
        "availability_slots",
        ["teacher_id", "start_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "ix_availability_slots_teacher_start", "availability_slots", ["teacher_id", "start_at"], unique=False
    )
    op.create_table(
        "console_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_console_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_console_sessions_token_hash")),
    )
    op.create_index("ix_console_sessions_user_id", "console_sessions", ["user_id"], unique=False)
    op.create_table(
        "guardians",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("guardian_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.Text(), server_default="parent", nullable=False),
        sa.Column("pays", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("receives_messages", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("guardian_id <> student_id", name=op.f("ck_guardians_two_people")),
        sa.ForeignKeyConstraint(["guardian_id"], ["users.id"], name=op.f("fk_guardians_guardian_id")),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_guardians_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardians")),
        sa.UniqueConstraint("guardian_id", "student_id", name="uq_guardians_pair"),
    )
    op.create_index("ix_guardians_student_id", "guardians", ["student_id"], unique=False)
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("record_type", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_notes_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index("ix_notes_record", "notes", ["record_type", "record_id", "id"], unique=False)
    op.create_table(
        "plan_prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_plan_prices_currency_code")),
        sa.CheckConstraint("amount_minor BETWEEN 0 AND 1000000000000", name=op.f("ck_plan_prices_amount_range")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_prices_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_prices")),
        sa.UniqueConstraint("plan_id", "revision", name="uq_plan_prices_revision"),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum("invite", name="purpose_known", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_links_token_hash")),
    )
    op.create_index("ix_sign_in_links_user_id", "sign_in_links", ["user_id"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("record_type", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "open", "done", "canceled", name="status_known", native_enum=False, create_constraint=True, length=20
            ),
            nullable=False,
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_tasks_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index(
        "ix_tasks_open_owner",
        "tasks",
        ["owner_id", "due_on"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_tasks_record", "tasks", ["record_type", "record_id", "id"], unique=False)
    op.create_table(
        "teacher_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("bio", sa.Text(), server_default="", nullable=False),
        sa.Column("experience_years", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("meeting_url", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum("active", "disabled", name="status_known", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("experience_years BETWEEN 0 AND 80", name=op.f("ck_teacher_profiles_experience_plausible")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_teacher_profiles_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teacher_profiles")),
        sa.UniqueConstraint("user_id", name=op.f("uq_teacher_profiles_user_id")),
    )
    op.create_index("ix_teacher_profiles_tags", "teacher_profiles", ["tags"], unique=False, postgresql_using="gin")
    op.create_table(
        "token_families",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("device_label", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_token_families_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_families")),
    )
    op.create_index("ix_token_families_user_id", "token_families", ["user_id"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("access_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("access_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refresh_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("successor_id", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["family_id"], ["token_families.id"], name=op.f("fk_api_tokens_family_id")),
        sa.ForeignKeyConstraint(["successor_id"], ["api_tokens.id"], name=op.f("fk_api_tokens_successor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("access_hash", name=op.f("uq_api_tokens_access_hash")),
        sa.UniqueConstraint("refresh_hash", name=op.f("uq_api_tokens_refresh_hash")),
    )
    op.create_index(op.f("ix_api_tokens_family_id"), "api_tokens", ["family_id"], unique=False)
    op.create_index(
        "uq_api_tokens_live",
        "api_tokens",
        ["family_id"],
        unique=True,
        postgresql_where=sa.text("used_at IS NULL AND revoked_at IS NULL"),
    )
    op.create_table(
        "audit_personal",
        sa.Column("change_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["change_id"], ["audit_changes.id"], name=op.f("fk_audit_personal_change_id")),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_audit_personal")),
    )
    op.create_table(
        "packages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('PKG'::text, 'package_reference'::text)"),
            nullable=False,
        ),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("plan_price_id", sa.Uuid(), nullable=True),
        sa.Column(
            "origin",
            sa.Enum(
                "purchase",
                "granted",
                "on_account",
                name="origin_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("is_trial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "active",
                "depleted",
                "expired",
                "revoked",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("lesson_minutes", sa.Integer(), nullable=True),
        sa.Column("lessons_ordered", sa.Integer(), nullable=True),
        sa.Column("lessons_total", sa.Integer(), nullable=False),
        sa.Column("available", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("consumed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expired", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("revoked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("frozen_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') <= (lessons_ordered IS NOT NULL)", name=op.f("ck_packages_pending_is_ordered")
        ),
        sa.CheckConstraint("lessons_ordered BETWEEN 1 AND 1000", name=op.f("ck_packages_order_plausible")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_packages_currency_code")),
        sa.CheckConstraint(
            "isfinite(expires_at) AND expires_at < '9999-01-01'", name=op.f("ck_packages_expiry_finite")
        ),
        sa.CheckConstraint(
            "(frozen_at IS NULL) = (frozen_reason IS NULL)", name=op.f("ck_packages_frozen_with_reason")
        ),
        sa.CheckConstraint(
            "available >= 0 AND reserved >= 0 AND consumed >= 0 AND expired >= 0 AND revoked >= 0",
            name=op.f("ck_packages_buckets_not_negative"),
        ),
        sa.CheckConstraint(
            "lessons_total = available + reserved + consumed + expired + revoked",
            name=op.f("ck_packages_buckets_add_up"),
        ),
        sa.CheckConstraint("lessons_total BETWEEN 0 AND 1000", name=op.f("ck_packages_lessons_plausible")),
        sa.CheckConstraint("price_minor BETWEEN 0 AND 1000000000000", name=op.f("ck_packages_price_range")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_packages_plan_id")),
        sa.ForeignKeyConstraint(["plan_price_id"], ["plan_prices.id"], name=op.f("fk_packages_plan_price_id")),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_packages_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packages")),
        sa.UniqueConstraint("id", "student_id", name="uq_packages_owner"),
        sa.UniqueConstraint("reference", name=op.f("uq_packages_reference")),
    )
    op.create_index(
        "ix_packages_due",
        "packages",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('active', 'depleted') AND frozen_at IS NULL"),
    )
    op.create_index("ix_packages_student", "packages", ["student_id", "expires_at", "id"], unique=False)
    op.create_table(
        "bookings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('BK'::text, 'booking_reference'::text)"),
            nullable=False,
        ),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("package_id", sa.Uuid(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "hold",
                "confirmed",
                "canceled",
                "expired",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("hold_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancellation_reason", sa.Text(), nullable=True),
        sa.Column(
            "cancel_cause",
            sa.Enum(
                "student",
                "teacher",
                "school",
                "technical",
                "goodwill",
                name="cause_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("refund_returned", sa.Boolean(), nullable=True),
        sa.Column("rescheduled_from_booking_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decision", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.text("student_id"), "="),
            (sa.text("tstzrange(start_at, end_at)"), "&&"),
            where=sa.text("status IN ('hold', 'confirmed')"),
            using="gist",
            name="bookings_no_student_overlap",
        ),
        sa.CheckConstraint(
            "(status = 'canceled') = (canceled_at IS NOT NULL)", name=op.f("ck_bookings_canceled_at_some_time")
        ),
        sa.CheckConstraint(
            "(status = 'confirmed') <= (confirmed_at IS NOT NULL)", name=op.f("ck_bookings_confirmed_at_some_time")
        ),
        sa.CheckConstraint("(status = 'hold') <= (hold_expires_at IS NOT NULL)", name=op.f("ck_bookings_hold_ends")),
        sa.CheckConstraint("student_id <> teacher_id", name=op.f("ck_bookings_two_people")),
        sa.ForeignKeyConstraint(
            ["package_id", "student_id"], ["packages.id", "packages.student_id"], name="fk_bookings_own_package"
        ),
        sa.ForeignKeyConstraint(
            ["rescheduled_from_booking_id"], ["bookings.id"], name=op.f("fk_bookings_rescheduled_from_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["slot_id", "teacher_id", "start_at", "end_at"],
            [
                "availability_slots.id",
                "availability_slots.teacher_id",
                "availability_slots.start_at",
                "availability_slots.end_at",
            ],
            name="fk_bookings_slot_whole",
        ),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_bookings_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint("reference", name=op.f("uq_bookings_reference")),
    )
    op.create_index(
        "bookings_one_active_per_slot",
        "bookings",
        ["slot_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('hold', 'confirmed')"),
    )
    op.create_index("bookings_one_successor", "bookings", ["rescheduled_from_booking_id"], unique=True)
    op.create_index(
        "ix_bookings_student_holds",
        "bookings",
        ["student_id"],
        unique=False,
        postgresql_where=sa.text("status = 'hold'"),
    )
    op.create_index(
        "ix_bookings_lapsing",
        "bookings",
        ["hold_expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'hold'"),
    )
    op.create_index("ix_bookings_package_id", "bookings", ["package_id"], unique=False)
    op.create_index("ix_bookings_slot_id", "bookings", ["slot_id"], unique=False)
    op.create_index("ix_bookings_start", "bookings", ["start_at", "id"], unique=False)
    op.create_index("ix_bookings_student_start", "bookings", ["student_id", "start_at", "id"], unique=False)
    op.create_index("ix_bookings_teacher_start", "bookings", ["teacher_id", "start_at", "id"], unique=False)
    op.create_table(
        "credit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("package_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "grant",
                "hold",
                "release",
                "consume",
                "return",
                "expire",
                "reinstate",
                "adjust",
                "revoke",
                "unrevoke",
                "opening",
                name="kind_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("op_key", sa.Text(), nullable=False),
        sa.Column("d_available", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("d_reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("d_consumed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("d_expired", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("d_revoked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("available", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("consumed", sa.Integer(), nullable=False),
        sa.Column("expired", sa.Integer(), nullable=False),
        sa.Column("revoked", sa.Integer(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind <> 'adjust' OR reason IS NOT NULL", name=op.f("ck_credit_entries_adjustment_has_reason")
        ),
        sa.CheckConstraint(
            "kind IN ('grant', 'opening') OR d_available + d_reserved + d_consumed + d_expired + d_revoked = 0",
            name=op.f("ck_credit_entries_moves_only"),
        ),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_credit_entries_package_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint("op_key", name=op.f("uq_credit_entries_op_key")),
    )
    op.create_index("ix_credit_entries_booking_id", "credit_entries", ["booking_id"], unique=False)
    op.create_index("ix_credit_entries_package", "credit_entries", ["package_id", "sequence"], unique=True)
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('PAY'::text, 'payment_reference'::text)"),
            nullable=False,
        ),
        sa.Column("package_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "succeeded",
                "failed",
                "refunded",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "provider",
            sa.Enum("manual", name="provider_known", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(status IN ('succeeded', 'refunded')) <= (paid_at IS NOT NULL)", name=op.f("ck_payments_paid_has_time")
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_payments_currency_code")),
        sa.CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name=op.f("ck_payments_amount_range")),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_payments_package_id")),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_payments_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("reference", name=op.f("uq_payments_reference")),
    )
    op.create_index("ix_payments_package_id", "payments", ["package_id"], unique=False)
    op.create_index("ix_payments_status", "payments", ["status", "id"], unique=False)
    op.create_index("ix_payments_student", "payments", ["student_id", "id"], unique=False)
    op.create_index("uq_payments_external_reference", "payments", ["provider", "external_reference"], unique=True)
    op.create_table(
        "approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "payment_succeeded", "refund", name="kind_known", native_enum=False, create_constraint=True, length=20
            ),
            nullable=False,
        ),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("wish", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "approved",
                "rejected",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') = (decided_by IS NULL)", name=op.f("ck_approvals_decided_by_somebody")
        ),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name=op.f("ck_approvals_four_eyes")),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_approvals_decided_by")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_approvals_payment_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_approvals_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "uq_approvals_pending",
        "approvals",
        ["payment_id", "kind"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "lessons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('LES'::text, 'lesson_reference'::text)"),
            nullable=False,
        ),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("package_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("scheduled_start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scheduled_end_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "scheduled",
                "completed",
                "no_show",
                "canceled",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "no_show_side",
            sa.Enum(
                "student",
                "teacher",
                "technical",
                name="side_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settlement", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("is_returned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("join_url", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("private_note", sa.Text(), nullable=True),
        sa.Column("homework", sa.Text(), nullable=True),
        sa.Column("links", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(status = 'no_show') = (no_show_side IS NOT NULL)", name=op.f("ck_lessons_no_show_has_side")
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_lessons_booking_id")),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_lessons_package_id")),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_lessons_student_id")),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name=op.f("fk_lessons_teacher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lessons")),
        sa.UniqueConstraint("booking_id", name=op.f("uq_lessons_booking_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_lessons_reference")),
    )
    op.create_index(
        "ix_lessons_open_end",
        "lessons",
        ["scheduled_end_at"],
        unique=False,
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index("ix_lessons_start", "lessons", ["scheduled_start_at", "id"], unique=False)
    op.create_index("ix_lessons_student_start", "lessons", ["student_id", "scheduled_start_at", "id"], unique=False)
    op.create_index("ix_lessons_teacher_start", "lessons", ["teacher_id", "scheduled_start_at", "id"], unique=False)
    op.create_table(
        "payment_transitions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_transitions_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_transitions")),
        sa.UniqueConstraint("payment_id", "cause", "to_status", name="uq_payment_transitions_cause"),
        sa.UniqueConstraint("payment_id", "sequence", name="uq_payment_transitions_sequence"),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            server_default=sa.text("make_reference('RFD'::text, 'refund_reference'::text)"),
            nullable=False,
        ),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "succeeded",
                "failed",
                "canceled",
                name="status_known",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lessons_revoked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("approval_id", sa.Uuid(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refunds_amount_positive")),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name=op.f("fk_refunds_approval_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_refunds_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("reference", name=op.f("uq_refunds_reference")),
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"], unique=False)
    op.create_index("ix_refunds_status", "refunds", ["status", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_refunds_status", table_name="refunds")
    op.drop_index("ix_refunds_payment_id", table_name="refunds")
    op.drop_table("refunds")
    op.drop_table("payment_transitions")
    op.drop_index("ix_lessons_teacher_start", table_name="lessons")
    op.drop_index("ix_lessons_student_start", table_name="lessons")
    op.drop_index("ix_lessons_start", table_name="lessons")
    op.drop_index("ix_lessons_open_end", table_name="lessons", postgresql_where=sa.text("status = 'scheduled'"))
    op.drop_table("lessons")
    op.drop_index("uq_approvals_pending", table_name="approvals", postgresql_where=sa.text("status = 'pending'"))
    op.drop_table("approvals")
    op.drop_index("uq_payments_external_reference", table_name="payments")
    op.drop_index("ix_payments_student", table_name="payments")
    op.drop_index("ix_payments_status", table_name="payments")
    op.drop_index("ix_payments_package_id", table_name="payments")
    op.drop_table("payments")
    op.drop_index("ix_credit_entries_package", table_name="credit_entries")
    op.drop_index("ix_credit_entries_booking_id", table_name="credit_entries")
    op.drop_table("credit_entries")
    op.drop_index("ix_bookings_teacher_start", table_name="bookings")
    op.drop_index("ix_bookings_student_start", table_name="bookings")
    op.drop_index("ix_bookings_start", table_name="bookings")
    op.drop_index("ix_bookings_slot_id", table_name="bookings")
    op.drop_index("ix_bookings_package_id", table_name="bookings")
    op.drop_index("ix_bookings_student_holds", table_name="bookings", postgresql_where=sa.text("status = 'hold'"))
    op.drop_index("ix_bookings_lapsing", table_name="bookings", postgresql_where=sa.text("status = 'hold'"))
    op.drop_index("bookings_one_successor", table_name="bookings")
    op.drop_index(
        "bookings_one_active_per_slot",
        table_name="bookings",
        postgresql_where=sa.text("status IN ('hold', 'confirmed')"),
    )
    op.drop_table("bookings")
    op.drop_index("ix_packages_student", table_name="packages")
    op.drop_index(
        "ix_packages_due",
        table_name="packages",
        postgresql_where=sa.text("status IN ('active', 'depleted') AND frozen_at IS NULL"),
    )
    op.drop_table("packages")
    op.drop_table("audit_personal")
    op.drop_index(
        "uq_api_tokens_live",
        table_name="api_tokens",
        postgresql_where=sa.text("used_at IS NULL AND revoked_at IS NULL"),
    )
    op.drop_index(op.f("ix_api_tokens_family_id"), table_name="api_tokens")
    op.drop_table("api_tokens")
    op.drop_index("ix_token_families_user_id", table_name="token_families")
    op.drop_table("token_families")
    op.drop_index("ix_teacher_profiles_tags", table_name="teacher_profiles", postgresql_using="gin")
    op.drop_table("teacher_profiles")
    op.drop_index("ix_tasks_record", table_name="tasks")
    op.drop_index("ix_tasks_open_owner", table_name="tasks", postgresql_where=sa.text("status = 'open'"))
    op.drop_table("tasks")
    op.drop_index("ix_sign_in_links_user_id", table_name="sign_in_links")
    op.drop_table("sign_in_links")
    op.drop_table("plan_prices")
    op.drop_index("ix_notes_record", table_name="notes")
    op.drop_table("notes")
    op.drop_index("ix_guardians_student_id", table_name="guardians")
    op.drop_table("guardians")
    op.drop_index("ix_console_sessions_user_id", table_name="console_sessions")
    op.drop_table("console_sessions")
    op.drop_index("ix_availability_slots_teacher_start", table_name="availability_slots")
    op.drop_index(
        "ix_availability_slots_open_teacher_start",
        table_name="availability_slots",
        postgresql_where=sa.text("status = 'open'"),
    )
    op.drop_index(
        "ix_availability_slots_open_start", table_name="availability_slots", postgresql_where=sa.text("status = 'open'")
    )
    op.drop_table("availability_slots")
    op.drop_table("audit_seals")
    op.drop_index("ix_audit_changes_row", table_name="audit_changes")
    op.drop_index("ix_audit_changes_action_id", table_name="audit_changes")
    op.drop_table("audit_changes")
    op.drop_index("uq_users_email_key", table_name="users")
    op.drop_index("ix_users_role_name", table_name="users")
    op.drop_index(
        "ix_users_full_name_trgm",
        table_name="users",
        postgresql_using="gin",
        postgresql_ops={"full_name": "gin_trgm_ops"},
    )
    op.drop_index(
        "ix_users_email_trgm", table_name="users", postgresql_using="gin", postgresql_ops={"email": "gin_trgm_ops"}
    )
    op.drop_table("users")
    op.drop_table("plans")
    op.drop_index("ix_outbox_events_record", table_name="outbox_events")
    op.drop_index("ix_outbox_events_due", table_name="outbox_events", postgresql_where=sa.text("status = 'pending'"))
    op.drop_index(
        "ix_outbox_events_closed_at", table_name="outbox_events", postgresql_where=sa.text("closed_at IS NOT NULL")
    )
    op.drop_table("outbox_events")
    op.drop_index("uq_job_ticks_job_tick_at", table_name="job_ticks")
    op.drop_table("job_ticks")
    op.drop_index("uq_idempotency_keys_scope", table_name="idempotency_keys")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_failed_logins_address", table_name="failed_logins")
    op.drop_index("ix_failed_logins_account", table_name="failed_logins")
    op.drop_table("failed_logins")
    op.drop_table("check_runs")
    op.drop_table("audit_checkpoints")
    op.drop_index("ix_audit_actions_record", table_name="audit_actions")
    op.drop_index("ix_audit_actions_name", table_name="audit_actions")
    op.drop_index("ix_audit_actions_actor", table_name="audit_actions")
    op.drop_table("audit_actions")
