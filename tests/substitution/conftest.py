"""Ann has a lesson with Tom in two days; Tina teaches too."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.booking.models import Booking
from guitaronline.booking.substitution import substitute_booking
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.service import edit_profile
from tests.world import World, as_actor

WHY = "Tom has a fever"


@pytest.fixture
def booked(world: World) -> Booking:
    world.package()
    return world.booking(world.slot(hours=48))


def give(world: World, booking: Booking, teacher: User) -> Booking:
    """Sue gives the booking to the teacher."""
    return substitute_booking(as_actor(world.sue), booking.id, teacher_id=teacher.id, reason=WHY)


def same_time(world: World, booking: Booking, teacher: User) -> Slot:
    """The teacher's own open slot at the booking's times."""
    return world.slot(teacher, start_at=booking.start_at)


def lesson_of(db: Session, booking: Booking) -> Lesson:
    db.rollback()
    return db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()


def profile_id(db: Session, teacher: User) -> UUID:
    return db.scalars(select(TeacherProfile.id).where(TeacherProfile.user_id == teacher.id)).one()


def describe(world: World, db: Session, teacher: User, **changes: object) -> None:
    """The teacher's profile says this."""
    edit_profile(as_actor(world.ada), profile_id(db, teacher), changes=dict(changes))
