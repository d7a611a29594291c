"""What providers of messages report afterwards: bounces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

CHANNELS = ("email", "sms", "telegram", "in_app")
STATES = ("received", "applied", "ignored", "dead")


def upgrade() -> None:
    table = "message_reports"
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", _choice(CHANNELS, "channel_known"), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _moment("received_at"),
        sa.Column("status", _choice(STATES, "status_known"), server_default="received", nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _moment("available_at"),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        _moment("lease_until", nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        _moment("closed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_reports")),
        sa.UniqueConstraint("channel", "event_id", name="uq_message_reports_once"),
    )
    waiting = sa.text("status = 'received'")
    op.create_index("ix_message_reports_due", table, ["available_at", "id"], postgresql_where=waiting)
    op.create_index("ix_message_reports_received_at", table, ["received_at"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")
    # Cleaning looks for what is old; messages of any state but those that wait.
    op.create_index(
        "ix_messages_closed_at", "messages", ["closed_at"], postgresql_where=sa.text("closed_at IS NOT NULL")
    )


def _choice(values: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def downgrade() -> None:
    op.drop_index("ix_messages_closed_at", "messages")
    op.drop_table("message_reports")
