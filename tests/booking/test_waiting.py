"""What waits for people, and what does not any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.billing import service as billing
from guitaronline.billing.models import Package, Payment
from guitaronline.booking import service as booking
from guitaronline.booking import waiting
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity import service as people
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.service import disable_teacher, edit_profile, enable_teacher
from tests.admin.busy import given, past_lesson, recorded
from tests.world import World, as_actor

DAY = timedelta(days=1)


def waits(model: Any, condition: waiting.Condition, now: Any) -> set[UUID]:
    session().rollback()
    return set(session().scalars(select(model.id).where(condition(now))))


@pytest.fixture
def profile(world: World) -> TeacherProfile:
    return session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == world.tom.id)).one()


def test_a_hold_waits_while_it_can_still_be_confirmed_within_the_hour(world: World) -> None:
    world.package()
    held = world.hold()
    world.booking(world.slot(hours=60))

    assert waits(Booking, waiting.about_to_lapse, world.now) == {held.id}
    assert waits(Booking, waiting.about_to_lapse, world.now + timedelta(hours=1)) == set()


def test_bookings_of_an_inactive_teacher_wait_until_the_teacher_is_back(world: World, profile: TeacherProfile) -> None:
    world.package()
    ahead = world.booking()
    assert waits(Booking, waiting.needs_decision, world.now) == set()

    disable_teacher(as_actor(world.ada), profile.id, reason="ill")
    assert waits(Booking, waiting.needs_decision, world.now) == {ahead.id}

    enable_teacher(as_actor(world.ada), profile.id, reason="well")
    assert waits(Booking, waiting.needs_decision, world.now) == set()


def test_bookings_of_a_teacher_who_became_something_else_wait(world: World) -> None:
    world.package()
    ahead = world.booking()

    people.set_role(as_actor(world.ada), world.tom.id, role=Role.SUPPORT, reason="works in the office now")

    assert waits(Booking, waiting.needs_decision, world.now) == {ahead.id}


def test_bookings_of_a_teacher_whose_account_was_closed_wait(world: World) -> None:
    world.package()
    ahead = world.booking()

    people.deactivate_person(as_actor(world.ada), world.tom.id, reason="left")

    assert waits(Booking, waiting.needs_decision, world.now) == {ahead.id}


def test_a_lesson_soon_waits_for_a_link_of_its_own_or_of_its_teacher(world: World, profile: TeacherProfile) -> None:
    world.package()
    soon, later = lesson_of(world.booking(world.slot(hours=40))), lesson_of(world.booking(world.slot(hours=60)))
    assert waits(Lesson, waiting.without_join_link, world.now) == {soon.id}
    assert waits(Lesson, waiting.without_join_link, world.now + DAY) == {soon.id, later.id}

    edit_profile(as_actor(world.ada), profile.id, changes={"meeting_url": "https://meet.example/tom"})
    assert waits(Lesson, waiting.without_join_link, world.now) == set()


def test_a_payment_is_awaited_and_after_a_day_for_too_long(world: World) -> None:
    payment = recorded(world, world.package(price_minor=100), 100)
    tomorrow = world.now + DAY + timedelta(minutes=1)

    assert waits(Payment, waiting.awaited, world.now) == {payment.id}
    assert waits(Payment, waiting.awaited_too_long, world.now) == set()
    assert waits(Payment, waiting.awaited, tomorrow) == set()
    assert waits(Payment, waiting.awaited_too_long, tomorrow) == {payment.id}


def test_a_failed_payment_waits_until_the_money_comes_in_another_way(world: World) -> None:
    package = world.package(price_minor=100)
    failed = moved(world, recorded(world, package, 100), "failed")
    assert waits(Payment, waiting.failed_for_good, world.now) == {failed.id}

    moved(world, recorded(world, package, 100), "succeeded")
    assert waits(Payment, waiting.failed_for_good, world.now) == set()


def test_a_failed_payment_of_a_package_that_was_taken_back_waits_no_more(world: World) -> None:
    package = world.package(price_minor=100)
    moved(world, recorded(world, package, 100), "failed")

    billing.revoke_package(as_actor(world.finn), package.id, reason="not wanted")

    assert waits(Payment, waiting.failed_for_good, world.now) == set()


def test_a_package_in_use_waits_for_its_money(world: World) -> None:
    package = world.package(price_minor=100)
    assert waits(Package, waiting.used_unpaid, world.now) == set()

    world.hold()
    assert waits(Package, waiting.used_unpaid, world.now) == {package.id}

    moved(world, recorded(world, package, 99), "succeeded")
    assert waits(Package, waiting.used_unpaid, world.now) == {package.id}

    moved(world, recorded(world, package, 1), "succeeded")
    assert waits(Package, waiting.used_unpaid, world.now) == set()


def test_a_package_with_lessons_is_told_before_it_expires(world: World) -> None:
    package = world.package(expires_at=world.now + 20 * DAY)
    ends = package.expires_at
    assert ends is not None

    assert waits(Package, waiting.expires_later, world.now) == {package.id}
    assert waits(Package, waiting.expires_soon, world.now) == set()
    assert waits(Package, waiting.expires_later, ends - 7 * DAY) == set()
    assert waits(Package, waiting.expires_soon, ends - 7 * DAY) == {package.id}
    assert waits(Package, waiting.expires_soon, ends) == set()


def test_a_frozen_package_does_not_expire_and_so_does_not_wait(world: World) -> None:
    package = world.package(expires_at=world.now + 2 * DAY)

    billing.freeze_package(as_actor(world.ada), package.id, reason="ill")

    assert waits(Package, waiting.expires_soon, world.now) == set()


def test_the_last_lesson_waits_for_a_new_package(world: World) -> None:
    package = world.package(lessons=1)
    world.package(world.ben, lessons=2)
    assert waits(Package, waiting.running_out, world.now) == {package.id}
    assert waits(Package, waiting.running_out, world.now + 31 * DAY) == set()

    world.package(lessons=5)
    assert waits(Package, waiting.running_out, world.now) == set()


def test_a_hold_of_a_package_with_more_lessons_changes_nothing_that_an_index_knows(world: World) -> None:
    package = world.package(lessons=3)
    mark = select(Package.little_left_at).where(Package.id == package.id)

    world.hold()
    assert session().scalar(mark) is None

    world.booking(world.slot(hours=40))
    world.booking(world.slot(hours=60))
    assert session().scalar(mark) is not None


def test_a_trial_waits_once_it_was_taken_until_something_is_bought(world: World) -> None:
    trial = world.package(lessons=1, is_trial=True)
    lesson = past_lesson(world, world.ann, days=1)
    assert waits(Package, waiting.trial_without_purchase, world.now) == set()

    given(world, lesson)
    assert waits(Package, waiting.trial_without_purchase, world.now) == {trial.id}
    assert waits(Package, waiting.running_out, world.now) == set()

    world.package(lessons=5)
    assert waits(Package, waiting.trial_without_purchase, world.now) == set()


def test_a_student_without_a_lesson_for_three_weeks_waits_until_one_is_booked(world: World) -> None:
    with clock.moved_by(-60 * DAY):
        world.package()
    past_lesson(world, world.ann, days=20)
    assert world.ben
    assert waits(User, waiting.without_lesson, world.now) == set()
    assert waits(User, waiting.without_lesson, world.now + 2 * DAY) == {world.ann.id}
    assert waits(User, waiting.without_lesson, world.now + 71 * DAY) == set()

    world.booking(world.slot(hours=40))
    assert waits(User, waiting.without_lesson, world.now + 2 * DAY) == set()


def test_a_lesson_that_was_called_off_counts_for_nobody(world: World) -> None:
    with clock.moved_by(-60 * DAY):
        world.package()
    past_lesson(world, world.ann, days=30)
    ahead = world.booking(world.slot(hours=40))
    assert waits(User, waiting.without_lesson, world.now) == set()

    booking.cancel_booking(as_actor(world.ada), ahead.id, reason="ill", cause="school")

    assert waits(User, waiting.without_lesson, world.now) == {world.ann.id}


def lesson_of(booked: Booking) -> Lesson:
    return session().scalars(select(Lesson).where(Lesson.booking_id == booked.id)).one()


def moved(world: World, payment: Payment, status: str) -> Payment:
    found: Payment = billing.set_payment_status(as_actor(world.finn), payment.id, status=status, reason="seen")  # type: ignore[assignment]
    return found
