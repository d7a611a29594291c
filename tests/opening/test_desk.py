"""The page on which a school moves in, and the command line for large ones."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.admin import opening as desk
from guitaronline.identity.models import User
from guitaronline.office.opening_models import OpeningImport, Sheet
from tests.admin.browser import Browser, hidden, signed_in, words
from tests.opening.folder import ADULT, CHILD, whole_school, written
from tests.world import World


@pytest.fixture
def ada(app: Flask, world: World) -> Browser:
    return signed_in(app, world.ada)


def uploaded(browser: Browser, files: dict[Sheet, bytes], *, opened: str | None = None) -> Any:
    page = opened or browser.get("/admin/opening/check").text
    parts = {sheet.value: (BytesIO(data), f"{sheet.value}.csv") for sheet, data in files.items()}
    return browser.send(
        "POST", "/admin/opening/check", data={**hidden(page), **parts}, content_type="multipart/form-data"
    )


def test_a_school_moves_in_through_the_console(ada: Browser, world: World, db: Session) -> None:
    answer = uploaded(ada, whole_school(world))
    record = answer.headers["Location"]
    seen = words(ada.get(record).text)
    found = db.scalars(select(OpeningImport)).one()

    done = ada.post(f"/admin/opening/{found.id}/import", {})

    assert (answer.status_code, done.status_code) == (303, 303)
    assert "1 teacher, 2 people, 1 guardian, 1 package, 1 booking" in seen
    assert "sold for 490.00 EUR, of which 147.00 EUR was used before" in seen
    assert "OPN-" in seen
    db.rollback()
    assert db.scalar(select(func.count()).select_from(User).where(User.full_name == "Mia Berg")) == 1


def test_what_is_wrong_is_shown_with_its_line_and_cannot_be_imported(ada: Browser, db: Session) -> None:
    record = uploaded(ada, {Sheet.PEOPLE: written(Sheet.PEOPLE, {**ADULT, "timezone": "<b>Mars</b>"}, CHILD)})
    found = db.scalars(select(OpeningImport)).one()

    page = ada.get(record.headers["Location"]).text
    refused = ada.post(f"/admin/opening/{found.id}/import", {})

    assert "people.csv 2 timezone This is not a time zone" in words(page)
    assert refused.status_code == 409
    assert "Correct them and check again" in words(refused.text)


def test_a_second_click_checks_once(ada: Browser, world: World, db: Session) -> None:
    page = ada.get("/admin/opening/check").text

    first = uploaded(ada, whole_school(world), opened=page)
    second = uploaded(ada, whole_school(world), opened=page)

    assert first.headers["Location"] == second.headers["Location"]
    assert db.scalar(select(func.count()).select_from(OpeningImport)) == 1


def test_no_file_and_too_large_ones_are_answered_in_words(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MOST_LINES", 1)

    nothing = uploaded(ada, {})
    too_large = uploaded(ada, {Sheet.PEOPLE: written(Sheet.PEOPLE, ADULT, CHILD)})

    assert (nothing.status_code, "Choose at least one" in words(nothing.text)) == (422, True)
    assert (too_large.status_code, "flask opening check" in words(too_large.text)) == (422, True)


@pytest.mark.parametrize("sheet", list(Sheet))
def test_templates_are_there_for_admins_only(app: Flask, world: World, ada: Browser, sheet: Sheet) -> None:
    url = f"/admin/opening/template/{sheet.value}.csv"

    assert ada.get(url).text.lstrip("\ufeff").startswith(("id,", "student,"))
    assert url in ada.get("/admin/opening/").text
    assert signed_in(app, world.sue).get(url).status_code == 403
    assert ada.get("/admin/opening/template/passwords.csv").status_code == 404


def test_a_folder_is_checked_and_imported_by_the_command_line(app: Flask, world: World, tmp_path: Path) -> None:
    run = app.test_cli_runner()
    for sheet, data in whole_school(world).items():
        (tmp_path / f"{sheet.value}.csv").write_bytes(data)

    checked = run.invoke(args=["opening", "check", str(tmp_path)])
    imported = run.invoke(args=["opening", "import", str(tmp_path)])
    (tmp_path / "people.csv").write_bytes(written(Sheet.PEOPLE, {**ADULT, "id": "S-9"}))
    wrong = run.invoke(args=["opening", "import", str(tmp_path)])

    assert (checked.exit_code, imported.exit_code, wrong.exit_code) == (0, 0, 1)
    assert "people.csv: 2 new, 0 as they came in before" in checked.output
    assert "is imported: 6 new rows" in imported.output
    assert "WRONG: people.csv, line 2, email:" in wrong.output


def test_templates_are_written_and_never_over_what_is_there(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("mine")

    said = app.test_cli_runner().invoke(args=["opening", "template", str(tmp_path)]).output

    assert (tmp_path / "people.csv").read_text() == "mine"
    assert (said.count("wrote"), said.count("is there already")) == (4, 1)
