"""What of a payment is spoken for: refunds, credits in lessons, and disputes. Reads only; the payment's lock keeps it true."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

SPOKEN_FOR = text("""
SELECT CAST(r.amount AS bigint), CAST(c.amount AS bigint), CAST(d.lost AS bigint), CAST(d.disputed AS bigint),
       CAST(r.lessons + c.lessons + d.lessons AS bigint)
  FROM (SELECT coalesce(sum(amount_minor), 0) AS amount, coalesce(sum(lessons_revoked), 0) AS lessons
          FROM refunds WHERE payment_id = :payment_id AND status IN ('pending', 'succeeded')) r,
       (SELECT coalesce(sum(amount_minor), 0) AS amount, coalesce(sum(lessons_revoked), 0) AS lessons
          FROM refund_credits WHERE payment_id = :payment_id) c,
       (SELECT coalesce(sum(amount_minor) FILTER (WHERE status = 'lost'), 0) AS lost,
               coalesce(sum(amount_minor) FILTER (WHERE status = 'open'), 0) AS disputed,
               coalesce(sum(lessons_revoked), 0) AS lessons
          FROM disputes WHERE payment_id = :payment_id) d
""")


@dataclass(frozen=True)
class SpokenFor:
    """Minor units of one payment, and the lessons that were taken with them."""

    refunds_minor: int  # pending and succeeded
    credits_minor: int
    lost_minor: int  # disputes that were lost
    disputed_minor: int  # disputes that are open: nobody knows yet whose it is
    lessons_revoked: int

    @property
    def committed_minor(self) -> int:
        """What is gone, or on its way, and took its lessons with it."""
        return self.refunds_minor + self.credits_minor + self.lost_minor

    @property
    def total_minor(self) -> int:
        return self.committed_minor + self.disputed_minor


DISPUTED_OR_LOST = text("""
SELECT payment_id, CAST(sum(amount_minor) AS bigint) AS amount FROM disputes
 WHERE payment_id = ANY(:payment_ids) AND status IN ('open', 'lost') GROUP BY payment_id
""")


def disputed_or_lost(session: Session, payment_ids: Collection[UUID]) -> dict[UUID, int]:
    """Minor units of each payment that has any, which cannot be disputed again. Index: ix_disputes_payment_id."""
    found = session.execute(DISPUTED_OR_LOST, {"payment_ids": list(payment_ids)})
    return {row.payment_id: row.amount for row in found}


def spoken_for(session: Session, payment_id: UUID) -> SpokenFor:
    """Indexes: ix_refunds_payment_id, ix_refund_credits_payment_id, ix_disputes_payment_id."""
    return SpokenFor(*session.execute(SPOKEN_FOR, {"payment_id": payment_id}).one())
