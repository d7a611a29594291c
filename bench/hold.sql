-- The effects of one hold as 12 plain statements: the yardstick of `make bench`, for pgbench. Each client takes slots of its own.
\set i :i + 1
\set n :client_id * 1200 + :i + 60000
\set student :client_id * 625 + :i % 625 + 1
BEGIN;
SELECT u.id, u.role FROM api_tokens t JOIN token_families f ON f.id = t.family_id JOIN users u ON u.id = f.user_id WHERE t.access_hash = sha256(convert_to('gol_at_bench' || :student, 'UTF8')) AND t.revoked_at IS NULL AND f.revoked_at IS NULL AND u.is_active AND t.access_expires_at > clock_timestamp();
SELECT now_at FROM begin_action(gen_random_uuid(), bench_u(3, :student), 'student', 'booking.hold', NULL, 'bookings', bench_u(16, :n), 'bench', '127.0.0.1', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT id FROM users WHERE id = bench_u(3, :student) FOR NO KEY UPDATE;
SELECT id, available, status, expires_at FROM packages WHERE id = bench_u(13, :student) FOR NO KEY UPDATE;
SELECT s.id, s.status, p.status FROM availability_slots s JOIN teacher_profiles p ON p.user_id = s.teacher_id WHERE s.id = bench_u(15, :n) FOR NO KEY UPDATE OF s;
SELECT count(*) FROM bookings WHERE student_id = bench_u(3, :student) AND status IN ('hold', 'confirmed') AND start_at > clock_timestamp();
INSERT INTO bookings (id, slot_id, student_id, teacher_id, package_id, start_at, end_at, status, hold_expires_at, policy, created_at, updated_at) SELECT bench_u(16, :n), id, bench_u(3, :student), teacher_id, bench_u(13, :student), start_at, end_at, 'hold', clock_timestamp() + interval '10 minutes', '{"refund_window_hours": 24}', clock_timestamp(), clock_timestamp() FROM availability_slots WHERE id = bench_u(15, :n);
UPDATE packages SET available = available - 1, reserved = reserved + 1, version = version + 1, updated_at = clock_timestamp() WHERE id = bench_u(13, :student);
INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, d_reserved, available, reserved, consumed, expired, revoked, booking_id, created_at) SELECT gen_random_uuid(), id, 1000 + :n, 'hold', 'hold:' || bench_u(16, :n), -1, 1, available, reserved, consumed, expired, revoked, bench_u(16, :n), clock_timestamp() FROM packages WHERE id = bench_u(13, :student);
INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at) VALUES (gen_random_uuid(), 'booking.held', 'bookings', bench_u(16, :n), '{}', current_setting('app.action_id')::uuid, clock_timestamp(), clock_timestamp());
INSERT INTO idempotency_keys (id, user_id, method, path, key, body_hash, http_status, answer, created_at) VALUES (gen_random_uuid(), bench_u(3, :student), 'POST', '/api/v1/booking/hold', 'bench-' || :n, '\x00', 200, '{}', clock_timestamp());
SELECT * FROM bookings WHERE id = bench_u(16, :n);
COMMIT;
