"""What does not agree, by category: worked out set by set from what `matching.find` found.

matching_wrong    every exception that the facts ask for, by its natural key
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from guitaronline.billing.reconciliation import matching

BANK_KINDS = "('camt053', 'mt940', 'bank_csv')"
PROVIDER_OF_KIND = "CASE WHEN f.kind LIKE 'stripe%' THEN 'stripe' ELSE f.kind END"

OF_LINES = """
SELECT category, category || ':line:' || line_id AS natural_key, line_id, payment_id, refund_id, NULL::uuid AS file_id, currency,
       CASE category WHEN 'amount' THEN abs(abs(amount_minor) - ours) ELSE abs(amount_minor) END AS value_minor, booked_on,
       CASE WHEN ours IS NULL THEN '{}' ELSE jsonb_build_object('ours_minor', ours, 'our_currency', our_currency, 'our_status', their_status) END AS detail
  FROM (SELECT f.*, coalesce(p.amount_minor, r.amount_minor) AS ours, coalesce(p.currency, r.currency) AS our_currency,
               CASE WHEN f.verdict IS NOT NULL THEN f.verdict
                    WHEN f.payment_id IS NULL AND f.refund_id IS NULL THEN CASE f.kind WHEN 'refund' THEN 'unknown_refund' ELSE 'missing_here' END
                    ELSE 'state' END AS category
          FROM matching_found f LEFT JOIN payments p ON p.id = f.payment_id LEFT JOIN refunds r ON r.id = f.refund_id
         WHERE f.verdict <> 'payout'
            OR (f.verdict IS NULL AND (f.payment_id IS NOT NULL OR f.refund_id IS NOT NULL) AND f.their_status NOT IN ('succeeded', 'refunded'))
            OR (f.verdict IS NULL AND f.payment_id IS NULL AND f.refund_id IS NULL)) found
"""
# A match that a person made of a payment, of several, or of a refund that does not say so.
OF_KEPT = """
SELECT 'state', 'state:line:' || m.line_id || coalesce(':' || s.payment_id, ''), m.line_id, p.id, NULL::uuid, NULL::uuid, m.currency,
       p.amount_minor, m.booked_on, jsonb_build_object('ours_minor', p.amount_minor, 'our_currency', p.currency, 'our_status', p.status)
  FROM settlement_matches m JOIN matching_files f ON f.id = m.file_id AND m.booked_on > f.through
  LEFT JOIN settlement_match_parts s ON s.match_id = m.id AND s.is_active
  JOIN payments p ON p.id = coalesce(m.payment_id, s.payment_id)
 WHERE m.status = 'active' AND m.matched_by IS NOT NULL AND p.status IN ('pending', 'failed')
UNION ALL
SELECT 'state', 'state:line:' || m.line_id, m.line_id, NULL, r.id, NULL, m.currency, r.amount_minor, m.booked_on,
       jsonb_build_object('ours_minor', r.amount_minor, 'our_currency', r.currency, 'our_status', r.status)
  FROM settlement_matches m JOIN matching_files f ON f.id = m.file_id AND m.booked_on > f.through JOIN refunds r ON r.id = m.refund_id
 WHERE m.status = 'active' AND m.matched_by IS NOT NULL AND r.status <> 'succeeded' AND r.returned_at IS NULL
"""
OF_FEES = """
SELECT 'fee', 'fee:line:' || l.id, l.id, NULL::uuid, NULL::uuid, NULL::uuid, l.currency, abs(l.fee_minor - l.expected), l.booked_on,
       jsonb_build_object('fee_minor', l.fee_minor, 'expected_minor', l.expected)
  FROM (SELECT l.*, (l.amount_minor * c.percent_bps + 5000) / 10000 + c.fixed_minor AS expected
          FROM settlement_lines l
          JOIN matching_files f ON f.id = l.file_id AND l.booked_on > f.through
          JOIN (SELECT *, lead(from_on) OVER (PARTITION BY account, currency ORDER BY from_on) AS until_on FROM fee_contracts) c
            ON c.account = l.account AND c.currency = l.currency AND l.booked_on >= c.from_on AND l.booked_on < coalesce(c.until_on, 'infinity')
         WHERE l.kind = 'charge' AND l.side = 'provider' AND l.amount_minor > 0) l
 WHERE abs(l.fee_minor - l.expected) > :rounding
"""
OF_DISPUTES = """
SELECT 'dispute', 'dispute:line:' || l.id, l.id, p.id, NULL::uuid, NULL::uuid, l.currency, abs(l.net_minor), l.booked_on, '{}'::jsonb
  FROM settlement_lines l
  JOIN matching_files f ON f.id = l.file_id AND l.booked_on > f.through
  LEFT JOIN LATERAL (
    SELECT p.id FROM payments p WHERE p.reference = l.payment_reference
    UNION ALL SELECT p.id FROM payments p WHERE p.id = CASE WHEN l.payment_reference ~ :uuid THEN l.payment_reference::uuid END) p ON true
 WHERE l.kind = 'dispute' AND NOT EXISTS (SELECT FROM disputes d WHERE d.provider_reference = l.source_id)
"""
OF_PAYOUT_SUMS = """
SELECT 'payout_sum', 'payout_sum:line:' || p.id, p.id, NULL::uuid, NULL::uuid, NULL::uuid, p.currency, abs(p.net_minor + coalesce(s.net, 0)), p.booked_on,
       jsonb_build_object('lines', coalesce(s.lines, 0), 'sum_minor', coalesce(s.net, 0))
  FROM settlement_lines p
  JOIN matching_files f ON f.id = p.file_id AND p.booked_on > f.through
  LEFT JOIN (SELECT account, currency, payout_id, sum(net_minor) AS net, count(*) AS lines FROM settlement_lines
              WHERE payout_id IS NOT NULL AND kind <> 'payout' AND side = 'provider' GROUP BY 1, 2, 3) s
    ON (s.account, s.currency, s.payout_id) = (p.account, p.currency, coalesce(p.payout_id, p.source_id))
 WHERE p.kind = 'payout' AND p.side = 'provider' AND -p.net_minor IS DISTINCT FROM s.net
   AND coalesce(p.payout_id, p.source_id) IS NOT NULL
"""
OF_PAYOUTS = f"""
SELECT category, category || ':line:' || id, id, NULL::uuid, NULL::uuid, NULL::uuid, currency, abs(net_minor), booked_on, '{{}}'::jsonb
  FROM (SELECT p.*, CASE WHEN EXISTS (SELECT FROM matching_payouts o WHERE o.line_id = p.id) THEN 'ambiguous' ELSE 'payout_not_in_bank' END AS category
          FROM settlement_lines p JOIN matching_files f ON f.id = p.file_id AND p.booked_on > f.through
         WHERE p.kind = 'payout' AND p.side = 'provider' AND p.net_minor < 0
           AND NOT EXISTS (SELECT FROM matching_payouts o WHERE o.line_id = p.id AND o.is_unique)
           AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.line_id = p.id)) p
 WHERE category = 'ambiguous' OR booked_on + CAST(:late AS integer) <= (
       SELECT max(f.last_on) FROM settlement_files f JOIN matching_files m ON m.id = f.id
        WHERE f.kind IN {BANK_KINDS} AND coalesce(f.currency, p.currency) = p.currency)
"""  # noqa: S608  # our own words
# By the files that the run reads: one that is imported meanwhile would tell of days whose lines are not looked at.
_COVERED = f"""
  JOIN (SELECT {PROVIDER_OF_KIND} AS provider, min(f.first_on) AS first_on, max(f.last_on) AS last_on
          FROM settlement_files f JOIN matching_files m ON m.id = f.id WHERE f.kind NOT IN {BANK_KINDS} GROUP BY 1) c ON c.provider = p.provider
"""  # noqa: S608
OF_PAYMENTS = f"""
SELECT 'missing_there', 'missing_there:payment:' || p.id, NULL::uuid, p.id, NULL::uuid, NULL::uuid, p.currency, p.amount_minor, p.paid_at::date, '{{}}'::jsonb
  FROM payments p {_COVERED}
 WHERE p.status IN ('succeeded', 'refunded') AND p.paid_at >= c.first_on AND p.paid_at < c.last_on - CAST(:settles AS integer) + 1
   AND NOT EXISTS (SELECT FROM matching_found f WHERE f.payment_id = p.id)
   AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.payment_id = p.id)
   AND NOT EXISTS (SELECT FROM matching_pairs x WHERE x.payment_id = p.id)  -- its line may be there; ambiguous says so
"""  # noqa: S608
OF_REFUNDS = f"""
SELECT 'missing_there', 'missing_there:refund:' || r.id, NULL::uuid, r.payment_id, r.id, NULL::uuid, r.currency, r.amount_minor, r.settled_at::date, '{{}}'::jsonb
  FROM refunds r JOIN payments p ON p.id = r.payment_id {_COVERED}
 WHERE r.status = 'succeeded' AND r.settled_at >= c.first_on AND r.settled_at < c.last_on - CAST(:settles AS integer) + 1
   AND NOT EXISTS (SELECT FROM matching_found f WHERE f.refund_id = r.id)
   AND NOT EXISTS (SELECT FROM matching_kept k WHERE k.refund_id = r.id)
"""  # noqa: S608
# Between two statements of an account the balance moved, and nothing says by what.
GAPS = """
SELECT * FROM (SELECT *, lag(closing_minor) OVER w AS before, lag(last_on) OVER w AS until FROM settlement_statements
               WINDOW w AS (PARTITION BY account, currency ORDER BY first_on, last_on, file_id, sequence)) told
 WHERE first_on > until AND opening_minor <> before
"""
GAP_KEY = "'missing_file:' || account || ':' || currency || ':' || first_on"
OF_FILES = f"""
SELECT 'bad_file', 'bad_file:' || f.id, NULL::uuid, NULL::uuid, NULL::uuid, f.id, NULL, 0, f.created_at::date,
       jsonb_build_object('problems', f.problems_total)
  FROM settlement_files f
 WHERE f.status = 'refused'
   AND NOT EXISTS (SELECT FROM settlement_files o WHERE o.status = 'imported' AND (o.sha256 = f.sha256 OR o.file_name = f.file_name))
UNION ALL
SELECT 'line_changed', 'line_changed:' || b.file_id || ':' || b.line_id, b.line_id, NULL, NULL, b.file_id, l.currency, abs(l.amount_minor), l.booked_on,
       jsonb_build_object('before', b.before, 'after', b.after)
  FROM settlement_problems b JOIN settlement_lines l ON l.id = b.line_id
UNION ALL
SELECT 'missing_file', {GAP_KEY}, NULL, NULL, NULL, file_id, currency, abs(opening_minor - before), first_on,
       jsonb_build_object('account', account, 'closing_minor', before, 'opening_minor', opening_minor, 'until', until, 'from', first_on)
  FROM ({GAPS}) gaps
UNION ALL
SELECT 'missing_file', 'missing_file:' || account || ':' || first_on, NULL, NULL, NULL, id, NULL, 0, first_on,
       jsonb_build_object('account', account, 'until', until, 'from', first_on)
  FROM (SELECT f.*, max(last_on) OVER (PARTITION BY account ORDER BY first_on, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until
          FROM settlement_files f WHERE f.status = 'imported'
           AND NOT EXISTS (SELECT FROM settlement_statements s WHERE s.account = f.account)) f
 WHERE first_on - until > :days_without
"""  # noqa: S608
ALL = (
    OF_LINES,
    OF_KEPT,
    OF_FEES,
    OF_DISPUTES,
    OF_PAYOUT_SUMS,
    OF_PAYOUTS,
    OF_PAYMENTS,
    OF_REFUNDS,
    OF_FILES,
)
# What came late belongs to the first day that is not closed.
WRONG = f"""
INSERT INTO matching_wrong (category, natural_key, line_id, payment_id, refund_id, file_id, currency, value_minor, detail, booked_on)
SELECT DISTINCT ON (natural_key) category, natural_key, line_id, payment_id, refund_id, file_id, currency, value_minor, detail,
       greatest(booked_on, coalesce((SELECT max(last_on) + 1 FROM reconciliation_periods WHERE status = 'closed'), booked_on)) AS booked_on
  FROM ({" UNION ALL ".join(ALL)}) every
 ORDER BY natural_key
"""  # noqa: S608


def classify(session: Session) -> None:
    """The work table `matching_wrong` says what does not agree. `matching.find` has run. Writes nothing else."""
    matching.look(session)
    session.execute(matching.told(WRONG))
    matching.look(session)
