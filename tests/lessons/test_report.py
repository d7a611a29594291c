"""What stands in a lesson, and who sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.booking.service import cancel_booking
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.queries import (
    join_urls,
    lessons_of_person,
    lessons_without_outcome,
    private_note_for,
    visible_lesson,
)
from guitaronline.lessons.service import complete_lesson, edit_report, set_join_url
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import edit_profile
from tests.booking.conftest import refused
from tests.world import World, as_actor


@pytest.fixture
def lesson(db: Session, world: World) -> Lesson:
    world.package()
    booking = world.booking()
    return db.scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()


def test_what_is_not_named_stays(world: World, lesson: Lesson) -> None:
    edit_report(
        as_actor(world.tom),
        lesson.id,
        changes={"topic": " Barre chords ", "notes": "well done", "links": ["https://tabs.example/1"]},
    )
    edited = edit_report(as_actor(world.sue), lesson.id, changes={"notes": "", "homework": "line 1\nline 2"})

    assert (edited.topic, edited.notes, edited.homework, edited.links) == (
        "Barre chords",
        None,
        "line 1\nline 2",
        ["https://tabs.example/1"],
    )


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"topic": "x" * 201}, ["/topic"]),
        ({"notes": "x" * 4001, "homework": "nul\x00"}, ["/homework", "/notes"]),
        ({"private_note": 5}, ["/private_note"]),
        ({"status": "completed"}, ["/status"]),
        ({"links": ["https://a.example"] * 11}, ["/links"]),
        ({"links": ["http://a.example", "https://ok.example", "javascript:alert(1)"]}, ["/links/0", "/links/2"]),
        ({"links": "https://a.example"}, ["/links"]),
        ({"links": ["https://a.example/" + "x" * 500]}, ["/links/0"]),
    ],
)
def test_what_cannot_stand_in_a_report(
    world: World, lesson: Lesson, changes: dict[str, Any], pointers: list[str]
) -> None:
    from guitaronline.lessons.service import ReportInvalid

    with pytest.raises(ReportInvalid) as refusal:
        edit_report(as_actor(world.tom), lesson.id, changes=changes)
    assert sorted(each.pointer for each in refusal.value.reasons) == pointers


def test_students_strangers_and_canceled_lessons_are_not_written_to(world: World, lesson: Lesson) -> None:
    with refused("not_allowed"):
        edit_report(as_actor(world.ann), lesson.id, changes={"topic": "mine"})
    with refused("not_found"):
        edit_report(as_actor(world.tina), lesson.id, changes={"topic": "mine"})
    cancel_booking(as_actor(world.ann), lesson.booking_id)
    with refused("lesson_canceled"):
        edit_report(as_actor(world.tom), lesson.id, changes={"topic": "mine"})
    with refused("lesson_canceled"):
        set_join_url(as_actor(world.tom), lesson.id, join_url="https://meet.example/1")


def test_a_lesson_takes_place_at_its_own_address_else_at_its_teachers(
    db: Session, world: World, lesson: Lesson
) -> None:
    assert join_urls(db, [lesson]) == {lesson.id: None}
    profile = profile_of(db, world.tom.id)
    assert profile
    edit_profile(as_actor(world.tom), profile.id, changes={"meeting_url": "https://meet.example/tom"})
    assert join_urls(db, [lesson]) == {lesson.id: "https://meet.example/tom"}

    own = set_join_url(as_actor(world.tom), lesson.id, join_url="https://meet.example/1")
    assert join_urls(db, [own]) == {lesson.id: "https://meet.example/1"}
    with refused("bad_join_url", code="report_invalid"):
        set_join_url(as_actor(world.tom), lesson.id, join_url="ftp://meet.example")
    assert set_join_url(as_actor(world.tom), lesson.id, join_url=None).join_url is None


def test_the_private_note_is_for_teacher_and_staff(world: World, lesson: Lesson) -> None:
    noted = edit_report(as_actor(world.tom), lesson.id, changes={"private_note": "be patient"})

    seen = {
        name: private_note_for(as_actor(getattr(world, name)), noted)
        for name in ("ann", "tom", "tina", "sue", "audrey")
    }
    assert seen == {"ann": None, "tom": "be patient", "tina": None, "sue": "be patient", "audrey": "be patient"}


def test_who_sees_a_lesson(db: Session, world: World, lesson: Lesson) -> None:
    for name in ("ann", "tom", "sue", "finn", "audrey", "ada"):
        assert visible_lesson(db, as_actor(getattr(world, name)), lesson.id).id == lesson.id
    for stranger in (world.ben, world.tina):
        with refused("not_found"):
            visible_lesson(db, as_actor(stranger), lesson.id)


def test_own_lessons_come_latest_first_page_by_page(db: Session, world: World, lesson: Lesson) -> None:
    world.booking(world.slot(hours=60))
    world.booking(world.slot(hours=70))
    all_of_them = lessons_of_person(db, world.ann.id)
    first = all_of_them[0]

    assert [each.scheduled_start_at for each in all_of_them] == sorted(
        (each.scheduled_start_at for each in all_of_them), reverse=True
    )
    assert lessons_of_person(db, world.ann.id, after=(first.scheduled_start_at, first.id)) == all_of_them[1:]
    assert len(lessons_of_person(db, world.tom.id)) == 3
    assert lessons_of_person(db, world.ben.id) == []


def test_lessons_without_an_outcome_are_found_until_they_have_one(db: Session, world: World, lesson: Lesson) -> None:
    due = lesson.scheduled_end_at
    assert [each.id for each in lessons_without_outcome(db, ended_before=due)] == [lesson.id]
    assert lessons_without_outcome(db, ended_before=due - timedelta(seconds=1)) == []
    with clock.standing_at(due):
        complete_lesson(as_actor(world.tom), lesson.id)
    assert lessons_without_outcome(db, ended_before=due) == []
