"""Who teaches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.identity.models import User
from guitaronline.teachers.models import TeacherProfile, TeacherStatus
from guitaronline.teachers.rules import normal_tag

# What makes a teacher active, for queries that join both tables already.
ACTIVE_TEACHER = User.is_active & (User.role == Role.TEACHER) & (TeacherProfile.status == TeacherStatus.ACTIVE)


def teacher_is_active(user_id: ColumnElement[UUID] | Any) -> ColumnElement[bool]:
    """SQL: the person in that column is an active teacher (user active, role teacher, profile active)."""
    both = select(TeacherProfile.id).join(User, User.id == TeacherProfile.user_id)
    return exists(both.where(ACTIVE_TEACHER, TeacherProfile.user_id == user_id).correlate_except(TeacherProfile, User))


def is_active_teacher(session: Session, user_id: UUID) -> bool:
    return bool(session.scalar(select(teacher_is_active(user_id))))


def profile_of(session: Session, user_id: UUID) -> TeacherProfile | None:
    """The person's profile, active or not."""
    return session.scalars(select(TeacherProfile).where(TeacherProfile.user_id == user_id)).one_or_none()


def active_profile(session: Session, profile_id: UUID) -> TeacherProfile | None:
    """The profile as strangers may see it: only an active teacher's."""
    return session.scalars(_active().where(TeacherProfile.id == profile_id)).one_or_none()


def active_teachers(
    session: Session,
    *,
    q: str | None = None,
    tag: str | None = None,
    after: UUID | None = None,
    offset: int = 0,
    limit: int = 20,
) -> list[TeacherProfile]:
    """Profiles of active teachers, the longest-standing first; `after` is the id of the last one seen.

    `q` is looked for in the name, letter case aside. A school has hundreds of teachers: names are read through."""
    query = _active().order_by(TeacherProfile.id).limit(limit).offset(offset)
    if q:
        query = query.where(TeacherProfile.display_name.icontains(q, autoescape=True))
    if tag:
        query = query.where(TeacherProfile.tags.contains([normal_tag(tag)]))  # ix_teacher_profiles_tags
    if after is not None:
        query = query.where(TeacherProfile.id > after)
    return list(session.scalars(query))


def _active() -> Select[TeacherProfile]:
    return select(TeacherProfile).join(User, User.id == TeacherProfile.user_id).where(ACTIVE_TEACHER)
