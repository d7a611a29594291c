"""Two records of one person become one; what was true stays true, and it can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM, Role
from guitaronline.billing.models import Package, Payment
from guitaronline.billing.service import record_payment, set_payment_status
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking, hold_slot
from guitaronline.db import Base
from guitaronline.errors import DomainError, NotAllowed
from guitaronline.finance import verify
from guitaronline.identity.models import Task, User
from guitaronline.identity.refusals import PersonMerged
from guitaronline.identity.service import add_guardian, create_task, edit_person, reactivate_person, set_test
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import Message
from guitaronline.office.merge_models import PersonMerge
from guitaronline.office.merging import judging, merging
from guitaronline.office.merging.finding import dismiss_pair, find_duplicates
from guitaronline.office.merging.merging import merge_people
from guitaronline.office.merging.places import MOVING, STAYING
from guitaronline.office.merging.undoing import undo_merge, what_returns
from guitaronline.unit_of_work import StaleVersion, Work
from tests.admin.posted import posted
from tests.concurrency import at_once, done, refused
from tests.world import World, as_actor

WHY = "the same person"
TOUCHED = ("users", "packages", "bookings", "lessons", "payments", "credit_entries", "guardians", "tasks", "messages")
STAMPS = {"version", "updated_at", "little_left_at"}


@pytest.fixture
def twice(world: World) -> Iterator[World]:
    """Ann is here twice: `world.ann`, and as Ben, who has a package, a payment, a booking and a guardian."""
    with clock.standing_at(world.now):
        package = world.package(world.ben, price_minor=9000)
        payment = record_payment(
            as_actor(world.finn), package_id=package.id, amount_minor=9000, currency="USD", reason="cash"
        )
        set_payment_status(as_actor(world.ada), payment.id, status="succeeded", reason="cash", evidence="receipt 7")
        booked = world.booking(world.slot(), world.ben)
        add_guardian(SYSTEM, world.ben.id, guardian_id=world.person("Gus", Role.STUDENT).id)
        posted(booked, world.ben)
        create_task(SYSTEM, record_type="users", record_id=world.ben.id, title="Call", owner_id=world.sue.id)
        assert world.package()
    return world


def merged(world: World, **more: Any) -> PersonMerge:
    return merge_people(as_actor(world.ada), world.ann.id, loser_id=world.ben.id, reason=WHY, **more)


def owner_of(db: Session, model: type[Any], column: str = "student_id") -> set[Any]:
    db.rollback()
    return set(db.scalars(text(f"SELECT {column} FROM {model.__tablename__}")))


def everything(db: Session) -> dict[str, list[dict[str, Any]]]:
    """All rows that a merge touches, without what every change stamps."""
    db.rollback()
    found = {}
    for name in TOUCHED:
        rows = db.execute(text(f"SELECT * FROM {name} ORDER BY id")).mappings()
        found[name] = [{key: value for key, value in row.items() if key not in STAMPS} for row in rows]
    return found


def test_every_column_that_points_to_a_person_is_decided() -> None:
    pointing = {
        f"{table.name}.{key.parent.name}"
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == "users"
    }
    decided = {place.key for place in MOVING} | set(STAYING)

    assert pointing - decided == set()
    assert decided - pointing == {"tasks.record_id"}


def test_what_was_the_losers_is_the_winners(twice: World, db: Session) -> None:
    merge = merged(twice)

    assert owner_of(db, Package) == owner_of(db, Booking) == owner_of(db, Lesson) == {twice.ann.id}
    assert owner_of(db, Payment) == owner_of(db, Message, "person_id") == {twice.ann.id}
    assert owner_of(db, Task, "record_id") == {twice.ann.id}
    assert db.scalar(text("SELECT student_id FROM guardians")) == twice.ann.id
    assert merge.rows_moved == db.scalar(text("SELECT count(*) FROM merged_rows"))
    assert list(verify.run(db)) == []


def test_the_loser_is_a_pointer_that_cannot_sign_in(twice: World) -> None:
    merged(twice)

    loser = twice.again(twice.ben)
    assert (loser.is_active, loser.merged_into_id) == (False, twice.ann.id)
    with pytest.raises(PersonMerged):
        reactivate_person(as_actor(twice.ada), loser.id)


def test_the_values_that_were_chosen_win_and_addresses_change_places(twice: World) -> None:
    edit_person(SYSTEM, twice.ben.id, changes={"phone": "+49 30 1234567", "language": "de"})

    merged(twice, take=["email", "phone"])

    winner, loser = twice.again(twice.ann), twice.again(twice.ben)
    assert (winner.email, loser.email) == ("ben@people.example", "ann@people.example")
    assert (winner.phone, winner.language, winner.full_name) == ("+49 30 1234567", None, "Ann")


def other_way(world: World) -> None:
    world.booking(world.slot(world.tina), world.ann)


def as_family(world: World) -> None:
    add_guardian(SYSTEM, world.ben.id, guardian_id=world.ann.id)


def as_test(world: World) -> None:
    set_test(as_actor(world.ada), world.ben.id, is_test=True, reason="trying")


@pytest.mark.parametrize(
    ("given", "code"),
    [(other_way, "booked_twice"), (as_family, "merge_invalid"), (as_test, "merge_invalid")],
)
def test_two_who_cannot_be_one_are_refused(twice: World, db: Session, given: Any, code: str) -> None:
    given(twice)
    before = everything(db)

    with pytest.raises(DomainError) as refusal:
        merged(twice)

    assert [each.code for each in refusal.value.reasons] == [code]
    assert everything(db) == before


def test_a_teacher_is_not_merged(world: World) -> None:
    with pytest.raises(DomainError) as refusal:
        merge_people(as_actor(world.ada), world.ann.id, loser_id=world.tom.id, reason=WHY)

    assert refusal.value.code == "not_mergeable"


def test_nobody_is_merged_into_themselves_or_by_support(world: World) -> None:
    with pytest.raises(DomainError) as refusal:
        merge_people(as_actor(world.ada), world.ann.id, loser_id=world.ann.id, reason=WHY)
    with pytest.raises(NotAllowed):
        merge_people(as_actor(world.sue), world.ann.id, loser_id=world.ben.id, reason=WHY)

    assert refusal.value.code == "same_record"


def test_a_record_that_changed_since_it_was_seen_is_not_merged(twice: World) -> None:
    seen = twice.again(twice.ben).version
    edit_person(SYSTEM, twice.ben.id, changes={"level": "beginner"})

    with pytest.raises(StaleVersion):
        merged(twice, loser_version=seen)


def test_what_the_winner_has_already_stays_where_it_was(twice: World, db: Session) -> None:
    gus = db.scalars(text("SELECT guardian_id FROM guardians")).one()
    add_guardian(SYSTEM, twice.ann.id, guardian_id=gus)

    merged(twice)

    db.rollback()
    rows = db.execute(text("SELECT student_id, guardian_id FROM guardians")).all()
    assert set(rows) == {(twice.ann.id, gus), (twice.ben.id, gus)}


def test_an_undone_merge_leaves_everything_as_it_was(twice: World, db: Session) -> None:
    before = everything(db)
    merge = merged(twice, take=["email", "full_name"])

    undone = undo_merge(as_actor(twice.ada), merge.id, reason="they are two")

    assert everything(db) == before
    assert undone.rows_back == undone.rows_moved > 5
    assert list(verify.run(db)) == []


def test_what_was_built_on_since_stays_with_the_winner_and_is_named(twice: World, db: Session) -> None:
    merge = merged(twice)
    package = db.scalars(text("SELECT id FROM packages WHERE price_minor = 9000")).one()
    twice.booking(twice.slot(hours=80), twice.ann, package_id=package)

    foretold = what_returns(db, merge)
    undone = undo_merge(as_actor(twice.ada), merge.id, reason="they are two")

    reference = twice.reloaded(Package, package).reference
    assert foretold.built_on == [reference]
    assert undone.rows_back == sum(len(each.back) for each in foretold.rows) < undone.rows_moved
    assert owner_of(db, Package) == owner_of(db, Booking) == owner_of(db, Payment) == {twice.ann.id}
    assert owner_of(db, Task, "record_id") == {twice.ben.id}


def test_what_changed_on_a_row_itself_goes_back_with_it(twice: World, db: Session) -> None:
    merge = merged(twice)
    booked = db.scalars(text("SELECT id FROM bookings")).one()
    cancel_booking(as_actor(twice.ada), booked, cause="school", reason="storm")

    undo_merge(as_actor(twice.ada), merge.id, reason="they are two")

    assert twice.reloaded(Booking, booked).student_id == twice.ben.id
    assert twice.reloaded(Booking, booked).status == "canceled"


def test_a_field_that_says_something_else_since_stays(twice: World) -> None:
    merge = merged(twice, take=["full_name", "email"])
    edit_person(SYSTEM, twice.ann.id, changes={"full_name": "Ann Newname"})

    undo_merge(as_actor(twice.ada), merge.id, reason="they are two")

    winner = twice.again(twice.ann)
    assert (winner.full_name, winner.email) == ("Ann Newname", "ann@people.example")


def test_a_merge_can_be_undone_for_a_month_and_once(twice: World) -> None:
    merge, ada = merged(twice), as_actor(twice.ada)

    with clock.moved_by(timedelta(days=30, seconds=1)), pytest.raises(DomainError) as late:
        undo_merge(ada, merge.id, reason="late")
    undo_merge(ada, merge.id, reason="in time")
    with pytest.raises(DomainError) as again:
        undo_merge(ada, merge.id, reason="again")

    assert (late.value.code, again.value.code) == ("merge_too_old", "merge_undone")


def test_a_merge_in_between_is_undone_after_the_later_one(twice: World) -> None:
    first, ada = merged(twice), as_actor(twice.ada)
    carl = twice.person("Carl", Role.STUDENT)
    second = merge_people(ada, carl.id, loser_id=twice.ann.id, reason=WHY)

    with pytest.raises(DomainError) as refusal:
        undo_merge(ada, first.id, reason="they are two")
    undo_merge(ada, second.id, reason="they are two")

    assert refusal.value.code == "merged_since"
    assert undo_merge(ada, first.id, reason="they are two").rows_back == first.rows_moved


# At once


def crossing(app: Flask, world: World) -> list[Any]:
    ada, ann, ben = as_actor(world.ada), world.ann.id, world.ben.id
    return at_once(
        app,
        lambda: merge_people(ada, ann, loser_id=ben, reason=WHY),
        lambda: merge_people(ada, ben, loser_id=ann, reason=WHY),
    )


def test_without_the_locks_two_records_point_at_each_other(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier, judge = Barrier(2), judging.merge_problems

    def met(*args: Any) -> Any:
        found = judge(*args)
        with suppress(BrokenBarrierError):
            barrier.wait(5)
        return found

    def unlocked(work: Work, winner_id: Any, loser_id: Any) -> tuple[User, User]:
        return work.find(User, winner_id), work.find(User, loser_id)

    monkeypatch.setattr(merging, "merge_problems", met)
    monkeypatch.setattr(merging, "_lock_two", unlocked)

    crossing(app, world)

    db.rollback()
    assert db.scalar(text("SELECT count(*) FROM users WHERE merged_into_id IS NOT NULL")) == 2


def test_two_crossing_merges_leave_one_person(app: Flask, world: World, db: Session) -> None:
    results = crossing(app, world)

    db.rollback()
    assert (len(done(results)), refused(results)) == (1, ["already_merged"])
    assert (
        db.scalar(text("SELECT count(*) FROM users WHERE is_active AND merged_into_id IS NULL AND role = 'student'"))
        == 1
    )


def test_a_hold_that_comes_at_the_same_moment_moves_too_or_is_refused(app: Flask, twice: World, db: Session) -> None:
    slot, ben = twice.slot(hours=90), as_actor(twice.ben)

    results = at_once(app, lambda: merged(twice), lambda: hold_slot(ben, slot.id))

    assert set(refused(results)) <= {"student_not_active", "not_found"}
    assert owner_of(db, Booking) == {twice.ann.id}


# Who may be one


def test_who_looks_alike_is_found_once_and_never_merged_by_itself(world: World, db: Session) -> None:
    alike = [
        world.person("Mia Berg", Role.STUDENT, email=None, phone=each)
        for each in ("+49 30 1234567", "+49 (30) 12345-67")
    ]
    world.person("Mia Berg", Role.STUDENT, email=None, phone="+49 30 7654321")

    assert (find_duplicates(SYSTEM), find_duplicates(SYSTEM)) == (1, 0)
    rows = db.execute(text("SELECT first_id, second_id, why FROM duplicate_pairs")).all()
    assert rows == [(alike[0].id, alike[1].id, "phone")]


def test_children_of_one_name_and_one_guardian_are_found(world: World, db: Session) -> None:
    children = [world.person("mia berg", Role.STUDENT, email=None), world.person("Mia Berg", Role.STUDENT, email=None)]
    add_guardian(SYSTEM, children[0].id, guardian_id=world.ann.id)
    add_guardian(SYSTEM, children[1].id, guardian_id=world.ann.id)

    assert find_duplicates(SYSTEM) == 1
    assert db.scalars(text("SELECT why FROM duplicate_pairs")).one() == "guardian"


def test_a_pair_that_was_looked_at_is_not_found_again(world: World, db: Session) -> None:
    world.person("Mia Berg", Role.STUDENT, email="a@people.example", phone="1234567")
    world.person("Mia Berg", Role.STUDENT, email="b@people.example", phone="1234567")
    find_duplicates(SYSTEM)
    pair = db.scalars(text("SELECT id FROM duplicate_pairs")).one()

    dismiss_pair(as_actor(world.sue), pair, reason="twins")

    assert find_duplicates(SYSTEM) == 0
