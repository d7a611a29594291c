"""Which line is which payment, refund or bank credit: a function of the facts, worked out set by set in work tables.

A run works out all matches of the lines that no closed period holds, as if none had been made before, and afterwards
makes the difference true (running.py). So the end does not depend on how many files the lines came in, in which order, or how often.
Matches of people, and those of closed periods, stand; what a person undid is not made again.

    matching_files    files that were imported when the run began, and the last day of which a closed period holds their lines
    matching_kept     matches that stand, whatever the rules would say
    matching_found    each line that has to be something here: what it was found to be, or `verdict` why it is not matched
    matching_payouts  payouts and the bank credits that they arrived as
"""

from __future__ import annotations

import re

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from guitaronline.billing.reconciliation import rules, work_tables

PAYMENT_REFERENCE = "p.external_reference"  # the provider's id of a payment
REFUND_REFERENCE = "r.provider_reference"  # the provider's id of a refund, over `refunds r`
# One that came back has two lines: the money went out, which was true, and came back (> 0), which our refund has to say too.
REFUND_STATUS = "CASE WHEN r.returned_at IS NULL THEN r.status ELSE 'succeeded' END"
REFUND_VERDICT = (
    "CASE WHEN r.currency <> l.currency THEN 'currency' WHEN r.amount_minor <> abs(l.amount_minor) THEN 'amount'"
    " WHEN l.amount_minor > 0 AND r.returned_at IS NULL THEN 'state' END"
)

NAMED = re.compile(r"(?<!:):([a-z_]+)")
UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
CUSTOMER_KEY = "nullif(regexp_replace(lower({}), '\\W|_', '', 'g'), '')"

FILES = """
INSERT INTO matching_files (id, through)
SELECT f.id, coalesce(c.through, '-infinity') AS through
  FROM settlement_files f
  LEFT JOIN (SELECT pf.file_id, max(p.last_on) AS through FROM reconciliation_period_files pf
               JOIN reconciliation_periods p ON p.id = pf.period_id AND p.status = 'closed' GROUP BY 1) c ON c.file_id = f.id
 WHERE f.status = 'imported'
"""
KEPT = """
INSERT INTO matching_kept (line_id, bank_line_id, payment_id, refund_id, amount_minor)
SELECT m.line_id, m.bank_line_id, coalesce(m.payment_id, s.payment_id) AS payment_id, m.refund_id, m.amount_minor
  FROM settlement_matches m
  JOIN matching_files f ON f.id = m.file_id
  LEFT JOIN settlement_match_parts s ON s.match_id = m.id AND s.is_active
 WHERE m.status = 'active' AND (m.matched_by IS NOT NULL OR m.booked_on <= f.through)
"""
BARRED = """
INSERT INTO matching_barred (line_id, other_id)
SELECT line_id, coalesce(payment_id, refund_id, bank_line_id) AS other_id FROM settlement_matches
 WHERE status = 'undone' AND undone_by IS NOT NULL
"""
# Rule 1 for payments. `manual` payments come to the bank, all others through a provider: an id of one never means the other.
FIND_PAYMENTS = f"""
INSERT INTO matching_found (line_id, file_id, kind, side, amount_minor, currency, booked_on, payment_id, refund_id, their_status, rule, seen, verdict)
SELECT l.id AS line_id, l.file_id, l.kind, l.side, l.amount_minor, l.currency, l.booked_on, p.id AS payment_id, NULL::uuid AS refund_id,
       p.status AS their_status, 'provider_id'::text AS rule, coalesce(l.intent_id, l.source_id) AS seen,
       CASE WHEN p.currency <> l.currency THEN 'currency' WHEN p.amount_minor <> l.amount_minor THEN 'amount' END AS verdict
  FROM settlement_lines l
  JOIN matching_files f ON f.id = l.file_id AND l.booked_on > f.through
  LEFT JOIN payments p ON {PAYMENT_REFERENCE} = coalesce(l.intent_id, l.source_id) AND (p.provider = 'manual') = (l.side = 'bank')
 WHERE l.kind IN ('charge', 'bank_credit') AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.line_id = l.id)
   AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.bank_line_id = l.id)
"""  # noqa: S608  # our own words
FIND_REFUNDS = f"""
INSERT INTO matching_found (line_id, file_id, kind, side, amount_minor, currency, booked_on, payment_id, refund_id, their_status, rule, seen, verdict)
SELECT l.id, l.file_id, 'refund', l.side, l.amount_minor, l.currency, l.booked_on, NULL, r.id, {REFUND_STATUS}, 'provider_id', l.source_id,
       {REFUND_VERDICT}
  FROM settlement_lines l
  JOIN matching_files f ON f.id = l.file_id AND l.booked_on > f.through
  LEFT JOIN refunds r ON {REFUND_REFERENCE} = l.source_id
 WHERE (l.kind = 'refund' OR (l.kind = 'bank_debit' AND coalesce(l.payment_reference, l.refund_reference) IS NOT NULL))
   AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.line_id = l.id)
"""  # noqa: S608
# One id that two providers use: nobody but a person can tell.
TWO_MEANINGS = """
UPDATE matching_found SET payment_id = NULL, refund_id = NULL, their_status = NULL, verdict = 'ambiguous'
 WHERE line_id IN (SELECT line_id FROM matching_found GROUP BY 1 HAVING count(*) > 1)
"""
ONE_ROW = """
DELETE FROM matching_found a USING matching_found b WHERE a.verdict = 'ambiguous' AND b.verdict = 'ambiguous'
   AND a.line_id = b.line_id AND a.ctid > b.ctid
"""
_THEIRS = """
UPDATE matching_found f
   SET payment_id = p.id, their_status = p.status, rule = '{rule}', seen = {seen},
       verdict = CASE WHEN p.currency <> f.currency THEN 'currency' WHEN p.amount_minor <> f.amount_minor THEN 'amount' END
  FROM settlement_lines l, payments p
 WHERE l.id = f.line_id AND f.payment_id IS NULL AND f.verdict IS NULL AND f.kind <> 'refund' AND {condition}
"""
CHARGE_ID = _THEIRS.format(
    rule="provider_id",
    seen="l.source_id",
    condition=f"l.intent_id IS NOT NULL AND {PAYMENT_REFERENCE} = l.source_id AND p.provider <> 'manual' AND l.side = 'provider'",
)
# Rule 2: our id in the provider's metadata, our reference in the text of a transfer.
OUR_ID = _THEIRS.format(
    rule="our_id",
    seen="l.payment_reference",
    condition="p.id = CASE WHEN l.payment_reference ~ :uuid THEN l.payment_reference::uuid END",
)
OUR_REFERENCE = _THEIRS.format(rule="our_id", seen="l.payment_reference", condition="p.reference = l.payment_reference")
_OUR_REFUND = f"""
UPDATE matching_found f
   SET refund_id = r.id, their_status = {REFUND_STATUS}, rule = 'our_id', seen = l.refund_reference, verdict = {REFUND_VERDICT}
  FROM settlement_lines l, refunds r
 WHERE l.id = f.line_id AND f.refund_id IS NULL AND f.verdict IS NULL AND f.kind = 'refund' AND """  # noqa: S608
OUR_REFUND_ID = _OUR_REFUND + "r.id = CASE WHEN l.refund_reference ~ :uuid THEN l.refund_reference::uuid END"
OUR_REFUND_REFERENCE = _OUR_REFUND + "r.reference = l.refund_reference"
# A refund of a payment that the line names, where there is only one of that amount.
OUR_REFUNDS = f"""
WITH pairs AS (
  SELECT f.line_id, l.payment_reference, r.id AS refund_id, {REFUND_STATUS} AS status,
         count(*) OVER (PARTITION BY f.line_id) AS refunds, count(*) OVER (PARTITION BY r.id) AS lines
    FROM matching_found f
    JOIN settlement_lines l ON l.id = f.line_id
    CROSS JOIN LATERAL (
      SELECT p.id FROM payments p WHERE p.reference = l.payment_reference
      UNION SELECT p.id FROM payments p WHERE p.id = CASE WHEN l.payment_reference ~ :uuid THEN l.payment_reference::uuid END
      UNION SELECT p.id FROM payments p WHERE {PAYMENT_REFERENCE} = l.intent_id AND p.provider = 'stripe') p
    JOIN refunds r ON r.payment_id = p.id AND r.amount_minor = -f.amount_minor AND r.currency = f.currency
   WHERE f.kind = 'refund' AND f.refund_id IS NULL AND f.verdict IS NULL
     AND NOT EXISTS (SELECT FROM matching_found o WHERE o.refund_id = r.id AND o.amount_minor < 0)
     AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.refund_id = r.id AND k.amount_minor < 0)
     AND NOT EXISTS (SELECT FROM matching_barred b WHERE b.line_id = f.line_id AND b.other_id = r.id))
UPDATE matching_found f
   SET refund_id = CASE WHEN refunds = 1 AND lines = 1 THEN pairs.refund_id END, their_status = pairs.status, rule = 'our_id',
       seen = coalesce(pairs.payment_reference, f.seen), verdict = CASE WHEN refunds > 1 OR lines > 1 THEN 'ambiguous' END
  FROM pairs WHERE pairs.line_id = f.line_id
"""  # noqa: S608  # our own words
UNBAR = """
UPDATE matching_found f SET payment_id = NULL, refund_id = NULL, their_status = NULL, verdict = NULL
  FROM matching_barred b WHERE b.line_id = f.line_id AND b.other_id IN (f.payment_id, f.refund_id)
"""
# Who was first is it; the others are a second time: out, or back. What differs never comes before what agrees.
TAKEN = """
UPDATE matching_found f SET verdict = 'duplicate' FROM matching_kept k WHERE k.{whose} = f.{whose} AND (k.amount_minor > 0) = (f.amount_minor > 0)
"""
SECOND_TIME = """
UPDATE matching_found f SET verdict = 'duplicate'
  FROM (SELECT o.line_id, row_number() OVER (PARTITION BY o.{whose}, (o.amount_minor > 0) ORDER BY (o.verdict IS NOT NULL), (o.rule <> 'provider_id'), l.at, l.id) AS place
          FROM matching_found o JOIN settlement_lines l ON l.id = o.line_id
         WHERE o.{whose} IN (SELECT {whose} FROM matching_found WHERE {whose} IS NOT NULL GROUP BY 1 HAVING count(*) > 1)) d
 WHERE d.line_id = f.line_id AND d.place > 1
"""
# Rule 3. Asked from the customer: a price that half the school pays finds no payments by itself.
CUSTOMERS = f"""
INSERT INTO matching_customers (line_id, student_id)
WITH named AS (
  SELECT id AS student_id, {CUSTOMER_KEY.format("full_name")} AS customer FROM users WHERE role = 'student'
  UNION SELECT id, {CUSTOMER_KEY.format("email")} FROM users WHERE role = 'student'
  UNION SELECT g.student_id, {CUSTOMER_KEY.format("u.full_name")} FROM guardians g JOIN users u ON u.id = g.guardian_id
  UNION SELECT g.student_id, {CUSTOMER_KEY.format("u.email")} FROM guardians g JOIN users u ON u.id = g.guardian_id)
SELECT f.line_id, n.student_id
  FROM matching_found f
  JOIN settlement_lines l ON l.id = f.line_id
  JOIN named n ON n.customer = {CUSTOMER_KEY.format("l.counterparty")}
 WHERE f.payment_id IS NULL AND f.refund_id IS NULL AND f.verdict IS NULL AND f.kind <> 'refund' AND l.counterparty IS NOT NULL
"""  # noqa: S608
PAIRS = """
INSERT INTO matching_pairs (line_id, payment_id, status)
SELECT f.line_id, p.id AS payment_id, p.status
  FROM matching_customers c
  JOIN matching_found f ON f.line_id = c.line_id
  JOIN payments p ON p.student_id = c.student_id AND p.amount_minor = f.amount_minor AND p.currency = f.currency
                 AND (p.provider = 'manual') = (f.side = 'bank')
                 AND abs(coalesce(p.paid_at, p.created_at)::date - f.booked_on) <= :window
 WHERE NOT EXISTS (SELECT FROM matching_found o WHERE o.payment_id = p.id)
   AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.payment_id = p.id)
   AND NOT EXISTS (SELECT FROM matching_barred b WHERE b.line_id = f.line_id AND b.other_id = p.id)
 GROUP BY 1, 2, 3
"""
BY_CUSTOMER = """
WITH counted AS (SELECT *, count(*) OVER (PARTITION BY line_id) AS payments, count(*) OVER (PARTITION BY payment_id) AS lines FROM matching_pairs)
UPDATE matching_found f
   SET payment_id = CASE WHEN c.payments = 1 AND c.lines = 1 THEN c.payment_id END, their_status = c.status, rule = 'amount_and_customer', seen = NULL,
       verdict = CASE WHEN c.payments > 1 OR c.lines > 1 THEN 'ambiguous' END
  FROM counted c WHERE c.line_id = f.line_id
"""
PAYOUTS = """
INSERT INTO matching_payouts (line_id, bank_line_id, rule, is_unique)
WITH pairs AS (
  SELECT p.id AS line_id, b.line_id AS bank_line_id,
         position(coalesce(p.payout_id, p.source_id, p.external_id) IN concat_ws(' ', c.remittance, c.source_id, c.external_id)) > 0 AS is_named
    FROM settlement_lines p
    JOIN matching_files f ON f.id = p.file_id AND p.booked_on > f.through
    JOIN matching_found b ON b.kind = 'bank_credit' AND b.payment_id IS NULL AND b.verdict IS NULL
                      AND b.amount_minor = -p.net_minor AND b.currency = p.currency
                      AND b.booked_on BETWEEN p.booked_on - CAST(:early AS integer) AND p.booked_on + CAST(:late AS integer)
    JOIN settlement_lines c ON c.id = b.line_id
   WHERE p.kind = 'payout' AND p.side = 'provider' AND p.net_minor < 0
     AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.line_id = p.id)
     AND NOT EXISTS (SELECT FROM matching_barred x WHERE x.line_id = p.id AND x.other_id = b.line_id)),
named AS (
  SELECT *, bool_or(is_named) OVER (PARTITION BY line_id) OR bool_or(is_named) OVER (PARTITION BY bank_line_id) AS has_name FROM pairs),
asked AS (SELECT * FROM named WHERE is_named OR NOT has_name)
SELECT line_id, bank_line_id, CASE WHEN is_named THEN 'payout_reference' ELSE 'payout_amount' END AS rule,
       count(*) OVER (PARTITION BY line_id) = 1 AND count(*) OVER (PARTITION BY bank_line_id) = 1 AS is_unique
  FROM asked
"""
ARRIVED = """
UPDATE matching_found f SET verdict = CASE WHEN o.is_unique THEN 'payout' ELSE 'ambiguous' END
  FROM matching_payouts o WHERE o.bank_line_id = f.line_id
"""


def find(session: Session) -> None:
    """The work tables say what every line is. Writes nothing else."""
    session.execute(text("SET LOCAL work_mem = '96MB'"))
    # Whole sets meet whole sets: a hash costs the same whatever the planner takes a table to hold, a loop over one that it
    # takes to be empty took minutes.
    session.execute(text("SET LOCAL enable_nestloop = off"))
    session.execute(text(f"TRUNCATE {', '.join(each.name for each in work_tables.ALL)}"))
    for sql in (FILES, KEPT, BARRED):
        session.execute(text(sql))
    look(session)
    for sql in (FIND_PAYMENTS, FIND_REFUNDS):
        session.execute(text(sql))
    look(session)
    _run(session, TWO_MEANINGS, ONE_ROW)
    # Of most lines it is known now what they are; the others are looked up by the indexes, if they are few.
    session.execute(text("SET LOCAL enable_nestloop = on"))
    _run(session, CHARGE_ID, OUR_ID, OUR_REFERENCE, OUR_REFUND_ID, OUR_REFUND_REFERENCE)
    session.execute(text("SET LOCAL enable_nestloop = off"))
    _run(session, UNBAR, TAKEN.format(whose="payment_id"), SECOND_TIME.format(whose="payment_id"))
    _run(session, OUR_REFUNDS, TAKEN.format(whose="refund_id"), SECOND_TIME.format(whose="refund_id"))
    _run(session, CUSTOMERS, PAIRS, BY_CUSTOMER, PAYOUTS, ARRIVED)


def _run(session: Session, *statements: str) -> None:
    for sql in statements:
        session.execute(told(sql))


def look(session: Session) -> None:
    """The planner knows how much stands in the work tables."""
    session.execute(text("SELECT look_at_work_tables()"))


def told(sql: str) -> TextClause:
    """The statement with those of the rules' numbers that it names."""
    named = set(NAMED.findall(sql)) & set(VALUES)
    return text(sql).bindparams(**{name: VALUES[name] for name in named})


VALUES = {
    "uuid": UUID,
    "window": rules.CUSTOMER_WINDOW_DAYS,
    "early": rules.PAYOUT_EARLY_DAYS,
    "late": rules.PAYOUT_LATE_DAYS,
    "settles": rules.SETTLES_WITHIN_DAYS,
    "rounding": rules.FEE_ROUNDING_MINOR,
    "days_without": rules.DAYS_WITHOUT_A_FILE,
}
