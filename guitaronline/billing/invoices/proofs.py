"""What must hold of everything that was issued: name, sentence, and SQL that returns no row while it holds."""

from __future__ import annotations

NUMBERS = """
SELECT series, year, i.issued, i.highest, n.last_number
  FROM (SELECT series, year, count(*) AS issued, max(sequence) AS highest, count(DISTINCT sequence) AS numbers
          FROM (SELECT series, year, sequence FROM invoices UNION ALL SELECT series, year, sequence FROM credit_notes
                UNION ALL SELECT series, year, sequence FROM credit_cancellations) every
         GROUP BY series, year) i
  FULL JOIN number_series n USING (series, year)
 WHERE (i.issued, i.numbers, n.last_number) IS DISTINCT FROM (i.highest::bigint, i.highest::bigint, i.highest)"""

INVOICES = """
SELECT p.id, p.reference, i.reference AS invoice, p.amount_minor, i.gross_minor, i.net_minor, i.tax_minor
  FROM payments p LEFT JOIN invoices i ON i.payment_id = p.id
 WHERE CASE WHEN i.id IS NOT NULL
            THEN p.status NOT IN ('succeeded', 'refunded') OR i.net_minor + i.tax_minor <> i.gross_minor
              OR (i.gross_minor, i.currency, i.student_id) <> (p.amount_minor, p.currency, p.student_id)
            ELSE p.status IN ('succeeded', 'refunded') AND CAST(:is_on AS boolean)
              AND p.paid_at > (SELECT min(greatest(s.created_at, (s.valid_from + 1)::timestamptz)) FROM invoice_sellers s) END"""

CREDIT_NOTES = """
SELECT i.id, i.reference, i.gross_minor, coalesce(n.gross, 0) AS credited, coalesce(r.paid_out, 0) AS paid_out, n.tax, i.tax_minor
  FROM invoices i
  LEFT JOIN (SELECT c.invoice_id, sum(c.gross_minor) FILTER (WHERE x.id IS NULL) AS gross, sum(c.net_minor) FILTER (WHERE x.id IS NULL) AS net,
                    sum(c.tax_minor) FILTER (WHERE x.id IS NULL) AS tax,
                    bool_or((c.gross_minor, c.currency) <> (f.amount_minor, f.currency)
                         OR (x.id IS NULL) <> (f.returned_at IS NULL)
                         OR (x.gross_minor, x.net_minor, x.tax_minor, x.currency) <> (c.gross_minor, c.net_minor, c.tax_minor, c.currency)) AS differs
               FROM credit_notes c JOIN refunds f ON f.id = c.refund_id LEFT JOIN credit_cancellations x ON x.credit_note_id = c.id
              GROUP BY c.invoice_id) n ON n.invoice_id = i.id
  LEFT JOIN (SELECT payment_id, sum(amount_minor) AS paid_out FROM refunds WHERE status = 'succeeded' GROUP BY payment_id) r
       ON r.payment_id = i.payment_id
 WHERE coalesce(n.gross, 0) <> coalesce(r.paid_out, 0) OR n.differs OR n.gross > i.gross_minor
    OR n.tax > i.tax_minor OR n.net > i.net_minor
    OR (n.gross = i.gross_minor AND (n.net, n.tax) <> (i.net_minor, i.tax_minor))"""

PROOFS = (
    ("I12 invoice numbers", "No number is missing and none was given twice, in any series and year.", NUMBERS),
    (
        "I12 invoices",
        "Every invoice is its payment, and net and tax are its amount; every payment that came since the school issues invoices has one.",
        INVOICES,
    ),
    (
        "I12 credit notes",
        "The credit notes of an invoice are what was paid back of it, less those whose refund came back; all of its net and tax when all.",
        CREDIT_NOTES,
    ),
)
