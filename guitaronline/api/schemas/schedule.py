"""A teacher's weekly hours, and what a change of them did to the slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Day, Input, Many, Output, WallClock, Whole
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.booking.horizon import Regenerated
from guitaronline.booking.hours import Schedule
from guitaronline.scheduling.planning import WINDOWS_MAX, Standing
from guitaronline.scheduling.rules import (
    BUFFER_MINUTES_MAX,
    SLOT_MINUTES_MAX,
    SLOT_MINUTES_MIN,
    Planned,
    Skipped,
    Window,
)

LISTED = 100  # of each list; the count says how many there are
KEPT_BECAUSE = {
    "made_by_hand": "It was made by hand.",
    "blocked": "It is kept back.",
    "occupied": "A booking is on it.",
    "begun": "It has begun.",
}


class WindowIn(Input):
    weekday = Whole(required=True, least=0, most=6, metadata={"example": 0, "description": "0 is Monday"})
    start_local = WallClock(required=True, metadata={"example": "15:00", "description": "on the teacher's clock"})
    end_local = WallClock(
        is_end=True,
        required=True,
        metadata={"example": "18:00", "description": "not after the start: on the next day; 24:00 is midnight"},
    )
    lesson_minutes = Whole(required=True, least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX, metadata={"example": 60})
    buffer_minutes = Whole(
        least=0, most=BUFFER_MINUTES_MAX, load_default=0, metadata={"description": "the pause after each lesson"}
    )
    valid_from = Day(allow_none=True, load_default=None, metadata={"description": "the first of its days"})
    valid_until = Day(allow_none=True, load_default=None, metadata={"description": "the last of its days"})


class ScheduleIn(Input):
    windows = Many(
        fields.Nested(WindowIn),
        most=WINDOWS_MAX,
        required=True,
        metadata={"description": "the whole week; it replaces the one before"},
    )


class WindowOut(Output):
    weekday = fields.Integer(required=True)
    start_local = fields.String(required=True, metadata={"example": "15:00"})
    end_local = fields.String(required=True, metadata={"example": "18:00"})
    lesson_minutes = fields.Integer(required=True)
    buffer_minutes = fields.Integer(required=True)
    valid_from = maybe(fields.Date)
    valid_until = maybe(fields.Date)


class PlaceOut(Output):
    start_at = time()
    end_at = time()


class PlacesOut(Output):
    count = fields.Integer(required=True)
    slots = fields.List(fields.Nested(PlaceOut), required=True, metadata={"description": f"the first {LISTED}"})


class StandingOut(PlaceOut):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "SLT-7Q4M2"})


class GoneOut(Output):
    count = fields.Integer(required=True)
    slots = fields.List(fields.Nested(StandingOut), required=True, metadata={"description": f"the first {LISTED}"})


class KeptOneOut(StandingOut):
    code = fields.String(required=True, metadata={"enum": list(KEPT_BECAUSE)})
    detail = fields.String(required=True)


class KeptOut(Output):
    count = fields.Integer(required=True)
    slots = fields.List(fields.Nested(KeptOneOut), required=True, metadata={"description": f"the first {LISTED}"})


class SkippedOneOut(Output):
    local = fields.String(required=True, metadata={"example": "2027-03-28T02:00:00", "description": "on that clock"})
    code = fields.String(required=True, metadata={"example": "no_such_local_time"})
    detail = fields.String(required=True)


class SkippedOut(Output):
    count = fields.Integer(required=True)
    places = fields.List(fields.Nested(SkippedOneOut), required=True, metadata={"description": f"the first {LISTED}"})


class ScheduleOut(Output):
    zone = fields.String(required=True, metadata={"example": "Europe/Berlin"})
    until = maybe(fields.Date, metadata={"description": "the last day with slots; null before the first hours"})
    windows = fields.List(fields.Nested(WindowOut), required=True)


class ScheduleSetOut(ScheduleOut):
    generated = fields.Nested(PlacesOut, required=True, metadata={"description": "slots that are new"})
    replaced = fields.Nested(GoneOut, required=True, metadata={"description": "free slots that are gone"})
    kept = fields.Nested(KeptOut, required=True, metadata={"description": "outside of the hours, and why they stay"})
    unchanged = fields.Integer(required=True, metadata={"description": "slots that are as the hours ask already"})
    skipped = fields.Nested(SkippedOut, required=True, metadata={"description": "places without a slot, and why"})


def windows_of(body: dict[str, Any]) -> list[Window]:
    return [
        Window(
            frozenset([each["weekday"]]),
            each["start_local"],
            each["end_local"],
            each["lesson_minutes"],
            each["buffer_minutes"],
            each["valid_from"],
            each["valid_until"],
        )
        for each in body["windows"]
    ]


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    return {
        "zone": schedule.zone,
        "until": schedule.until and schedule.until.isoformat(),
        "windows": [_window(each) for each in schedule.windows],
    }


def schedule_set_json(found: tuple[Schedule, Regenerated]) -> dict[str, Any]:
    schedule, done = found
    return {
        **schedule_json(schedule),
        "generated": _some("slots", done.plan.make, _place),
        "replaced": _some("slots", done.plan.remove, _standing),
        "kept": _some("slots", done.plan.kept, _kept),
        "unchanged": len(done.plan.same),
        "skipped": _some("places", done.plan.skipped, _skipped),
    }


def _some(name: str, found: list[Any], to_json: Callable[[Any], Any]) -> dict[str, Any]:
    listed: Iterable[Any] = found[:LISTED]
    return {"count": len(found), name: [to_json(each) for each in listed]}


def _window(window: Window) -> dict[str, Any]:
    end = f"{window.end_local:%H:%M}"
    return {
        "weekday": min(window.weekdays),
        "start_local": f"{window.start_local:%H:%M}",
        "end_local": "24:00" if end == "00:00" else end,
        "lesson_minutes": window.lesson_minutes,
        "buffer_minutes": window.buffer_minutes,
        "valid_from": window.valid_from and window.valid_from.isoformat(),
        "valid_until": window.valid_until and window.valid_until.isoformat(),
    }


def _place(place: Planned | Standing) -> dict[str, Any]:
    return {"start_at": moment(place.start_at), "end_at": moment(place.end_at)}


def _standing(slot: Standing) -> dict[str, Any]:
    return {"id": str(slot.slot_id), "reference": slot.reference, **_place(slot)}


def _kept(slot: Standing) -> dict[str, Any]:
    because = slot.stays_because or ""
    return {**_standing(slot), "code": because, "detail": KEPT_BECAUSE[because]}


def _skipped(place: Skipped) -> dict[str, Any]:
    return {"local": place.local.isoformat(), "code": place.code, "detail": place.detail}
