"""THE table of what becomes of a student's rows when their record turns out to be another one's: every column that points to
a person stands here, with its reason where it stays. A test holds it against the models.

What was issued, signed or sent to an address stays as it was: history is not rewritten. What is used from now on moves."""

from __future__ import annotations

from dataclasses import dataclass

STAFF = "only staff stand there, and staff are not merged"
TEACHER = "only teachers stand there, and teachers are not merged"
SIGN_IN = "ways to sign in to the record that is given up; they are ended"


@dataclass(frozen=True)
class Place:
    """Rows of `table` whose `column` is the loser and for which `only` holds go to the winner, but for those that `unless`
    names: the winner has the like already. In both, `t` is the row, :winner and :loser the two."""

    table: str
    column: str
    words: str  # what people call these rows
    only: str = "true"
    unless: str = "false"

    @property
    def key(self) -> str:
        return f"{self.table}.{self.column}"


MOVING = (  # in the order in which they are locked and written
    Place("payments", "student_id", "payments with their refunds and disputes"),
    Place("packages", "student_id", "packages with their lessons"),
    Place("bookings", "student_id", "bookings"),
    Place("lessons", "student_id", "lessons"),
    Place("lesson_series", "student_id", "weekly lessons"),
    Place("waitlist_entries", "student_id", "places in waitlists"),
    Place(
        "guardians", "student_id", "guardians",
        unless="t.guardian_id = :winner OR EXISTS (SELECT FROM guardians o WHERE o.student_id = :winner AND o.guardian_id = t.guardian_id)",
    ),
    Place(
        "guardians", "guardian_id", "children whom they stand for",
        unless="t.student_id = :winner OR EXISTS (SELECT FROM guardians o WHERE o.guardian_id = :winner AND o.student_id = t.student_id)",
    ),
    Place("tasks", "record_id", "tasks about them", only="t.record_type = 'users'"),
    Place(
        "billing_addresses", "user_id", "billing address",
        unless="EXISTS (SELECT FROM billing_addresses o WHERE o.user_id = :winner)",
    ),
    Place(
        "calendar_feeds", "user_id", "calendar feeds",
        unless="t.revoked_at IS NULL AND EXISTS (SELECT FROM calendar_feeds o WHERE o.user_id = :winner AND o.revoked_at IS NULL)",
    ),
    Place(
        "message_preferences", "person_id", "what they switched off",
        unless="EXISTS (SELECT FROM message_preferences o WHERE o.person_id = :winner AND o.preference = t.preference)",
    ),
    Place(
        "messages", "person_id", "messages",
        unless="EXISTS (SELECT FROM messages o WHERE o.event_id = t.event_id AND o.channel = t.channel AND o.person_id = :winner)",
    ),
)  # fmt: skip

STAYING = {  # table.column → why
    "users.merged_into_id": "a pointer leads to the next pointer, and so to the person",
    "notes.author_id": STAFF,
    "tasks.owner_id": STAFF,
    "view_as_sessions.viewer_id": STAFF,
    "view_as_sessions.person_id": "which record was looked at is history",
    "console_sessions.user_id": SIGN_IN,
    "token_families.user_id": SIGN_IN,
    "sign_in_links.user_id": SIGN_IN,
    "known_devices.user_id": "the devices of a sign-in that is ended",
    "former_addresses.user_id": "told once that it is over, then forgotten",
    "invoices.student_id": "issued for that record, for good",
    "credit_notes.student_id": "issued for that record, for good",
    "credit_cancellations.student_id": "issued for that record, for good",
    "person_merges.winner_id": "history",
    "person_merges.loser_id": "history",
    "duplicate_pairs.first_id": "the pair is what was found",
    "duplicate_pairs.second_id": "the pair is what was found",
    "opening_imports.made_by": STAFF,
    "service_keys.created_by": STAFF,
    "webhook_endpoints.owner_id": STAFF,
    "totp_uses.user_id": SIGN_IN,
    "recovery_codes.user_id": SIGN_IN,
    "address_changes.user_id": SIGN_IN,
    "contact_readings.person_id": "whose record was read is history",
    "contact_readings.reader_id": STAFF,
    "erasures.person_id": "an erased record is not merged",
    **dict.fromkeys(
        ("lessons.teacher_id", "availability_slots.teacher_id", "lesson_series.teacher_id", "waitlist_entries.teacher_id",
         "bookings.substituted_from_id", "teacher_profiles.user_id", "weekly_hours.teacher_id", "horizons.teacher_id", "time_off.teacher_id",
         "teacher_rates.teacher_id", "teacher_statements.teacher_id", "statement_extras.teacher_id"),
        TEACHER,
    ),
    **dict.fromkeys(
        ("teacher_statements.approved_by", "statement_extras.made_by", "settlement_files.uploaded_by",
         "reconciliation_exceptions.owner_id", "reconciliation_exceptions.decided_by", "reconciliation_periods.prepared_by",
         "reconciliation_periods.reviewed_by", "payment_exceptions.resolved_by", "refunds.requested_by", "refund_credits.requested_by",
         "approvals.requested_by", "approvals.decided_by", "disputes.owner_id", "saved_views.owner_id", "bulk_runs.owner_id",
         "exports.owner_id"),
        STAFF,
    ),
}  # fmt: skip
