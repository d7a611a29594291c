"""Who gives a lesson, and for whom."""

from __future__ import annotations

from typing import Any

from guitaronline.admin import show
from guitaronline.booking.models import Booking


def given_by(booking: Booking) -> Any:
    """The teacher; of a substitute also whom the student had booked."""
    teacher, original = show.link(booking.teacher), booking.original_teacher
    return show.html("{}, stands in for {}", teacher, show.link(original)) if original is not None else teacher
