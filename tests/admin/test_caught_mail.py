"""Caught mail: what the embedded run's own mail server took, read in the console."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

import config
from guitaronline.admin import caught_mail
from tests.admin.browser import Browser, signed_in, words
from tests.world import World

LINK = "https://school.example/reset/abc"


@pytest.fixture
def folder(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """The folder of the catcher, empty."""
    before: config.Settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(before, MAIL_TRANSPORT="catcher", VAR_DIR=str(tmp_path))
    place = tmp_path / "mail"
    place.mkdir()
    yield place
    app.config["SETTINGS"] = before


@pytest.fixture
def ada(app: Flask, world: World, folder: Path) -> Browser:
    return signed_in(app, world.ada)


def caught(folder: Path, subject: str = "Your lesson", number: int = 1, **more: str) -> str:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "school@school.example", "Ann <ann@people.example>"
    mail.set_content(f"Hello Ann,\n{LINK}\n")
    mail.add_alternative(more.get("html", "<p>Hello <b>Ann</b></p>"), subtype="html")
    name = f"{time.time_ns()}-{number}.eml"
    (folder / name).write_bytes(bytes(mail))
    return name


def test_a_caught_mail_is_listed_and_read_with_links_that_work(ada: Browser, folder: Path) -> None:
    name = caught(folder)

    listed, page = ada.get("/admin/caught-mail/").text, ada.get(f"/admin/caught-mail/?mail={name}").text

    assert f"/admin/caught-mail/?mail={name}" in listed
    assert "Your lesson" in words(listed)
    assert f'href="{LINK}"' in page
    assert "ann@people.example" in words(page)


def test_the_newest_stands_first(ada: Browser, folder: Path) -> None:
    [caught(folder, subject, number) for number, subject in enumerate(("First", "Second"))]

    read = words(ada.get("/admin/caught-mail/").text)

    assert read.index("Second") < read.index("First")


def test_the_html_of_a_caught_mail_runs_nothing(ada: Browser, folder: Path) -> None:
    name = caught(folder, html="<p>Hello</p><script>alert(1)</script>")

    answer = ada.get(f"/admin/caught-mail/html?mail={name}")

    assert "sandbox" in answer.headers["Content-Security-Policy"].split("; ")
    assert "<script>alert" not in ada.get(f"/admin/caught-mail/?mail={name}").text


@pytest.mark.parametrize(
    "name", ["../secrets.eml", "..%2Fsecrets.eml", "1-1.txt", "%00", "1-1.eml", "٣-1.eml", "9" * 300 + "-1.eml", ""]
)
def test_whatever_is_no_mail_of_that_folder_is_not_found(ada: Browser, folder: Path, name: str) -> None:
    (folder.parent / "secrets.eml").write_text("Subject: secret\n\nsecret")

    answers = [ada.get(f"/admin/caught-mail/{page}?mail={name}") for page in ("", "html")]

    assert {each.status_code for each in answers} == {404}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 500,
        b"Subject: =?nonsense?q?=FF?=\nFrom: <<<\nTo: ;;;\n\nx",
        b"Content-Type: text/plain; charset=nonsense\n\n\xff\xfe",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n%%%",
        b"Subject: " + b"x" * 200_000 + b"\n\nx",
    ],
)
def test_a_mail_that_is_garbage_is_shown_as_far_as_it_goes(ada: Browser, folder: Path, raw: bytes) -> None:
    (folder / "1795000000000000000-1.eml").write_bytes(raw)

    assert ada.get("/admin/caught-mail/").status_code == 200
    assert ada.get("/admin/caught-mail/?mail=1795000000000000000-1.eml").status_code == 200


def test_no_more_than_fifty_are_read(ada: Browser, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caught_mail, "SHOWN", 2)
    [caught(folder, "Lesson", number) for number in range(4)]

    assert ada.get("/admin/caught-mail/").text.count("/admin/caught-mail/?mail=") == 2


def test_where_mail_goes_out_there_is_none_and_the_navigation_is_silent(app: Flask, ada: Browser, folder: Path) -> None:
    name = caught(folder)
    assert "Caught mail" in words(ada.get("/admin/").text)
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], MAIL_TRANSPORT="smtp")

    assert "Caught mail" not in words(ada.get("/admin/").text)
    assert ada.get(f"/admin/caught-mail/?mail={name}").status_code == 404
    assert "a real mail server" in words(ada.get("/admin/caught-mail/").text)


def test_links_in_it_could_sign_somebody_in_so_it_is_for_admins(app: Flask, world: World, folder: Path) -> None:
    caught(folder)

    assert signed_in(app, world.sue).get("/admin/caught-mail/").status_code == 403
