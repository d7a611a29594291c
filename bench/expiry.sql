-- Priced packages that are overdue, each with its grant; no trigger, no audit of the seeding. psql variable: packages.
\set ON_ERROR_STOP on
SET session_replication_role = replica;
DELETE FROM credit_entries; DELETE FROM packages; DELETE FROM users; DELETE FROM plans;
INSERT INTO plans (id, name, lessons_total, valid_days, books_breakage, is_trial, is_active, version, created_at, updated_at)
VALUES ('00000000-0000-4000-8000-000000000001', 'Bench: ten lessons', 10, 90, true, false, true, 1, now(), now());
INSERT INTO users (id, email, email_key, full_name, timezone, role, is_active, version, created_at, updated_at)
SELECT gen_random_uuid(), 'bench' || n || '@people.example', 'bench' || n || '@people.example', 'Bench ' || n, 'UTC', 'student', true, 1, now(), now() FROM generate_series(1, 1000) n;
WITH people AS (SELECT array_agg(id) AS ids FROM users WHERE email LIKE 'bench%@people.example')
INSERT INTO packages (id, student_id, plan_id, origin, is_trial, status, lessons_total, available, price_minor, currency, activated_at, expires_at, books_breakage,
                      version, created_at, updated_at)
SELECT gen_random_uuid(), ids[1 + n % 1000], '00000000-0000-4000-8000-000000000001', 'purchase', false, 'active', 10, 10, 39000 + n % 7, 'USD',
       now() - interval '91 days', now() - n * interval '1 second', true, 1, now() - interval '91 days', now() - interval '91 days'
  FROM people, generate_series(1, :packages) n;
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, d_reserved, d_consumed, d_expired, d_revoked,
                            available, reserved, consumed, expired, revoked, created_at)
SELECT gen_random_uuid(), id, 1, 'grant', 'grant:' || id, 10, 0, 0, 0, 0, 10, 0, 0, 0, 0, created_at FROM packages;
SET session_replication_role = origin;
ANALYZE packages, credit_entries, users;
