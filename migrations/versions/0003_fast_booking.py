"""The two hot commands as one statement each: `hold_slot_fast` and `confirm_booking_fast`, twins of `booking/service.py`."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Both do the plain case only, and only when every rule says yes; in any other case they raise GL001, which undoes
# everything, and the Python command decides, explains and refuses. So a rule that is missing here would be a bug that
# tests/booking/test_fast.py finds, but never a reason that is missing in a refusal.

HOLD = """
CREATE FUNCTION hold_slot_fast(
  p_action uuid, p_booking uuid, p_student uuid, p_request_id text, p_address text, p_at timestamptz, p_shift interval,
  p_key_user uuid, p_key_method text, p_key_path text, p_key text, p_key_hash bytea,
  p_slot uuid, p_package uuid, p_hold interval, p_notice interval, p_horizon interval, p_max_holds int, p_policy jsonb,
  p_entry uuid, p_event uuid
) RETURNS SETOF bookings LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_begun record;
  v_now timestamptz;
  v_slot availability_slots;
  v_package packages;
BEGIN
  SELECT * INTO v_begun FROM begin_action(p_action, p_student, 'student', 'booking.hold', NULL, 'bookings', p_booking, p_request_id,
    p_address, p_at, p_shift, p_key_user, p_key_method, p_key_path, p_key, p_key_hash);
  IF v_begun.claim <> 'new' THEN RAISE SQLSTATE 'GL001'; END IF;
  v_now := v_begun.now_at;

  PERFORM 1 FROM users WHERE id = p_student AND is_active AND role = 'student' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RAISE SQLSTATE 'GL001'; END IF;
  SELECT * INTO v_slot FROM availability_slots WHERE id = p_slot;
  IF NOT FOUND THEN RAISE SQLSTATE 'GL001'; END IF;
  IF p_package IS NULL THEN
    SELECT * INTO v_package FROM packages
     WHERE student_id = p_student AND status = 'active' AND frozen_at IS NULL AND available > 0
       AND (expires_at IS NULL OR expires_at >= v_slot.start_at)
       AND (lesson_minutes IS NULL OR lesson_minutes * interval '1 minute' = v_slot.end_at - v_slot.start_at)
     ORDER BY expires_at NULLS LAST, id LIMIT 1;
    IF NOT FOUND THEN RAISE SQLSTATE 'GL001'; END IF;
    p_package := v_package.id;
  END IF;
  SELECT * INTO v_package FROM packages WHERE id = p_package AND student_id = p_student FOR NO KEY UPDATE;
  IF NOT FOUND OR v_package.status <> 'active' OR v_package.frozen_at IS NOT NULL OR v_package.available < 1
     OR v_package.expires_at < v_slot.start_at
     OR v_package.lesson_minutes * interval '1 minute' <> v_slot.end_at - v_slot.start_at THEN RAISE SQLSTATE 'GL001'; END IF;
  SELECT * INTO v_slot FROM availability_slots WHERE id = p_slot FOR NO KEY UPDATE;
  IF v_slot.status <> 'open' OR v_slot.start_at <= v_now + p_notice OR v_slot.start_at > v_now + p_horizon
     OR v_slot.teacher_id = p_student THEN RAISE SQLSTATE 'GL001'; END IF;
  PERFORM 1 FROM teacher_profiles t JOIN users u ON u.id = t.user_id
    WHERE t.user_id = v_slot.teacher_id AND t.status = 'active' AND u.is_active AND u.role = 'teacher';
  IF NOT FOUND THEN RAISE SQLSTATE 'GL001'; END IF;
  PERFORM 1 FROM bookings WHERE slot_id = p_slot AND status IN ('hold', 'confirmed');
  IF FOUND THEN RAISE SQLSTATE 'GL001'; END IF;
  PERFORM 1 FROM bookings
    WHERE student_id = p_student AND status IN ('hold', 'confirmed') AND start_at < v_slot.end_at AND end_at > v_slot.start_at
      AND start_at > v_slot.start_at - interval '4 hours';  -- no slot is longer: ix_bookings_student_start, not the slower GiST
  IF FOUND THEN RAISE SQLSTATE 'GL001'; END IF;
  PERFORM 1 FROM bookings WHERE student_id = p_student AND status = 'hold'
    HAVING count(*) >= p_max_holds OR bool_or(hold_expires_at <= v_now);
  IF FOUND THEN RAISE SQLSTATE 'GL001'; END IF;

  UPDATE packages SET available = available - 1, reserved = reserved + 1, version = version + 1, updated_at = v_now
   WHERE id = p_package RETURNING * INTO v_package;
  INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, d_reserved,
    available, reserved, consumed, expired, revoked, booking_id, created_at)
  VALUES (p_entry, p_package, (SELECT coalesce(max(sequence), 0) + 1 FROM credit_entries WHERE package_id = p_package), 'hold',
    'hold:' || p_booking, -1, 1, v_package.available, v_package.reserved, v_package.consumed, v_package.expired, v_package.revoked,
    p_booking, v_now);
  INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at)
  VALUES (p_event, 'booking.held', 'bookings', p_booking,
    jsonb_build_object('student_id', p_student, 'teacher_id', v_slot.teacher_id), p_action, v_now, v_now);
  RETURN QUERY
  INSERT INTO bookings (id, slot_id, student_id, teacher_id, package_id, start_at, end_at, status, hold_expires_at, policy, created_at, updated_at)
  VALUES (p_booking, p_slot, p_student, v_slot.teacher_id, p_package, v_slot.start_at, v_slot.end_at, 'hold',
    least(v_now + p_hold, v_slot.start_at), p_policy, v_now, v_now)
  RETURNING *;
END $$
"""

CONFIRM = """
CREATE FUNCTION confirm_booking_fast(
  p_action uuid, p_student uuid, p_request_id text, p_address text, p_at timestamptz, p_shift interval,
  p_key_user uuid, p_key_method text, p_key_path text, p_key text, p_key_hash bytea,
  p_booking uuid, p_entry uuid, p_lesson uuid, p_event uuid, p_lesson_event uuid
) RETURNS SETOF bookings LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_begun record;
  v_now timestamptz;
  v_booking bookings;
  v_package packages;
BEGIN
  SELECT * INTO v_begun FROM begin_action(p_action, p_student, 'student', 'booking.confirm', NULL, 'bookings', p_booking, p_request_id,
    p_address, p_at, p_shift, p_key_user, p_key_method, p_key_path, p_key, p_key_hash);
  IF v_begun.claim <> 'new' THEN RAISE SQLSTATE 'GL001'; END IF;
  v_now := v_begun.now_at;

  SELECT p.* INTO v_package FROM packages p
   WHERE p.id = (SELECT b.package_id FROM bookings b WHERE b.id = p_booking AND b.student_id = p_student) FOR NO KEY UPDATE;
  IF NOT FOUND OR v_package.status <> 'active' OR v_package.available + v_package.reserved < 2 THEN RAISE SQLSTATE 'GL001'; END IF;
  SELECT * INTO v_booking FROM bookings WHERE id = p_booking FOR NO KEY UPDATE;
  IF v_booking.status <> 'hold' OR v_booking.hold_expires_at <= v_now THEN RAISE SQLSTATE 'GL001'; END IF;

  UPDATE packages SET reserved = reserved - 1, consumed = consumed + 1, version = version + 1, updated_at = v_now
   WHERE id = v_package.id RETURNING * INTO v_package;
  INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_reserved, d_consumed,
    available, reserved, consumed, expired, revoked, booking_id, created_at)
  VALUES (p_entry, v_package.id, (SELECT coalesce(max(sequence), 0) + 1 FROM credit_entries WHERE package_id = v_package.id), 'consume',
    'settle:' || p_booking || ':1', -1, 1, v_package.available, v_package.reserved, v_package.consumed, v_package.expired,
    v_package.revoked, p_booking, v_now);
  INSERT INTO lessons (id, booking_id, package_id, student_id, teacher_id, scheduled_start_at, scheduled_end_at, status, created_at, updated_at)
  VALUES (p_lesson, p_booking, v_package.id, v_booking.student_id, v_booking.teacher_id, v_booking.start_at, v_booking.end_at, 'scheduled',
    v_now, v_now);
  INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at)
  VALUES
    (p_event, 'booking.confirmed', 'bookings', p_booking,
      jsonb_build_object('student_id', v_booking.student_id, 'teacher_id', v_booking.teacher_id), p_action, v_now, v_now),
    (p_lesson_event, 'lesson.created', 'lessons', p_lesson,
      jsonb_build_object('booking_id', p_booking, 'student_id', v_booking.student_id, 'teacher_id', v_booking.teacher_id), p_action, v_now, v_now);
  RETURN QUERY
  UPDATE bookings SET status = 'confirmed', confirmed_at = v_now, version = version + 1, updated_at = v_now WHERE id = p_booking RETURNING *;
END $$
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(HOLD)  # as it stands: `:1` is no parameter
    op.get_bind().exec_driver_sql(CONFIRM)


def downgrade() -> None:
    op.execute("DROP FUNCTION confirm_booking_fast")
    op.execute("DROP FUNCTION hold_slot_fast")
