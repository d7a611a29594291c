"""Lessons as their people may see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from guitaronline.actor import Actor, Role
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.lessons.models import Lesson, LessonStatus
from guitaronline.teachers.models import TeacherProfile


def visible_lesson(session: Session, actor: Actor, lesson_id: UUID) -> Lesson:
    """The lesson, if it is the actor's own or they read any. Raises NotAllowed, NotFound."""
    access.require(actor, Permission.READ_BOOKINGS, own=True)
    lesson = session.get(Lesson, lesson_id)
    if lesson is None:
        raise NotFound()
    access.require(actor, Permission.READ_BOOKINGS, own=actor.id in (lesson.student_id, lesson.teacher_id))
    return lesson


def lessons_of_person(
    session: Session, user_id: UUID, *, after: tuple[datetime, UUID] | None = None, offset: int = 0, limit: int = 20
) -> list[Lesson]:
    """Given or taken by the person, the latest start first; `after`: start and id of the last one seen."""
    query = select(Lesson).where(or_(Lesson.student_id == user_id, Lesson.teacher_id == user_id))
    if after is not None:
        query = query.where(tuple_(Lesson.scheduled_start_at, Lesson.id) < after)
    query = query.order_by(Lesson.scheduled_start_at.desc(), Lesson.id.desc())
    return list(session.scalars(query.offset(offset).limit(limit)))


def join_urls(session: Session, lessons: Sequence[Lesson]) -> dict[UUID, str | None]:
    """For each lesson the address where it takes place: its own, else its teacher's."""
    teachers = {lesson.teacher_id for lesson in lessons if lesson.join_url is None}
    own = select(TeacherProfile.user_id, TeacherProfile.meeting_url).where(TeacherProfile.user_id.in_(teachers))
    meeting = dict(session.execute(own).all()) if teachers else {}
    return {lesson.id: lesson.join_url or meeting.get(lesson.teacher_id) for lesson in lessons}


def private_note_for(actor: Actor, lesson: Lesson) -> str | None:
    """The private note is for the lesson's teacher and staff; students never see it."""
    is_teacher = actor.role is Role.TEACHER and actor.id == lesson.teacher_id
    return lesson.private_note if actor.is_staff or is_teacher else None


def lessons_without_outcome(session: Session, *, ended_before: datetime, limit: int = 100) -> list[Lesson]:
    """Still scheduled though they ended before that; the oldest first. ix_lessons_open_end"""
    query = select(Lesson).where(Lesson.status == LessonStatus.SCHEDULED, Lesson.scheduled_end_at <= ended_before)
    return list(session.scalars(query.order_by(Lesson.scheduled_end_at).limit(limit)))
