"""Weeks, nights and slots for the tests of the pure rule; and what every plan must keep, said as lists of what breaks it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from guitaronline.scheduling.planning import Plan, Standing
from guitaronline.scheduling.rules import Planned, Window, wall_clock

ZONES = sorted(available_timezones())
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


def window(weekday: int, start: str, end: str, minutes: int = 60, pause: int = 0, **valid: date) -> Window:
    return Window(frozenset([weekday]), wall_clock(start), wall_clock(end, is_end=True), minutes, pause, **valid)


def all_week(start: str, end: str, minutes: int = 60, pause: int = 0) -> list[Window]:
    return [window(weekday, start, end, minutes, pause) for weekday in range(7)]


def stands(
    number: int, place: Planned | tuple[datetime, int], because: str | None = None, *, pause: int = 0
) -> Standing:
    """A slot at that place, or at a time for so many minutes."""
    if isinstance(place, Planned):
        start_at, end_at, busy_until = place.start_at, place.end_at, place.busy_until
    else:
        start_at, end_at = place[0], place[0] + timedelta(minutes=place[1])
        busy_until = end_at + timedelta(minutes=pause)
    return Standing(UUID(int=number), f"SLT-{number}", start_at, end_at, busy_until, because)


def applied(plan: Plan) -> list[Standing]:
    """The slots that stand once the plan is carried out."""
    made = [stands(1_000_000 + number, place) for number, place in enumerate(plan.make)]
    return [*plan.same, *plan.kept, *made]


def overlapping(slots: Sequence[Standing]) -> list[tuple[Standing, Standing]]:
    """Pairs of which one begins before the other and its pause are over."""
    ordered = sorted(slots, key=lambda each: each.start_at)
    return [(one, other) for one, other in pairwise(ordered) if other.start_at < one.busy_until]


def not_by_the_clock(places: Sequence[Planned], zone: ZoneInfo) -> list[Planned]:
    """Places that do not start at the first moment at which the wall clock shows what they say."""
    return [each for each in places if each.start_at != first_showing(each.local, zone)]


def first_showing(local: datetime, zone: ZoneInfo) -> datetime | None:
    """Found by trying all offsets that the zone has around then: another way than the rule's own."""
    moments = [(local - offset).replace(tzinfo=UTC) for offset in _offsets(local.date(), zone)]
    return min((each for each in moments if shows(each, zone) == local), default=None)


@cache
def _offsets(day: date, zone: ZoneInfo) -> set[timedelta]:
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    around = [midnight + hours * HOUR for hours in range(-50, 75)]
    return {moment.astimezone(zone).utcoffset() or timedelta() for moment in around}


def shows(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def not_this_long(places: Sequence[Planned], minutes: int, pause: int) -> list[Planned]:
    """Places whose lesson or pause takes other than its real minutes."""
    lesson, rest = timedelta(minutes=minutes), timedelta(minutes=pause)
    return [
        each for each in places if each.end_at - each.start_at != lesson or each.busy_until - each.end_at not in (rest,)
    ]


@cache
def nights(name: str, first: datetime = FIRST, last: datetime = LAST) -> tuple[date, ...]:
    """Days of that calendar on which the clocks change, or which it leaves out."""
    zone = ZoneInfo(name)
    return tuple(sorted({shows(moment, zone).date() for moment in _changes(zone, first, last)}))


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """The last second before each change of the offset, and the first after it."""
    step = 7 * DAY  # offsets that come and go within a week are none of these years'
    moment = first
    while moment < last:
        if moment.astimezone(zone).utcoffset() != (moment + step).astimezone(zone).utcoffset():
            low, high = moment, moment + step
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _same(low, middle, zone) else (low, middle)
            yield low
            yield high
        moment += step


def _same(one: datetime, other: datetime, zone: ZoneInfo) -> bool:
    return one.astimezone(zone).utcoffset() == other.astimezone(zone).utcoffset()
