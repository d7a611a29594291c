"""Series: weekly lessons, each with its lessons and their states."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import Text, and_, case, cast, func, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.bookings import booking_state
from guitaronline.admin.command_page import Button, button_of, buttons_of, commands
from guitaronline.admin.filters import Dates, Person, State, record_or_people
from guitaronline.admin.plain import Plain, Plains, moment, of, word, words
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing.models import Package
from guitaronline.booking import facts as booking_facts
from guitaronline.booking.models import Booking
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.series_rules import effective_status
from guitaronline.db import session
from guitaronline.forms import WEEKDAYS
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User

SHOWN = 60  # lessons on the page, the latest


def series_state(series: LessonSeries) -> Any:
    """As it reads now: over when its last day is over."""
    return show.state(series, effective_status(series, gate.now()))


def rhythm(series: LessonSeries) -> str:
    return spoken(series.weekday, series.start_local, series.interval_weeks)


def spoken(weekday: int, start_local: time, interval_weeks: int) -> str:
    """`Mondays 15:00, every other week`"""
    often = "" if interval_weeks == 1 else ", every other week"
    return f"{WEEKDAYS[weekday]}s {start_local:%H:%M}{often}"


def _clause(state: str, now: datetime) -> ColumnElement[bool]:
    """SQL twin of `series_rules.effective_status`."""
    over = LessonSeries.last_day < func.date(func.timezone(LessonSeries.zone, now))
    active = LessonSeries.status == SeriesStatus.ACTIVE
    special = {
        "active": and_(active, ~over),
        "ended": (LessonSeries.status == SeriesStatus.ENDED) | and_(active, over),
    }
    return special.get(state, LessonSeries.status == state)


def _status() -> ColumnElement[str]:
    """SQL twin of `series_rules.effective_status`."""
    return case((_clause("ended", gate.now()), str(SeriesStatus.ENDED)), else_=cast(LessonSeries.status, Text))


def _ahead() -> Any:
    """ix_bookings_series"""
    ahead = select(func.count()).where(
        Booking.series_id == LessonSeries.id, Booking.start_at > gate.now(), booking_facts.live(gate.now())
    )
    return ahead.correlate(LessonSeries).scalar_subquery()


EXPORTED: dict[str, Plains] = {
    "reference": words(LessonSeries.reference),
    "weekday": (Plain((LessonSeries.weekday, LessonSeries.start_local, LessonSeries.interval_weeks), spoken),),
    "student": words(of(User.full_name, LessonSeries.student_id)),
    "teacher": words(of(User.full_name, LessonSeries.teacher_id)),
    "first_day": words(cast(LessonSeries.first_day, Text)),
    "last_day": words(cast(LessonSeries.last_day, Text)),
    "ahead": (Plain((_ahead,)),),
    "status": word(_status),
    "zone": words(LessonSeries.zone),
    "id": moment(LessonSeries.created_at),
}


class SeriesDesk(Desk):
    model_of = LessonSeries
    path = "series"
    title = "Weekly lessons"
    one = "Series"
    permission = Permission.READ_BOOKINGS
    empty = "No weekly lessons yet. Book a term of them at once."
    search_words = "SER-…, student or teacher"
    columns = (
        Column("reference", "Series", show.link),
        Column("weekday", "When", rhythm),
        Column("student", "Student", lambda series: show.link(series.student)),
        Column("teacher", "Teacher", lambda series: show.link(series.teacher)),
        Column("first_day", "First", lambda series: show.day(series.first_day), sort=LessonSeries.first_day),
        Column("last_day", "Last", lambda series: show.day(series.last_day), sort=LessonSeries.last_day),
        Column("ahead", "Lessons ahead", lambda series: flask.g.lessons_ahead.get(series.id, 0)),
        Column("status", "State", series_state),
        Column("zone", "Clock", lambda series: series.zone, is_default=False),
        Column("id", "Made", lambda series: show.stamp(series.created_at), sort=LessonSeries.id, is_default=False),
    )
    filters = (
        State(LessonSeries.status, SeriesStatus, _clause),
        Dates("last", "Last day", LessonSeries.last_day),
        Person("student", "Student", LessonSeries.student_id),
        Person("teacher", "Teacher", LessonSeries.teacher_id),
    )
    exported = EXPORTED
    default_order = (LessonSeries.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(LessonSeries.student), selectinload(LessonSeries.teacher))

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(LessonSeries.reference, words, LessonSeries.student_id, LessonSeries.teacher_id)

    def prepare_rows(self, rows: list[Any]) -> None:
        flask.g.lessons_ahead = lessons_ahead([each.id for each in rows])

    def list_extras(self) -> dict[str, Any]:
        from guitaronline.admin.series_pages import NewSeries

        return {"buttons": [button_of(commands.named(NewSeries))]}

    def record_page(self, series: Any) -> dict[str, Any]:
        return whole(series, Page(_facts(series), state=series_state(series), sections=[_lessons(series)]))


def lessons_ahead(series_ids: list[UUID]) -> dict[UUID, int]:
    """How many lessons each of the series has ahead. ix_bookings_series"""
    query = select(Booking.series_id, func.count()).where(
        Booking.series_id.in_(series_ids), Booking.start_at > gate.now(), booking_facts.live(gate.now())
    )
    return {row[0]: row[1] for row in session().execute(query.group_by(Booking.series_id)) if row[0]}


def _facts(series: LessonSeries) -> list[show.Fact]:
    named = list(session().scalars(select(Package).where(Package.id.in_(series.package_ids))))
    paying = sorted(named, key=lambda each: series.package_ids.index(each.id))
    return facts(
        ("Student", show.link(series.student)),
        ("Teacher", show.link(series.teacher)),
        ("When", f"{rhythm(series)} on the clock of {series.zone}"),
        ("Length", f"{series.lesson_minutes} min"),
        ("First lesson", show.day(series.first_day)),
        ("Last day", show.day(series.last_day)),
        ("Lessons ahead", lessons_ahead([series.id]).get(series.id, 0)),
        (
            "Paid by",
            show.joined(map(show.link, paying)) if paying else "any package that fits, the earliest expiry first",
        ),
        ("Made", show.when(series.created_at)),
    )


def _lessons(series: LessonSeries) -> Section:
    """The latest, in the order of their times; those that were moved alone stand where they went. ix_bookings_series"""
    query = select(Booking).where(Booking.series_id == series.id).order_by(Booking.start_at.desc(), Booking.id.desc())
    latest = list(session().scalars(query.options(selectinload(Booking.package)).limit(SHOWN)))[::-1]
    return Section(
        "Lessons",
        ("Day", "Booking", "Starts", "State", "Package"),
        rows(
            latest,
            lambda each: show.day(each.series_day),
            show.link,
            lambda each: show.when(each.start_at, series.student, series.teacher),
            booking_state,
            lambda each: show.link(each.package),
        ),
        more=flask.url_for("desk_bookings.index_view", series=series.id),
    )


def series_buttons(booking: Booking) -> list[Button]:
    """On one of its lessons: the same for this one and all later ones."""
    from guitaronline.admin.series_pages import CancelSeries, MoveSeries

    pages = ((MoveSeries, "Move this and later lessons"), (CancelSeries, "Cancel this and later lessons"))
    if booking.series is None:
        return []
    return [
        replace(button_of(commands.named(kind), booking.series, from_booking=booking.id), title=words)
        for kind, words in pages
    ]
