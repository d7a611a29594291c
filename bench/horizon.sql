-- Weekly hours for the teachers of `seed.sql`: 20 lessons a week over five days, in zones of four continents; nothing made yet.
\set ON_ERROR_STOP on
SET session_replication_role = replica;
SET synchronous_commit = off;
DELETE FROM availability_slots WHERE start_at > now();
UPDATE users SET timezone = (ARRAY['Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'Asia/Tokyo', 'Australia/Lord_Howe'])
    [1 + abs(hashtext(id::text)) % 5]
 WHERE role = 'teacher';
INSERT INTO weekly_hours (id, teacher_id, weekday, start_local, end_local, lesson_minutes, buffer_minutes, created_at, updated_at)
SELECT gen_random_uuid(), id, weekday, '14:00', '19:00', 60, 15, now(), now()
  FROM users, generate_series(0, 4) weekday WHERE role = 'teacher';
SET session_replication_role = origin;
VACUUM ANALYZE availability_slots, users, weekly_hours;
-- No slot is ever deleted but here: what was deleted would leave wide keys in the index, and every insert would look there.
REINDEX INDEX slots_no_teacher_overlap;
CHECKPOINT;
