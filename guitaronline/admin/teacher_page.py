"""A teacher on one screen: the next seven days, the outcomes that are missing, and their students."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from guitaronline.admin import gate, show
from guitaronline.admin.lessons import is_waiting, lesson_state
from guitaronline.admin.record_page import Figure, Section, rows
from guitaronline.booking import queries as booking
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling import queries as scheduling
from guitaronline.scheduling.models import Slot, SlotStatus

DAYS = 7
SHOWN = 10
WEEK_SHOWN = 200  # bookings; more do not fit into a week


def teacher_parts(user_id: UUID) -> tuple[list[Figure], list[Section]]:
    """Figures and sections of the teacher's page."""
    start = gate.now().astimezone(show.zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=DAYS)
    slots = scheduling.standing_slots(session(), user_id, start=gate.now(), end=end)
    bookings = booking.bookings_ahead(session(), user_id, now=gate.now(), until=end, limit=WEEK_SHOWN)
    taken = {each.slot_id: each for each in bookings if each.teacher_id == user_id}
    outstanding = _outstanding(user_id)
    figures = [
        Figure("Lessons in 7 days", sum(each.status is BookingStatus.CONFIRMED for each in taken.values())),
        Figure("Open slots in 7 days", sum(each.status is SlotStatus.OPEN and each.id not in taken for each in slots)),
        Figure("Outcomes missing", f"{len(outstanding)}" if len(outstanding) < SHOWN else f"{SHOWN} or more"),
    ]
    return figures, [_week(start, slots, taken, user_id), _outcomes(user_id, outstanding), _students(user_id)]


def _week(start: datetime, slots: list[Slot], taken: dict[UUID, Booking], user_id: UUID) -> Section:
    """A row a day, in the viewer's zone."""
    by_day: dict[date, list[Any]] = defaultdict(list)
    for slot in slots:
        by_day[slot.start_at.astimezone(show.zone()).date()].append(_slot(slot, taken.get(slot.id)))
    days = [start.date() + timedelta(days=each) for each in range(DAYS)]
    table = [
        [show.html('<span class="nowrap">{}</span>', f"{day:%a} {day.day} {day:%b}"), show.joined(by_day[day])]
        for day in days
    ]
    return Section(
        "The next 7 days", ("Day", "Slots"), table, more=flask.url_for("desk_slots.index_view", teacher=user_id)
    )


def _slot(slot: Slot, booked: Booking | None) -> Any:
    """`16:00 Ann`, `17:00 open`: leads to the booking, else to the slot."""
    at = f"{slot.start_at.astimezone(show.zone()):%H:%M}"
    if booked is None:
        return show.html("{} {}", show.link(slot, at), show.chip(slot.status))
    chip = show.chip("held") if booked.status is BookingStatus.HOLD else ""
    return show.html("{} {} {}", show.link(booked, at), booked.student.full_name, chip)


def _outstanding(user_id: UUID) -> list[Lesson]:
    """The oldest first. ix_lessons_teacher_start"""
    query = select(Lesson).where(Lesson.teacher_id == user_id, is_waiting()).options(joinedload(Lesson.student))
    return list(session().scalars(query.order_by(Lesson.scheduled_start_at, Lesson.id).limit(SHOWN)))


def _outcomes(user_id: UUID, found: list[Lesson]) -> Section:
    return Section(
        "Outcomes missing",
        ("Lesson", "Started", "Student", "State"),
        rows(
            found,
            show.link,
            lambda each: show.when(each.scheduled_start_at),
            lambda each: show.link(each.student),
            lesson_state,
        ),
        "Every lesson has its outcome.",
        flask.url_for("desk_lessons.index_view", teacher=user_id, outcome="missing"),
    )


def _students(user_id: UUID) -> Section:
    found = booking.students_of_teacher(session(), user_id, now=gate.now(), limit=SHOWN)
    return Section(
        "Students",
        ("Student", "Lessons", "Next"),
        rows(
            found,
            lambda each: show.link_to("users", each.student_id, each.full_name),
            lambda each: each.lessons,
            lambda each: show.when(each.next_start_at),
        ),
        "Nobody yet.",
        flask.url_for("desk_bookings.index_view", teacher=user_id),
    )
