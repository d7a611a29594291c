"""The Export button of every list: who gets what, in which form, and what is written down."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import DateTime, cast, func, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from guitaronline.actor import Actor, Role
from guitaronline.admin import DESKS, exporting, exports
from guitaronline.admin.base import Desk
from guitaronline.identity import access
from guitaronline.identity.models import User
from guitaronline.office import files
from guitaronline.office.export_models import Export, ExportStatus
from jobs.exports import make
from tests.admin.browser import Browser, hidden, links, signed_in, words
from tests.admin.conftest import School, actions
from tests.world import World, as_actor

FORMATS = ("csv", "xlsx")
STAFF = {"sue": Role.SUPPORT, "finn": Role.FINANCE, "audrey": Role.AUDITOR, "ada": Role.ADMIN}


def export(browser: Browser, desk: str, *, kind: str = "csv", **typed: Any) -> TestResponse:
    token = hidden(browser.get("/admin/account/password").text)["csrf_token"]
    return browser.send("POST", f"/admin/{desk}/export", data={"csrf_token": token, "format": kind, **typed})


def rows(answer: TestResponse) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def read(answer: TestResponse, kind: str) -> list[list[Any]]:
    """Headings and rows, whatever the format."""
    if kind == "csv":
        return rows(answer)
    page = load_workbook(io.BytesIO(answer.data)).active
    assert page is not None
    return [[cell.value for cell in row] for row in page.iter_rows()]


def written_down(db: Session) -> Export:
    db.rollback()
    return db.scalars(select(Export).order_by(Export.id.desc()).limit(1)).one()


@pytest.mark.parametrize("desk", DESKS, ids=[desk.path for desk in DESKS])
def test_every_column_of_every_desk_says_what_it_is_in_a_file(desk: type[Desk]) -> None:
    assert list(desk.exported) == [column.name for column in desk.columns]


@pytest.mark.parametrize("who", STAFF)
@pytest.mark.parametrize("kind", FORMATS)
def test_every_list_goes_out_to_who_may_read_it(app: Flask, school: School, who: str, kind: str) -> None:
    school.everything()
    browser = signed_in(app, getattr(school.world, who))
    allowed = {desk.path: access.may(Actor(None, STAFF[who]), desk.permission) for desk in DESKS}

    answers = {desk.path: export(browser, desk.path, kind=kind) for desk in DESKS}

    assert {path: answer.status_code for path, answer in answers.items()} == {
        path: 200 if may else 403 for path, may in allowed.items()
    }
    widths = {path: {len(row) for row in read(answers[path], kind)} for path, may in allowed.items() if may}
    assert {path for path, found in widths.items() if len(found) != 1} == set()
    assert actions("list.export") == sum(allowed.values())


@pytest.mark.parametrize("path", ["bookings", "people", "packages", "payments", "slots", "audit", "tasks"])
def test_the_file_has_as_many_rows_as_the_list(app: Flask, school: School, path: str) -> None:
    school.everything()
    ada = signed_in(app, school.world.ada)
    listed = ada.get(f"/admin/{path}/").text

    answer = export(ada, path)

    assert f'<span class="muted">{len(rows(answer)) - 1}</span>' in listed.replace(",", "")


def test_values_are_plain(app: Flask, school: School) -> None:
    assert school.paid
    [headings, row, *_] = rows(export(signed_in(app, school.world.ada), "payments"))

    found = dict(zip(headings, row, strict=True))
    assert (found["Amount"], found["Amount currency"], found["Student"]) == ("90.00", "USD", "Ann")
    assert (found["Payment"], found["State"]) == (school.paid.reference, "succeeded")
    assert found["Paid (UTC)"].endswith("+00:00")


def test_times_are_in_the_zone_of_who_exports_and_say_so(app: Flask, world: World) -> None:
    eve = world.person("Eve", Role.SUPPORT, timezone="Asia/Kathmandu")
    world.slot()

    [headings, row] = rows(export(signed_in(app, eve), "slots"))

    assert headings[1] == "Starts (Asia/Kathmandu)"
    assert row[1].endswith("+05:45")


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("UTC", "2026-01-06T10:00:59+00:00"),
        ("Europe/Berlin", "2026-10-25T00:30:00+00:00"),  # the first of two half past two
        ("Europe/Berlin", "2026-10-25T01:30:00+00:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:15:00+00:00"),
        ("America/St_Johns", "2026-07-01T02:29:01+00:00"),
        ("Asia/Kathmandu", "1985-12-31T18:29:00+00:00"),
    ],
)
def test_the_database_says_times_as_the_files_do(db: Session, zone: str, moment: str) -> None:
    at = datetime.fromisoformat(moment)

    assert exporting.stands_in(zone)
    said = db.scalar(select(func.to_char(cast(at, DateTime(timezone=True)), exporting.ISO_8601)))

    assert said == files.moment(at, ZoneInfo(zone))


def test_a_zone_that_the_database_does_not_know_is_no_mistake(db: Session) -> None:
    assert not exporting.stands_in("Mars/Olympus_Mons")
    assert db.scalar(text("SHOW TimeZone")) == "UTC"


def test_states_read_as_they_are_now(app: Flask, school: School) -> None:
    from datetime import timedelta

    from guitaronline import clock

    assert school.package
    with clock.moved_by(timedelta(minutes=-11)):
        lapsed = school.world.hold(school.world.slot(hours=60))
    booked = school.booked
    ada = signed_in(app, school.world.ada)

    bookings = {row[0]: row[5] for row in rows(export(ada, "bookings"))}
    slots = {row[5]: row[4] for row in rows(export(ada, "slots"))}

    assert (bookings[lapsed.reference], bookings[booked.reference]) == ("expired", "confirmed")
    assert slots[booked.reference] == "booked"
    assert lapsed.reference not in slots


@pytest.mark.parametrize(("who", "clear"), [("sue", True), ("ada", True), ("finn", False), ("audrey", False)])
@pytest.mark.parametrize("kind", FORMATS)
def test_contact_data_is_masked_in_files_too(app: Flask, world: World, who: str, clear: bool, kind: str) -> None:
    world.person("Eve", Role.STUDENT, phone="+49 30 5550199")

    answer = export(signed_in(app, getattr(world, who)), "people", kind=kind, search="Eve")

    [_, row] = read(answer, kind)
    assert ("eve@people.example" in row, any("5550199" in str(cell) for cell in row)) == (clear, clear)
    assert "Eve" in row


def test_a_formula_in_a_name_stays_text(app: Flask, world: World) -> None:
    world.person("=1+1", Role.STUDENT, email="x@people.example")
    ada = signed_in(app, world.ada)

    in_csv = read(export(ada, "people", search="=1+1"), "csv")[1][0]
    in_xlsx = read(export(ada, "people", search="=1+1", kind="xlsx"), "xlsx")[1][0]

    assert (in_csv, in_xlsx) == ("'=1+1", "=1+1")


def test_the_file_follows_search_filter_sort_and_columns(app: Flask, world: World, db: Session) -> None:
    for name in ("Ann B", "Ann A", "Carl"):
        world.person(name, Role.STUDENT, email=None)
    chosen = {"search": "Ann", "role": "student", "sort": "full_name", "columns": ["role", "full_name"]}

    found = rows(export(signed_in(app, world.ada), "people", **chosen))

    assert [row[:2] for row in found] == [["Role", "Name"], ["student", "Ann A"], ["student", "Ann B"]]
    kept = written_down(db)
    assert (kept.search, kept.filters, kept.sort, kept.rows) == ("Ann", {"role": "student"}, "full_name", 2)
    assert (kept.columns, kept.status, kept.role) == (["role", "full_name"], ExportStatus.SENT, Role.ADMIN)


def test_the_button_of_a_list_asks_for_what_the_list_shows(app: Flask, world: World) -> None:
    for name in ("Ann", "Carl"):
        world.person(name, Role.STUDENT, email=None)
    ada = signed_in(app, world.ada)
    page = ada.get("/admin/people/?role=student&search=carl").text
    form = page.partition('class="export-menu"')[2].partition("</form>")[0]

    answer = ada.send("POST", "/admin/people/export", data={**_typed(form), "format": "csv"})

    assert [row[0] for row in rows(answer)] == ["Name", "Carl"]


def _typed(form: str) -> dict[str, Any]:
    import re

    found: dict[str, Any] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form):
        found.setdefault(name, []).append(value)
    return found


def test_rows_that_the_role_does_not_show_are_in_no_file(app: Flask, school: School) -> None:
    assert school.paid
    sue = signed_in(app, school.world.sue)

    assert {row[2] for row in rows(export(sue, "audit"))[1:]} <= {"Sue", ""}


ODD = {
    "an unknown filter": ({"flavor": "x"}, "no filter “flavor”"),
    "a value that means nothing": ({"state": "flying"}, "means nothing for State"),
    "a day that does not exist": ({"day": "2026-02-30"}, "means nothing"),
    "an id that is none": ({"package": "1"}, "means nothing for Package"),
    "a sort by nothing": ({"sort": "flavor"}, "cannot be sorted by “flavor”"),
    "a sort by what has no index": ({"sort": "student"}, "cannot be sorted"),
    "an unknown column": ({"columns": "flavor"}, "no column “flavor”"),
    "NUL in the search": ({"search": "a\x00b"}, "characters that can be typed"),
    "a very long search": ({"search": "x" * 100_000}, "at most 100 characters"),
    "a very long value": ({"student": "x" * 100_000}, "means nothing"),
    "NUL in a filter": ({"state": "\x00"}, "means nothing"),
    "another format": ({"kind": "pdf"}, "csv or xlsx"),
    "a very long reason": ({"reason": "x" * 501}, "at most 500"),
}


@pytest.mark.parametrize(("typed", "said"), ODD.values(), ids=ODD)
def test_what_means_nothing_is_refused_in_words(app: Flask, world: World, typed: dict[str, str], said: str) -> None:
    ada = signed_in(app, world.ada)

    answer = export(ada, "bookings", **typed)

    assert answer.status_code == 422
    assert said in words(answer.text)
    assert actions("list.export") == 0


def test_all_that_is_wrong_is_said_at_once(app: Flask, world: World) -> None:
    answer = export(signed_in(app, world.ada), "bookings", kind="pdf", state="flying", sort="flavor")

    assert [each in words(answer.text) for each in ("csv or xlsx", "flying", "flavor")] == [True] * 3


@pytest.mark.parametrize("path", ["nothing", "decisions", "today", "..", "account"])
def test_what_is_no_list_cannot_be_exported(app: Flask, world: World, path: str) -> None:
    assert export(signed_in(app, world.ada), path).status_code == 404


def test_a_get_exports_nothing_and_a_post_needs_the_forms_token(app: Flask, world: World) -> None:
    ada = signed_in(app, world.ada)

    assert ada.get("/admin/people/export").status_code == 405
    assert ada.send("POST", "/admin/people/export", data={"format": "csv"}).status_code == 400
    assert actions("list.export") == 0


# Large ones


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows are many."""
    monkeypatch.setattr(exports, "DIRECT_UP_TO", 1)


@pytest.fixture
def large(app: Flask, world: World, few: None) -> tuple[Browser, str]:
    """Sue's browser, and the address of the page of a large export that she asked for."""
    assert world.ann
    sue = signed_in(app, world.sue)
    answer = export(sue, "people")
    assert answer.status_code == 303
    return sue, answer.headers["Location"]


def _id(address: str) -> str:
    return address.rpartition("=")[2]


def test_a_large_list_is_made_by_a_job_and_then_downloaded(large: tuple[Browser, str], db: Session) -> None:
    sue, address = large
    waiting = sue.get(address).text
    progress = f"/admin/exports/{_id(address)}/progress"
    before = sue.get(progress).json

    make()
    page = sue.get(address).text
    answer = sue.send("POST", f"/admin/exports/{_id(address)}/download", data=hidden(page))

    assert "waits for its turn" in words(waiting)
    assert '<noscript><meta http-equiv="refresh"' in waiting
    assert before == {"words": "waits for its turn", "percent": 0, "status": "requested", "is_over": False}
    assert sue.get(progress).json == {"words": "ready", "percent": 0, "status": "ready", "is_over": True}
    assert sorted(row[0] for row in rows(answer)[1:]) == sorted(db.scalars(select(User.full_name)))
    assert answer.content_length == len(answer.data)
    assert actions("export.download") == 1


def test_a_large_xlsx_is_whole_too(app: Flask, world: World, few: None) -> None:
    ada = signed_in(app, world.ada)
    assert world.ann
    address = export(ada, "people", kind="xlsx").headers["Location"]

    make()
    answer = ada.send("POST", f"/admin/exports/{_id(address)}/download", data=hidden(ada.get(address).text))

    assert {row[0] for row in read(answer, "xlsx")} == {"Name", "Ada", "Ann"}


def test_somebody_elses_export_does_not_exist(app: Flask, world: World, large: tuple[Browser, str]) -> None:
    _, address = large
    make()
    finn = signed_in(app, world.finn)
    token = hidden(finn.get("/admin/account/password").text)
    urls = [address, f"/admin/exports/{_id(address)}/progress", f"/admin/exports/{_id(address)}/cancel"]

    assert {finn.get(url).status_code for url in urls} == {404}
    assert finn.send("POST", f"/admin/exports/{_id(address)}/download", data=token).status_code == 404
    assert address not in links(finn.get("/admin/exports/").text)


def test_an_admin_sees_everybodys_exports_and_downloads_none(
    app: Flask, world: World, large: tuple[Browser, str]
) -> None:
    _, address = large
    make()
    ada = signed_in(app, world.ada)
    page = ada.get(address)

    assert address in links(ada.get("/admin/exports/").text)
    assert (page.status_code, "/download" in page.text) == (200, False)
    assert ada.send("POST", f"/admin/exports/{_id(address)}/download", data=hidden(page.text)).status_code == 404


def test_a_file_that_is_not_ready_is_refused_in_words(large: tuple[Browser, str]) -> None:
    sue, address = large

    answer = sue.send("POST", f"/admin/exports/{_id(address)}/download", data=hidden(sue.get(address).text))

    assert answer.status_code == 409
    assert "no file to download" in words(answer.text)


def test_a_failed_export_says_why(world: World, large: tuple[Browser, str]) -> None:
    from guitaronline.identity.service import deactivate_person, reactivate_person

    _, address = large
    deactivate_person(as_actor(world.ada), world.sue.id, reason="left")
    make()
    reactivate_person(as_actor(world.ada), world.sue.id, reason="back")
    ada_sees = signed_in(_app(), world.ada).get(address).text

    assert "not active any more" in words(ada_sees)


def _app() -> Flask:
    from flask import current_app

    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]


def test_too_many_at_once_are_refused_in_words(app: Flask, world: World, large: tuple[Browser, str]) -> None:
    sue, _ = large
    again = [export(sue, "people", columns=name).status_code for name in ("role", "email")]

    answer = export(sue, "people", columns="phone")

    assert again == [303, 303]
    assert answer.status_code == 409
    assert "in the making" in words(answer.text)
