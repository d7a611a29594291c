"""Staff look after a teacher's week: what they type is shown with its consequences, and nothing is lost on the way."""

from __future__ import annotations

import re
from datetime import time
from html import unescape
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.booking.horizon import hours_of, set_hours
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.scheduling.rules import Window
from guitaronline.teachers.service import disable_teacher
from tests.admin.browser import Browser, words
from tests.admin.conftest import School, actions

VALUE = re.compile(r'<input[^>]*name="(rows-\d+-\w+)"[^>]*value="([^"]*)"')
MONDAY = Window(frozenset([0]), time(15), time(18), 60)


def row(number: int, start: str = "10:00", end: str = "12:00", **more: str) -> dict[str, str]:
    typed = {
        "weekday": "2",
        "start_local": start,
        "end_local": end,
        "lesson_minutes": "60",
        "buffer_minutes": "0",
        **more,
    }
    return {f"rows-{number}-{name}": value for name, value in typed.items()}


def rows_in(page: str) -> dict[str, str]:
    """What stands in the rows' fields, selects aside."""
    return {name: unescape(value) for name, value in VALUE.findall(page)}


def hours_page(school: School) -> str:
    return f"/admin/teachers/{school.profile.id}/hours"


def open_generated(db: Session) -> int:
    db.rollback()
    query = select(func.count()).where(Slot.origin == SlotOrigin.GENERATED, Slot.status == SlotStatus.OPEN)
    return db.scalar(query) or 0


def test_the_preview_says_what_will_be_made_and_nothing_is_made(ada: Browser, school: School, db: Session) -> None:
    url = hours_page(school)
    before = actions()

    page = ada.post(url, {**row(0), "look": "1"})

    assert (page.status_code, actions()) == (200, before)
    assert re.search(r"Made \d+ slots, from Wed \d+", words(page.text))
    assert rows_in(page.text)["rows-0-start_local"] == "10:00"
    assert open_generated(db) == 0


def test_saved_hours_are_what_the_preview_promised(ada: Browser, school: School, db: Session) -> None:
    url = hours_page(school)
    previewed = words(ada.post(url, {**row(0), "look": "1"}).text)
    promised = re.search(r"Made (\d+) slots", previewed)

    answer = ada.post(url, row(0))

    assert answer.status_code == 303
    assert promised
    assert open_generated(db) == int(promised[1])
    assert hours_of(db, school.world.tom.id) == [Window(frozenset([2]), time(10), time(12), 60)]
    assert "Wednesday 10:00–12:00, 60 min" in words(ada.get(answer.headers["Location"]).text)


def test_rows_are_added_and_taken_away_without_script_and_keep_what_was_typed(ada: Browser, school: School) -> None:
    url = hours_page(school)

    added = rows_in(ada.post(url, {**row(0), "look": "add"}).text)
    taken = rows_in(ada.post(url, {**row(0), **row(1, "14:00", "15:30"), "look": "remove-0"}).text)

    assert (added["rows-0-start_local"], added["rows-1-start_local"]) == ("10:00", "10:00")
    assert [value for name, value in taken.items() if name.endswith("start_local")] == ["14:00"]


def test_a_row_that_was_taken_away_is_not_saved(ada: Browser, school: School, db: Session) -> None:
    set_hours(school.admin, school.world.tom.id, windows=[MONDAY])

    answer = ada.post(hours_page(school), row(0, "", ""))  # the row is emptied

    assert answer.status_code == 303
    assert hours_of(db, school.world.tom.id) == []
    assert open_generated(db) == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (row(0, "10:00", "10:30"), "No lesson of this length fits into the window."),
        (row(0, "10:00", "10:00"), "The window ends when it starts."),
        ({**row(0), **row(1, "11:00", "13:00")}, "This window overlaps window 1."),
        (row(0, lesson_minutes="0"), "A lesson takes 15 to 240 minutes."),
        (row(0, lesson_minutes="540"), "A lesson takes 15 to 240 minutes."),
        (row(0, lesson_minutes="many"), "Not a valid integer value."),
        (row(0, "25:00"), "Not a valid time value."),
        (row(0, end=""), "A time is needed."),
        (row(0, weekday="9"), "Not a valid choice."),
        (row(0, valid_from="2027-02-01", valid_until="2027-01-01"), "The last day is before the first."),
        (row(0, valid_from="9999-01-01"), "Days lie between the years"),
        (row(0, "10:00\x00"), "Not a valid time value."),
    ],
)
def test_what_is_wrong_stands_in_its_row_and_nothing_changes(
    ada: Browser, school: School, db: Session, typed: dict[str, Any], said: str
) -> None:
    url = hours_page(school)
    before = actions()

    answer = ada.post(url, typed)
    previewed = ada.post(url, {**typed, "look": "1"})

    assert (answer.status_code, previewed.status_code) == (422, 200)
    assert said in words(answer.text)
    assert said in words(previewed.text)
    assert (actions(), hours_of(db, school.world.tom.id)) == (before, [])


def test_too_many_rows_are_refused_in_words(ada: Browser, school: School) -> None:
    url = hours_page(school)
    typed = {key: value for number in range(101) for key, value in row(number).items() if "weekday" not in key}

    answer = ada.post(url, {**typed, **{f"rows-{number}-weekday": str(number % 7) for number in range(101)}})
    flood = ada.post(url, {f"rows-{number}-weekday": "1" for number in range(10_000)})

    assert answer.status_code == 422
    assert "A week has at most 100 windows." in words(answer.text)
    assert flood.status_code == 422


def test_hours_that_a_colleague_changed_meanwhile_are_not_overwritten(
    ada: Browser, school: School, db: Session
) -> None:
    url = hours_page(school)
    opened = ada.get(url).text
    set_hours(school.admin, school.world.tom.id, windows=[MONDAY])

    answer = ada.post(url, row(0), opened=opened)

    assert answer.status_code == 409
    assert "Somebody changed these hours" in words(answer.text)
    assert hours_of(db, school.world.tom.id) == [MONDAY]
    assert ada.post(url, row(0), opened=answer.text).status_code == 303  # what it changes now stood on that page


def test_the_preview_says_what_stays_and_why(ada: Browser, school: School) -> None:
    set_hours(school.admin, school.world.tom.id, windows=[MONDAY])
    school.world.package()
    slot = _first_free(school)
    booking = school.world.booking(slot)

    page = words(ada.post(hours_page(school), {**row(0), "look": "1"}).text)

    assert f"It is held or booked. ({slot.reference})" in page
    assert booking.slot_id == slot.id


def _first_free(school: School) -> Slot:
    from guitaronline.db import session

    query = select(Slot).where(Slot.teacher_id == school.world.tom.id, Slot.origin == SlotOrigin.GENERATED)
    return session().scalars(query.order_by(Slot.start_at.desc()).offset(6)).first()  # type: ignore[return-value]


def test_hours_are_copied_from_a_colleague_after_a_look(ada: Browser, school: School, db: Session) -> None:
    url = f"/admin/teachers/{school.profile.id}/copy-hours"
    tina = {"teacher_id": str(school.busy.id)}

    looked = words(ada.post(url, {**tina, "look": "1"}).text)
    done = ada.post(url, tina)

    assert "Monday 15:00–18:00, 60 min" in looked
    assert done.status_code == 303
    assert hours_of(db, school.world.tom.id) == [MONDAY]


def test_nothing_is_copied_from_somebody_without_hours(ada: Browser, school: School, db: Session) -> None:
    set_hours(school.admin, school.world.tom.id, windows=[MONDAY])

    answer = ada.post(f"/admin/teachers/{school.profile.id}/copy-hours", {"teacher_id": str(school.world.tina.id)})

    assert answer.status_code == 422
    assert "has no weekly hours to copy" in words(answer.text)
    assert hours_of(db, school.world.tom.id) == [MONDAY]


def test_the_hours_of_a_disabled_teacher_cannot_be_set(ada: Browser, school: School) -> None:
    url = hours_page(school)
    disable_teacher(school.admin, school.profile.id, reason="ill")

    answer = ada.post(url, row(0))

    assert answer.status_code == 409
    assert "not active" in words(answer.text)
