"""The inventory of teachers' time, bookings and lessons."""

from __future__ import annotations

from guitaronline.identity.access import Permission
from guitaronline.privacy.holding import holding

FOR_THE_BOOKS = "as long as the books: lessons are what was paid for"
OF_THE_SCHOOL = "for good; says nothing about a student"
THEIR_BOOKINGS = "SELECT id FROM bookings WHERE student_id = :person"

LESSONS = (
    holding(
        "weekly_hours",
        kept="until the hours are changed",
        seen=Permission.READ_BOOKINGS,
        whose="teacher_id = :person",
        key="id teacher_id",
        state="weekday lesson_minutes buffer_minutes",
        time="start_local end_local valid_from valid_until created_at updated_at",
    ),
    holding(
        "time_off",
        kept=OF_THE_SCHOOL,
        seen=Permission.MANAGE_SLOTS,
        whose="teacher_id = :person",
        emptied="reason=NULL",
        key="id reference teacher_id",
        words="reason",
        state="status version",
        time="start_at end_at created_at updated_at",
    ),
    holding(
        "closures",
        kept=OF_THE_SCHOOL,
        seen=Permission.READ_BOOKINGS,
        key="id reference uid",
        state="name status version",
        time="first_day last_day start_at end_at created_at updated_at",
    ),
    holding(
        "horizons",
        kept="one row for each teacher",
        whose="teacher_id = :person",
        given="",
        key="teacher_id",
        state="zone",
        time="until due_at",
    ),
    holding(
        "availability_slots",
        kept=OF_THE_SCHOOL,
        seen=Permission.READ_BOOKINGS,
        whose="teacher_id = :person",
        key="id reference teacher_id",
        state="status origin wall_zone version",
        time="start_at end_at busy_until kept_until wall_start created_at updated_at",
    ),
    holding(
        "bookings",
        kept=FOR_THE_BOOKS,
        seen=Permission.READ_BOOKINGS,
        whose="student_id = :person",
        emptied="cancellation_reason=NULL",
        key="id reference slot_id student_id teacher_id substituted_from_id package_id rescheduled_from_booking_id"
        " restored_from_booking_id series_id",
        words="cancellation_reason",
        state="status cancel_cause refund_returned revision policy decision version",
        time="start_at end_at hold_expires_at confirmed_at canceled_at series_day created_at updated_at",
    ),
    holding(
        "kept_bookings",
        kept=FOR_THE_BOOKS,
        seen=Permission.READ_BOOKINGS,
        whose=f"booking_id IN ({THEIR_BOOKINGS})",
        emptied="reason=NULL",
        key="id booking_id time_off_id closure_id",
        words="reason",
        time="created_at updated_at",
    ),
    holding(
        "lesson_series",
        kept=FOR_THE_BOOKS,
        seen=Permission.READ_BOOKINGS,
        whose="student_id = :person",
        key="id reference student_id teacher_id package_ids",
        state="weekday zone lesson_minutes interval_weeks status version",
        time="start_local first_day last_day created_at updated_at",
    ),
    holding(
        "waitlist_entries",
        kept=OF_THE_SCHOOL,
        seen=Permission.READ_BOOKINGS,
        whose="student_id = :person",
        key="id reference student_id teacher_id booking_id",
        state="lesson_minutes status passed_because version",
        time="from_at until_at created_at updated_at",
    ),
    holding(
        "waitlist_offers",
        kept=OF_THE_SCHOOL,
        seen=Permission.READ_BOOKINGS,
        whose="entry_id IN (SELECT id FROM waitlist_entries WHERE student_id = :person)",
        key="id entry_id slot_id booking_id",
        time="created_at",
    ),
    holding(
        "lessons",
        kept=FOR_THE_BOOKS,
        seen=Permission.READ_BOOKINGS,
        whose="student_id = :person",
        emptied="topic=NULL; notes=NULL; private_note=NULL; homework=NULL; links='{}'; join_url=NULL",
        key="id reference booking_id package_id student_id teacher_id",
        words="topic notes private_note homework links",
        contact="join_url",
        state="status no_show_side settlement is_returned version",
        time="scheduled_start_at scheduled_end_at outcome_at created_at updated_at",
    ),
)
