-- The history that a school of this size has: an action with two changes for every past booking, unsealed.
\set ON_ERROR_STOP on
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO audit_actions (id, at, recorded_at, actor_kind, name, record_type, record_id)
SELECT gen_random_uuid(), created_at, created_at, 'system', 'booking.confirm', 'bookings', id FROM bookings;
INSERT INTO audit_changes (action_id, table_name, row_id, before, after)
SELECT id, table_name, record_id, '{"status": "hold"}', '{"status": "confirmed"}'
  FROM audit_actions, (VALUES ('bookings'), ('lessons')) AS of (table_name) WHERE name = 'booking.confirm';
SET session_replication_role = origin;
VACUUM ANALYZE audit_actions, audit_changes;
CHECKPOINT;
