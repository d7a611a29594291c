"""What series of lessons say no with."""

from __future__ import annotations

from collections.abc import Sequence

from guitaronline.booking.series_rules import dated
from guitaronline.booking.series_walk import Judged
from guitaronline.errors import Conflict, Invalid, Reason
from guitaronline.unit_of_work import constraint_errors


class SeriesInvalid(Invalid):
    detail = "The series cannot be made like this."


class SeriesConflicts(Conflict):
    detail = "Some of the dates cannot be booked. Leave them out, or change them; nothing was booked."


class SeriesOver(Conflict):
    detail = "The series was ended or canceled. Make a new one."


class SeriesDayBooked(Conflict):
    detail = "The series has a lesson for this day already."


constraint_errors["bookings_one_active_per_series_day"] = SeriesDayBooked


def conflicts(judged: Sequence[Judged]) -> list[Reason]:
    """Every reason of every date that was not left out, each with its date."""
    return [dated(each.date.day, reason) for each in judged for reason in each.reasons]


NOTHING_LEFT = Reason("no_dates_left", "No date is left.", "Leave fewer dates out.", "/skip")
UNKNOWN_DATES = Reason("unknown_dates", "A date that was left out is not among the dates.", "Look again.", "/skip")
REPEATED_PACKAGES = Reason("bad_packages", "Name at most 20 packages, each once.", pointer="/package_ids")
EXTENSION = Reason("series_over", SeriesOver.detail)
NOTHING_AHEAD = Reason("nothing_ahead", "No lesson of the series is ahead that could move.")
FOREIGN_BOOKING = Reason("not_in_series", "This booking is not one of the series.", pointer="/from_booking")
SAME_TIME = Reason("same_slot", "It is at that time already.")
BAD_WEEKDAY = Reason("bad_weekday", "The weekday is 0 (Monday) to 6 (Sunday).", pointer="/weekday")
BAD_TIME = Reason("bad_local_time", "A time has whole seconds and no zone.", pointer="/start_local")
