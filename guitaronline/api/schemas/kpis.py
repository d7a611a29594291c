from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from guitaronline import policy
from guitaronline.api.fields import Output
from guitaronline.api.schemas.common import maybe, moment
from guitaronline.kpis.kinds import Number, Section, Unit
from guitaronline.kpis.operations import Operations
from guitaronline.kpis.queries import Figure, Reading, figures_of

SHARE = "share: basis points, 10000 is all; null when there is nothing to divide by"


class PartOut(Output):
    dimension = fields.String(required=True, metadata={"example": "canceled"})
    currency = fields.String(metadata={"example": "USD", "description": "only of money"})
    value = fields.Integer(required=True)
    before = fields.Integer(required=True)


class NumberOut(Output):
    code = fields.String(required=True, metadata={"example": "delivered"})
    name = fields.String(required=True)
    definition = fields.String(required=True)
    section = fields.String(required=True, metadata={"enum": list(Section)})
    unit = fields.String(
        required=True, metadata={"enum": list(Unit), "description": f"money: minor units of `currency`; {SHARE}"}
    )
    currency = fields.String(metadata={"example": "USD", "description": "only of money; one entry for each currency"})
    value = maybe(fields.Integer)
    before = maybe(fields.Integer, metadata={"description": "of as many days directly before"})
    change = maybe(fields.Integer)
    change_bps = maybe(fields.Integer, metadata={"description": "basis points of `before`; null when that was 0"})
    parts = fields.List(fields.Nested(PartOut), metadata={"description": "only of numbers that have parts"})


class SpanOut(Output):
    first = fields.Date(required=True, data_key="from")
    last = fields.Date(required=True, data_key="to")
    timezone = fields.String(
        required=True, metadata={"description": "whose days these are", "example": "Europe/Berlin"}
    )
    counted_until = maybe(fields.Date, metadata={"description": "the last day that comes from the rollup"})
    days_waiting = fields.Integer(required=True, metadata={"description": "days that are to be counted anew"})
    numbers = fields.List(fields.Nested(NumberOut), required=True)


class OperationsOut(Output):
    events_pending = fields.Integer(required=True)
    events_dead = fields.Integer(required=True)
    oldest_pending_seconds = maybe(fields.Integer)
    event_to_handled_p50_ms = maybe(fields.Integer, metadata={"description": "of the newest 1,000 events"})
    event_to_handled_p95_ms = maybe(fields.Integer)
    days_waiting = fields.Integer(required=True)
    counted_until = maybe(fields.Date)
    looked_at = maybe(fields.DateTime)
    checked_at = maybe(fields.DateTime)
    check_findings = maybe(fields.Integer)


@dataclass(frozen=True)
class Told:
    """A reading, and what of it the caller sees."""

    reading: Reading
    sections: tuple[Section, ...]
    money: bool


def told_json(told: Told) -> dict[str, Any]:
    reading = told.reading
    figures = [
        figure
        for section in told.sections
        for each in figures_of(reading, section, money=told.money)
        for figure in each
        if figure.currency or figure.of.unit is not Unit.MONEY  # no money of any currency: nothing to say
    ]
    return {
        "from": reading.span.first.isoformat(),
        "to": reading.span.last.isoformat(),
        "timezone": policy.current().SCHOOL_TIMEZONE,
        "counted_until": reading.counted_until.isoformat() if reading.counted_until else None,
        "days_waiting": reading.waiting,
        "numbers": [_number_json(reading, each) for each in figures],
    }


def _number_json(reading: Reading, figure: Figure) -> dict[str, Any]:
    of = figure.of
    made: dict[str, Any] = {
        "code": of.code,
        "name": of.name,
        "definition": of.words,
        "section": of.section.value,
        "unit": of.unit.value,
        "value": figure.value,
        "before": figure.before,
        "change": figure.change,
        "change_bps": figure.change_bps,
    }
    if of.unit is Unit.MONEY:
        made["currency"] = figure.currency
    if isinstance(of, Number) and of.dimension != "''":
        made["parts"] = [_part_json(each) for each in reading.figures(of) if each.dimension]
    return made


def _part_json(figure: Figure) -> dict[str, Any]:
    made = {"dimension": figure.dimension, "value": figure.value, "before": figure.before}
    return {**made, "currency": figure.currency} if figure.currency else made


def operations_json(now: Operations) -> dict[str, Any]:
    return {
        "events_pending": now.events_pending,
        "events_dead": now.events_dead,
        "oldest_pending_seconds": now.oldest_pending_seconds,
        "event_to_handled_p50_ms": now.event_to_handled_p50_ms,
        "event_to_handled_p95_ms": now.event_to_handled_p95_ms,
        "days_waiting": now.days_waiting,
        "counted_until": now.counted_until.isoformat() if now.counted_until else None,
        "looked_at": moment(now.looked_at),
        "checked_at": moment(now.checked_at),
        "check_findings": now.check_findings,
    }
