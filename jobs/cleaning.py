"""What is no longer needed goes. Nothing of the business, nothing of the audit: those stay."""

from __future__ import annotations

from functools import partial

from sqlalchemy import text

from guitaronline import policy
from guitaronline.db import technical_transaction
from guitaronline.identity.housekeeping import forget_old_sign_ins
from guitaronline.office.exports import expire_all
from jobs.runtime import job, repeated

AT_ONCE = 5000  # rows in one transaction
FILES_AT_ONCE = 100

OLD_MESSAGES = (
    "SELECT id FROM messages WHERE closed_at < now() - make_interval(days => :message_days)"  # ix_messages_closed_at
)
NOTHING_POINTS_TO_IT = (
    "NOT EXISTS (SELECT FROM message_attempts a WHERE a.message_id = messages.id)"
    " AND NOT EXISTS (SELECT FROM message_bodies b WHERE b.id = messages.id)"
)

# table → which of its rows are done with
DONE_WITH = {
    "idempotency_keys": "created_at < now() - make_interval(days => :key_days)",
    "outbox_events": "closed_at < now() - make_interval(days => :outbox_days)",
    "job_ticks": "tick_at < now() - interval '3 days'",
    "check_runs": "at < now() - interval '90 days'",
    "asked_runs": "finished_at < now() - interval '90 days'",
    "view_as_sessions": "ended_at < now() - interval '90 days'",
    "provider_events": "received_at < now() - interval '90 days' AND status IN ('applied', 'ignored')",  # the facts stay
    "message_attempts": f"message_id IN ({OLD_MESSAGES})",  # these and their bodies first: they point to the messages
    "message_bodies": f"id IN ({OLD_MESSAGES})",
    "messages": f"id IN ({OLD_MESSAGES}) AND {NOTHING_POINTS_TO_IT}",
    "message_reports": "received_at < now() - interval '90 days' AND status <> 'received'",
    "contact_readings": "last_at < now() - interval '400 days'",  # ix_contact_readings_last
    "opening_files": "created_at < now() - interval '30 days'",  # checked and neither imported nor discarded
    "webhook_attempts": "at < now() - interval '90 days'",  # ix_webhook_attempts_at
    "webhook_deliveries": "closed_at < now() - interval '91 days'",  # after its attempts, which point to it
    "sandbox_events": "sent_at < now() - interval '3 days'",
    "backup_runs": "started_at < now() - interval '400 days'",
    "bulk_rows": "run_id IN (SELECT id FROM bulk_runs WHERE finished_at < now() - make_interval(days => :bulk_days))",  # ix_bulk_rows_status
}


@job
def clean_up() -> int:
    """Files of exports whose time is over, old keys, closed events, failed sign-ins, ended sessions and tokens, ticks, and rows of old bulk actions are gone; returns how many rows."""
    files = repeated(partial(expire_all, at_once=FILES_AT_ONCE), FILES_AT_ONCE)
    gone = repeated(forget_old_sign_ins, 1) + sum(repeated(partial(delete, table), AT_ONCE) for table in DONE_WITH)
    return files + gone


def delete(table: str) -> int:
    """Some of the table's rows that are done with are gone."""
    settings = policy.current()
    ages = {
        "key_days": settings.IDEMPOTENCY_KEEP_DAYS,
        "outbox_days": settings.OUTBOX_KEEP_DAYS,
        "message_days": settings.MESSAGE_KEEP_DAYS,
        "bulk_days": settings.BULK_ROWS_KEEP_DAYS,
    }
    some = f"SELECT id FROM {table} WHERE {DONE_WITH[table]} LIMIT {AT_ONCE}"  # noqa: S608  # constants of this file
    with technical_transaction() as session:
        return int(session.execute(text(f"DELETE FROM {table} WHERE id IN ({some})"), ages).rowcount)  # type: ignore[attr-defined]  # noqa: S608
