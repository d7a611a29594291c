-- :messages mails that wait, of the confirmed bookings to come; :delivered that were sent long ago. No trigger, no foreign key.
\set ON_ERROR_STOP on
SET session_replication_role = replica;
SET synchronous_commit = off;
TRUNCATE message_attempts, message_bodies, messages, channel_states;
WITH told AS (SELECT array_agg(id) AS ids, array_agg(student_id) AS people, array_agg(revision) AS revisions FROM bookings WHERE start_at > now() AND status = 'confirmed')
INSERT INTO messages (id, event_id, kind, person_id, channel, record_type, record_id, facts, happened_at, available_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'booking_confirmed', people[1 + n % array_length(ids, 1)], 'email', 'bookings', ids[1 + n % array_length(ids, 1)],
       jsonb_build_object('revision', revisions[1 + n % array_length(ids, 1)]), now(), now() - interval '1 minute' + n * interval '1 microsecond'
  FROM told, generate_series(1, :messages) n;
INSERT INTO messages (id, event_id, kind, person_id, channel, record_type, record_id, facts, happened_at, available_at, status, sent_at, closed_at, attempts, reference)
SELECT gen_random_uuid(), gen_random_uuid(), 'booking_confirmed', gen_random_uuid(), 'email', 'bookings', gen_random_uuid(), '{}', now() - n * interval '5 seconds',
       now() - n * interval '5 seconds', 'sent', now() - n * interval '5 seconds', now() - n * interval '5 seconds', 1, '<' || n || '@bench.example>'
  FROM generate_series(1, :delivered) n;
SET session_replication_role = origin;
VACUUM ANALYZE messages;
