"""The sums of a period on all three sides, from what closed before and what came since; and again from the first day on.

School: money that we say came or went, less what lines confirm, is on its way. Provider and bank: what they moved. Each
opening is the closing that was signed before; the same closing, added up anew from the first day, must be equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.reconciliation.classifying import GAP_KEY, GAPS
from guitaronline.money import Money

Row = Mapping[str, Any]

# Lines that the period counts: of its days or before, unless a closed period counted them.
LINES = """
SELECT l.side, l.account, l.currency, l.kind, count(*) AS lines, sum(l.amount_minor)::bigint AS amount_minor,
       sum(l.fee_minor)::bigint AS fee_minor, sum(l.net_minor)::bigint AS net_minor
  FROM settlement_lines l
  JOIN settlement_files f ON f.id = l.file_id AND f.status = 'imported'
  LEFT JOIN (SELECT pf.file_id, max(p.last_on) AS through FROM reconciliation_period_files pf
               JOIN reconciliation_periods p ON p.id = pf.period_id AND p.status = 'closed' GROUP BY 1) c ON c.file_id = f.id
 WHERE l.booked_on <= :last_on AND (CAST(:is_all AS boolean) OR c.through IS NULL OR l.booked_on > c.through)
 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
PAYMENTS = """
SELECT CASE WHEN provider = 'manual' THEN 'by hand' ELSE 'provider' END AS way, currency, count(*) AS number, sum(amount_minor)::bigint AS amount_minor
  FROM payments WHERE status IN ('succeeded', 'refunded') AND paid_at >= :start AND paid_at < :end GROUP BY 1, 2 ORDER BY 1, 2
"""
# One that came back was paid out all the same, on its day: a closed period keeps it, and the coming back is a fact of its own day.
REFUNDS = """
SELECT CASE WHEN p.provider = 'manual' THEN 'by hand' ELSE 'provider' END AS way, p.currency, count(*) AS number, sum(r.amount_minor)::bigint AS amount_minor
  FROM (SELECT payment_id, -amount_minor AS amount_minor FROM refunds
         WHERE (status = 'succeeded' OR returned_at IS NOT NULL) AND settled_at >= :start AND settled_at < :end
        UNION ALL
        SELECT payment_id, amount_minor FROM refunds WHERE returned_at >= :start AND returned_at < :end) r
  JOIN payments p ON p.id = r.payment_id GROUP BY 1, 2 ORDER BY 1, 2
"""
# Of payments and refunds: a payout confirms nothing of ours. The file says which side told it.
CONFIRMED = """
SELECT CASE WHEN f.kind IN ('camt053', 'mt940', 'bank_csv') THEN 'by hand' ELSE 'provider' END AS way, m.currency,
       count(*) AS number, -sum(m.amount_minor)::bigint AS amount_minor
  FROM settlement_matches m
  JOIN settlement_files f ON f.id = m.file_id
  LEFT JOIN (SELECT pf.file_id, max(p.last_on) AS through FROM reconciliation_period_files pf
               JOIN reconciliation_periods p ON p.id = pf.period_id AND p.status = 'closed' GROUP BY 1) c ON c.file_id = m.file_id
 WHERE m.status = 'active' AND m.bank_line_id IS NULL AND m.booked_on <= :last_on
   AND (CAST(:is_all AS boolean) OR c.through IS NULL OR m.booked_on > c.through)
 GROUP BY 1, 2 ORDER BY 1, 2
"""
# The balance before an account's first line: before its first statement, less what lines of other files moved before that.
FIRST_BALANCES = """
SELECT s.account, s.currency, s.opening_minor - coalesce((
         SELECT sum(l.net_minor) FROM settlement_lines l
          WHERE l.account = s.account AND l.currency = s.currency AND l.booked_on < s.first_on), 0)::bigint AS opening_minor
  FROM (SELECT DISTINCT ON (account, currency) * FROM settlement_statements
         ORDER BY account, currency, first_on, last_on, file_id, sequence) s
"""
# The last balance that an account states within the period, and what its lines moved after that; less what a file moved that
# is still missing, where somebody decided that it does not matter.
STATED = f"""
SELECT s.account, s.currency, s.closing_minor + coalesce((
         SELECT sum(l.net_minor) FROM settlement_lines l WHERE l.account = s.account AND l.currency = s.currency
            AND l.booked_on > s.last_on AND l.booked_on <= :last_on), 0)::bigint - coalesce((
         SELECT sum(g.opening_minor - g.before) FROM (SELECT *, {GAP_KEY} AS natural_key FROM ({GAPS}) gaps) g
           JOIN reconciliation_exceptions e ON e.natural_key = g.natural_key AND e.status IN ('ignored', 'written_off')
          WHERE g.account = s.account AND g.currency = s.currency AND g.first_on <= :last_on), 0)::bigint AS closing_minor
  FROM (SELECT DISTINCT ON (account, currency) * FROM settlement_statements WHERE last_on <= :last_on
         ORDER BY account, currency, last_on DESC, first_on DESC, sequence DESC) s
"""  # noqa: S608  # our own words
EXCEPTIONS = """
SELECT category, status, coalesce(currency, '') AS currency, count(*) AS number, sum(value_minor)::bigint AS value_minor
  FROM reconciliation_exceptions WHERE booked_on <= :last_on AND booked_on > :before GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
FILES = """
SELECT f.reference FROM settlement_files f
  LEFT JOIN (SELECT pf.file_id, max(p.last_on) AS through FROM reconciliation_period_files pf
               JOIN reconciliation_periods p ON p.id = pf.period_id AND p.status = 'closed' GROUP BY 1) c ON c.file_id = f.id
 WHERE f.status = 'imported' AND f.first_on <= :last_on AND (c.through IS NULL OR f.last_on > c.through) ORDER BY 1
"""


@dataclass(frozen=True)
class Stretch:
    """What is counted: up to `last_on`, what was not counted before. `before`: the last day that is closed."""

    last_on: date
    before: date | None

    def values(self, *, is_all: bool) -> dict[str, Any]:
        zone = ZoneInfo(policy.current().SCHOOL_TIMEZONE)
        since = None if is_all else self.before
        return {
            "last_on": self.last_on,
            "before": self.before or date.min,
            "is_all": is_all,
            "start": datetime(1970, 1, 1, tzinfo=zone) if since is None else _midnight_after(since, zone),
            "end": _midnight_after(self.last_on, zone),
        }


def _midnight_after(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone)


@dataclass(frozen=True)
class Proof:
    snapshot: dict[str, Any]
    problems: list[str]  # why it does not add up, in words

    @property
    def digest(self) -> str:
        """sha256 of the snapshot as canonical JSON."""
        written = json.dumps(self.snapshot, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(written.encode()).hexdigest()


def prove(session: Session, stretch: Stretch, before: Mapping[str, Any] | None) -> Proof:
    """The sums of the period; `before`: the snapshot that was signed last."""
    session.execute(text("SET LOCAL enable_nestloop = off"))  # whole sets, whatever the planner takes them to hold
    now, ever = stretch.values(is_all=False), stretch.values(is_all=True)
    school = _school(session, now, before)
    accounts = _accounts(session, now, before)
    snapshot = {
        "last_on": stretch.last_on.isoformat(),
        "school": school,
        "accounts": accounts,
        "exceptions": _rows(session, EXCEPTIONS, now),
        "files": [row["reference"] for row in _rows(session, FILES, now)],
    }
    problems = [
        *_differing_school(school, _school(session, ever, None)),
        *_differing_accounts(accounts, _accounts(session, ever, None), "added up anew from the first day"),
        *_differing_accounts(accounts, _rows(session, STATED, now), "as its statements say"),
    ]
    return Proof(snapshot, problems)


def _rows(session: Session, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    named = {name: value for name, value in values.items() if f":{name}" in sql}
    return [dict(row) for row in session.execute(text(sql), named).mappings()]


def _school(session: Session, values: dict[str, Any], before: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """For each way and currency: on its way before, came, went, confirmed by lines, on its way now."""
    parts = {
        "payments": _rows(session, PAYMENTS, values),
        "refunds": _rows(session, REFUNDS, values),
        "confirmed": _rows(session, CONFIRMED, values),
    }
    openings = {(row["way"], row["currency"]): row["closing_minor"] for row in (before or {}).get("school", [])}
    sums: dict[tuple[str, str], dict[str, int]] = {key: {} for key in openings}
    for name, found in parts.items():
        for row in found:
            sums.setdefault((row["way"], row["currency"]), {})[name] = row["amount_minor"]
    return [_on_its_way(key, openings.get(key, 0), moved) for key, moved in sorted(sums.items())]


def _on_its_way(key: tuple[str, str], opening: int, moved: Mapping[str, int]) -> dict[str, Any]:
    amounts = {f"{name}_minor": moved.get(name, 0) for name in ("payments", "refunds", "confirmed")}
    closing = opening + sum(amounts.values())
    return {"way": key[0], "currency": key[1], "opening_minor": opening, **amounts, "closing_minor": closing}


def _accounts(session: Session, values: dict[str, Any], before: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """For each account and currency: opening, movements by kind, closing. What is known since of the time before its first line
    restates the opening that was signed."""
    stated = {(row["account"], row["currency"]): row["opening_minor"] for row in _rows(session, FIRST_BALANCES, values)}
    signed = {(row["account"], row["currency"]): row for row in (before or {}).get("accounts", [])}
    moved: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in signed}
    sides = {key: row["side"] for key, row in signed.items()}
    for row in _rows(session, LINES, values):
        key = (row["account"], row["currency"])
        sides[key] = row["side"]
        moved.setdefault(key, []).append(row)
    return [
        {
            "side": sides[key],
            "account": key[0],
            "currency": key[1],
            **_balance(signed.get(key), stated.get(key, 0), rows),
        }
        for key, rows in sorted(moved.items())
    ]


def _balance(signed: Row | None, first_minor: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = [{name: row[name] for name in ("kind", "lines", "amount_minor", "fee_minor", "net_minor")} for row in rows]
    opening = signed["closing_minor"] if signed else first_minor
    restated = first_minor - signed.get("first_minor", first_minor) if signed else 0
    return {
        "first_minor": first_minor,
        "opening_minor": opening,
        "restated_minor": restated,
        "movements": kinds,
        "closing_minor": opening + restated + sum(row["net_minor"] for row in rows),
    }


def _differing_school(found: list[dict[str, Any]], anew: list[dict[str, Any]]) -> list[str]:
    again = {(row["way"], row["currency"]): row["closing_minor"] for row in anew}
    return [
        f"School, {row['way']}, {row['currency']}: on its way is {Money(row['closing_minor'], row['currency'])},"
        f" added up anew {Money(again.get((row['way'], row['currency']), 0), row['currency'])}."
        for row in found
        if row["closing_minor"] != again.get((row["way"], row["currency"]), 0)
    ]


def _differing_accounts(found: list[dict[str, Any]], other: list[dict[str, Any]], how: str) -> list[str]:
    said = {(row["account"], row["currency"]): row["closing_minor"] for row in other}
    return [
        f"{row['account']}, {row['currency']}: closing is {Money(row['closing_minor'], row['currency'])},"
        f" {how} {Money(said[row['account'], row['currency']], row['currency'])}."
        for row in found
        if row["closing_minor"] != said.get((row["account"], row["currency"]), row["closing_minor"])
    ]
