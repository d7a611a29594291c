"""What must hold of every match, as SQL that returns no row while it holds."""

from __future__ import annotations

MATCHES = """
SELECT m.id, m.rule, m.line_id FROM settlement_matches m
  LEFT JOIN settlement_lines l ON l.id = m.line_id
  LEFT JOIN settlement_lines b ON b.id = m.bank_line_id
  LEFT JOIN payments p ON p.id = m.payment_id
  LEFT JOIN refunds r ON r.id = m.refund_id
  LEFT JOIN (SELECT match_id, sum(amount_minor) AS amount_minor, min(currency) AS currency, count(DISTINCT currency) AS currencies
               FROM settlement_match_parts WHERE is_active GROUP BY 1) s ON s.match_id = m.id
 WHERE m.status = 'active'
   AND ((l.amount_minor, l.currency) IS DISTINCT FROM (m.amount_minor, m.currency)
     OR CASE WHEN m.rule = 'split' THEN (s.amount_minor, s.currency, s.currencies) IS DISTINCT FROM (m.amount_minor::numeric, m.currency, 1::bigint)
             WHEN m.payment_id IS NOT NULL THEN (p.amount_minor, p.currency) IS DISTINCT FROM (m.amount_minor, m.currency)
             WHEN m.refund_id IS NOT NULL THEN (r.amount_minor, r.currency) IS DISTINCT FROM (abs(m.amount_minor), m.currency)
                                            OR (m.amount_minor > 0 AND r.returned_at IS NULL)
             ELSE (b.amount_minor, b.currency) IS DISTINCT FROM (-l.net_minor, m.currency) END)
UNION ALL
SELECT m.id, m.rule, m.bank_line_id FROM settlement_matches m JOIN settlement_matches o ON o.line_id = m.bank_line_id AND o.status = 'active'
 WHERE m.status = 'active'
UNION ALL
SELECT m.id, m.rule, m.line_id FROM settlement_match_parts s JOIN settlement_matches o ON o.id = s.match_id
  JOIN settlement_matches m ON m.payment_id = s.payment_id AND m.status = 'active'
 WHERE s.is_active"""
