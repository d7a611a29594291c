"""A booking knows whom the student had booked, while somebody else gives the lesson."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Without a long lock: the column is empty, and the constraint is proved after it holds for new rows."""
    op.add_column("bookings", sa.Column("substituted_from_id", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE bookings ADD CONSTRAINT fk_bookings_substituted_from_id"
        " FOREIGN KEY (substituted_from_id) REFERENCES users (id) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT fk_bookings_substituted_from_id")
    op.execute(
        "ALTER TABLE bookings ADD CONSTRAINT ck_bookings_substitute_is_another"
        " CHECK (substituted_from_id <> teacher_id) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT ck_bookings_substitute_is_another")


def downgrade() -> None:
    op.drop_constraint("ck_bookings_substitute_is_another", "bookings")
    op.drop_constraint("fk_bookings_substituted_from_id", "bookings")
    op.drop_column("bookings", "substituted_from_id")
