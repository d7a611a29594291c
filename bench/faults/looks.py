"""The whole school as the product has it, beside the model: every row, and every invariant."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from bench.faults.model import Model
from bench.faults.records import Booking
from guitaronline import checks
from guitaronline.audit import integrity
from guitaronline.db import session

BOOKINGS = """
SELECT b.id, b.status, b.package_id, b.refund_returned, l.status FROM bookings b LEFT JOIN lessons l ON l.booking_id = b.id
"""


class Parted(Exception):
    """The product did one thing, the model another."""


def same(what: str, seen: Any, meant: Any) -> None:
    if seen != meant:
        raise Parted(f"{what}: the product has {seen}, the model {meant}")


def look_at_everything(model: Model) -> None:
    """Every package with its buckets, every booking, lesson, payment and refund."""
    rows = session().execute(
        text(
            "SELECT id, available, reserved, consumed, expired, revoked, status, expires_at FROM packages ORDER BY created_at, id"
        )
    )
    seen = {row[0]: tuple(row[1:]) for row in rows}
    for package in model.packages:
        same(f"package {package.number}", seen.pop(package.id, None), package.buckets())
    same("packages that nobody granted", seen, {})
    seen = {row[0]: tuple(row[1:]) for row in session().execute(text(BOOKINGS))}
    for each in model.bookings:
        lesson = (each.status == "canceled" and "canceled") or "scheduled"
        meant = (each.status, each.package.id, each.returned, lesson if each.was_confirmed else None)
        same(f"booking {told(each)}", seen.pop(each.id, None), meant)
    same("bookings that nobody made", seen, {})
    look_at_money(model)
    session().rollback()


def look_at_money(model: Model) -> None:
    seen = {row[0]: row[1] for row in session().execute(text("SELECT id, status FROM payments"))}
    same("payments", seen, {each.id: each.status for each in model.payments})
    rows = session().execute(text("SELECT id, status, amount_minor, lessons_revoked FROM refunds"))
    refunds = [each for payment in model.payments for each in payment.refunds]
    same(
        "refunds",
        {row[0]: tuple(row[1:]) for row in rows},
        {each.id: (each.status, each.amount, each.lessons) for each in refunds},
    )


def look_at_invariants() -> None:
    integrity.seal()
    session().execute(integrity.LONG)
    found = checks.run_all(session())
    session().rollback()
    if found:
        raise Parted(f"invariants: {[(each.check, each.facts) for each in found[:5]]}")


def told(which: Booking) -> str:
    return f"student {which.student}'s {which.status} of {which.slot.start}, package {which.package.number}"
