"""What messages are made of, looked up one by one or read ahead for many.

Delivery reads ahead for a group of messages and keeps what `read_ahead` gives it for as long as it is fresh enough; while it
does, nothing here asks the database. Everybody else gets what stands there now."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.billing.models import Package
from guitaronline.booking.models import Booking
from guitaronline.db import Base, any_of
from guitaronline.identity.models import Guardian, User
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import Message, MessagePreference, Preference
from guitaronline.teachers.models import TeacherProfile

M = TypeVar("M", bound=Base)
AHEAD = "messages read ahead"


@dataclass
class Ahead:
    """`records` by table and id; the others by what they are asked for. What is not there does not exist."""

    records: dict[type[Any], dict[UUID, Any]] = field(default_factory=dict)
    lessons: dict[UUID, Lesson] = field(default_factory=dict)  # by booking
    profiles: dict[UUID, TeacherProfile] = field(default_factory=dict)  # by person
    switched_off: set[tuple[UUID, Preference]] = field(default_factory=set)
    wards: set[tuple[UUID, UUID]] = field(default_factory=set)  # guardian who gets messages, student


def read_ahead(session: Session, messages: Sequence[Message]) -> Ahead:
    """Everything that the truth and the words of these messages ask for, in a query a table. Whoever keeps the result keeps
    it good; it is gone with it."""
    ahead = Ahead()
    by_table: dict[str, set[UUID]] = {}
    for message in messages:
        by_table.setdefault(message.record_type, set()).add(message.record_id)
    for model in (mapper.class_ for mapper in Base.registry.mappers):
        if ids := by_table.get(model.__tablename__):
            _read(session, ahead, model, ids)
    bookings = list(ahead.records.get(Booking, {}).values())
    before = {each.rescheduled_from_booking_id for each in bookings if each.rescheduled_from_booking_id}
    _read(session, ahead, Booking, before)
    bookings = list(ahead.records.get(Booking, {}).values())
    teachers = {each.teacher_id for each in bookings}
    people = teachers | {each.student_id for each in bookings} | {message.person_id for message in messages}
    _read(session, ahead, User, people)
    _read(session, ahead, Package, {each.package_id for each in bookings if each.decision})
    lessons = select(Lesson).where(Lesson.booking_id == any_of(each.id for each in bookings))
    ahead.lessons = {each.booking_id: each for each in session.scalars(lessons)} if bookings else {}
    profiles = select(TeacherProfile).where(TeacherProfile.user_id == any_of(teachers))
    ahead.profiles = {each.user_id: each for each in session.scalars(profiles)} if teachers else {}
    _read_people(session, ahead, {message.person_id for message in messages})
    session.info[AHEAD] = weakref.ref(ahead)
    return ahead


def _read(session: Session, ahead: Ahead, model: type[Any], ids: Collection[UUID]) -> None:
    if ids:
        found = session.scalars(select(model).where(model.id == any_of(ids)))
        ahead.records.setdefault(model, {}).update({each.id: each for each in found})


def _read_people(session: Session, ahead: Ahead, ids: Iterable[UUID]) -> None:
    people = any_of(ids)
    off = select(MessagePreference.person_id, MessagePreference.preference).where(
        MessagePreference.person_id == people, MessagePreference.is_on.is_(False)
    )
    ahead.switched_off = {(row.person_id, row.preference) for row in session.execute(off)}
    wards = select(Guardian.guardian_id, Guardian.student_id).where(
        Guardian.guardian_id == people, Guardian.receives_messages
    )
    ahead.wards = {(row.guardian_id, row.student_id) for row in session.execute(wards)}


def _ahead(session: Session) -> Ahead | None:
    kept = session.info.get(AHEAD)
    return kept() if kept is not None else None


def record(session: Session, model: type[M], record_id: UUID) -> M | None:
    """The record as it is; None when there is none."""
    ahead = _ahead(session)
    known = ahead.records.get(model, {}).get(record_id) if ahead is not None else None
    return known or session.get(model, record_id, populate_existing=True)


def lesson_of(session: Session, booking_id: UUID) -> Lesson | None:
    ahead = _ahead(session)
    if ahead is not None and booking_id in ahead.records.get(Booking, {}):
        return ahead.lessons.get(booking_id)
    return session.scalars(select(Lesson).where(Lesson.booking_id == booking_id)).one_or_none()


def profile_of(session: Session, teacher_id: UUID) -> TeacherProfile | None:
    ahead = _ahead(session)
    if ahead is not None and teacher_id in ahead.profiles:
        return ahead.profiles[teacher_id]
    return session.scalars(select(TeacherProfile).where(TeacherProfile.user_id == teacher_id)).one_or_none()


def is_switched_off(session: Session, person_id: UUID, preference: Preference | None) -> bool:
    """uq_message_preferences_once"""
    if preference is None:
        return False
    ahead = _ahead(session)
    if ahead is not None and person_id in ahead.records.get(User, {}):
        return (person_id, preference) in ahead.switched_off
    said = select(MessagePreference.is_on).where(
        MessagePreference.person_id == person_id, MessagePreference.preference == preference
    )
    return session.scalar(said) is False


def stands_for(session: Session, guardian_id: UUID, student_id: UUID) -> bool:
    """Whether the adult gets messages for that child. uq_guardians_pair"""
    ahead = _ahead(session)
    if ahead is not None and guardian_id in ahead.records.get(User, {}):
        return (guardian_id, student_id) in ahead.wards
    pair = select(Guardian.id).where(
        Guardian.guardian_id == guardian_id, Guardian.student_id == student_id, Guardian.receives_messages
    )
    return session.scalar(pair) is not None
