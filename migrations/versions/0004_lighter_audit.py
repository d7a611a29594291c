"""The audit's row trigger finds what changed without a join: about a tenth off an audited update of a package."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEGIN = """
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
"""

OLD_DIFF = """
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO v_before, v_after
      FROM jsonb_each(v_before) o JOIN jsonb_each(v_after) n ON n.key = o.key
     WHERE o.value IS DISTINCT FROM n.value;
    IF v_before IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
"""

NEW_DIFF = """
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
"""

REST = """
  FOREACH v_column IN ARRAY TG_ARGV[0]::text[] LOOP
    IF jsonb_typeof(v_before -> v_column) <> 'null' THEN v_before := jsonb_set(v_before, ARRAY[v_column], '"***"'); END IF;
    IF jsonb_typeof(v_after -> v_column) <> 'null' THEN v_after := jsonb_set(v_after, ARRAY[v_column], '"***"'); END IF;
  END LOOP;
  FOREACH v_column IN ARRAY TG_ARGV[1]::text[] LOOP
    IF jsonb_typeof(v_before -> v_column) <> 'null' THEN
      v_salt := coalesce(v_salt, uuid_send(gen_random_uuid()));
      v_clear_before := coalesce(v_clear_before, '{}') || jsonb_build_object(v_column, v_before -> v_column);
      v_before := jsonb_set(v_before, ARRAY[v_column], audit_digest(v_salt, v_before -> v_column));
    END IF;
    IF jsonb_typeof(v_after -> v_column) <> 'null' THEN
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


def upgrade() -> None:
    op.get_bind().exec_driver_sql(BEGIN + NEW_DIFF + REST)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(BEGIN + OLD_DIFF + REST)
