"""The invariants of the domain: each a sentence, and SQL that returns no row while it holds.

They run after every command test, every night (`jobs.checks`), and by `flask checks run`. Every row that comes back is a
finding; its columns are the facts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import models as _every_table  # noqa: F401  # the metadata is whole
from guitaronline import policy
from guitaronline.audit import integrity, verification
from guitaronline.audit.models import CheckRun
from guitaronline.billing.invoices import proofs
from guitaronline.billing.models import Payment
from guitaronline.billing.reconciliation.proofs import MATCHES
from guitaronline.db import Base, new_id, technical_transaction
from guitaronline.finance.verify import BREAKAGE
from guitaronline.kpis import proof
from guitaronline.states import StateTable

TELL_AT_MOST = 20  # rows of one check
LEASE_SECONDS = 120  # of an outbox event; jobs/outbox.py
TECHNICAL = frozenset(
    "audit_actions audit_changes audit_personal audit_seals audit_checkpoints outbox_events idempotency_keys job_ticks check_runs audit_verifications asked_runs"
    " console_sessions view_as_sessions token_families api_tokens sign_in_links failed_logins export_runs export_parts bulk_rows bulk_queue"
    " known_devices former_addresses contact_readings opening_files backup_runs totp_uses recovery_codes address_changes"
    " kpi_days kpi_touched kpi_progress horizons number_series"
    " messages message_bodies message_attempts message_reports channel_states"
    " service_key_uses webhook_health webhook_deliveries webhook_attempts"
    " provider_events payment_asks sandbox_checkouts sandbox_refunds sandbox_events refund_calls"
    " settlement_fetches settlement_lines settlement_parts settlement_problems settlement_runs settlement_staging"
    " matching_files matching_kept matching_barred matching_found matching_customers matching_pairs matching_payouts matching_wrong"
    " settlement_matches".split()  # made in bulk: the action says so, the row says the rest
)  # no business rows: neither audited nor part of I11
BUSINESS = sorted(set(Base.metadata.tables) - TECHNICAL)


@dataclass(frozen=True)
class Check:
    """`name` begins with the number in the design; `values` are the statement's parameters, read when it runs."""

    name: str
    sentence: str
    sql: str
    values: Callable[[], dict[str, Any]] = dict


@dataclass(frozen=True)
class Finding:
    """One row that breaks an invariant."""

    check: str
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)


def run_all(session: Session) -> list[Finding]:
    """Every finding of every check; empty is the good news. Reads only."""
    return [*_broken_invariants(session), *_chain_findings(integrity.verify(session).broken)]


def _broken_invariants(session: Session) -> list[Finding]:
    broken = [finding for check in CHECKS for finding in run_one(session, check)]
    return [
        *broken,
        *(Finding(ROLLUP.name, ROLLUP.sentence, facts) for facts in proof.findings(session)[:TELL_AT_MOST]),
    ]


def _chain_findings(broken: Sequence[str]) -> list[Finding]:
    return [Finding(CHAIN.name, CHAIN.sentence, {"what": sentence}) for sentence in broken[:TELL_AT_MOST]]


def run_one(session: Session, check: Check) -> list[Finding]:
    rows = session.execute(text(f"SELECT * FROM ({check.sql}) found LIMIT {TELL_AT_MOST}"), check.values())  # noqa: S608
    return [Finding(check.name, check.sentence, dict(row)) for row in rows.mappings()]


def run_and_keep() -> list[Finding]:
    """As `run_all`, with all the time it needs; a row of `check_runs` keeps what was found, and one of
    `audit_verifications` how the chain was."""
    with technical_transaction() as session:
        return run_in(session)


def run_in(session: Session, *, asked_by: UUID | None = None) -> list[Finding]:
    """The same inside a technical transaction."""
    started = time.monotonic()
    session.execute(integrity.LONG)
    broken = _broken_invariants(session)
    findings = [*broken, *_chain_findings(verification.verify_in(session, asked_by=asked_by).broken)]
    told = [{"check": each.check, "facts": each.facts} for each in findings]
    run = CheckRun(
        id=new_id(),
        at=session.execute(text("SELECT clock_timestamp()")).scalar_one(),
        seconds=round(time.monotonic() - started, 3),
        findings={"findings": told, "ran": [check.name for check in EVERY]},
        asked_by=asked_by,
    )
    session.add(run)
    return findings


def _state_values() -> dict[str, Any]:
    """For each table and state, the events that say that it was entered."""
    entered: dict[tuple[str, str], set[str]] = {}
    for record, table in StateTable.known.items():
        for move in table.moves:
            entered.setdefault((record, move.target.value), set()).add(move.event)
    return {
        "days": max(policy.current().OUTBOX_KEEP_DAYS - 1, 0),  # older events may have been cleaned up
        "tables": [table for table, _ in entered],
        "targets": [target for _, target in entered],
        "topics": ["|".join(sorted(topics)) for topics in entered.values()],
    }


def _payment_moves() -> dict[str, Any]:
    return {"moves": [f"{move.source or ''}→{move.target}" for move in Payment.states.moves]}


def _invoicing() -> dict[str, Any]:
    return {"is_on": policy.current().INVOICES == "on"}


_OVERLAP = """
SELECT '{who}' AS who, {column} AS id, reference, start_at FROM (
  SELECT {column}, reference, start_at,
         max(end_at) OVER (PARTITION BY {column} ORDER BY start_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
    FROM bookings WHERE status IN ('hold', 'confirmed')) active
 WHERE busy_until > start_at"""
_ROWS = " UNION ALL ".join(
    f"SELECT '{table}' AS table_name, t.id AS row_id, to_jsonb(t) AS present FROM {table} t"  # noqa: S608  # our own tables
    for table in BUSINESS
)

CHAIN = Check("I11 chain", "The sealed audit is what was sealed.", "")
ROLLUP = Check(proof.NAME, proof.SENTENCE, "")

CHECKS = (
    Check(
        "I1 buckets",
        "A package's buckets equal the sums of its entries, and add up to its lessons.",
        """
SELECT p.id, p.reference FROM packages p
  LEFT JOIN (SELECT package_id, sum(d_available) AS available, sum(d_reserved) AS reserved, sum(d_consumed) AS consumed,
                    sum(d_expired) AS expired, sum(d_revoked) AS revoked FROM credit_entries GROUP BY package_id) e ON e.package_id = p.id
 WHERE (p.available, p.reserved, p.consumed, p.expired, p.revoked)
       <> (coalesce(e.available, 0), coalesce(e.reserved, 0), coalesce(e.consumed, 0), coalesce(e.expired, 0), coalesce(e.revoked, 0))
    OR p.lessons_total <> p.available + p.reserved + p.consumed + p.expired + p.revoked
    OR least(p.available, p.reserved, p.consumed, p.expired, p.revoked) < 0""",
    ),
    Check(
        "I1 running balance",
        "Each entry's balance is the sum of the entries up to it, numbered without a gap.",
        """
SELECT id, package_id, op_key FROM (
  SELECT *, row_number() OVER w AS place, sum(d_available) OVER w AS s_available, sum(d_reserved) OVER w AS s_reserved,
         sum(d_consumed) OVER w AS s_consumed, sum(d_expired) OVER w AS s_expired, sum(d_revoked) OVER w AS s_revoked
    FROM credit_entries WINDOW w AS (PARTITION BY package_id ORDER BY sequence)) e
 WHERE sequence <> place OR (available, reserved, consumed, expired, revoked) <> (s_available, s_reserved, s_consumed, s_expired, s_revoked)""",
    ),
    Check(
        "I2 reserved",
        "A package has reserved exactly the lessons of its bookings in state hold, lapsed or not.",
        """
SELECT p.id, p.reference, p.reserved, count(b.id) AS holds
  FROM packages p LEFT JOIN bookings b ON b.package_id = p.id AND b.status = 'hold'
 GROUP BY p.id HAVING p.reserved <> count(b.id)""",
    ),
    Check(
        "I2 entries of a booking",
        "A hold reserves one lesson; a confirmed booking, or one canceled without return, has used one unless a correction returned it.",
        """
SELECT coalesce(b.id, e.booking_id) AS booking_id, b.reference, b.status, e.reserved, e.consumed
  FROM bookings b
  FULL JOIN (SELECT booking_id, sum(d_reserved) AS reserved, sum(d_consumed) AS consumed
               FROM credit_entries WHERE booking_id IS NOT NULL GROUP BY booking_id) e ON e.booking_id = b.id
  LEFT JOIN lessons l ON l.booking_id = b.id
 WHERE b.id IS NULL
    OR coalesce(e.reserved, 0) <> (b.status = 'hold')::int
    OR coalesce(e.consumed, 0) <> CASE
         WHEN b.status = 'confirmed' THEN (NOT coalesce(l.is_returned, false))::int
         WHEN b.status = 'canceled' AND b.confirmed_at IS NOT NULL THEN (NOT coalesce(b.refund_returned, false))::int
         ELSE 0 END""",
    ),
    Check(
        "I2 entries without a booking",
        "Lessons are reserved and used only for a booking, imported balances aside.",
        "SELECT id, package_id, op_key FROM credit_entries"
        " WHERE booking_id IS NULL AND kind <> 'opening' AND (d_reserved <> 0 OR d_consumed <> 0)",
    ),
    Check(
        "I3 overlap",
        "No slot, teacher or student has two active bookings at once.",
        " UNION ALL ".join(
            _OVERLAP.format(who=who, column=column)
            for who, column in (("slot", "slot_id"), ("teacher", "teacher_id"), ("student", "student_id"))
        ),
    ),
    Check(
        "I4 lessons",
        "A confirmed booking has exactly one lesson, not canceled; a canceled or expired one has none scheduled, a hold none at all.",
        """
SELECT b.id, b.reference, b.status, l.lessons, l.living, l.scheduled
  FROM bookings b
  LEFT JOIN (SELECT booking_id, count(*) AS lessons, count(*) FILTER (WHERE status <> 'canceled') AS living,
                    count(*) FILTER (WHERE status = 'scheduled') AS scheduled FROM lessons GROUP BY booking_id) l ON l.booking_id = b.id
 WHERE CASE b.status WHEN 'confirmed' THEN coalesce(l.lessons, 0) <> 1 OR l.living <> 1
                     WHEN 'hold' THEN l.lessons > 0
                     ELSE l.scheduled > 0 END""",
    ),
    Check(
        "I5 refunds",
        "Refunds never exceed their payment, and it is refunded exactly when all of it was paid back.",
        """
SELECT p.id, p.reference, p.status, p.amount_minor, r.committed, r.paid_back
  FROM payments p
  LEFT JOIN (SELECT payment_id, sum(amount_minor) FILTER (WHERE status IN ('pending', 'succeeded')) AS committed,
                    sum(amount_minor) FILTER (WHERE status = 'succeeded') AS paid_back, count(DISTINCT currency) AS currencies,
                    min(currency) AS currency FROM refunds GROUP BY payment_id) r ON r.payment_id = p.id
 WHERE coalesce(r.committed, 0) > p.amount_minor
    OR (p.status = 'refunded') <> (coalesce(r.paid_back, 0) = p.amount_minor)
    OR r.currencies > 1 OR r.currency <> p.currency""",
    ),
    Check(
        "I5 disputes",
        "Open and lost disputes never exceed their payment, in its currency; a lost one took its lessons by one entry, and what"
        " one freezes is frozen.",
        """
SELECT d.id, d.reference, d.status, d.amount_minor, p.amount_minor AS paid
  FROM disputes d
  JOIN payments p ON p.id = d.payment_id
  JOIN packages k ON k.id = p.package_id
  LEFT JOIN credit_entries e ON e.op_key = 'revoke:' || d.id
 WHERE d.currency <> p.currency OR d.lessons_revoked <> coalesce(e.d_revoked, 0) OR (d.freezes AND k.frozen_at IS NULL)
    OR (SELECT sum(o.amount_minor) FROM disputes o WHERE o.payment_id = p.id AND o.status <> 'won') > p.amount_minor""",
    ),
    Check(
        "I5 credits",
        "A credit gave its lessons as one package that costs nothing; with the refunds asked for here credits never exceed the"
        " payment.",
        """
SELECT c.id, c.reference, c.amount_minor, c.lessons_granted, k.lessons_total
  FROM refund_credits c
  JOIN payments p ON p.id = c.payment_id
  JOIN packages k ON k.id = c.package_id
  LEFT JOIN credit_entries e ON e.op_key = 'revoke:' || c.id
 WHERE c.currency <> p.currency OR k.price_minor <> 0 OR k.student_id <> p.student_id OR k.lessons_total <> c.lessons_granted
    OR c.lessons_revoked <> coalesce(e.d_revoked, 0)
    OR (SELECT sum(o.amount_minor) FROM refund_credits o WHERE o.payment_id = p.id)
       + (SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r
           WHERE r.payment_id = p.id AND r.source = 'asked' AND r.status IN ('pending', 'succeeded')) > p.amount_minor""",
    ),
    Check(
        "I6 payment history",
        "A payment's state is the target of its last transition; every transition is legal and follows the one before.",
        """
SELECT p.id, p.reference, p.status, t.sequence, t.from_status, t.to_status
  FROM payments p
  LEFT JOIN (SELECT *, row_number() OVER w AS place, lag(to_status) OVER w AS previous, lead(id) OVER w AS following
               FROM payment_transitions WINDOW w AS (PARTITION BY payment_id ORDER BY sequence)) t ON t.payment_id = p.id
 WHERE t.id IS NULL
    OR t.sequence <> t.place
    OR t.from_status IS DISTINCT FROM t.previous
    OR concat(t.from_status, '→', t.to_status) <> ALL(:moves)
    OR (t.following IS NULL AND t.to_status <> p.status)""",
        _payment_moves,
    ),
    Check(
        "I7 grants",
        "A bought package has exactly one grant once its payment succeeded and none before, or none when it was taken back first; any other has one from the start.",
        """
SELECT p.id, p.reference, p.origin, g.grants, m.paid_at
  FROM packages p
  LEFT JOIN (SELECT package_id, count(*) AS grants, min(created_at) AS granted_at FROM credit_entries
              WHERE kind IN ('grant', 'opening') GROUP BY package_id) g ON g.package_id = p.id
  LEFT JOIN (SELECT package_id, array_agg(paid_at) AS paid_at FROM payments WHERE paid_at IS NOT NULL GROUP BY package_id) m ON m.package_id = p.id
 WHERE CASE WHEN p.origin <> 'purchase' THEN coalesce(g.grants, 0) <> 1
            WHEN m.paid_at IS NULL THEN g.grants > 0
            WHEN p.status = 'revoked' AND p.activated_at IS NULL THEN g.grants > 0  -- money that came too late: an exception
            ELSE coalesce(g.grants, 0) <> 1 OR g.granted_at <> ALL(m.paid_at) END""",
    ),
    Check(
        "I8 told once",
        "Every change of a state has exactly one event in the outbox.",
        """
SELECT m.table_name, m.row_id, m.target, m.moves, count(e.id) AS events
  FROM (SELECT c.action_id, c.table_name, c.row_id, c.after ->> 'status' AS target, count(*) AS moves
          FROM audit_changes c JOIN audit_actions a ON a.id = c.action_id
         WHERE c.after ? 'status' AND a.name NOT LIKE 'migration:%'
           AND coalesce(c.after ->> 'origin', '') <> 'replaced'  -- told as a whole: schedule.regenerated
           AND a.recorded_at > now() - make_interval(days => :days)
         GROUP BY 1, 2, 3, 4) m
  JOIN unnest(CAST(:tables AS text[]), CAST(:targets AS text[]), CAST(:topics AS text[])) AS t(table_name, target, topics)
       USING (table_name, target)
  LEFT JOIN outbox_events e ON e.record_type = m.table_name AND e.record_id = m.row_id AND e.action_id = m.action_id
       AND e.topic = ANY(string_to_array(t.topics, '|'))
 GROUP BY 1, 2, 3, 4, m.action_id HAVING count(e.id) <> m.moves""",
        _state_values,
    ),
    Check(
        "I8 told in time",
        "No event that is due waits longer than its lease and 60 s.",
        """
SELECT e.id, e.topic, e.attempts, e.available_at
  FROM outbox_events e JOIN audit_actions a ON a.id = e.action_id
 WHERE e.status = 'pending'
   AND greatest(e.available_at, a.recorded_at, e.lease_until) < clock_timestamp() - make_interval(secs => :late)""",
        lambda: {"late": LEASE_SECONDS + 60},
    ),
    Check(
        "I10 matches",
        "A settlement line stands in one active match at most, and both sides of a match are equal to the minor unit.",
        MATCHES,
    ),
    Check(
        "M1 breakage",
        "What is booked as breakage of a package is what its expired lessons are worth.",
        BREAKAGE.text,
    ),
    Check(
        "I11 triggers",
        "Every business table is under audit, statement by statement and row by row.",
        """
SELECT table_name, name AS trigger_name FROM unnest(CAST(:business AS text[])) AS table_name, unnest(ARRAY['audit_guard', 'audit_row']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(table_name) AND tgname = name AND tgenabled IN ('O', 'A'))""",
        lambda: {"business": BUSINESS},
    ),
    Check(
        "I11 last version",
        "Every business row is what its audited changes add up to, personal and secret columns aside; generated slots are told as a whole.",
        f"""
WITH present AS ({_ROWS}),
told AS (
  SELECT c.table_name, c.row_id, jsonb_object_agg(v.key, v.value ORDER BY c.id) AS told
    FROM audit_changes c, jsonb_each(c.after) v WHERE c.table_name = ANY(:business) GROUP BY 1, 2),
gone AS (
  SELECT table_name, row_id FROM (SELECT DISTINCT ON (table_name, row_id) table_name, row_id, after FROM audit_changes
          WHERE table_name = ANY(:business) ORDER BY table_name, row_id, id DESC) l WHERE after IS NULL),
hidden AS (
  SELECT tgrelid::regclass::text AS table_name,
         split_part(encode(tgargs, 'escape'), '\\000', 1)::text[] || split_part(encode(tgargs, 'escape'), '\\000', 2)::text[] AS hidden
    FROM pg_trigger WHERE tgname = 'audit_row')
SELECT table_name, row_id,
       CASE WHEN t.row_id IS NULL THEN 'nothing told' WHEN p.row_id IS NULL THEN 'gone, untold' ELSE 'differs' END AS what
  FROM told t FULL JOIN present p USING (table_name, row_id) LEFT JOIN hidden h USING (table_name) LEFT JOIN gone g USING (table_name, row_id)
 WHERE t.row_id IS NULL AND (table_name <> 'availability_slots' OR p.present ->> 'origin' = 'made') OR (p.row_id IS NULL) <> (g.row_id IS NOT NULL)
    OR EXISTS (SELECT FROM jsonb_each(t.told) a JOIN jsonb_each(p.present) b USING (key)
                WHERE a.value <> b.value AND a.key <> ALL(coalesce(h.hidden, '{{}}')))""",  # noqa: S608
        lambda: {"business": BUSINESS},
    ),
    *(Check(*each, _invoicing if ":is_on" in each[2] else dict) for each in proofs.PROOFS),
)
EVERY = (*CHECKS, CHAIN, ROLLUP)  # as people see them
