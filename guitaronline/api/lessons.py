"""/lessons: what was or will be taught, its outcome and report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline.actor import Actor, Role
from guitaronline.api.endpoint import Answer, Resource, may, only
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.lessons import LessonOut, NoShow, ReportEdit, SeenLesson, lesson_json, seen_json
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.lessons import queries, service
from guitaronline.lessons.models import Lesson

resource = Resource("lessons", "What was and will be taught")

LATEST_FIRST = Order("lessons", lambda seen: (seen.lesson.scheduled_start_at, seen.lesson.id))
LESSON = Answer(200, LessonOut, lesson_json)
OUTCOME = may(Permission.RECORD_OUTCOME)


@resource.listing("/my", LessonOut, seen_json, order=LATEST_FIRST, who=only(Role.STUDENT, Role.TEACHER))
def mine(actor: Actor, page: Page) -> Sequence[SeenLesson]:
    """One's own lessons, taken or given, latest first"""
    assert actor.id is not None
    found = queries.lessons_of_person(session(), actor.id, after=page.after, offset=page.offset, limit=page.rows)
    urls = queries.join_urls(session(), found)
    return [SeenLesson(lesson, urls[lesson.id]) for lesson in found]


@resource.endpoint("GET", "/<uuid:lesson_id>", LESSON, who=may(Permission.READ_BOOKINGS), tagged=True)
def lesson(actor: Actor, lesson_id: UUID) -> Lesson:
    """A lesson"""
    return queries.visible_lesson(session(), actor, lesson_id)


@resource.endpoint(
    "PATCH",
    "/<uuid:lesson_id>",
    LESSON,
    who=OUTCOME,
    body=ReportEdit,
    tagged=True,
    edits="lesson_id",
    sees=queries.visible_lesson,
    refuses=(service.ReportInvalid, service.LessonCanceled),
)
def edit(actor: Actor, lesson_id: UUID, body: dict[str, Any]) -> Lesson:
    """Write the lesson's report"""
    return service.edit_report(actor, lesson_id, changes=body)


@resource.endpoint(
    "POST",
    "/<uuid:lesson_id>/complete",
    LESSON,
    who=OUTCOME,
    tagged=True,
    edits="lesson_id",
    sees=queries.visible_lesson,
    keyed=True,
    refuses=(service.LessonNotStarted, service.LessonCanceled, service.OutcomeAlreadyRecorded),
)
def complete(actor: Actor, lesson_id: UUID) -> Lesson:
    """The lesson was given"""
    return service.complete_lesson(actor, lesson_id)


@resource.endpoint(
    "POST",
    "/<uuid:lesson_id>/no-show",
    LESSON,
    who=OUTCOME,
    body=NoShow,
    tagged=True,
    edits="lesson_id",
    sees=queries.visible_lesson,
    keyed=True,
    refuses=(service.LessonNotStarted, service.LessonCanceled, service.OutcomeAlreadyRecorded),
)
def no_show(actor: Actor, lesson_id: UUID, body: dict[str, Any]) -> Lesson:
    """Somebody did not come; the teacher's absence or a technical failure returns the lesson"""
    return service.mark_no_show(actor, lesson_id, **body)
