"""Days are counted: only those that were touched, each in a transaction of its own that also takes it from the list.

A counting that is killed leaves the day on the list. Kept numbers (how things stood) are counted once, when their day
has ended, and stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.db import technical_transaction
from guitaronline.kpis import days, touching
from guitaronline.kpis.definitions import COUNT_AGAIN, COUNT_KEPT, COUNT_LONG, KEPT
from guitaronline.kpis.models import KpiDay

TAKE = text("""
DELETE FROM kpi_touched WHERE day = (SELECT day FROM kpi_touched ORDER BY day DESC LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING day
""")
FORGET = text("DELETE FROM kpi_days WHERE day = :day AND metric <> ALL(:kept)")
HAS_KEPT = text("SELECT EXISTS (SELECT FROM kpi_days WHERE day = :day AND metric = ANY(:kept))")
_WRITE = "INSERT INTO kpi_days (day, metric, dimension, currency, value) SELECT :day, n.* FROM ({}) n"
WRITE_AGAIN, WRITE_KEPT = (text(_WRITE.format(each)) for each in (COUNT_AGAIN, COUNT_KEPT))
AGAIN = text(COUNT_AGAIN)
# Today's long numbers stand under a name of their own until the day has ended, and are forgotten with its first counting.
FORGET_NOW = text("DELETE FROM kpi_days WHERE day >= :day AND metric LIKE '%@now'")
_WRITE_NOW = (
    "INSERT INTO kpi_days (day, metric, dimension, currency, value)"
    " SELECT :day, n.metric || '@now', n.dimension, n.currency, n.value FROM ({}) n"
)
WRITE_NOW = text(_WRITE_NOW.format(COUNT_LONG))
LONG = text("SET LOCAL statement_timeout = '5min'")  # the ledger of years is added up

Key = tuple[str, str, str]  # metric, dimension, currency


@dataclass(frozen=True)
class Unequal:
    """A number that is stored and another one that is counted now; None: there is none."""

    day: date
    metric: str
    dimension: str
    currency: str
    stored: int | None
    counted: int | None


def touch() -> int:
    """The days to be counted anew are on the list; how many were put there."""
    with technical_transaction() as session:
        return touching.touch(session, clock.read(session))


def count_one() -> date | None:
    """The newest day on the list is counted and off it; None when there is nothing to count. Several at once do no harm."""
    with technical_transaction() as session:
        session.execute(LONG)
        day: date | None = session.execute(TAKE).scalar_one_or_none()
        if day is not None:
            count_day(session, day, clock.read(session))
    return day


def count_day(session: Session, day: date, now: datetime) -> None:
    """Step: the day's numbers are what its rows say now; its kept numbers stand, or are taken now."""
    told = {**days.moments(days.Span(day, day), now), "day": day, "kept": KEPT}
    session.execute(FORGET, told)
    session.execute(WRITE_AGAIN, told)
    if not session.execute(HAS_KEPT, told).scalar_one():
        session.execute(WRITE_KEPT, told)


def count_now() -> None:
    """Today's long numbers are as they are now; pages read them instead of counting for so long."""
    with technical_transaction() as session:
        session.execute(LONG)
        session.execute(touching.LOCK)  # two at once would meet in the primary key
        now = clock.read(session)
        today = days.today(now)
        told = {**days.moments(days.Span(today, today), now), "day": today}
        session.execute(FORGET_NOW, told)
        session.execute(WRITE_NOW, told)


def unequal(session: Session, which: list[date], now: datetime) -> list[Unequal]:
    """Where the stored numbers of these days are not what counting gives now. Kept numbers cannot be counted again."""
    found: list[Unequal] = []
    for day in which:
        rows: list[Any] = list(session.execute(AGAIN, days.moments(days.Span(day, day), now)))
        counted: dict[Key, int] = {(row.metric, row.dimension, row.currency): row.value for row in rows}
        stored: dict[Key, int] = {
            (row.metric, row.dimension, row.currency): row.value
            for row in session.query(KpiDay).where(KpiDay.day == day, KpiDay.metric.not_in(KEPT))
        }
        differing = [key for key in sorted({*counted, *stored}) if counted.get(key) != stored.get(key)]
        found += [Unequal(day, *key, stored.get(key), counted.get(key)) for key in differing]
    return found


def settled_days(session: Session, now: datetime) -> list[date]:
    """The days whose stored numbers must be right at this moment: counted, and nothing has moved on them since."""
    known, here = touching.progress(session), session.execute(touching.HERE).one()
    if not touching.is_known_here(known, here) or known.change_id < 0:
        return []  # not known, or not yet: everything will be touched once more
    moved = session.scalars(touching.TOUCHED_BY_CHANGES, touching.values(known, here.xmax, known.counted_until))
    waiting = set(moved) | set(session.scalars(text("SELECT day FROM kpi_touched")))
    all_days = session.scalars(
        text("SELECT DISTINCT day FROM kpi_days WHERE day <= :last ORDER BY day DESC"), {"last": known.counted_until}
    )
    return [day for day in all_days if day not in waiting]
