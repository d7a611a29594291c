from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Input, OneOf, Output, Text, Texts
from guitaronline.api.schemas.common import maybe, moment, time
from guitaronline.db import session
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide
from guitaronline.lessons.queries import join_urls


class ReportEdit(Input):
    topic = Text(most=200, allow_none=True, metadata={"example": "Barre chords"})
    notes = Text(most=10_000, allow_none=True, metadata={"description": "for the student"})
    homework = Text(most=10_000, allow_none=True, metadata={"example": "F major, ten minutes a day"})
    links = Texts(Text(least=1, most=2000), most=20, metadata={"example": ["https://tabs.example/f-major"]})


class NoShow(Input):
    side = OneOf(
        NoShowSide, metadata={"description": "who did not come; the student when left out", "example": "student"}
    )
    reason = Text(most=500, metadata={"description": "kept with the change"})


class LessonOut(Output):
    id = fields.UUID(required=True)
    reference = fields.String(required=True, metadata={"example": "LES-7Q4M2"})
    booking_id = fields.UUID(required=True)
    student_id = fields.UUID(required=True)
    teacher_id = fields.UUID(required=True)
    scheduled_start_at = time()
    scheduled_end_at = time()
    status = fields.String(required=True, metadata={"enum": list(LessonStatus)})
    no_show_side = fields.String(metadata={"enum": list(NoShowSide), "description": "only of a no-show"})
    join_url = maybe(fields.String)
    topic = maybe(fields.String)
    notes = maybe(fields.String)
    homework = maybe(fields.String)
    links = fields.List(fields.String(), required=True)
    created_at = time()
    updated_at = time()


@dataclass(frozen=True)
class SeenLesson:
    """A lesson with the address where it takes place; lists look those up all at once."""

    lesson: Lesson
    join_url: str | None


def lesson_json(lesson: Lesson) -> dict[str, Any]:
    return seen_json(SeenLesson(lesson, join_urls(session(), [lesson])[lesson.id]))


def seen_json(seen: SeenLesson) -> dict[str, Any]:
    lesson = seen.lesson
    made = {
        "id": str(lesson.id),
        "reference": lesson.reference,
        "booking_id": str(lesson.booking_id),
        "student_id": str(lesson.student_id),
        "teacher_id": str(lesson.teacher_id),
        "scheduled_start_at": moment(lesson.scheduled_start_at),
        "scheduled_end_at": moment(lesson.scheduled_end_at),
        "status": lesson.status.value,
        "join_url": seen.join_url,
        "topic": lesson.topic,
        "notes": lesson.notes,
        "homework": lesson.homework,
        "links": lesson.links or [],
        "created_at": moment(lesson.created_at),
        "updated_at": moment(lesson.updated_at),
    }
    return {**made, "no_show_side": lesson.no_show_side.value} if lesson.no_show_side else made
