"""Today: the day's lessons, an outcome with one tap, and what was forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from guitaronline import db
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.lessons.queries import join_urls
from guitaronline.lessons.rules import outcome_problems
from guitaronline.portal import queries, times
from guitaronline.portal.gate import page
from guitaronline.signed_in import now, viewer
from guitaronline.teachers.queries import is_active_teacher

DOORS_OPEN = timedelta(minutes=15)  # before the lesson the join button becomes the main one


@dataclass(frozen=True)
class Card:
    """One lesson as it stands on the day's list."""

    lesson: Lesson
    join_url: str | None
    state: str
    tone: str
    is_now: bool
    may_record: bool
    has_report: bool
    key: str  # of the one-tap form


@page("/", Permission.READ_BOOKINGS)
def today() -> ResponseReturnValue:
    start = times.midnight(times.today())
    end = times.midnight(times.today() + times.DAY)
    lessons = queries.lessons_between(session(), viewer().id, start, end)
    forgotten = queries.lessons_without_outcome(session(), viewer().id, before=start)
    following = None
    if not any(each.scheduled_start_at > now() for each in lessons):
        following = queries.next_lesson(session(), viewer().id, after=end)
    return flask.render_template(
        "portal/today.html",
        day=times.today(),
        cards=cards_of(lessons),
        forgotten=cards_of(forgotten),
        following=following,
        following_words=times.in_words(following.scheduled_start_at) if following else "",
        is_active=is_active_teacher(session(), viewer().id),
    )


def cards_of(lessons: list[Lesson]) -> list[Card]:
    urls = join_urls(session(), lessons)
    return [card_of(each, urls.get(each.id)) for each in lessons]


def card_of(lesson: Lesson, join_url: str | None) -> Card:
    state, tone = state_of(lesson, now())
    doors_open = lesson.scheduled_start_at - DOORS_OPEN <= now() < lesson.scheduled_end_at
    return Card(
        lesson=lesson,
        join_url=join_url,
        state=state,
        tone=tone,
        is_now=doors_open and lesson.status is LessonStatus.SCHEDULED,
        may_record=not outcome_problems(lesson, now()),
        has_report=any((lesson.topic, lesson.notes, lesson.homework, lesson.private_note, lesson.links)),
        key=str(db.new_id()),
    )


def state_of(lesson: Lesson, at: datetime) -> tuple[str, str]:
    """What people call the lesson's state, and its color."""
    if lesson.status is LessonStatus.SCHEDULED:
        if lesson.scheduled_start_at > at:
            return times.in_words(lesson.scheduled_start_at), "azure"
        return ("running", "green") if lesson.scheduled_end_at > at else ("outcome missing", "orange")
    words: dict[Any, tuple[str, str]] = {
        LessonStatus.COMPLETED: ("taken", "green"),
        LessonStatus.CANCELED: ("canceled", "red"),
        "student": ("student did not come", "orange"),
        "teacher": ("you could not give it", "orange"),
        "technical": ("technical failure", "orange"),
    }
    return words[lesson.no_show_side or lesson.status]
