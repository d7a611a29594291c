"""Ledger steps as commands of their own, and the truth about a package read from its entries (invariant I1)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing import ledger
from guitaronline.billing.models import Package, Payment, Refund
from guitaronline.billing.service import record_payment, set_payment_status
from guitaronline.unit_of_work import Work, command
from tests.world import World, as_actor

BUCKETS = ("available", "reserved", "consumed", "expired", "revoked")

I1 = text("""
    SELECT p.id FROM packages p LEFT JOIN credit_entries e ON e.package_id = p.id
     GROUP BY p.id
    HAVING p.lessons_total <> p.available + p.reserved + p.consumed + p.expired + p.revoked
        OR (p.available, p.reserved, p.consumed, p.expired, p.revoked) IS DISTINCT FROM
           (coalesce(sum(e.d_available), 0), coalesce(sum(e.d_reserved), 0), coalesce(sum(e.d_consumed), 0),
            coalesce(sum(e.d_expired), 0), coalesce(sum(e.d_revoked), 0))
        OR count(e.id) <> coalesce(max(e.sequence), 0)
""")
BALANCES = text("""
    SELECT id FROM (
      SELECT id, available, sum(d_available) OVER w AS a, reserved, sum(d_reserved) OVER w AS r, consumed, sum(d_consumed) OVER w AS c,
             expired, sum(d_expired) OVER w AS e, revoked, sum(d_revoked) OVER w AS v
        FROM credit_entries WINDOW w AS (PARTITION BY package_id ORDER BY sequence)) x
     WHERE (available, reserved, consumed, expired, revoked) IS DISTINCT FROM (a, r, c, e, v)
""")


@command("test.ledger", on="packages")
def posted(work: Work, package_id: UUID, step: Any, *args: Any, **more: Any) -> Any:
    """The step, under the package's lock."""
    return step(work, work.lock(Package, package_id), *args, **more)


def post(package: Package, step: Any, *args: Any, **more: Any) -> Any:
    return posted(SYSTEM, package.id, step, *args, **more)


def book(package: Package, booking_id: UUID) -> None:
    """One lesson reserved and used."""
    post(package, ledger.reserve, booking_id)
    post(package, ledger.consume, booking_id)


def buckets(package: Package) -> dict[str, int]:
    """Those that are not empty."""
    return {name: getattr(package, name) for name in BUCKETS if getattr(package, name)}


def ledger_holds(db: Session) -> bool:
    db.rollback()
    return not db.execute(I1).all() and not db.execute(BALANCES).all()


def payment(world: World, package: Package, amount_minor: int = 49_000, **more: Any) -> Payment:
    """A payment of the package that is awaited."""
    return record_payment(
        as_actor(world.finn),
        package_id=package.id,
        amount_minor=amount_minor,
        currency=more.pop("currency", "USD"),
        **more,
    )


def paid(world: World, package: Package, amount_minor: int = 49_000, **more: Any) -> Payment:
    """A payment of the package that succeeded."""
    made = payment(world, package, amount_minor, **more)
    done = set_payment_status(as_actor(world.finn), made.id, status="succeeded", reason="seen on the statement")
    assert isinstance(done, Payment)
    return done


def is_refund(result: object) -> Refund:
    assert isinstance(result, Refund)
    return result
