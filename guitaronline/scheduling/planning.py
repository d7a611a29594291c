"""From weekly hours to slots: what is to be made, what goes, what stays and why. Pure: no session, no clock.

The teacher's wall clock decides where lessons start; see `rules.cut` for the nights on which the clocks change."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import permutations
from uuid import UUID
from zoneinfo import ZoneInfo

from guitaronline.errors import Reason
from guitaronline.scheduling import rules
from guitaronline.scheduling.rules import Planned, Skipped, Window

WINDOWS_MAX = 100  # a teacher
WEEK = timedelta(days=7)
PASSING = ("occupied", "blocked")  # why a slot stays that the hours do not ask for, until that ends


@dataclass(frozen=True)
class Absence:
    """Time in which no lessons are given: the teacher's time off, or the school's closure."""

    start_at: datetime
    end_at: datetime
    code: str  # time_off · closure
    detail: str


@dataclass(frozen=True)
class Standing:
    """A slot that is there already. `busy_until` is the end of the pause that belongs to it."""

    slot_id: UUID
    reference: str
    start_at: datetime
    end_at: datetime
    busy_until: datetime
    stays_because: str | None  # made_by_hand · blocked · occupied · begun; None: it may be replaced
    wall: tuple[datetime, str] | None = None  # what the teacher's clock was to show at its start, and in which zone


@dataclass(frozen=True)
class Plan:
    """What turns the slots that stand into those that the hours ask for."""

    make: list[Planned] = field(default_factory=list)
    remove: list[Standing] = field(default_factory=list)  # not asked for any more
    same: list[Standing] = field(default_factory=list)  # asked for, and there already
    kept: list[Standing] = field(default_factory=list)  # not asked for, and not to be touched; `stays_because` says why
    skipped: list[Skipped] = field(default_factory=list)  # asked for, and not possible

    @property
    def is_settled(self) -> bool:
        """Nothing stands, or is missing, only because of what may change by itself: a booking that ends, a slot that goes."""
        return not any(each.stays_because in PASSING for each in self.kept) and not any(
            each.code == "overlaps_slot" for each in self.skipped
        )


def hours_digest(windows: Sequence[Window]) -> str:
    """The same for the same hours, in whatever order they stand."""
    rows = sorted(json.dumps(each.as_row(), default=str, sort_keys=True) for each in windows)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def hours_problems(windows: Sequence[Window]) -> list[Reason]:
    """Everything that keeps these windows from being a teacher's weekly hours, each with its place in the list."""
    if len(windows) > WINDOWS_MAX:
        detail = f"A week has at most {WINDOWS_MAX} windows."
        return [
            Reason("too_many_windows", detail, pointer="/windows", facts={"limit": WINDOWS_MAX, "asked": len(windows)})
        ]
    found: list[Reason] = []
    for place, window in enumerate(windows):
        found += [_at(place, reason) for reason in rules.hours_window_problems(window)]
    return found or _overlaps(windows)


def _at(place: int, reason: Reason) -> Reason:
    return Reason(reason.code, reason.detail, reason.fix, f"/windows/{place}{reason.pointer}", reason.facts)


def _overlaps(windows: Sequence[Window]) -> list[Reason]:
    """On the wall clock of an ordinary week, midnight and the turn of the week included, on days on which both hold."""
    found = []
    for (place, one), (other, next_one) in permutations(enumerate(windows), 2):
        start = rules.start_in_week(one)
        for next_start in (rules.start_in_week(next_one), rules.start_in_week(next_one) + WEEK):
            if (next_start, other) < (start, place) or not _holds_with(one, next_one, next_start):
                continue
            if next_start < start + rules.window_length(one):
                found.append(_windows_overlap(place, other))
            elif next_start < start + rules.busy_length(one):
                found.append(_pause_overlaps(place, other))
    return sorted(found, key=lambda reason: int(reason.pointer.split("/")[2]))


def _holds_with(one: Window, next_one: Window, next_start: timedelta) -> bool:
    return rules.hold_together(one, next_one, next_start.days - min(one.weekdays))


def _windows_overlap(place: int, other: int) -> Reason:
    later, earlier = max(place, other), min(place, other)
    detail = f"This window overlaps window {earlier + 1}."
    pointer = f"/windows/{later}/start_local"
    return Reason("windows_overlap", detail, "Change one of the two.", pointer, {"other": earlier})


def _pause_overlaps(place: int, other: int) -> Reason:
    detail = f"The pause after the last lesson reaches into window {other + 1}."
    pointer = f"/windows/{place}/buffer_minutes"
    return Reason(
        "pause_overlaps", detail, "Shorten the pause, or start the other window later.", pointer, {"other": other}
    )


def plan(
    windows: Sequence[Window],
    zone: ZoneInfo,
    *,
    first_day: date,
    last_day: date,
    now: datetime,
    absences: Sequence[Absence] = (),
    standing: Sequence[Standing] = (),
    withdrawn: frozenset[tuple[datetime, datetime]] = frozenset(),
    is_whole: bool = True,
) -> Plan:
    """The windows over these days of the teacher's calendar against what stands, soonest first.

    `standing`: the teacher's slots from now on that are not withdrawn; `withdrawn`: places of generated slots that
    somebody took away by hand, which do not come back by themselves. Where the days are not the whole that lies ahead,
    only what is missing is made: whatever stands, stays."""
    places, skipped = _places(windows, zone, first_day, last_day, now)
    result = Plan(skipped=skipped)
    by_place = {(each.start_at, each.end_at, each.busy_until): each for each in standing}
    fixed = sorted((each for each in standing if each.stays_because or not is_whole), key=lambda each: each.start_at)
    starts = [each.start_at for each in fixed]
    away = sorted(absences, key=lambda each: each.start_at)
    same: set[UUID] = set()
    for place in places:
        there = by_place.get((place.start_at, place.end_at, place.busy_until))
        if absence := _absence_at(place, away):
            result.skipped.append(Skipped(place.local, absence.code, absence.detail))
        elif there is not None and _is_promised(there, place, zone):
            same.add(there.slot_id)
            result.same.append(there)
        elif (place.start_at, place.end_at) in withdrawn:
            result.skipped.append(Skipped(place.local, "withdrawn_by_hand", "This slot was withdrawn by hand."))
        elif other := _overlapping(place, starts, fixed):
            result.skipped.append(Skipped(place.local, "overlaps_slot", f"Slot {other.reference} is at this time."))
        else:
            result.make.append(place)
    for each in sorted(standing if is_whole else (), key=lambda each: each.start_at):
        if each.slot_id not in same:
            (result.kept if each.stays_because else result.remove).append(each)
    result.skipped.sort(key=lambda each: each.local)
    return result


def _is_promised(there: Standing, place: Planned, zone: ZoneInfo) -> bool:
    """A free slot of another wall clock is made anew, so that it follows the right zone when its rules change."""
    return bool(there.stays_because) or there.wall in (None, (place.local, zone.key))


def _places(
    windows: Sequence[Window], zone: ZoneInfo, first_day: date, last_day: date, now: datetime
) -> tuple[list[Planned], list[Skipped]]:
    """Where the hours put lessons, none overlapping another: when a change of the clocks brings two together, the later goes."""
    planned: list[Planned] = []
    skipped: list[Skipped] = []
    for window in windows:
        first = max(first_day, window.valid_from or first_day)
        last = min(last_day, window.valid_until or last_day)
        if first <= last:
            places, lost = rules.cut(window, first, last, zone)
            planned += [place for place in places if place.start_at > now]
            skipped += [each for each in lost if each.local >= now.astimezone(zone).replace(tzinfo=None)]
    free: list[Planned] = []
    for place in sorted(planned, key=lambda each: (each.start_at, each.end_at)):
        if free and place.start_at < free[-1].busy_until:
            skipped.append(
                Skipped(place.local, "cut_by_clock_change", "The clocks change and another lesson lies here.")
            )
        else:
            free.append(place)
    return free, skipped


def _absence_at(place: Planned, absences: Sequence[Absence]) -> Absence | None:
    before = bisect_left(absences, place.end_at, key=lambda each: each.start_at)
    return next((each for each in absences[:before] if each.end_at > place.start_at), None)


def _overlapping(place: Planned, starts: list[datetime], fixed: Sequence[Standing]) -> Standing | None:
    """Standing slots and their pauses never overlap each other: only the last one that starts before the place's pause ends
    can reach into it."""
    before = bisect_right(starts, place.busy_until - timedelta(seconds=1))
    return fixed[before - 1] if before and fixed[before - 1].busy_until > place.start_at else None
