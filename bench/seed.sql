-- The school that is measured: :teachers teachers, :students students with a token each, :past past bookings with their
-- lessons and ledger, and 20 open slots a teacher over the next eight weeks. Rows are put in as the owner, past the audit.
\set ON_ERROR_STOP on
SET session_replication_role = replica;
SET synchronous_commit = off;
SET timezone = 'UTC';
\set epoch '''2020-01-06 00:00+00'''

SET maintenance_work_mem = '512MB';

-- Indexes are built once at the end: the overlap constraints and everything that backs no constraint.
CREATE TEMP TABLE later AS
SELECT format('DROP INDEX %I', i.indexname) AS away, i.indexdef AS back FROM pg_indexes i
 WHERE i.tablename IN ('availability_slots', 'bookings', 'lessons', 'credit_entries')
   AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = format('%I', i.indexname)::regclass)
UNION ALL
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE contype = 'x';
SELECT away FROM later \gexec

CREATE FUNCTION pg_temp.u(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;

INSERT INTO users (id, email, email_key, full_name, timezone, role, created_at, updated_at)
SELECT pg_temp.u(1, n), 'teacher' || n || '@bench.example', 'teacher' || n || '@bench.example', 'Teacher ' || n, 'UTC', 'teacher', :epoch, :epoch
  FROM generate_series(1, :teachers) n;
INSERT INTO teacher_profiles (id, user_id, display_name, status, created_at, updated_at)
SELECT pg_temp.u(2, n), pg_temp.u(1, n), 'Teacher ' || n, 'active', :epoch, :epoch FROM generate_series(1, :teachers) n;
INSERT INTO users (id, email, email_key, full_name, timezone, role, created_at, updated_at)
SELECT pg_temp.u(3, n), 'student' || n || '@bench.example', 'student' || n || '@bench.example', 'Student ' || n, 'UTC', 'student', :epoch, :epoch
  FROM generate_series(1, :students) n;
INSERT INTO token_families (id, user_id, created_at, last_used_at, expires_at)
SELECT pg_temp.u(4, n), pg_temp.u(3, n), now(), now(), now() + interval '90 days' FROM generate_series(1, :students) n;
INSERT INTO api_tokens (id, family_id, access_hash, refresh_hash, created_at, access_expires_at, refresh_expires_at)
SELECT pg_temp.u(5, n), pg_temp.u(4, n), sha256(convert_to('gol_at_bench' || n, 'UTF8')), sha256(convert_to('gol_rt_bench' || n, 'UTF8')),
       now(), now() + interval '30 days', now() + interval '30 days'
  FROM generate_series(1, :students) n;

-- What is past: booking n is taught by teacher n % teachers in hour n / teachers, and learned by a student free in that hour.
INSERT INTO packages (id, student_id, origin, status, lessons_total, consumed, price_minor, currency, activated_at, created_at, updated_at)
SELECT pg_temp.u(6, n), pg_temp.u(3, n), 'granted', 'depleted', :per_student, :per_student, 0, 'USD', :epoch, :epoch, :epoch
  FROM generate_series(1, :students) n;
CREATE TEMP TABLE past AS
SELECT n, n % :teachers + 1 AS teacher, n % :students + 1 AS student, (n / :students) + 1 AS nth,
       :epoch::timestamptz + (n / :teachers) * interval '2 hours' AS start_at
  FROM generate_series(0, :students * :per_student - 1) n;
INSERT INTO availability_slots (id, teacher_id, start_at, end_at, status, created_at, updated_at)
SELECT pg_temp.u(7, n), pg_temp.u(1, teacher), start_at, start_at + interval '1 hour', 'open', :epoch, :epoch FROM past;
INSERT INTO bookings (id, slot_id, student_id, teacher_id, package_id, start_at, end_at, status, confirmed_at, policy, created_at, updated_at)
SELECT pg_temp.u(8, n), pg_temp.u(7, n), pg_temp.u(3, student), pg_temp.u(1, teacher), pg_temp.u(6, student), start_at,
       start_at + interval '1 hour', 'confirmed', :epoch, '{"refund_window_hours": 24}', :epoch, :epoch FROM past;
INSERT INTO lessons (id, booking_id, package_id, student_id, teacher_id, scheduled_start_at, scheduled_end_at, status, outcome_at, created_at, updated_at)
SELECT pg_temp.u(9, n), pg_temp.u(8, n), pg_temp.u(6, student), pg_temp.u(3, student), pg_temp.u(1, teacher), start_at,
       start_at + interval '1 hour', 'completed', start_at + interval '1 hour', :epoch, :epoch FROM past;
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, available, reserved, consumed, expired, revoked, created_at)
SELECT pg_temp.u(10, n), pg_temp.u(6, n), 1, 'grant', 'grant:' || pg_temp.u(6, n), :per_student, :per_student, 0, 0, 0, 0, :epoch
  FROM generate_series(1, :students) n;
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, d_reserved, available, reserved, consumed, expired, revoked, booking_id, created_at)
SELECT pg_temp.u(11, n), pg_temp.u(6, student), 2 * nth, 'hold', 'hold:' || pg_temp.u(8, n), -1, 1, :per_student - nth, 1, nth - 1, 0, 0, pg_temp.u(8, n), :epoch FROM past;
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_reserved, d_consumed, available, reserved, consumed, expired, revoked, booking_id, created_at)
SELECT pg_temp.u(12, n), pg_temp.u(6, student), 2 * nth + 1, 'consume', 'settle:' || pg_temp.u(8, n) || ':1', -1, 1, :per_student - nth, 0, nth, 0, 0, pg_temp.u(8, n), :epoch FROM past;

-- What is to come: a package of 500 lessons each, and the open slots. Slot k of all teachers is in hour k, so a student who
-- takes slots of different k never overlaps.
INSERT INTO packages (id, student_id, origin, status, lessons_total, available, price_minor, currency, activated_at, created_at, updated_at)
SELECT pg_temp.u(13, n), pg_temp.u(3, n), 'granted', 'active', 500, 500, 0, 'USD', :epoch, :epoch, :epoch FROM generate_series(1, :students) n;
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, available, reserved, consumed, expired, revoked, created_at)
SELECT pg_temp.u(14, n), pg_temp.u(13, n), 1, 'grant', 'grant:' || pg_temp.u(13, n), 500, 500, 0, 0, 0, 0, :epoch FROM generate_series(1, :students) n;
INSERT INTO availability_slots (id, teacher_id, start_at, end_at, status, created_at, updated_at)
SELECT pg_temp.u(15, k * :teachers + t), pg_temp.u(1, t), day + k * interval '62 hours', day + k * interval '62 hours' + interval '1 hour', 'open', :epoch, :epoch
  FROM generate_series(1, :teachers) t, generate_series(0, 19) k, date_trunc('hour', now() + interval '2 days') day;
SELECT back FROM later \gexec
SET session_replication_role = origin;
VACUUM ANALYZE;
CHECKPOINT;
