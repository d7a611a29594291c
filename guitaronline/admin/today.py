"""Today: what needs somebody now, the day's lessons on a time axis, and the numbers of the day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from guitaronline.admin import gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.bookings import booking_state
from guitaronline.admin.command_page import button_of, commands
from guitaronline.admin.day_axis import axis_of
from guitaronline.admin.delivery_figures import delivery_figures
from guitaronline.admin.illness import who_is_ill
from guitaronline.admin.kpis import cards
from guitaronline.admin.new_booking import NewBooking
from guitaronline.admin.queues import standings
from guitaronline.booking import facts
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.access import Permission

LESSONS_SHOWN = 60
JUST_BEFORE = timedelta(hours=1)  # on a day with more lessons than fit, what runs now is still shown


class Today(ConsolePage):
    path = ""
    title = "Today"
    permission = Permission.READ_BOOKINGS

    def page(self) -> Any:
        found = standings()
        lessons, since = lessons_today()
        delivery, troubles = delivery_figures()
        return self.render(
            "admin/today.html",
            waiting=[each for each in found if each.number],
            quiet=[each for each in found if not each.number],
            axis=axis_of(lessons, now=gate.now(), zone=show.zone()),
            lessons=[_row(each) for each in lessons],
            lessons_since=since,
            cards=cards(),
            delivery=delivery,
            troubles=troubles,
            buttons=[button_of(commands.named(NewBooking)), who_is_ill()],
        )


def lessons_today() -> tuple[list[Booking], datetime | None]:
    """The viewer's day as the clock runs; of a very full day what is still to come, and the moment from which on."""
    midnight = gate.now().astimezone(show.zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    whole = _lessons(midnight, midnight)
    if len(whole) <= LESSONS_SHOWN:
        return whole, None
    since = max(gate.now() - JUST_BEFORE, midnight)
    return _lessons(since, midnight)[:LESSONS_SHOWN], since


def _lessons(since: datetime, midnight: datetime) -> list[Booking]:
    """One more than is shown. ix_bookings_start"""
    query = (
        select(Booking)
        .where(Booking.start_at >= since, Booking.start_at < midnight + timedelta(days=1), facts.live(gate.now()))
        .order_by(Booking.start_at, Booking.id)
        .limit(LESSONS_SHOWN + 1)
        .options(selectinload(Booking.student), selectinload(Booking.teacher))
    )
    return list(session().scalars(query))


def _row(booking: Booking) -> list[Any]:
    return [
        show.when(booking.start_at, booking.student, booking.teacher),
        show.link(booking),
        show.link(booking.student),
        show.link(booking.teacher),
        booking_state(booking),
    ]
