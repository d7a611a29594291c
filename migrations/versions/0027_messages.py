"""Messages, their attempts and bodies, how channels fare, preferences, and addresses that do not work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

CHANNELS = ("email", "sms", "telegram", "in_app")
STATES = ("queued", "sent", "failed", "suppressed", "uncertain")
OUTCOMES = ("accepted", "temporary", "permanent", "unknown", "bounced")
PREFERENCES = ("reminders", "packages", "offers")
WAITING = sa.text("status = 'queued'")
DEAD = sa.text("status IN ('failed', 'uncertain')")


def upgrade() -> None:
    op.add_column("users", sa.Column("address_problem", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("address_problem_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_users_address_problem",
        "users",
        ["address_problem_at", "id"],
        postgresql_where=sa.text("address_problem IS NOT NULL"),
    )
    _create_messages()
    _create_bodies()
    _create_attempts()
    _create_channel_states()
    _create_preferences()


def _create_messages() -> None:
    table = "messages"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("channel", _choice(CHANNELS, "channel_known"), nullable=False),
        sa.Column("record_type", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("status", _choice(STATES, "status_known"), server_default="queued", nullable=False),
        _moment("happened_at"),
        _moment("created_at", server_default=sa.text("clock_timestamp()")),
        _moment("available_at"),
        _moment("not_after", nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        _moment("lease_until", nullable=True),
        _moment("handed_at", nullable=True),
        _moment("sent_at", nullable=True),
        _moment("closed_at", nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("suppressed_because", sa.Text(), nullable=True),
        sa.CheckConstraint("(status = 'queued') = (closed_at IS NULL)", name=op.f("ck_messages_closed_unless_queued")),
        sa.CheckConstraint(
            "(status = 'suppressed') = (suppressed_because IS NOT NULL)", name=op.f("ck_messages_suppressed_with_words")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name=op.f("fk_messages_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("event_id", "person_id", "channel", name="uq_messages_once"),
    )
    op.create_index("ix_messages_due", table, ["channel", "available_at", "id"], postgresql_where=WAITING)
    op.create_index("ix_messages_oldest", table, ["happened_at"], postgresql_where=WAITING)
    op.create_index("ix_messages_happened_at", table, ["happened_at"], postgresql_using="brin")
    op.create_index("ix_messages_person", table, ["person_id", "id"])
    op.create_index("ix_messages_record", table, ["record_type", "record_id", "id"])
    op.create_index("ix_messages_dead", table, ["last_error", "kind", "id"], postgresql_where=DEAD)
    op.create_index("ix_messages_sent_at", table, ["sent_at"], postgresql_where=sa.text("sent_at IS NOT NULL"))
    op.create_index("ix_messages_reference", table, ["reference"], postgresql_where=sa.text("reference IS NOT NULL"))
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_bodies() -> None:
    table = "message_bodies"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sent_to", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("calendar", sa.Text(), nullable=True),
        _moment("created_at", server_default=sa.text("clock_timestamp()")),
        sa.ForeignKeyConstraint(["id"], ["messages.id"], name=op.f("fk_message_bodies_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_bodies")),
    )
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")


def _create_attempts() -> None:
    table = "message_attempts"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", _choice(OUTCOMES, "outcome_known"), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        _moment("started_at"),
        _moment("finished_at", server_default=sa.text("clock_timestamp()")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_attempts_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_attempts")),
    )
    op.create_index("ix_message_attempts_message", table, ["message_id", "id"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, DELETE')")


def _create_channel_states() -> None:
    table = "channel_states"
    op.create_table(
        table,
        sa.Column("channel", _choice(CHANNELS, "channel_known"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        _moment("open_until", nullable=True),
        _moment("next_at", nullable=True),
        _moment("last_sent_at", nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_states")),
    )
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _create_preferences() -> None:
    table = "message_preferences"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("preference", _choice(PREFERENCES, "preference_known"), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name=op.f("fk_message_preferences_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_preferences")),
        sa.UniqueConstraint("person_id", "preference", name="uq_message_preferences_once"),
    )
    op.execute(f"SELECT audit_attach('{table}')")
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE')")


def _choice(values: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def _moment(name: str, *, nullable: bool = False, server_default: sa.TextClause | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=server_default)


def downgrade() -> None:
    for table in ("message_preferences", "channel_states", "message_attempts", "message_bodies", "messages"):
        op.drop_table(table)
    op.drop_index("ix_users_address_problem", "users")
    op.drop_column("users", "address_problem_at")
    op.drop_column("users", "address_problem")
