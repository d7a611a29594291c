"""Calendar feeds: a person's lessons at a secret link, for the calendar on their phone.

Whoever has the link may read, so it is shown once, kept as SHA-256 only, and a new one ends the old one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select, union
from sqlalchemy.orm import Session, aliased

from guitaronline import policy
from guitaronline.booking.feed_models import CalendarFeed
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Guardian, User
from guitaronline.identity.people import require_over
from guitaronline.lessons.models import Lesson
from guitaronline.teachers.models import TeacherProfile
from guitaronline.unit_of_work import Work, command

SECRET = "gol_cf_"  # noqa: S105  # how such a link's secret begins, so that scanners of texts find a lost one
BACK, AHEAD = timedelta(days=90), timedelta(days=365)
LESSONS_MAX = 2_000  # a full week of nine lessons a day for half a year; the oldest are left out beyond
FORMAT = 1  # grows when the same facts are written differently: calendars must then ask for everything again


@dataclass(frozen=True)
class FeedLesson:
    """A booking as it stands in a calendar."""

    booking_id: UUID
    start_at: datetime
    end_at: datetime
    is_canceled: bool
    sequence: int  # never falls, and grows with every change that calendars must notice
    changed_at: datetime
    student_id: UUID
    student_name: str
    teacher_id: UUID
    teacher_name: str
    join_url: str | None


@dataclass(frozen=True)
class Feed:
    """All that the calendar says; `tag` changes when any of it does."""

    person_id: UUID
    name: str
    timezone: str
    first: datetime
    last: datetime
    lessons: Sequence[FeedLesson]

    @property
    def tag(self) -> str:
        """The days of the zone's table move on with the calendar's day, so they count too."""
        facts = (FORMAT, self.name, self.timezone, self.first.date(), self.lessons)
        return sha256(repr(facts).encode()).hexdigest()[:32]


@command("feed.create", creates="calendar_feeds")
def new_feed(work: Work) -> str:
    """The address of the actor's new feed, to be shown once; the one before it stops working. Locks the person."""
    access.require(work.actor, Permission.OWN_PROFILE, own=True)
    if work.actor.id is None:
        raise NotFound()
    user = work.lock(User, work.actor.id)
    _end_live(work, user.id)
    secret = SECRET + secrets.token_urlsafe(32)
    work.add(CalendarFeed(id=work.record_id, user_id=user.id, token_hash=_hash(secret)))
    return address_of(secret)


@command("feed.revoke", on="users")
def revoke_feed(work: Work, user_id: UUID, *, reason: str | None = None) -> User:
    """The person's feed answers nobody any more. Repeat: no-op. Locks the person."""
    user = work.lock(User, user_id)
    if work.actor.id != user_id:
        access.require(work.actor, Permission.EDIT_PEOPLE)
        require_over(work.actor, user)
    _end_live(work, user_id)
    return user


def _end_live(work: Work, user_id: UUID) -> None:
    feed = live_feed(work.session, user_id)
    if feed is not None:
        feed.revoked_at = work.now
        work.session.flush()  # before the next one: only one may be live


def address_of(secret: str) -> str:
    return f"{policy.current().PUBLIC_BASE_URL.rstrip('/')}/api/v1/calendar/{secret}.ics"


def live_feed(session: Session, user_id: UUID) -> CalendarFeed | None:
    """Query: the person's feed that works. uq_calendar_feeds_live"""
    query = select(CalendarFeed).where(CalendarFeed.user_id == user_id, CalendarFeed.revoked_at.is_(None))
    return session.scalars(query).one_or_none()


def who_has_feeds(session: Session, user_ids: Sequence[UUID]) -> set[UUID]:
    """Query: those of them whose feed works. uq_calendar_feeds_live"""
    query = select(CalendarFeed.user_id).where(CalendarFeed.user_id.in_(user_ids), CalendarFeed.revoked_at.is_(None))
    return set(session.scalars(query))


def read_feed(session: Session, secret: str, now: datetime) -> Feed:
    """Query: the lessons of the person whose secret this is, and of the children they stand for. Raises NotFound, also for
    somebody deactivated.

    Found by the hash alone, so the time it takes says nothing about how near a guess was. uq_calendar_feeds_token_hash"""
    query = (
        select(User)
        .join(CalendarFeed, CalendarFeed.user_id == User.id)
        .where(CalendarFeed.token_hash == _hash(secret), CalendarFeed.revoked_at.is_(None), User.is_active)
    )
    user = session.scalars(query).one_or_none()
    if user is None:
        raise NotFound()
    first, last = now - BACK, now + AHEAD
    lessons = _lessons(session, user.id, first, last)
    return Feed(user.id, user.full_name, user.timezone, first, last, lessons)


def _lessons(session: Session, person: UUID, first: datetime, last: datetime) -> list[FeedLesson]:
    """Soonest first. Holds are no lessons yet, and those that ended as holds never were."""
    student, teacher = aliased(User), aliased(User)
    query = (
        select(
            Booking.id,
            Booking.start_at,
            Booking.end_at,
            Booking.status,
            Booking.revision,
            func.greatest(Booking.updated_at, Lesson.updated_at),
            student.id,
            student.full_name,
            teacher.id,
            func.coalesce(TeacherProfile.display_name, teacher.full_name),
            func.coalesce(Lesson.join_url, TeacherProfile.meeting_url),
        )
        .join(student, student.id == Booking.student_id)
        .join(teacher, teacher.id == Booking.teacher_id)
        .outerjoin(TeacherProfile, TeacherProfile.user_id == Booking.teacher_id)
        .outerjoin(Lesson, Lesson.booking_id == Booking.id)
        .where(Booking.id.in_(_ids(person, first, last)))
        .order_by(Booking.start_at.desc(), Booking.id)
        .limit(LESSONS_MAX)
    )
    found = [_lesson(*row) for row in session.execute(query)]
    return found[::-1]


def _lesson(
    booking_id: UUID, start_at: datetime, end_at: datetime, status: BookingStatus, revision: int, *others: Any
) -> FeedLesson:
    is_canceled = status is BookingStatus.CANCELED
    return FeedLesson(booking_id, start_at, end_at, is_canceled, revision + is_canceled, *others)


def _ids(person: UUID, first: datetime, last: datetime) -> Select[UUID]:
    """ix_bookings_student_start, ix_bookings_teacher_start; each stops at the latest LESSONS_MAX."""
    known = or_(Booking.status == BookingStatus.CONFIRMED, Booking.canceled_at.is_not(None))
    was_lesson = select(Booking.id).where(
        known, Booking.confirmed_at.is_not(None), Booking.start_at >= first, Booking.start_at < last
    )
    latest = was_lesson.order_by(Booking.start_at.desc()).limit(LESSONS_MAX)
    children = select(Guardian.student_id).where(Guardian.guardian_id == person)
    whose = (Booking.student_id == person, Booking.student_id.in_(children), Booking.teacher_id == person)
    return select(union(*(latest.where(each) for each in whose)).subquery().c.id)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
