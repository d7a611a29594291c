from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from guitaronline import checks, clock
from guitaronline.actor import Role
from guitaronline.audit.models import AuditAction
from guitaronline.billing import service as billing
from guitaronline.booking import service as booking
from guitaronline.booking.models import Booking
from guitaronline.booking.slots import block_slot
from guitaronline.db import session
from guitaronline.identity import service as identity
from guitaronline.lessons import service as lessons
from guitaronline.lessons.models import Lesson
from guitaronline.teachers.models import TeacherProfile
from tests.admin.browser import Browser, signed_in
from tests.world import World, as_actor


@pytest.fixture
def ada(app: Flask, world: World) -> Browser:
    """An admin's browser."""
    return signed_in(app, world.ada)


@dataclass
class School:
    """A record of every kind, in the states in which people act on them."""

    world: World
    records: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.records[name]


@pytest.fixture
def school(world: World) -> School:
    ada, finn = as_actor(world.ada), as_actor(world.finn)
    child = world.person("Mia", Role.STUDENT, email=None)
    guardian = identity.add_guardian(ada, child.id, guardian_id=world.ben.id)
    asleep = world.person("Carl", Role.STUDENT)
    identity.deactivate_person(ada, asleep.id, reason="moved away")
    profile = session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == world.tom.id)).one()
    package = world.package(lessons=9, price_minor=9000, expires_at=world.now + timedelta(days=90))
    past, given = _past_bookings(world)
    lessons.complete_lesson(ada, given.id)
    held = world.hold(world.slot(hours=70))
    booked = world.booking(world.slot(hours=50))
    blocked = world.slot(hours=90)
    block_slot(ada, blocked.id, reason="dentist")
    frozen = world.package(world.ben, lessons=2)
    billing.freeze_package(ada, frozen.id, reason="ill")
    expired = _expired_package(world)
    plan = billing.create_plan(ada, name="Ten", lessons_total=10, amount_minor=10000)
    paid = billing.record_payment(finn, package_id=package.id, amount_minor=9000, currency="USD")
    billing.set_payment_status(finn, paid.id, status="succeeded", reason="seen")
    awaited = billing.record_payment(finn, package_id=package.id, amount_minor=100, currency="USD")
    failed = billing.record_payment(finn, package_id=package.id, amount_minor=200, currency="USD")
    billing.set_payment_status(finn, failed.id, status="failed", reason="bounced")
    refund = billing.refund_payment(finn, paid.id, amount_minor=1000, reason="goodwill")
    large = billing.record_payment(finn, package_id=package.id, amount_minor=70_000, currency="USD")
    approval = billing.set_payment_status(finn, large.id, status="succeeded", reason="seen")
    open_task = _task(world, "Call")
    done_task = _task(world, "Write")
    identity.finish_task(ada, done_task.id)
    checks.run_and_store(session()) if hasattr(checks, "run_and_store") else None
    records = dict(
        child=child, guardian=guardian, asleep=asleep, profile=profile, package=package, waiting=past, given=given, held=held,
        booked=booked, blocked=blocked, open_slot=world.slot(hours=100), frozen=frozen, expired=expired, plan=plan, paid=paid,
        awaited=awaited, failed=failed, refund=refund, approval=approval, open_task=open_task, done_task=done_task,
    )  # fmt: skip
    return School(world, records)


def _past_bookings(world: World) -> tuple[Lesson, Lesson]:
    """Two lessons that are over; neither has an outcome."""
    with clock.moved_by(timedelta(days=-3)):
        bookings = [world.booking(world.slot(hours=hours)) for hours in (20, 30)]
    found = session().scalars(select(Lesson).where(Lesson.booking_id.in_([each.id for each in bookings])).order_by(Lesson.id))
    first, second = found
    return first, second


def _expired_package(world: World) -> Any:
    with clock.moved_by(timedelta(days=-20)):
        package = world.package(world.ben, lessons=3, expires_at=world.now + timedelta(days=5))
    billing.expire_packages(as_actor(world.ada))
    return package


def _task(world: World, title: str) -> Any:
    ada = as_actor(world.ada)
    return identity.create_task(ada, record_type="users", record_id=world.ann.id, title=title, owner_id=world.ada.id)


def actions(name: str | None = None) -> int:
    """How many actions the audit has, of that name when one is given."""
    query = select(func.count()).select_from(AuditAction)
    session().rollback()
    return session().scalar(query if name is None else query.where(AuditAction.name == name)) or 0


def booking_again(booking: Booking) -> Booking:
    session().rollback()
    return session().get_one(Booking, booking.id, populate_existing=True)


_ = booking  # the commands are used through the world
