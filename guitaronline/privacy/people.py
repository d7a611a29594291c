"""The inventory of people, how they sign in, and what they are told."""

from __future__ import annotations

from guitaronline.identity.access import Permission
from guitaronline.privacy.holding import holding

UNTIL_ERASED = "until the person is erased"
A_MONTH = "30 days after they ended"
RECORDS = (  # rows about a student, as notes and tasks name them: table → condition
    ("users", "id = :person"),
    ("teacher_profiles", "user_id = :person"),
    ("bookings", "student_id = :person"),
    ("lessons", "student_id = :person"),
    ("packages", "student_id = :person"),
    ("payments", "student_id = :person"),
    ("refunds", "payment_id IN (SELECT id FROM payments WHERE student_id = :person)"),
    ("lesson_series", "student_id = :person"),
    ("waitlist_entries", "student_id = :person"),
)
ABOUT_THEM = " OR ".join(
    f"(record_type = '{table}' AND record_id IN (SELECT id FROM {table} WHERE {condition}))"  # constants
    for table, condition in RECORDS
)
THEIR_MESSAGES = (  # also what others were told about them: a teacher, a guardian
    "SELECT id FROM messages WHERE person_id = :person"
    f" UNION SELECT id FROM messages WHERE {ABOUT_THEM}"  # constants; ix_messages_person, ix_messages_record
)

PEOPLE = (
    holding(
        "users",
        kept=UNTIL_ERASED,
        seen=Permission.READ_PEOPLE,
        whose="id = :person",
        emptied="full_name=''; email=NULL; email_key=NULL; phone=NULL; timezone='UTC'; language=NULL; instrument=NULL;"
        " level=NULL; address_problem=NULL; address_problem_at=NULL; email_verified_at=NULL; password_hash=NULL;"
        " totp_secret=NULL; is_active=false; erased_at=:now",
        key="id reference",
        name="full_name",
        contact="email email_key phone",
        trait="timezone language instrument level",
        words="address_problem",
        secret="password_hash totp_secret",  # names of columns
        state="role is_active is_test version",
        time="email_verified_at address_problem_at erased_at created_at updated_at",
    ),
    holding(
        "guardians",
        kept="until it is removed, or one of the two is erased",
        seen=Permission.READ_PEOPLE,
        whose="student_id = :person OR guardian_id = :person",
        goes=True,
        key="id guardian_id student_id",
        trait="relation",
        state="pays receives_messages",
        time="created_at updated_at",
    ),
    holding(
        "notes",
        kept=UNTIL_ERASED,
        seen=Permission.WRITE_NOTES,
        whose=ABOUT_THEM,
        emptied="body='[erased]'",
        key="id record_id author_id",
        state="record_type",
        words="body",
        time="created_at updated_at",
    ),
    holding(
        "tasks",
        kept=UNTIL_ERASED,
        seen=Permission.WRITE_NOTES,
        whose=ABOUT_THEM,
        emptied="title='[erased]'",
        key="id record_id owner_id",
        state="record_type status version",
        words="title",
        time="due_on closed_at created_at updated_at",
    ),
    holding(
        "teacher_profiles",
        kept=UNTIL_ERASED,
        seen=Permission.READ_PEOPLE,
        whose="user_id = :person",
        emptied="display_name=''; bio=''; tags='{}'; meeting_url=NULL; experience_years=0",
        key="id user_id",
        name="display_name",
        words="bio tags",
        contact="meeting_url",
        trait="experience_years",
        state="status version",
        time="created_at updated_at",
    ),
    holding(
        "console_sessions",
        kept=A_MONTH,
        seen=Permission.READ_PEOPLE,
        whose="user_id = :person",
        goes=True,
        key="id user_id",
        secret="token_hash",  # the name of a column
        place="address device",
        time="created_at last_seen_at expires_at revoked_at",
    ),
    holding(
        "view_as_sessions",
        kept="90 days",
        seen=Permission.READ_AUDIT,
        whose="person_id = :person",
        key="id session_id viewer_id person_id",
        time="started_at until ended_at",
    ),
    holding(
        "api_tokens",
        kept=A_MONTH,
        whose="family_id IN (SELECT id FROM token_families WHERE user_id = :person)",
        given="",
        goes=True,
        key="id family_id successor_id",
        secret="access_hash refresh_hash",  # names of columns
        time="created_at access_expires_at refresh_expires_at used_at revoked_at",
    ),
    holding(
        "token_families",
        kept=A_MONTH,
        seen=Permission.READ_PEOPLE,
        whose="user_id = :person",
        goes=True,
        key="id user_id",
        place="device_label",
        state="revoke_reason",
        time="created_at last_used_at expires_at revoked_at",
    ),
    holding(
        "sign_in_links",
        kept=A_MONTH,
        whose="user_id = :person",
        goes=True,
        key="id user_id",
        state="purpose",
        secret="token_hash",  # the name of a column
        time="created_at expires_at used_at",
    ),
    holding(
        "known_devices",
        kept="400 days after the last use",
        whose="user_id = :person",
        goes=True,
        key="id user_id",
        secret="mark",  # the name of a column
        time="created_at last_seen_at",
    ),
    holding(
        "former_addresses",
        kept="30 days",
        whose="user_id = :person",
        goes=True,
        key="id user_id",
        contact="email",
        time="created_at",
    ),
    holding(
        "failed_logins",
        kept="2 days",
        key="id",
        secret="account_digest address_digest",  # names of columns
        time="at",
    ),
    holding(
        "calendar_feeds",
        kept="until the feed is ended",
        seen=Permission.READ_PEOPLE,
        whose="user_id = :person",
        emptied="revoked_at=coalesce(revoked_at,:now)",
        key="id user_id",
        secret="token_hash",  # the name of a column
        time="revoked_at created_at updated_at",
    ),
    holding(
        "message_attempts",
        kept="MESSAGE_KEEP_DAYS",
        seen=Permission.READ_MESSAGES,
        whose=f"message_id IN ({THEIR_MESSAGES})",
        given="",
        goes=True,
        key="id message_id",
        state="number outcome",
        technical="code",
        words="answer",
        time="started_at finished_at",
    ),
    holding(
        "message_bodies",
        kept="MESSAGE_KEEP_DAYS",
        seen=Permission.READ_MESSAGES,
        whose=f"id IN ({THEIR_MESSAGES})",
        given="id IN (SELECT id FROM messages WHERE person_id = :person)",
        goes=True,
        key="id",
        contact="sent_to",
        trait="language",
        words="subject text html calendar",
        time="created_at",
    ),
    holding(
        "message_reports",
        kept="90 days",
        seen=Permission.READ_MESSAGES,
        whose=f"message_id IN ({THEIR_MESSAGES})",
        given="",
        goes=True,
        key="id event_id message_id",
        state="channel status",
        copy="body",
        technical="attempts available_at lease_token lease_until last_error",
        time="received_at closed_at",
    ),
    holding(
        "messages",
        kept="MESSAGE_KEEP_DAYS",
        seen=Permission.READ_MESSAGES,
        whose="person_id = :person",
        key="id event_id person_id record_id reference",
        state="kind channel record_type facts status suppressed_because",
        technical="attempts lease_token lease_until last_error",
        time="happened_at created_at available_at not_after handed_at sent_at closed_at",
    ),
    holding(
        "message_preferences",
        kept=UNTIL_ERASED,
        seen=Permission.READ_PEOPLE,
        whose="person_id = :person",
        goes=True,
        key="id person_id",
        state="preference is_on",
        time="created_at updated_at",
    ),
    holding(
        "channel_states",
        kept="one row for each channel",
        seen=Permission.READ_CHECKS,
        state="channel failures",
        technical="last_error",
        time="open_until next_at last_sent_at",
    ),
    holding(
        "contact_readings",
        kept="400 days",
        seen=Permission.READ_AUDIT,
        whose="person_id = :person",
        key="id person_id reader_id",
        state="times",
        time="day first_at last_at",
    ),
    holding(
        "erasures",
        kept="for good: after a restore everybody in it is erased again",
        seen=Permission.READ_AUDIT,
        whose="person_id = :person",
        key="id person_id erased_by digest",
        state="counts",
        time="at",
    ),
)
