"""/admin: the numbers of the console's dashboard, by the same definitions."""

from __future__ import annotations

from typing import Any

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.api.endpoint import Answer, Resource, Who, may
from guitaronline.api.errors import InvalidRequest
from guitaronline.api.fields import Text
from guitaronline.api.schemas.kpis import OperationsOut, SpanOut, Told, operations_json, told_json
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission, Scope
from guitaronline.kpis import days, queries
from guitaronline.kpis.days import Span
from guitaronline.kpis.kinds import Section
from guitaronline.kpis.operations import Operations, operations

resource = Resource("admin", "The school's numbers, for staff")

READERS = may(Permission.READ_KPIS)
A_DAY = {"example": "2026-11-01", "description": "a day of the school; both or none: the last 30 days"}
DAYS = {"from": Text(most=10, least=10, metadata=A_DAY), "to": Text(most=10, least=10, metadata=A_DAY)}
NUMBERS = Answer(200, SpanOut, told_json)


def sees_money(actor: Actor) -> bool:
    """All of it: one's own payments are no KPI."""
    return access.scope(actor, Permission.READ_PAYMENTS) is Scope.ANY


SELLERS = Who(f"{READERS.words}, who also read payments", lambda actor: READERS.admits(actor) and sees_money(actor))


@resource.endpoint("GET", "/kpi/overview", NUMBERS, who=READERS, query=DAYS)
def overview(actor: Actor, query: dict[str, Any]) -> Told:
    """Every number of a span of days against the span before; money for those who may read payments"""
    return _told(query, tuple(Section), money=sees_money(actor))


@resource.endpoint("GET", "/kpi/sales", NUMBERS, who=SELLERS, query=DAYS)
def sales(actor: Actor, query: dict[str, Any]) -> Told:
    """What was sold, received, paid back and earned in a span of days, and what is still owed"""
    return _told(query, (Section.SALES,), money=True)


@resource.endpoint("GET", "/ops/overview", Answer(200, OperationsOut, operations_json), who=READERS)
def ops(actor: Actor) -> Operations:
    """How the machinery is now: events waiting and dead, time to handle them, the counting, the last check"""
    return operations(session())


def _told(query: dict[str, Any], sections: tuple[Section, ...], *, money: bool) -> Told:
    now = clock.read(session())
    span = days.presets(days.today(now))[days.USUAL][1]
    if query:
        span = _span(query)
    return Told(queries.read(session(), span, now), sections, money)


def _span(query: dict[str, Any]) -> Span:
    missing = [name for name in ("from", "to") if name not in query]
    if missing:
        reasons = [Reason("day_missing", "Send both days, or none.", pointer=f"/{name}") for name in missing]
        raise InvalidRequest(reasons=reasons)
    try:
        return days.written(query["from"], query["to"])
    except days.BadSpan as why:
        raise InvalidRequest(reasons=[Reason("bad_days", f"{str(why).capitalize()}.", pointer="/from")]) from None
