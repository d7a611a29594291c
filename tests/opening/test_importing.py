"""A school moves in: all of it or nothing, once, by the rules of every day, and nobody is told."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.audit.models import AuditAction, OutboxEvent
from guitaronline.billing.models import CreditEntry, EntryKind, Package, PackageOrigin
from guitaronline.billing.queries import delivered_lessons
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import Base
from guitaronline.errors import NotAllowed
from guitaronline.finance import verify
from guitaronline.identity.models import Guardian, User
from guitaronline.notifications.kinds import kinds_of
from guitaronline.office.opening import importing
from guitaronline.office.opening.refusals import OpeningRefused
from guitaronline.office.opening_models import OpeningFile, OpeningImport, OpeningRow, OpeningStatus, Sheet
from guitaronline.states import IllegalMove
from guitaronline.teachers.models import TeacherProfile
from tests.concurrency import at_once, done, refused
from tests.opening.folder import ADULT, CHILD, PACKAGE, TEACHER, booking, whole_school, written
from tests.world import World, as_actor

TABLES = (
    "users",
    "teacher_profiles",
    "guardians",
    "packages",
    "credit_entries",
    "availability_slots",
    "bookings",
    "lessons",
)


def counts(db: Session) -> dict[str, int]:
    db.rollback()
    return {
        name: db.execute(select(func.count()).select_from(Base.metadata.tables[name])).scalar_one() for name in TABLES
    }


def checked(world: World, files: dict[Sheet, bytes]) -> OpeningImport:
    return importing.check_files(as_actor(world.ada), files=files)


def imported(world: World, files: dict[Sheet, bytes]) -> OpeningImport:
    return importing.import_files(as_actor(world.ada), checked(world, files).id, reason="we move in")


def problems(found: OpeningImport) -> list[tuple[str, int, str, str]]:
    return [(each["file"], each["line"], each["column"], each["code"]) for each in found.report["problems"]]


def one(db: Session, model: type[Any], **by: Any) -> Any:
    db.rollback()
    return db.scalars(select(model).filter_by(**by)).one()


def test_a_whole_school_comes_in(world: World, db: Session) -> None:
    found = imported(world, whole_school(world))

    child, teacher = one(db, User, full_name="Mia Berg"), one(db, User, full_name="Olga Teach")
    package, booked = one(db, Package), one(db, Booking)
    entry = one(db, CreditEntry, kind=EntryKind.OPENING)
    assert (found.status, found.report["new"]) == (
        OpeningStatus.IMPORTED,
        {"teachers": 1, "people": 2, "guardians": 1, "packages": 1, "bookings": 1},
    )
    assert (package.student_id, package.origin, package.price_minor) == (child.id, PackageOrigin.OPENING, 49_000)
    assert (entry.op_key, entry.d_available, entry.d_consumed) == ("opening:P-1", 7, 3)
    assert (package.available, package.consumed, package.lessons_total) == (6, 4, 10)
    assert (booked.status, booked.student_id, booked.teacher_id) == (BookingStatus.CONFIRMED, child.id, teacher.id)
    assert booked.start_at.astimezone(ZoneInfo("Europe/Berlin")).hour == 12
    assert one(db, Guardian).student_id == child.id
    assert one(db, TeacherProfile).tags == ["blues", "jazz"]


def test_nobody_is_told_of_what_they_knew(world: World, db: Session) -> None:
    found = imported(world, whole_school(world))

    action = db.scalars(select(AuditAction).where(AuditAction.name == "opening.import")).one()
    events = db.scalars(select(OutboxEvent).where(OutboxEvent.action_id == action.id)).all()
    assert action.record_id == found.id
    assert {"package.activated", "booking.confirmed"} <= {each.topic for each in events}
    assert [kind.name for each in events for kind in kinds_of(each.topic, each.payload)] == []


def test_a_check_leaves_nothing_but_what_it_says(world: World, db: Session) -> None:
    assert world.ada
    before = counts(db)

    found = checked(world, whole_school(world))

    assert (found.problems_total, found.rows_new) == (0, 6)
    assert counts(db) == before
    assert db.scalar(select(func.count()).select_from(OpeningFile)) == 5


def test_lessons_used_before_are_owed_no_more(world: World, db: Session) -> None:
    imported(world, whole_school(world))

    assert delivered_lessons(db, one(db, Package).id) == 3
    assert list(verify.run(db)) == []


def test_the_same_files_again_change_nothing(world: World, db: Session) -> None:
    files = whole_school(world)
    imported(world, files)
    before = counts(db)

    again = imported(world, files)

    assert (again.rows_new, again.report["same"]["people"], again.report["notices_total"]) == (0, 2, 0)
    assert counts(db) == before


def test_a_row_that_says_something_else_is_told_and_changes_nothing(world: World, db: Session) -> None:
    imported(world, whole_school(world))
    moved = {**ADULT, "phone": "+49 30 7654321"}

    again = imported(world, {Sheet.PEOPLE: written(Sheet.PEOPLE, moved, CHILD)})

    assert [(each["code"], each["line"]) for each in again.report["notices"]] == [("row_changed", 2)]
    assert one(db, User, full_name="Nora Berg").phone == "+49 30 1234567"


def test_a_later_file_builds_on_an_earlier_one(world: World, db: Session) -> None:
    files = whole_school(world)
    later = {Sheet.BOOKINGS: written(Sheet.BOOKINGS, booking(world, days=21, id="B-2"))}
    imported(world, files)

    assert imported(world, later).rows_new == 1
    assert one(db, Package).available == 5


def test_every_wrong_row_is_named_and_nothing_comes_in(world: World, db: Session) -> None:
    files = whole_school(world) | {
        Sheet.PEOPLE: written(
            Sheet.PEOPLE, {**ADULT, "timezone": "Berlin"}, CHILD, {**CHILD, "id": "S-3", "phone": "none"}
        ),
        Sheet.PACKAGES: written(
            Sheet.PACKAGES,
            {**PACKAGE, "lessons_used": "11"},
            {**PACKAGE, "id": "P-2", "student": "S-9"},
            {**PACKAGE, "id": "P-2"},
        ),
    }
    before = counts(db)

    found = checked(world, files)

    assert problems(found) == [
        ("packages.csv", 4, "id", "id_twice"),
        ("people.csv", 2, "timezone", "timezone_unknown"),
        ("people.csv", 4, "phone", "phone_invalid"),
        ("guardians.csv", 2, "guardian", "row_unknown"),
        ("packages.csv", 2, "lessons_used", "lessons_used_invalid"),
        ("packages.csv", 3, "student", "row_unknown"),
        ("bookings.csv", 2, "package", "row_unknown"),
    ]
    with pytest.raises(OpeningRefused):
        importing.import_files(as_actor(world.ada), found.id)
    assert counts(db)["packages"] == before["packages"] == 0


def test_what_went_wrong_after_the_check_takes_everything_back(world: World, db: Session) -> None:
    found = checked(world, whole_school(world))
    world.person("Nora", Role.STUDENT, email="nora@people.example")
    before = counts(db)

    with pytest.raises(OpeningRefused) as refusal:
        importing.import_files(as_actor(world.ada), found.id)

    assert refusal.value.reasons[0].facts == {"file": "people.csv", "line": 2}
    assert counts(db) == before
    assert world.again(found).status is OpeningStatus.CHECKED


@pytest.mark.parametrize(
    ("start", "column", "code"),
    [
        ("2027-03-28 02:30", "start", "no_such_time"),  # the night on which Berlin's clocks go forward
        ("2020-01-01 12:00", "start", "slot_in_the_past"),
    ],
)
def test_a_time_that_cannot_be_is_refused(world: World, start: str, column: str, code: str) -> None:
    files = whole_school(world) | {Sheet.BOOKINGS: written(Sheet.BOOKINGS, booking(world, start=start))}

    assert [(each[2], each[3]) for each in problems(checked(world, files))] == [(column, code)]


def test_two_lessons_at_once_and_one_too_many_are_refused(world: World) -> None:
    bookings = [
        booking(world),
        booking(world, id="B-2"),
        *(booking(world, days=30 + number, id=f"B-{10 + number}") for number in range(7)),
    ]
    files = whole_school(world) | {Sheet.BOOKINGS: written(Sheet.BOOKINGS, *bookings)}

    assert problems(checked(world, files)) == [
        ("bookings.csv", 3, "", "slot_taken"),
        ("bookings.csv", 10, "", "no_lessons_left"),
    ]


def test_a_package_of_somebody_else_does_not_pay(world: World) -> None:
    files = whole_school(world) | {Sheet.BOOKINGS: written(Sheet.BOOKINGS, booking(world, student="S-1"))}

    assert problems(checked(world, files)) == [("bookings.csv", 2, "package", "package_of_another")]


def test_who_has_the_address_already_is_named(world: World) -> None:
    nora = world.person("Nora", Role.STUDENT, email="NORA@people.example")
    files = {Sheet.PEOPLE: written(Sheet.PEOPLE, ADULT, {**CHILD, "existing": nora.reference})}

    found = checked(world, files)

    assert problems(found) == [("people.csv", 2, "email", "email_taken")]
    assert nora.reference in found.report["problems"][0]["words"]


def test_the_same_name_and_number_is_told_before_anything_is_written(world: World) -> None:
    nora = world.person("Nora Berg", Role.STUDENT, email="other@people.example", phone="0049301234567")
    files = {Sheet.PEOPLE: written(Sheet.PEOPLE, {**ADULT, "phone": "0049 30 1234567"})}

    found = checked(world, files)

    assert (found.problems_total, [each["code"] for each in found.report["notices"]]) == (0, ["looks_alike"])
    assert nora.reference in found.report["notices"][0]["words"]


def test_somebody_who_is_here_already_gets_the_package(world: World, db: Session) -> None:
    files = whole_school(world) | {
        Sheet.PEOPLE: written(Sheet.PEOPLE, ADULT, {**CHILD, "full_name": "", "existing": world.ann.reference})
    }
    files[Sheet.PEOPLE] = files[Sheet.PEOPLE].replace(b"S-2,,", b"S-2,Ann,")

    imported(world, files)

    assert one(db, Package).student_id == world.ann.id
    assert one(db, OpeningRow, external_id="S-2").record_id == world.ann.id


def test_what_is_not_paid_yet_waits_for_its_money(world: World, db: Session) -> None:
    imported(world, whole_school(world) | {Sheet.PACKAGES: written(Sheet.PACKAGES, {**PACKAGE, "paid": "no"})})

    assert one(db, Package).origin is PackageOrigin.ON_ACCOUNT


def test_a_package_with_nothing_left_is_depleted(world: World, db: Session) -> None:
    files = whole_school(world) | {Sheet.PACKAGES: written(Sheet.PACKAGES, {**PACKAGE, "lessons_used": "10"})}
    del files[Sheet.BOOKINGS]

    imported(world, files)

    assert one(db, Package).status == "depleted"


def test_two_imports_of_the_same_rows_at_once_are_one(app: Flask, world: World, db: Session) -> None:
    """The unique index is the guard, and nothing but it: neither looks at what the other is doing."""
    files = whole_school(world)
    first, second = checked(world, files), checked(world, files)
    ada = as_actor(world.ada)

    results = at_once(
        app, lambda: importing.import_files(ada, first.id), lambda: importing.import_files(ada, second.id)
    )

    assert len(done(results)) == 1
    assert set(refused(results)) <= {"email_taken", "row_known"}
    assert counts(db)["packages"] == 1


def test_files_are_kept_until_they_are_imported_or_discarded(world: World, db: Session) -> None:
    files = whole_school(world)
    discarded = importing.discard_files(as_actor(world.ada), checked(world, files).id)
    imported(world, files)

    assert db.scalar(select(func.count()).select_from(OpeningFile)) == 0
    with pytest.raises(IllegalMove):
        importing.discard_files(as_actor(world.ada), one(db, OpeningImport, status=OpeningStatus.IMPORTED).id)
    assert discarded.status is OpeningStatus.DISCARDED


def test_a_second_click_imports_nothing_more(world: World) -> None:
    found = imported(world, whole_school(world))

    assert importing.import_files(as_actor(world.ada), found.id).version == found.version


def test_only_admins_move_a_school_in(world: World) -> None:
    with pytest.raises(NotAllowed):
        importing.check_files(as_actor(world.sue), files={Sheet.TEACHERS: written(Sheet.TEACHERS, TEACHER)})
