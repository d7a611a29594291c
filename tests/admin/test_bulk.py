"""Bulk actions in the console: rows are chosen on a list, the page says what will happen, the run shows what did."""

from __future__ import annotations

import json
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask

from guitaronline import clock
from guitaronline.admin import filters
from guitaronline.booking.models import BookingStatus
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.slots import block_slot
from guitaronline.db import new_id
from guitaronline.office import bulk as office
from guitaronline.scheduling.models import SlotStatus
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School, actions
from tests.office.bulk import again, ask, carried_out, rows
from tests.world import World, as_actor

WHY = {"reason": "the studio is flooded"}
CANCEL = {"cause": "school", **WHY}
ALL: dict[str, Any] = {"search": "", "filters": {}, "sort": "", "is_descending": False}


def of(page: str, *records: Any) -> str:
    return f"/admin/{page}?{urlencode([('id', str(each.id)) for each in records])}"


def all_of(page: str, **selection: Any) -> str:
    return f"/admin/{page}?all=1&selection={quote(json.dumps(ALL | selection))}"


def test_a_list_offers_its_rows_and_all_that_match(ada: Browser, world: World) -> None:
    slot = world.slot()

    page = ada.get("/admin/slots/?state=open").text

    assert f'name="id" value="{slot.id}" form="bulk"' in page
    assert json.loads(_selection(page))["filters"] == {"state": "open"}
    assert "all 1 that match" in words(page)
    assert 'formaction="/admin/slots/bulk/block"' in page


@pytest.mark.parametrize(("who", "path", "offered"), [
    ("sue", "slots", True), ("finn", "slots", False), ("audrey", "slots", False),
    ("finn", "packages", True), ("audrey", "packages", False), ("ada", "audit", False),
])  # fmt: skip
def test_a_list_offers_what_the_role_may(app: Flask, school: School, who: str, path: str, offered: bool) -> None:
    assert [school.open_slot, school.package]

    page = signed_in(app, getattr(school.world, who)).get(f"/admin/{path}/").text

    assert ('id="bulk"' in page) == offered


def test_the_page_says_what_will_become_of_each_before_anything_does(ada: Browser, school: School) -> None:
    booked, gone = school.booked, school.held
    cancel_booking(school.admin, gone.id, reason="called", cause="student")
    before = actions()

    page = words(ada.get(of("bookings/bulk/cancel", booked, gone)).text)

    assert "Will happen 1 of 2" in page
    assert "Will be refused 1: The booking was canceled. (1)" in page
    assert "Lessons given back 1" in page
    assert "People it concerns 2 students and teachers" in page
    assert "Within 10 minutes of its end" in page
    assert actions() == before


def test_from_the_list_to_the_undo(ada: Browser, school: School) -> None:
    """A week is canceled by mistake; what can come back comes back, and the rest says why not."""
    restored, taken = school.booked, school.world.booking(school.world.slot(hours=54))
    sent = ada.post(of("bookings/bulk/cancel", restored, taken), CANCEL)
    run = again(_run(sent.headers["Location"]))
    assert "waits for the worker" in ada.get(sent.headers["Location"]).text
    carried_out(run)
    assert school.world.again(restored).status is BookingStatus.CANCELED
    block_slot(school.admin, taken.slot_id, reason="dentist")

    shown = words(ada.get(f"/admin/bulk-runs/{run.id}/undo").text)
    undone = ada.post(f"/admin/bulk-runs/{run.id}/undo", WHY)
    carried_out(run)

    assert "Will happen 1 of 2" in shown
    page = words(ada.get(undone.headers["Location"]).text)
    assert "2 of 2 rows have their result: 1 done, 1 refused, 0 failed." in page
    assert f"{taken.reference} · " in page
    assert "· Ann refused The teacher keeps this time back." in page
    assert "Stands again as BK-" in page
    assert "restored as" in words(ada.get(f"/admin/bookings/details/?id={restored.id}").text)


def test_a_stale_page_is_refused_and_shows_what_changed(ada: Browser, school: School) -> None:
    url = of("bookings/bulk/cancel", school.booked, school.held)
    opened = ada.get(url).text
    cancel_booking(school.admin, school.held.id, reason="called", cause="student")

    refused = ada.post(url, CANCEL, opened=opened)
    sent = ada.post(url, CANCEL, opened=refused.text)

    assert refused.status_code == 409
    assert f"{school.held.reference} is not as it was; now: will be refused" in words(refused.text)
    assert "the studio is flooded" in refused.text
    assert sent.status_code == 303


def test_another_cause_than_the_one_shown_is_shown_first(ada: Browser, school: School) -> None:
    late = school.world.booking(school.world.slot(hours=9)) if school.package else None
    url = of("bookings/bulk/cancel", late)

    refused = ada.post(url, {**CANCEL, "cause": "student"})
    sent = ada.post(url, {**CANCEL, "cause": "student"}, opened=refused.text)

    assert (refused.status_code, sent.status_code) == (409, 303)
    assert "Lessons that count as used 1" in words(refused.text)


def test_a_double_click_makes_one_run(ada: Browser, world: World) -> None:
    url = of("slots/bulk/block", world.slot())
    opened = ada.get(url).text

    first, second = (ada.post(url, WHY, opened=opened) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert actions("bulk.request") == 1


def test_all_that_match_are_those_of_the_filter(ada: Browser, world: World) -> None:
    mine, other = world.slot(hours=50), world.slot(world.tina, hours=50)

    sent = ada.post(all_of("slots/bulk/block", filters={"teacher": str(world.tom.id)}), WHY)
    carried_out(_run(sent.headers["Location"]))

    assert [world.again(each).status for each in (mine, other)] == [SlotStatus.BLOCKED, SlotStatus.OPEN]


def test_a_name_that_finds_too_many_people_acts_on_none(
    ada: Browser, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list leaves some of their bookings out, so "all that match" would not be all."""
    assert [school.booked, school.world.ben]
    monkeypatch.setattr(filters, "PEOPLE_SEARCHED", 2)

    page = words(ada.get(all_of("bookings/bulk/cancel", search="n")).text)

    assert "so many people that the list leaves some out" in page
    assert "Write more of it" in page


def test_too_many_are_refused_in_words(ada: Browser, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [world.slot(hours=50), world.slot(hours=60)]
    monkeypatch.setattr(office, "ROWS_MOST", 1)

    answer = ada.get(all_of("slots/bulk/block"))

    assert answer.status_code == 200
    assert "At most 5,000 records at a time" in words(answer.text)


NONSENSE = [
    "", "?id=x", "?id=%00", "?id=" + "9" * 5000, "?all=1", "?all=1&selection=[]", "?all=1&selection=%7B%7D", "?all=2",
    "?id=01a21d6b-c61e-7052-bd49-673cfbb95a2e", f"?all=1&selection={quote(json.dumps(ALL | {'filters': {'colour': 'red'}}))}",
    f"?all=1&selection={quote(json.dumps(ALL | {'sort': 'colour'}))}",
    f"?all=1&selection={quote(json.dumps(ALL | {'search': chr(0)}))}",
    f"?all=1&selection={quote(json.dumps(ALL | {'filters': {'state': 'purple'}}))}",
    f"?all=1&selection={quote(json.dumps(ALL | {'filters': [1]}))}", "?all=1&selection=" + "[" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("query", NONSENSE)
def test_nonsense_is_answered_in_words(ada: Browser, query: str) -> None:
    answer = ada.get(f"/admin/slots/bulk/block{query}")

    assert answer.status_code == 200
    assert "As things stand this will be refused" in words(answer.text)
    assert "Go back to the list" in words(answer.text)


@pytest.mark.parametrize(
    "typed", [{"chosen": "[1"}, {"chosen": ""}, {"digest": "x"}, {"seen": "y" * 90_000}, {"seen": "odd"}]
)
def test_a_forged_form_starts_nothing(ada: Browser, world: World, typed: dict[str, str]) -> None:
    answer = ada.post(of("slots/bulk/block", world.slot()), {**WHY, **typed})

    assert answer.status_code in (303, 409, 422)
    assert (answer.status_code == 303) == (typed == {"seen": "odd"})


def test_rows_that_do_not_exist_are_left_out_and_counted(ada: Browser, world: World) -> None:
    url = of("slots/bulk/block", world.slot()) + f"&id={new_id()}"

    assert "Left out 1 that do not exist" in words(ada.get(url).text)


def test_tasks_are_called_by_their_words(ada: Browser, school: School) -> None:
    sent = ada.post(of("tasks/bulk/finish", school.open_task), WHY)
    run = carried_out(_run(sent.headers["Location"]))

    assert rows(run)[0].label == f"task …{str(school.open_task.id)[-6:]}"
    assert "Call done Done." in words(ada.get(sent.headers["Location"]).text)


def test_the_bar_asks_how_far_it_is(ada: Browser, world: World) -> None:
    run = ask(as_actor(world.ada), "slots.block", [world.slot(hours=50), world.slot(hours=60)])
    url = f"/admin/bulk-runs/progress/?id={run.id}"

    before = ada.get(url).json
    carried_out(run)
    after = ada.get(url).json

    assert (before["is_open"], before["ready"], before["total"]) == (True, 0, 2)
    assert (after["is_open"], after["ready"], after["state"]) == (False, 2, "done")
    assert ada.get("/admin/bulk-runs/progress/?id=x").status_code == 404


def test_the_page_of_an_open_run_renews_itself_without_script(ada: Browser, world: World) -> None:
    run = ask(as_actor(world.ada), "slots.block", [world.slot()])
    url = f"/admin/bulk-runs/details/?id={run.id}"

    assert '<noscript><meta http-equiv="refresh"' in ada.get(url).text
    carried_out(run)
    assert "http-equiv" not in ada.get(url).text


def test_the_results_are_taken_along_and_that_is_written_down(ada: Browser, school: School) -> None:
    run = school.bulk_run

    answer = ada.post(f"/admin/bulk-runs/{run.id}/download", {})

    lines = answer.text.splitlines()
    assert lines[0] == "\ufeffrecord,state,code,what came of it,result,when"
    assert lines[1].startswith(f"{rows(run)[0].label},done,blocked,Blocked.,")
    assert f'filename="{run.reference}.csv"' in answer.headers["Content-Disposition"]
    assert actions("bulk.download") == 1


def test_after_ten_minutes_the_page_says_that_it_is_too_late(ada: Browser, school: School) -> None:
    run = school.bulk_run

    with clock.moved_by(timedelta(minutes=11)):
        page = words(ada.get(f"/admin/bulk-runs/{run.id}/undo").text)
        sent = ada.post(f"/admin/bulk-runs/{run.id}/undo", WHY)

    assert "can be undone within 10 minutes of its end" in page
    assert sent.status_code == 409


def test_somebody_without_the_right_to_the_inverse_does_not_undo(app: Flask, school: School) -> None:
    """Finance may undo, but not what is about slots."""
    finance = signed_in(app, school.world.finn)

    sent = finance.post(f"/admin/bulk-runs/{school.bulk_run.id}/undo", WHY)

    assert sent.status_code == 403


def _selection(page: str) -> str:
    return unescape(page.split('name="selection" value="')[1].split('"', maxsplit=1)[0])


def _run(url: str) -> Any:
    from uuid import UUID

    from guitaronline.db import session
    from guitaronline.office.bulk_models import BulkRun

    session().rollback()
    return session().get_one(BulkRun, UUID(url.split("id=")[1]))
