"""Nine days of a small school, told so that every number can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select, text

from guitaronline import clock
from guitaronline.billing import service as billing
from guitaronline.billing.models import Package, Payment
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking, expire_holds, reschedule_booking
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.kpis.days import Span
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson, mark_no_show
from tests.world import World, as_actor


class Life:
    """Days are told by how many ago they are; the clock stands at noon unless an hour is named."""

    def __init__(self, world: World) -> None:
        self.world, self.today = world, world.now.date()

    def day(self, ago: int) -> date:
        return self.today - timedelta(days=ago)

    def at(self, ago: int, hour: int = 12) -> datetime:
        return datetime.combine(self.day(ago), time(hour), UTC)

    def on(self, ago: int, hour: int = 12) -> AbstractContextManager[None]:
        return clock.standing_at(self.at(ago, hour))

    def span(self, first: int = 9, last: int = 0) -> Span:
        return Span(self.day(first), self.day(last))

    def package(self, student: User, ago: int, **more: Any) -> Package:
        with self.on(ago):
            return self.world.package(student, **more)

    def paid(self, package: Package, ago: int) -> Payment:
        finance = as_actor(self.world.finn)
        with self.on(ago):
            made = billing.record_payment(
                finance, package_id=package.id, amount_minor=package.price_minor, currency=package.currency
            )
            return billing.set_payment_status(finance, made.id, status="succeeded", reason="seen")  # type: ignore[return-value]

    def booked(self, student: User, package: Package, *, lesson: tuple[int, int], made: int) -> Booking:
        """Confirmed `made` days ago for the lesson of (days ago, hour)."""
        with self.on(made):
            slot = self.world.slot(start_at=self.at(*lesson))
            return self.world.booking(slot, student, package_id=package.id)

    def lesson_of(self, booking: Booking) -> Lesson:
        return session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()

    def given(self, booking: Booking, ago: int, hour: int = 20) -> None:
        with self.on(ago, hour):
            complete_lesson(as_actor(self.world.tom), self.lesson_of(booking).id)

    def missed(self, booking: Booking, ago: int, side: str, hour: int = 20) -> None:
        with self.on(ago, hour):
            mark_no_show(as_actor(self.world.tom), self.lesson_of(booking).id, side=side)

    def whole(self) -> Life:
        """Ann tries, buys, and learns; Ben buys twice and has no luck with his lessons."""
        ann, ben = self.world.ann, self.world.ben
        self.package(ann, 9, lessons=1, is_trial=True)
        anns = self.package(ann, 8, lessons=4, price_minor=9999)
        bens = self.package(ben, 8, lessons=2, price_minor=5000, currency="EUR")
        payment = self.paid(anns, 7)
        self.paid(bens, 6)
        given = self.booked(ann, anns, lesson=(4, 10), made=6)
        absent = self.booked(ann, anns, lesson=(4, 14), made=6)
        late = self.booked(ann, anns, lesson=(3, 10), made=6)
        alone = self.booked(ben, bens, lesson=(3, 12), made=6)
        early = self.booked(ben, bens, lesson=(2, 12), made=6)
        moving = self.booked(ann, anns, lesson=(2, 10), made=6)
        with self.on(5):
            cancel_booking(as_actor(ben), early.id)
            target = self.world.slot(start_at=self.at(2, 16))
            moved = reschedule_booking(as_actor(ann), moving.id, new_slot_id=target.id)
            self.world.hold(self.world.slot(start_at=self.at(1)), ben, package_id=bens.id)
            self.world.slot(self.world.tina, start_at=self.at(2, 20))
        with self.on(5, 13):
            expire_holds(as_actor(self.world.ada))
        with self.on(3, 8):
            cancel_booking(as_actor(ann), late.id)
        self.given(given, 4)
        self.missed(absent, 4, "student")
        self.missed(alone, 3, "teacher")
        self.given(moved, 2)
        self._refunded(payment, 2)
        self._disputed(payment, 2)
        self.package(ben, 1, lessons=5, price_minor=10_000, currency="EUR", expires_at=self.at(-10))
        return self

    def _disputed(self, payment: Payment, ago: int) -> None:
        """One dispute is lost and one is won; of what is left a part becomes a lesson that costs nothing."""
        finance = as_actor(self.world.finn)
        with self.on(ago):
            for amount, won in ((700, False), (500, True)):
                dispute = billing.open_dispute(finance, payment.id, amount_minor=amount, reason="not known")
                billing.decide_dispute(finance, dispute.id, won=won, reason="a letter")
            billing.credit_payment(finance, payment.id, amount_minor=3000, reason="one lesson more")

    def _refunded(self, payment: Payment, ago: int) -> None:
        finance = as_actor(self.world.finn)
        with self.on(ago):
            refund: Any = billing.refund_payment(finance, payment.id, amount_minor=1000, reason="a string broke")
            billing.settle_refund(finance, refund.id, succeeded=True)


# Tests that run beside this one write in the same cluster, and what they have open holds every look back for a moment.
HAS_SEEN_ALL = text("""
SELECT p.change_id >= coalesce((SELECT max(id) FROM audit_changes), 0)
   AND p.seen_xid > coalesce((SELECT xid FROM audit_actions ORDER BY xid DESC LIMIT 1), '0')
  FROM kpi_progress p
""")
MOST_LOOKS = 5000


def counted_once() -> None:
    """The job has run."""
    from jobs import kpis

    kpis.roll_up()
    session().rollback()


def counted() -> None:
    """The job has run until it had seen everything: every day that is over is counted."""
    until_seen(counted_once)


def until_seen(look: Callable[[], object]) -> None:
    for _ in range(MOST_LOOKS):
        look()
        if session().scalar(HAS_SEEN_ALL):
            session().rollback()
            return
        session().rollback()
    raise AssertionError("somebody beside us never ended")
