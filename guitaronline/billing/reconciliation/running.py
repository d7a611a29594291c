"""A run of the matching: what the facts ask for is worked out, and the difference to what stands is made true.

One transaction, so a worker that is killed leaves nothing behind, and the next run does the same from the start.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.audit import integrity
from guitaronline.billing.reconciliation import classifying, matching, rules
from guitaronline.billing.reconciliation.period_models import ReconciliationRun
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

LOCK = 7_302_411  # of runs and of closing periods: one at a time
AT_LEAST = timedelta(hours=24)

# Sorts by the moment like every other id, and costs no more than counting: twelve digits of milliseconds, nine of chance, ten of the row.
NEXT_ID = "(:stem || lpad(to_hex(row_number() OVER ({order})), 8, '0'))::uuid"
WANTED = """
SELECT line_id, payment_id, refund_id, NULL::uuid AS bank_line_id, rule, amount_minor, currency, booked_on, file_id,
       CASE rule WHEN 'provider_id' THEN jsonb_build_object('source_id', seen) WHEN 'our_id' THEN jsonb_build_object('payment_reference', seen)
                 ELSE jsonb_build_object('same', jsonb_build_array('amount', 'currency', 'customer'), 'within_days', CAST(:window AS integer)) END AS evidence
  FROM matching_found WHERE verdict IS NULL AND (payment_id IS NOT NULL OR refund_id IS NOT NULL)
UNION ALL
SELECT o.line_id, NULL, NULL, o.bank_line_id, o.rule, l.amount_minor, l.currency, l.booked_on, l.file_id,
       CASE o.rule WHEN 'payout_reference' THEN jsonb_build_object('payout_id', coalesce(l.payout_id, l.source_id, l.external_id))
                   ELSE jsonb_build_object('same', jsonb_build_array('amount', 'currency'), 'within_days', CAST(:late AS integer)) END
  FROM matching_payouts o JOIN settlement_lines l ON l.id = o.line_id WHERE o.is_unique
"""
UNDO = f"""
UPDATE settlement_matches m SET status = 'undone', undone_at = :now, undone_because = 'The facts changed', version = m.version + 1
  FROM matching_files f
 WHERE m.status = 'active' AND m.matched_by IS NULL AND f.id = m.file_id AND m.booked_on > f.through
   AND NOT EXISTS (SELECT FROM ({WANTED}) w WHERE w.line_id = m.line_id AND w.rule = m.rule
                      AND coalesce(w.payment_id, w.refund_id, w.bank_line_id) = coalesce(m.payment_id, m.refund_id, m.bank_line_id))
"""  # noqa: S608  # our own words
MAKE = f"""
INSERT INTO settlement_matches (id, rule, rule_version, line_id, payment_id, refund_id, bank_line_id, amount_minor, currency, booked_on,
                                file_id, evidence, status, matched_at, version)
SELECT {NEXT_ID.format(order="")}, w.rule, :rule_version, w.line_id, w.payment_id, w.refund_id, w.bank_line_id, w.amount_minor, w.currency, w.booked_on,
       w.file_id, w.evidence, 'active', :now, 1
  FROM ({WANTED}) w
 WHERE NOT EXISTS (SELECT FROM settlement_matches m WHERE m.line_id = w.line_id AND m.status = 'active')
"""  # noqa: S608
_TOLD = """
, told AS (
  INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at, attempts)
  SELECT gen_random_uuid(), '{topic}', 'reconciliation_exceptions', id, '{{}}', :action, :now, :now, 0 FROM moved)
SELECT count(*) FROM moved
"""
FOLLOW = """
UPDATE reconciliation_exceptions e SET value_minor = w.value_minor, detail = w.detail, payment_id = w.payment_id, refund_id = w.refund_id,
       version = e.version + 1, updated_at = :now
  FROM matching_wrong w
 WHERE w.natural_key = e.natural_key AND e.status IN ('open', 'escalated')
   AND (w.value_minor, w.detail, w.payment_id, w.refund_id) IS DISTINCT FROM (e.value_minor, e.detail, e.payment_id, e.refund_id)
"""
# Of a day that was closed meanwhile: it is a later fact, of the first day that is not (`w.booked_on`).
REOPEN = """
WITH moved AS (
  UPDATE reconciliation_exceptions e SET status = 'open', decided_at = NULL, decided_because = NULL, value_minor = w.value_minor, detail = w.detail,
         payment_id = w.payment_id, refund_id = w.refund_id, booked_on = w.booked_on, version = e.version + 1, updated_at = :now
    FROM matching_wrong w
   WHERE w.natural_key = e.natural_key AND e.status = 'resolved' AND e.decided_by IS NULL
  RETURNING e.id)
""" + _TOLD.format(topic="exception.reopened")  # noqa: S608
OPEN = f"""
WITH moved AS (
  INSERT INTO reconciliation_exceptions (id, category, natural_key, status, line_id, payment_id, refund_id, file_id, currency, value_minor,
                                         booked_on, detail, created_at, updated_at, version)
  SELECT {NEXT_ID.format(order="ORDER BY w.booked_on, w.natural_key")}, w.category, w.natural_key, 'open', w.line_id, w.payment_id, w.refund_id, w.file_id,
         w.currency, w.value_minor, w.booked_on, w.detail, :now, :now, 1
    FROM matching_wrong w
   WHERE NOT EXISTS (SELECT FROM reconciliation_exceptions e WHERE e.natural_key = w.natural_key)
  RETURNING id)
""" + _TOLD.format(topic="exception.opened")  # noqa: S608
RESOLVE = """
WITH moved AS (
  UPDATE reconciliation_exceptions e SET status = 'resolved', decided_at = :now, decided_by = NULL, decided_because = 'The facts agree now',
         version = e.version + 1, updated_at = :now
   WHERE e.status IN ('open', 'escalated') AND NOT EXISTS (SELECT FROM matching_wrong w WHERE w.natural_key = e.natural_key)
  RETURNING id)
""" + _TOLD.format(topic="exception.resolved")  # noqa: S608
MIX = """
SELECT kind, CASE WHEN verdict IS NULL AND (payment_id IS NOT NULL OR refund_id IS NOT NULL) THEN rule ELSE '' END AS rule, count(*) AS lines
  FROM matching_found WHERE verdict IS DISTINCT FROM 'payout' GROUP BY 1, 2
UNION ALL
SELECT 'payout', CASE WHEN is_unique THEN rule ELSE '' END, count(DISTINCT line_id) FROM matching_payouts GROUP BY 2
ORDER BY 1, 2
"""
# Files are counted: an import that began before a run and was committed after it bears an earlier time than the run.
FILES = text("SELECT count(*) FROM settlement_files WHERE status IN ('imported', 'refused')")
DUE = text("""
SELECT EXISTS (SELECT FROM reconciliation_exceptions e JOIN payments p ON p.id = e.payment_id
                WHERE e.status IN ('open', 'escalated') AND p.updated_at > :last)
    OR EXISTS (SELECT FROM fee_contracts WHERE created_at > :last)
    OR EXISTS (SELECT FROM settlement_matches WHERE status = 'undone' AND undone_at > :last)
    OR EXISTS (SELECT FROM settlement_matches WHERE matched_by IS NOT NULL AND matched_at > :last)
""")


def is_due(session: Session, now: datetime) -> bool:
    """Whether something came that the last run has not seen, or it is a day ago."""
    last = _last(session)
    return last is None or now - last.created_at >= AT_LEAST or has_news(session)


def has_news(session: Session) -> bool:
    """Whether a file came that no run has seen, or something changed since the last one that asks for another."""
    last, files = _last(session), _files(session)
    if last is None or last.files_seen != files:
        return files > 0
    return bool(session.execute(DUE, {"last": last.created_at}).scalar_one())


def _last(session: Session) -> ReconciliationRun | None:
    query = select(ReconciliationRun).order_by(ReconciliationRun.created_at.desc(), ReconciliationRun.id.desc())
    return session.scalars(query.limit(1)).first()


def _files(session: Session) -> int:
    return int(session.execute(FILES).scalar_one())


def try_lock(session: Session) -> bool:
    """This transaction alone runs the matching or closes a period."""
    return bool(session.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}).scalar_one())


@command("reconciliation.run", quiet=True)
def run_matching(work: Work) -> ReconciliationRun | None:
    """Matches and exceptions are what the facts ask for. None when another run is at it.

    Locks no row: what a person decides at the same moment wins, and the run is tried again."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    session = work.session
    if not try_lock(session):
        return None
    session.execute(integrity.LONG)
    files_seen = _files(session)  # before anything is read: one that comes now is counted by the next run
    matching.find(session)
    classifying.classify(session)
    return _make_true(work, files_seen)


def _make_true(work: Work, files_seen: int) -> ReconciliationRun:
    session = work.session
    facts: dict[str, Any] = {
        "now": work.now,
        "action": work.action_id,
        "rule_version": rules.VERSION,
        "window": rules.CUSTOMER_WINDOW_DAYS,
        "late": rules.PAYOUT_LATE_DAYS,
    }
    undone = _changed(session, UNDO, facts)
    made = _changed(session, MAKE, {**facts, "stem": _stem(work)})
    _changed(session, FOLLOW, facts)
    opened = _counted(session, REOPEN, facts) + _counted(session, OPEN, {**facts, "stem": _stem(work)})
    resolved = _counted(session, RESOLVE, facts)
    mix = [dict(row) for row in session.execute(text(MIX)).mappings()]
    run = ReconciliationRun(
        rule_version=rules.VERSION,
        files_seen=files_seen,
        lines_seen=sum(each["lines"] for each in mix),
        made=made,
        undone=undone,
        opened=opened,
        resolved=resolved,
        mix=mix,
    )
    work.add(run)
    return run


def _stem(work: Work) -> str:
    return f"{int(work.now.timestamp() * 1000):012x}7{secrets.token_hex(2)[:3]}8{secrets.token_hex(4)[:7]}"


def _changed(session: Session, sql: str, facts: dict[str, Any]) -> int:
    return int(session.execute(text(sql), facts).rowcount)  # type: ignore[attr-defined]


def _counted(session: Session, sql: str, facts: dict[str, Any]) -> int:
    return int(session.execute(text(sql), facts).scalar_one())
