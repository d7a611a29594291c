"""What is no longer needed goes. Nothing of the business, nothing of the audit: those stay."""

from __future__ import annotations

from sqlalchemy import text

from guitaronline import policy
from guitaronline.db import session
from jobs.runtime import job, repeated

AT_ONCE = 5000  # rows in one transaction

# table → which of its rows are done with; tokens go before the families they belong to
DONE_WITH = {
    "idempotency_keys": "created_at < now() - make_interval(days => :key_days)",
    "outbox_events": "closed_at < now() - make_interval(days => :outbox_days)",
    "failed_logins": "at < now() - interval '1 day' - make_interval(mins => :login_minutes)",
    "console_sessions": "least(expires_at, revoked_at) < now() - interval '7 days'",
    "api_tokens": "family_id IN (SELECT id FROM token_families WHERE least(expires_at, revoked_at) < now() - interval '7 days')",
    "token_families": "least(expires_at, revoked_at) < now() - interval '7 days'"
    " AND NOT EXISTS (SELECT FROM api_tokens t WHERE t.family_id = token_families.id)",
    "sign_in_links": "least(expires_at, used_at) < now() - interval '30 days'",
    "job_ticks": "tick_at < now() - interval '3 days'",
    "check_runs": "at < now() - interval '90 days'",
}


@job
def clean_up() -> int:
    """Old keys, closed events, failed sign-ins, ended sessions and tokens, and ticks are gone; returns how many rows."""
    return sum(repeated(lambda table=table: delete(table), AT_ONCE) for table in DONE_WITH)  # type: ignore[misc]


def delete(table: str) -> int:
    """Some of the table's rows that are done with are gone."""
    settings = policy.current()
    ages = {
        "key_days": settings.IDEMPOTENCY_KEEP_DAYS,
        "outbox_days": settings.OUTBOX_KEEP_DAYS,
        "login_minutes": settings.LOGIN_WINDOW_MINUTES,
    }
    some = f"SELECT id FROM {table} WHERE {DONE_WITH[table]} LIMIT {AT_ONCE}"  # noqa: S608  # constants of this file
    gone = session().execute(text(f"DELETE FROM {table} WHERE id IN ({some})"), ages).rowcount  # type: ignore[attr-defined]  # noqa: S608
    session().commit()
    return int(gone)
