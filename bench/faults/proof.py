"""What must hold after a fault: every acknowledged write is there with all its rows, nothing else is, and every invariant."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

import config
from guitaronline import checks, create_core
from guitaronline.audit import integrity
from guitaronline.db import database, session

TELL_AT_MOST = 10
IN_TIME = "I8 told in time"  # looked at when things are quiet again: what nobody runs, nobody tells

ACKED = "CREATE TEMP TABLE IF NOT EXISTS acked (op text, key text, person uuid, path text, status int, answer text, record uuid, before uuid, slot uuid)"
# Each returns what is missing of an acknowledged write.
MISSING = {
    "the answer under its key": """
SELECT a.op, a.key FROM acked a LEFT JOIN idempotency_keys k
    ON k.user_id = a.person AND k.key = a.key AND k.path = '/api/v1' || a.path AND k.method = 'POST'
 WHERE k.id IS NULL OR k.http_status <> a.status OR k.answer <> a.answer""",
    "the booking": """
SELECT a.op, a.record FROM acked a LEFT JOIN bookings b ON b.id = a.record
 WHERE a.op IN ('hold', 'confirm', 'cancel', 'reschedule')
   AND (b.id IS NULL OR b.student_id <> a.person
     OR (a.op = 'hold' AND b.slot_id <> a.slot)
     OR (a.op = 'confirm' AND (b.confirmed_at IS NULL OR b.status NOT IN ('confirmed', 'canceled')))
     OR (a.op = 'cancel' AND b.status <> 'canceled')
     OR (a.op = 'reschedule' AND (b.slot_id <> a.slot OR b.rescheduled_from_booking_id <> a.before OR b.confirmed_at IS NULL)))""",
    "the canceled booking of a move": """
SELECT a.op, a.before FROM acked a LEFT JOIN bookings b ON b.id = a.before WHERE a.op = 'reschedule' AND b.status IS DISTINCT FROM 'canceled'""",
    "the entry in the ledger": """
SELECT a.op, a.record FROM acked a
  LEFT JOIN bookings b ON b.id = a.record
  LEFT JOIN credit_entries e ON e.op_key = CASE a.op WHEN 'hold' THEN 'hold:' || a.record WHEN 'cancel' THEN
       CASE WHEN b.confirmed_at IS NULL THEN 'release:' || a.record ELSE 'return:' || a.record || ':1' END
       ELSE 'settle:' || a.record || ':1' END
 WHERE a.op IN ('hold', 'confirm', 'cancel', 'reschedule') AND e.id IS NULL""",
    "the lesson": """
SELECT a.op, a.record FROM acked a LEFT JOIN lessons l ON l.booking_id = a.record WHERE a.op IN ('confirm', 'reschedule') AND l.id IS NULL""",
    "the refund": """
SELECT a.op, a.record FROM acked a LEFT JOIN refunds r ON r.id = a.record WHERE a.op = 'refund' AND r.id IS NULL""",
    "the action in the audit": """
SELECT a.op, a.record FROM acked a
 WHERE NOT EXISTS (SELECT FROM audit_actions x WHERE x.record_id = coalesce(a.before, a.record) AND x.actor_id = a.person
                      AND x.name = 'booking.' || a.op)
   AND a.op IN ('hold', 'confirm', 'cancel', 'reschedule')""",
    "the news in the outbox": """
SELECT a.op, a.record FROM acked a
 WHERE NOT EXISTS (SELECT FROM outbox_events e WHERE e.record_id = a.record AND e.topic = ANY(CASE a.op
         WHEN 'hold' THEN ARRAY['booking.held'] WHEN 'confirm' THEN ARRAY['booking.confirmed'] WHEN 'refund' THEN ARRAY['refund.created']
         WHEN 'reschedule' THEN ARRAY['booking.rescheduled'] ELSE ARRAY['booking.canceled', 'booking.hold_released'] END))""",
}
NOBODY_WAS_TOLD = """
SELECT b.id, b.status FROM bookings b WHERE NOT EXISTS (SELECT FROM acked a WHERE a.record = b.id AND a.op IN ('hold', 'reschedule'))"""
REFUNDS_NOBODY_WAS_TOLD = "SELECT r.id FROM refunds r WHERE NOT EXISTS (SELECT FROM acked a WHERE a.record = r.id)"
MESSAGES_MISSING = """
SELECT e.id, e.topic FROM outbox_events e
 WHERE e.topic = 'booking.confirmed' AND e.status = 'done' AND NOT EXISTS (SELECT FROM messages m WHERE m.event_id = e.id)"""


@dataclass
class Acks:
    lines: list[dict[str, Any]]

    @classmethod
    def read(cls, journal: Path) -> Acks:
        """Whole lines only: the load may be writing."""
        text = journal.read_text() if journal.exists() else ""
        return cls([json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()])

    @property
    def yes(self) -> list[dict[str, Any]]:
        return [each for each in self.lines if "op" in each and each["op"] != "repeat"]

    @property
    def wrong(self) -> list[str]:
        return [f"{each['wrong']}: {each}" for each in self.lines if "wrong" in each]

    @property
    def unresolved(self) -> list[dict[str, Any]]:
        return [each for each in self.lines if "unresolved" in each]

    @property
    def refusals(self) -> dict[str, int]:
        """Of the load that ended last."""
        return next((each["refusals"] for each in reversed(self.lines) if "refusals" in each), {})


def look(owner: Connection, acks: Acks, settings: config.Settings, *, is_over: bool) -> list[str]:
    """What is wrong, in words. `is_over`: the load has ended, so that nothing may be there which nobody was told of."""
    found = [*acks.wrong, *lost(owner, acks)]
    if is_over:
        found += untold(owner, acks)
    return found + invariants(settings, without=() if is_over else (IN_TIME,))


def lost(owner: Connection, acks: Acks) -> list[str]:
    rows = [_row(each) for each in acks.yes]
    with owner.cursor() as cursor:
        cursor.execute(ACKED)
        cursor.execute("TRUNCATE acked")
        execute_values(cursor, "INSERT INTO acked VALUES %s", rows, page_size=1000)
        cursor.execute("ANALYZE acked")
    return [
        f"acknowledged, and {what} is missing: {row}" for what, query in MISSING.items() for row in _some(owner, query)
    ]


def _row(ack: dict[str, Any]) -> tuple[Any, ...]:
    record = json.loads(ack["text"])["id"]
    moved = ack["booking"] if ack["op"] == "reschedule" else None
    return (
        ack["op"],
        ack["key"],
        ack["person"],
        ack["path"],
        ack["status"],
        ack["text"],
        record,
        moved,
        ack.get("slot"),
    )


def untold(owner: Connection, acks: Acks) -> list[str]:
    """Not more is there than what was acknowledged, calls that never had an answer aside."""
    left = acks.unresolved
    bookings, refunds = _some(owner, NOBODY_WAS_TOLD), _some(owner, REFUNDS_NOBODY_WAS_TOLD)
    found = [f"done, and nobody was told: booking {row}" for row in bookings[len(left) :]]
    found += [f"done, and nobody was told: refund {row}" for row in refunds[len(left) :]]
    return found + [f"told as done, and no message: {row}" for row in _some(owner, MESSAGES_MISSING)]


def _some(owner: Connection, query: str) -> list[tuple[Any, ...]]:
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({query}) found LIMIT {TELL_AT_MOST}")
        return list(cursor.fetchall())


def invariants(settings: config.Settings, *, without: Iterable[str] = ()) -> list[str]:
    """Every check of the product, the chain of the audit with them."""
    with _app(settings).app_context():
        try:
            session().execute(integrity.LONG)
            return [
                f"{each.check}: {each.facts}" for each in checks.run_all(session()) if each.check not in tuple(without)
            ]
        finally:
            database.session.remove()
            database.engine.dispose()


@cache
def _app(settings: config.Settings) -> Flask:
    return create_core(settings)


def is_quiet(owner: Connection) -> bool:
    """Everything that happened has been told."""
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT FROM outbox_events WHERE status = 'pending' AND available_at <= now())"
        )
        row = cursor.fetchone()
        return bool(row and row[0])
