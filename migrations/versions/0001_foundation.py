"""Extensions and the functions that the schema stands on: audit, append-only, references, grants."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFERENCES = """
CREATE FUNCTION make_reference(p_prefix text, p_sequence text) RETURNS text LANGUAGE plpgsql AS $$
-- BK-7Q4M2: five (later six, seven) letters of Crockford's base 32. Odd multiplier: a bijection, so never a collision.
DECLARE
  n bigint := nextval(p_sequence::regclass);
  digits int := 5;
  alphabet constant text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  code text := '';
BEGIN
  WHILE n >= (1::bigint << (5 * digits)) LOOP digits := digits + 1; END LOOP;
  n := (n * 20214773 + 11863279) & ((1::bigint << (5 * digits)) - 1);
  FOR i IN 1..digits LOOP
    code := substr(alphabet, (n & 31)::int + 1, 1) || code;
    n := n >> 5;
  END LOOP;
  RETURN p_prefix || '-' || code;
END $$
"""

BEGIN_ACTION = """
CREATE FUNCTION begin_action(
  p_id uuid, p_actor_id uuid, p_actor_kind text, p_name text, p_reason text, p_record_type text, p_record_id uuid,
  p_request_id text, p_address text, p_at timestamptz, p_shift interval,
  p_key_user uuid, p_key_method text, p_key_path text, p_key text, p_key_hash bytea,
  OUT now_at timestamptz, OUT claim text, OUT answer_status int, OUT answer text
) LANGUAGE plpgsql AS $$
-- Begins a unit of work: the moment, the answer of an Idempotency-Key if there is one, the action, and its id for the triggers.
DECLARE seen idempotency_keys;
BEGIN
  now_at := coalesce(p_at, clock_timestamp() + coalesce(p_shift, interval '0'));
  claim := 'new';
  IF p_key IS NOT NULL THEN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', p_key_user, p_key_method, p_key_path, p_key), 0)) THEN
      claim := 'running';
      RETURN;
    END IF;
    SELECT * INTO seen FROM idempotency_keys k
     WHERE k.user_id = p_key_user AND k.method = p_key_method AND k.path = p_key_path AND k.key = p_key;
    IF FOUND THEN
      claim := CASE WHEN seen.body_hash = p_key_hash THEN 'answered' ELSE 'reused' END;
      answer_status := seen.http_status;
      answer := seen.answer;
      RETURN;
    END IF;
  END IF;
  PERFORM set_config('app.action_id', p_id::text, true);
  INSERT INTO audit_actions (id, at, actor_id, actor_kind, name, reason, record_type, record_id, request_id, address)
  VALUES (p_id, now_at, p_actor_id, p_actor_kind, p_name, p_reason, p_record_type, p_record_id, p_request_id, p_address);
END $$
"""

AUDIT_GUARD = """
CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- (No sequential scan: a plan made while the table was small would be kept while it grows.)
-- Before any statement on a business table, also one that matches no row: there must be an action of this transaction.
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM audit_actions
     WHERE id = nullif(current_setting('app.action_id', true), '')::uuid AND xid = pg_current_xact_id()
  ) THEN
    RAISE EXCEPTION 'a write to % needs an audit action of its own transaction', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$
"""

AUDIT_ROW = """
CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
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
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO v_before, v_after
      FROM jsonb_each(v_before) o JOIN jsonb_each(v_after) n ON n.key = o.key
     WHERE o.value IS DISTINCT FROM n.value;
    IF v_before IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
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

AUDIT_DIGEST = """
CREATE FUNCTION audit_digest(p_salt bytea, p_value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT to_jsonb('sha256:' || encode(sha256(p_salt || convert_to(p_value::text, 'UTF8')), 'hex'))
$$
"""

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is not possible: what happened stays written', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""

ATTACH = """
CREATE FUNCTION audit_attach(p_table regclass, p_secret text[] DEFAULT '{}', p_personal text[] DEFAULT '{}', p_rows boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql AS $$
-- Puts a table under audit. p_rows false: rows derived in bulk, summarised on the action; the action is demanded all the same.
BEGIN
  EXECUTE format('CREATE TRIGGER audit_guard BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit_guard()', p_table);
  EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', p_table);
  IF p_rows THEN
    EXECUTE format('CREATE TRIGGER audit_row AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit_row(%L, %L)',
                   p_table, p_secret, p_personal);
  END IF;
END $$;

CREATE FUNCTION append_only_attach(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', p_table);
END $$;

CREATE FUNCTION app_grant(p_table regclass, p_privileges text) RETURNS void LANGUAGE plpgsql AS $$
-- Privileges of the application's role; nothing to do where one role does both (not for production).
BEGIN
  IF current_setting('app.role') <> current_user THEN
    EXECUTE format('GRANT %s ON %s TO %I', p_privileges, p_table, current_setting('app.role'));
  END IF;
END $$;
"""

SEQUENCES = ("user", "slot", "package", "payment", "refund", "booking", "lesson")


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("SET LOCAL check_function_bodies = off")  # the tables come with 0002
    for function in (REFERENCES, BEGIN_ACTION, AUDIT_GUARD, AUDIT_DIGEST, AUDIT_ROW, REFUSE_CHANGE, ATTACH):
        op.execute(function)
    op.execute("REVOKE EXECUTE ON FUNCTION audit_row() FROM PUBLIC")
    for name in SEQUENCES:
        op.execute(f"CREATE SEQUENCE {name}_reference")
        op.execute(f"SELECT app_grant('{name}_reference', 'USAGE')")


def downgrade() -> None:
    for name in SEQUENCES:
        op.execute(f"DROP SEQUENCE {name}_reference")
    for function in (
        "app_grant(regclass, text)",
        "append_only_attach(regclass)",
        "audit_attach(regclass, text[], text[], boolean)",
        "refuse_change()",
        "audit_row()",
        "audit_digest(bytea, jsonb)",
        "audit_guard()",
        "begin_action",
        "make_reference(text, text)",
    ):
        op.execute(f"DROP FUNCTION {function}")
