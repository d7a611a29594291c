"""Erasure: people who were erased, the journal of it, reasons that went from the sealed audit, and who read contact data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None
SAFE_BECAUSE = {
    "ban-drop-constraint": "put back at once, and allows all that it allowed before",
}

WITH_PERSONAL = {  # table: personal columns
    "exports": "search,filters",
    "lessons": "topic,notes,private_note,homework,links,join_url",
}
BEFORE = {"exports": "search", "lessons": "topic,notes,private_note,homework"}
FORMATS = ("csv", "xlsx", "zip")

# audit_row of migration 0004, which digested an empty list as if it were personal: a lesson begins with no links.
AUDIT_ROW = """
CREATE OR REPLACE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
-- What changed, in the same transaction. TG_ARGV: secret columns ('***'), personal columns (salted digests; clear values aside).
DECLARE
  v_action constant uuid := current_setting('app.action_id')::uuid;
  v_before jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
  v_after jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
  v_row uuid := coalesce(v_after ->> 'id', v_before ->> 'id')::uuid;
  v_clear_before jsonb;
  v_clear_after jsonb;
  v_salt bytea;
  v_change bigint;
  v_column text;
  v_same text[];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT coalesce(array_agg(key), '{}') INTO v_same FROM jsonb_each(v_after) WHERE value = v_before -> key;
    v_before := v_before - v_same;
    IF v_before = '{}' THEN
      RETURN NULL;
    END IF;
    v_after := v_after - v_same;
  END IF;
  FOREACH v_column IN ARRAY TG_ARGV[0]::text[] LOOP
    IF jsonb_typeof(v_before -> v_column) <> 'null' THEN v_before := jsonb_set(v_before, ARRAY[v_column], '"***"'); END IF;
    IF jsonb_typeof(v_after -> v_column) <> 'null' THEN v_after := jsonb_set(v_after, ARRAY[v_column], '"***"'); END IF;
  END LOOP;
  FOREACH v_column IN ARRAY TG_ARGV[1]::text[] LOOP
    IF v_before -> v_column __EMPTY__ THEN
      v_salt := coalesce(v_salt, uuid_send(gen_random_uuid()));
      v_clear_before := coalesce(v_clear_before, '{}') || jsonb_build_object(v_column, v_before -> v_column);
      v_before := jsonb_set(v_before, ARRAY[v_column], audit_digest(v_salt, v_before -> v_column));
    END IF;
    IF v_after -> v_column __EMPTY__ THEN
      v_salt := coalesce(v_salt, uuid_send(gen_random_uuid()));
      v_clear_after := coalesce(v_clear_after, '{}') || jsonb_build_object(v_column, v_after -> v_column);
      v_after := jsonb_set(v_after, ARRAY[v_column], audit_digest(v_salt, v_after -> v_column));
    END IF;
  END LOOP;
  INSERT INTO audit_changes (action_id, table_name, row_id, before, after)
  VALUES (v_action, TG_TABLE_NAME, v_row, v_before, v_after) RETURNING id INTO v_change;
  IF v_salt IS NOT NULL THEN
    INSERT INTO audit_personal (change_id, salt, before, after) VALUES (v_change, v_salt, v_clear_before, v_clear_after);
  END IF;
  RETURN NULL;
END $$
"""
NOT_NULL, NOT_EMPTY = "<> 'null'", "NOT IN ('null', '[]', '{}')"

IS_ERASING = """
CREATE FUNCTION is_erasing() RETURNS boolean LANGUAGE sql STABLE AS $$
-- Whether this transaction is an action that erases a person.
  SELECT EXISTS (SELECT FROM audit_actions WHERE id = nullif(current_setting('app.action_id', true), '')::uuid
                    AND xid = pg_current_xact_id_if_assigned() AND name IN ('person.erase', 'person.erase_again'))
$$
"""
REFUSE_BUT_ERASURE = """
CREATE FUNCTION refuse_change_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
-- Append-only, but for the words that erasure takes out. Who may write them at all is a matter of privileges.
BEGIN
  IF TG_OP = 'UPDATE' AND is_erasing() THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% of % is not possible: what happened stays written', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""
# What the sealer digests of an action and its changes (guitaronline/audit/integrity.py).
DIGEST = """
CREATE FUNCTION audit_digest_of(p_action uuid) RETURNS bytea LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT sha256(convert_to(jsonb_build_array(
           a.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
           to_char(a.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), a.actor_id, a.actor_kind, a.name, a.reason,
           a.record_type, a.record_id, a.request_id, a.address, a.facts::text, a.xid::text,
           (SELECT jsonb_agg(jsonb_build_array(c.id, c.table_name, c.row_id, c.before::text, c.after::text) ORDER BY c.id)
              FROM audit_changes c WHERE c.action_id = a.id)
         )::text, 'UTF8'))
    FROM audit_actions a WHERE a.id = p_action
$$
"""
ERASE_REASONS = """
CREATE FUNCTION erase_reasons(p_actions uuid[], p_words boolean) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
-- The network address of each action is gone and, with p_words, its reason. What was sealed and what is left of it stand in
-- audit_redactions, which is under audit itself: the chain still proves the action, and that nothing else of it changed.
DECLARE
  v_action uuid;
  v_whole bytea;
  v_step int;
  v_count bigint := 0;
BEGIN
  IF NOT is_erasing() THEN
    RAISE EXCEPTION 'only an erasure takes words out of the audit' USING ERRCODE = 'insufficient_privilege';
  END IF;
  FOREACH v_action IN ARRAY p_actions LOOP
    SELECT coalesce(max(step), 0) + 1 INTO v_step FROM audit_redactions WHERE action_id = v_action;
    v_whole := coalesce((SELECT whole FROM audit_redactions WHERE action_id = v_action AND step = 1), audit_digest_of(v_action));
    UPDATE audit_actions SET address = NULL,
           reason = CASE WHEN p_words AND reason IS NOT NULL THEN '[erased]' ELSE reason END WHERE id = v_action;
    INSERT INTO audit_redactions (id, action_id, step, whole, rest)
    VALUES (gen_random_uuid(), v_action, v_step, v_whole, audit_digest_of(v_action));
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$
"""
ERASE_PERSONAL = """
CREATE FUNCTION erase_personal(p_table text, p_rows uuid[]) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
-- The clear values of every change of these rows are gone, and with the salt the way to try values on the digests.
DECLARE v_count bigint;
BEGIN
  IF NOT is_erasing() THEN
    RAISE EXCEPTION 'only an erasure takes clear values out of the audit' USING ERRCODE = 'insufficient_privilege';
  END IF;
  DELETE FROM audit_personal p USING audit_changes c
   WHERE c.id = p.change_id AND c.table_name = p_table AND c.row_id = ANY (p_rows);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$
"""
FUNCTIONS = (IS_ERASING, REFUSE_BUT_ERASURE, DIGEST, ERASE_REASONS, ERASE_PERSONAL)
EMPTY = "full_name = '' AND email IS NULL AND phone IS NULL AND password_hash IS NULL AND NOT is_active"


def upgrade() -> None:
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    _check("users", "only_children_lack_email", "email IS NOT NULL OR role = 'student' OR erased_at IS NOT NULL")
    _check("users", "erased_is_empty", f"erased_at IS NULL OR ({EMPTY})", is_new=True)
    formats = ", ".join(f"'{each}'" for each in FORMATS)
    _check("exports", "format_known", f"format IN ({formats})")
    _create_erasures()
    _create_redactions()
    _create_readings()
    for function in FUNCTIONS:
        op.execute(function)
    for function in ("erase_reasons(uuid[], boolean)", "erase_personal(text, uuid[])"):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(_to_app(f"GRANT EXECUTE ON FUNCTION {function}"))
    for table in ("audit_actions", "notes"):
        _guard(table, "refuse_change_but_erasure")
    op.get_bind().exec_driver_sql(AUDIT_ROW.replace("__EMPTY__", NOT_EMPTY))
    for table, personal in WITH_PERSONAL.items():
        _audit_rows(table, personal)
    op.execute("SELECT app_grant('notes', 'UPDATE (body, updated_at)')")
    op.execute("SELECT app_grant('kept_bookings', 'UPDATE (reason, updated_at)')")
    op.execute("SELECT app_grant('message_preferences', 'DELETE')")


def _check(table: str, name: str, rule: str, *, is_new: bool = False) -> None:
    """Every present row fits: the rule is wider than before, or about a column that is new. So none is looked at under the lock."""
    if not is_new:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID")


def _to_app(grant: str) -> str:
    """Nothing to do where one role does both."""
    quoted = grant.replace("'", "''")
    return (
        "DO $$ BEGIN IF current_setting('app.role') <> current_user THEN "
        f"EXECUTE format('{quoted} TO %I', current_setting('app.role')); END IF; END $$"
    )


def _guard(table: str, function: str) -> None:
    op.execute(f"DROP TRIGGER append_only ON {table}")
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def _audit_rows(table: str, personal: str) -> None:
    """From now on these columns stand in the audit as digests too; what was written before stays as it is."""
    op.execute(f"DROP TRIGGER audit_row ON {table}")
    op.execute(
        f"CREATE TRIGGER audit_row AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
        f" EXECUTE FUNCTION audit_row('{{}}', '{{{personal}}}')"
    )


def _create_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("erased_by", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name=op.f("fk_erasures_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("person_id", name="uq_erasures_person_id"),
    )
    op.create_index("ix_erasures_at", "erasures", ["at", "id"])
    op.execute("SELECT audit_attach('erasures')")
    op.execute("SELECT append_only_attach('erasures')")
    op.execute("SELECT app_grant('erasures', 'SELECT, INSERT')")


def _create_redactions() -> None:
    op.create_table(
        "audit_redactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("whole", sa.LargeBinary(), nullable=False),
        sa.Column("rest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("step >= 1", name=op.f("ck_audit_redactions_step_counts")),
        sa.ForeignKeyConstraint(["action_id"], ["audit_actions.id"], name=op.f("fk_audit_redactions_action_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_redactions")),
        sa.UniqueConstraint("action_id", "step", name="uq_audit_redactions_step"),
    )
    op.execute("SELECT audit_attach('audit_redactions')")
    op.execute("SELECT append_only_attach('audit_redactions')")
    op.execute("SELECT app_grant('audit_redactions', 'SELECT')")  # written by erase_reasons, which runs as the owner


def _create_readings() -> None:
    op.create_table(
        "contact_readings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reader_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name=op.f("fk_contact_readings_person_id")),
        sa.ForeignKeyConstraint(["reader_id"], ["users.id"], name=op.f("fk_contact_readings_reader_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_readings")),
        sa.UniqueConstraint("person_id", "reader_id", "day", name="uq_contact_readings_once"),
    )
    op.create_index("ix_contact_readings_last", "contact_readings", ["last_at", "id"])
    op.create_index("ix_contact_readings_reader", "contact_readings", ["reader_id", "last_at", "id"])
    op.execute("SELECT app_grant('contact_readings', 'SELECT, INSERT, UPDATE, DELETE')")


def downgrade() -> None:
    """Who was erased stays empty; only the rules go."""
    for table in ("audit_actions", "notes"):
        _guard(table, "refuse_change")
    op.get_bind().exec_driver_sql(AUDIT_ROW.replace("__EMPTY__", NOT_NULL))
    for table, personal in BEFORE.items():
        _audit_rows(table, personal)
    op.execute(_to_app("REVOKE UPDATE (body, updated_at) ON notes").replace(" TO %I", " FROM %I"))
    op.execute(_to_app("REVOKE UPDATE (reason, updated_at) ON kept_bookings").replace(" TO %I", " FROM %I"))
    op.execute(_to_app("REVOKE DELETE ON message_preferences").replace(" TO %I", " FROM %I"))
    for function in (
        "erase_personal(text, uuid[])",
        "erase_reasons(uuid[], boolean)",
        "audit_digest_of(uuid)",
        "refuse_change_but_erasure()",
        "is_erasing()",
    ):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("contact_readings", "audit_redactions", "erasures"):
        op.drop_table(table)
    _check("exports", "format_known", "format IN ('csv', 'xlsx')")
    op.drop_constraint(op.f("ck_users_erased_is_empty"), "users", type_="check")
    _check("users", "only_children_lack_email", "email IS NOT NULL OR role = 'student'")
    op.drop_column("users", "erased_at")
