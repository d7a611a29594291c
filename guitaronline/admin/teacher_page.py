"""A teacher on one screen: the next seven days, the outcomes that are missing, their students, and how their time is used."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from guitaronline.admin import gate, show
from guitaronline.admin.command_page import Button, button_of, commands
from guitaronline.admin.lessons import is_waiting, lesson_state
from guitaronline.admin.record_page import Figure, Section, rows
from guitaronline.booking import horizon
from guitaronline.booking import queries as booking
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.utilization import utilization
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling import queries as scheduling
from guitaronline.scheduling.hours_models import AbsenceStatus, TimeOff
from guitaronline.scheduling.models import Slot, SlotStatus

DAYS = 7
WEEKS = 4  # of utilization, before and after this one
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
    week = _week(start, slots, taken, user_id)
    return figures, [week, _outcomes(user_id, outstanding), _students(user_id), *_time(user_id)]


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
    return show.html("{} {}", show.link(booked, f"{at} {booked.student.full_name}"), chip)


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


def _time(user_id: UUID) -> list[Section]:
    """How much of their time is booked, their week, and when they are away."""
    from guitaronline.admin.hours import in_words

    teacher = session().get_one(User, user_id)
    windows = horizon.hours_of(session(), user_id)
    week = Section(
        "Weekly hours",
        ("Window",),
        [[in_words(each)] for each in windows],
        "None: slots are made by hand.",
        is_aside=True,
    )
    return [_utilization(teacher), week, _away(user_id)]


def _utilization(teacher: User) -> Section:
    zone = ZoneInfo(teacher.timezone)
    found = utilization(session(), teacher.id, zone=zone, now=gate.now(), weeks=WEEKS)
    today = gate.now().astimezone(zone).date()
    table = [
        [
            show.html(
                "{}{}", show.day(each.first_day), " (this week)" if 0 <= (today - each.first_day).days < 7 else ""
            ),
            _hours(each.offered),
            _hours(each.booked),
            _share(each.share),
        ]
        for each in found
    ]
    headings = ("Week from", "Offered, hours", "Booked, hours", "Booked of offered")
    return Section(f"Utilization, {WEEKS} weeks back and ahead", headings, table)


def _hours(minutes: int) -> str:
    return f"{minutes / 60:.1f}".removesuffix(".0")


def _share(share: float | None) -> Any:
    """A bar beside its number; nothing where nothing was offered."""
    if share is None:
        return show.NOTHING
    percent = round(share * 100)
    return show.html('<meter min="0" max="100" value="{}" aria-hidden="true"></meter> {} %', percent, percent)


def _away(user_id: UUID) -> Section:
    """Time off that is not over. ix_time_off_teacher_end"""
    query = select(TimeOff).where(
        TimeOff.teacher_id == user_id, TimeOff.status == AbsenceStatus.PLANNED, TimeOff.end_at > gate.now()
    )
    found = list(session().scalars(query.order_by(TimeOff.end_at).limit(SHOWN)))
    return Section(
        "Time off",
        ("Time off", "From", "Until"),
        rows(found, show.link, lambda each: show.when(each.start_at), lambda each: show.when(each.end_at)),
        "Not away.",
        flask.url_for("desk_time-off.index_view", teacher=user_id),
        is_aside=True,
    )


def teacher_buttons(user_id: UUID) -> list[Button]:
    """What is done with a teacher's time on pages that are about more than one record."""
    from guitaronline.admin.block_range import BlockRange
    from guitaronline.admin.slots import CreateSlot, CreateSlots
    from guitaronline.admin.time_off import CreateTimeOff

    kinds = (CreateTimeOff, BlockRange, CreateSlot, CreateSlots)
    return [button_of(commands.named(kind), teacher_id=user_id) for kind in kinds]
