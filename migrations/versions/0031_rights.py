"""Service keys, webhooks, and what one person cannot do alone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None
SAFE_BECAUSE = {
    "constraint-missing-not-valid": "statement_extras holds a few rows a month: the scan takes milliseconds",
}

# Nobody gives themselves a role. The audit guard has seen that there is an action.
ROLE_BY_ANOTHER = """
CREATE FUNCTION role_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM audit_actions WHERE id = nullif(current_setting('app.action_id', true), '')::uuid AND actor_id = NEW.id) THEN
    RAISE EXCEPTION 'nobody changes their own role' USING ERRCODE = 'check_violation', CONSTRAINT = 'users_role_by_another';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER role_by_another BEFORE UPDATE OF role ON users FOR EACH ROW
  WHEN (OLD.role IS DISTINCT FROM NEW.role) EXECUTE FUNCTION role_by_another()
"""

# What was asked for, and by whom, is what is decided about: else whoever decides could first make themselves not the asker.
APPROVAL_STAYS = """
CREATE FUNCTION approval_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.kind, OLD.payment_id, OLD.amount_minor, OLD.currency, OLD.requested_by, OLD.wish, OLD.reason)
     IS DISTINCT FROM (NEW.kind, NEW.payment_id, NEW.amount_minor, NEW.currency, NEW.requested_by, NEW.wish, NEW.reason) THEN
    RAISE EXCEPTION 'what was asked for stays as it was asked' USING ERRCODE = 'check_violation', CONSTRAINT = 'approvals_stay_as_asked';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER stays_as_asked BEFORE UPDATE ON approvals FOR EACH ROW EXECUTE FUNCTION approval_stays()
"""

# Looked at when everything is written: the approval and what it allows are rows of one transaction.
ALLOWED_BY_ANOTHER = """
CREATE FUNCTION allowed_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM approvals a
     WHERE a.id = NEW.approval_id AND a.status = 'approved' AND a.kind = 'refund' AND a.payment_id = NEW.payment_id
       AND a.requested_by IS NOT DISTINCT FROM NEW.requested_by AND a.decided_by IS DISTINCT FROM NEW.requested_by
  ) THEN
    RAISE EXCEPTION '% names an approval that does not allow it', TG_TABLE_NAME
      USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_allowed_by_another';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER allowed_by_another AFTER INSERT OR UPDATE OF approval_id, requested_by, payment_id ON refunds
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.approval_id IS NOT NULL) EXECUTE FUNCTION allowed_by_another();
CREATE CONSTRAINT TRIGGER allowed_by_another AFTER INSERT ON refund_credits
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.approval_id IS NOT NULL) EXECUTE FUNCTION allowed_by_another()
"""


def upgrade() -> None:
    _create_service_keys()
    _create_endpoints()
    _create_deliveries()
    for statement in (ROLE_BY_ANOTHER, APPROVAL_STAYS, ALLOWED_BY_ANOTHER):
        op.execute(statement)
    name = op.f("ck_statement_extras_by_another")
    op.execute(f"ALTER TABLE statement_extras ADD CONSTRAINT {name} CHECK (made_by <> teacher_id) NOT VALID")
    op.execute(f"ALTER TABLE statement_extras VALIDATE CONSTRAINT {name}")


def _id(name: str = "id", *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=null)


def _moment(name: str, *, null: bool = False, now: bool = False) -> sa.Column[object]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=null)


def _words(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _many_words(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)


def _points_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _key(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def _create_service_keys() -> None:
    table, uses = "service_keys", "service_key_uses"
    op.create_table(
        table,
        _id(),
        _words("name"),
        _words("prefix"),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        _many_words("scopes"),
        _id("created_by"),
        _moment("expires_at"),
        _moment("revoked_at", null=True),
        _id("replaces_id", null=True),
        _moment("created_at"),
        _moment("updated_at"),
        _version(),
        sa.CheckConstraint("prefix ~ '^[0-9a-f]{8}$'", name=op.f("ck_service_keys_prefix_shape")),
        sa.CheckConstraint("octet_length(secret_hash) = 32", name=op.f("ck_service_keys_is_sha256")),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("ck_service_keys_for_something")),
        sa.CheckConstraint(
            "expires_at BETWEEN created_at AND created_at + interval '400 days'", name=op.f("ck_service_keys_ends")
        ),
        sa.CheckConstraint("replaces_id <> id", name=op.f("ck_service_keys_replaces_another")),
        _points_to(table, "created_by", "users"),
        _points_to(table, "replaces_id", table),
        _key(table),
        sa.UniqueConstraint("prefix", name=op.f("uq_service_keys_prefix")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_service_keys_secret_hash")),
        sa.UniqueConstraint("replaces_id", name="uq_service_keys_replaces_id"),
    )
    op.create_index("ix_service_keys_name", table, ["name", "id"])
    op.create_table(uses, _id(), _moment("last_used_at"), _points_to(uses, "id", table), _key(uses))
    op.execute("SELECT audit_attach('service_keys', '{secret_hash}')")
    for each in (table, uses):
        op.execute(f"SELECT app_grant('{each}', 'SELECT, INSERT, UPDATE')")


def _create_endpoints() -> None:
    table, health = "webhook_endpoints", "webhook_health"
    known = sa.Enum("active", "disabled", name="status_known", native_enum=False, create_constraint=True, length=20)
    op.create_table(
        table,
        _id(),
        _words("name"),
        _words("url"),
        _many_words("topics"),
        sa.Column("status", known, nullable=False),
        _words("disabled_because", null=True),
        _id("owner_id"),
        _words("secret_sealed"),
        _words("former_secret_sealed", null=True),
        _moment("former_until", null=True),
        _moment("created_at"),
        _moment("updated_at"),
        _version(),
        sa.CheckConstraint("cardinality(topics) > 0", name=op.f("ck_webhook_endpoints_hears_something")),
        sa.CheckConstraint("url ~ '^https?://'", name=op.f("ck_webhook_endpoints_url_shape")),
        sa.CheckConstraint(
            "(former_secret_sealed IS NULL) = (former_until IS NULL)", name=op.f("ck_webhook_endpoints_former_has_end")
        ),
        sa.CheckConstraint(
            "(status = 'disabled') = (disabled_because IS NOT NULL)",
            name=op.f("ck_webhook_endpoints_disabled_has_reason"),
        ),
        _points_to(table, "owner_id", "users"),
        _key(table),
    )
    op.create_index("ix_webhook_endpoints_name", table, ["name", "id"])
    op.create_table(
        health,
        _id(),
        _moment("failing_since", null=True),
        _moment("last_delivered_at", null=True),
        _points_to(health, "id", table),
        _key(health),
    )
    op.execute(f"SELECT audit_attach('{table}', '{{secret_sealed,former_secret_sealed}}')")
    for each in (table, health):
        op.execute(f"SELECT app_grant('{each}', 'SELECT, INSERT, UPDATE')")


def _create_deliveries() -> None:
    table, attempts = "webhook_deliveries", "webhook_attempts"
    states = ("pending", "delivered", "dead")
    known = sa.Enum(*states, name="status_known", native_enum=False, create_constraint=True, length=20)
    op.create_table(
        table,
        _id(),
        _id("endpoint_id"),
        _id("event_id"),
        _words("topic"),
        _words("record_type"),
        _id("record_id"),
        _moment("occurred_at"),
        _words("body"),
        sa.Column("status", known, server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("due_at", now=True),
        _id("lease_token", null=True),
        _moment("lease_until", null=True),
        _words("last_answer", null=True),
        _moment("closed_at", null=True),
        _points_to(table, "endpoint_id", "webhook_endpoints"),
        _key(table),
        sa.UniqueConstraint("endpoint_id", "event_id", name="uq_webhook_deliveries_once"),
    )
    wheres = {
        "due": (["endpoint_id", "due_at", "id"], "status = 'pending'"),
        "endpoint": (["endpoint_id", "occurred_at", "id"], None),
        "occurred_at": (["occurred_at", "id"], None),
        "dead": (["occurred_at", "id"], "status = 'dead'"),
        "record": (["record_id"], None),
        "closed_at": (["closed_at"], "closed_at IS NOT NULL"),
    }
    for name, (columns, where) in wheres.items():
        op.create_index(
            f"ix_webhook_deliveries_{name}", table, columns, postgresql_where=sa.text(where) if where else None
        )
    op.create_table(
        attempts,
        _id(),
        _id("delivery_id"),
        _moment("at", now=True),
        _words("answer"),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        _points_to(attempts, "delivery_id", table),
        _key(attempts),
    )
    op.create_index("ix_webhook_attempts_delivery_id", attempts, ["delivery_id", "id"])
    op.create_index("ix_webhook_attempts_at", attempts, ["at"])
    op.execute(f"SELECT app_grant('{table}', 'SELECT, INSERT, UPDATE, DELETE')")
    op.execute(f"SELECT app_grant('{attempts}', 'SELECT, INSERT, DELETE')")


def downgrade() -> None:
    op.execute("ALTER TABLE statement_extras DROP CONSTRAINT ck_statement_extras_by_another")
    for trigger, table in (
        ("allowed_by_another", "refund_credits"),
        ("allowed_by_another", "refunds"),
        ("stays_as_asked", "approvals"),
        ("role_by_another", "users"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in ("allowed_by_another", "approval_stays", "role_by_another"):
        op.execute(f"DROP FUNCTION {function}()")
    for table in (
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_health",
        "webhook_endpoints",
        "service_key_uses",
        "service_keys",
    ):
        op.drop_table(table)
