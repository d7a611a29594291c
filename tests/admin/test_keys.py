"""What every page carries for the keyboard, the account and the end of the session; browsers themselves are tested elsewhere."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta

import pytest
from flask import Flask

from guitaronline import clock, policy
from guitaronline.db import technical_transaction
from guitaronline.identity.models import ConsoleSession
from tests.admin.browser import Browser, hidden, signed_in, words
from tests.world import World

KEYS = re.compile(r'href="([^"]+)" data-keys="([^"]+)"')
GZIP = {"Accept-Encoding": "gzip"}


def test_the_help_sheet_lists_every_key_and_where_it_leads(ada: Browser) -> None:
    page = ada.get("/admin/").text

    assert {keys: url for url, keys in KEYS.findall(page)} == {
        "g t": "/admin/",
        "g c": "/admin/calendar/",
        "g b": "/admin/bookings/",
        "g l": "/admin/lessons/",
        "g p": "/admin/people/",
        "g m": "/admin/payments/",
        "n b": "/admin/bookings/new",
    }
    assert "Keyboard shortcuts" in page


def test_a_key_to_a_page_that_the_role_may_not_open_is_not_offered(app: Flask, world: World) -> None:
    auditor = signed_in(app, world.audrey)

    offered = [keys for _, keys in KEYS.findall(auditor.get("/admin/").text)]

    assert "n b" not in offered
    assert "g b" in offered


def test_the_account_menu_says_who_it_is_and_leads_on(ada: Browser) -> None:
    page = ada.get("/admin/").text
    menu = page[page.index('<details class="account">') : page.index("</details>")]

    assert (
        words(menu[menu.index("<summary") :])
        == "Ada · admin Ada admin · UTC Your account Light or dark Keyboard shortcuts ? Sign out"
    )
    assert 'action="/sign-out"' in menu


def test_the_page_knows_when_the_session_ends(ada: Browser) -> None:
    page = ada.get("/admin/").text

    seconds = int(re.findall(r'data-seconds="(\d+)"', page)[0])

    assert 0 < policy.current().SESSION_IDLE_MINUTES * 60 - seconds < 70


def test_staying_signed_in_counts_as_being_there(ada: Browser) -> None:
    opened = ada.get("/admin/").text
    half = timedelta(minutes=policy.current().SESSION_IDLE_MINUTES) * 0.9

    with clock.moved_by(half):
        stayed = ada.post("/stay-signed-in", {}, opened=opened)
    with clock.moved_by(2 * half):
        later = ada.get("/admin/")

    assert stayed.status_code == 200
    assert 0 <= policy.current().SESSION_IDLE_MINUTES * 60 - (stayed.json or {})["seconds"] < 5
    assert later.status_code == 200


def test_without_that_the_session_ends(ada: Browser) -> None:
    opened = ada.get("/admin/").text

    with clock.moved_by(timedelta(minutes=policy.current().SESSION_IDLE_MINUTES + 1)):
        stayed = ada.post("/stay-signed-in", {}, opened=opened)

    assert stayed.status_code == 401


def test_nobody_stays_longer_than_the_longest_session(ada: Browser) -> None:
    opened = ada.get("/admin/").text
    with technical_transaction() as current:
        row = current.query(ConsoleSession).one()
        row.expires_at = clock.read(current) + timedelta(minutes=5)

    stayed = ada.post("/stay-signed-in", {}, opened=opened)

    assert 290 <= (stayed.json or {})["seconds"] <= 300


def test_a_stranger_and_a_page_of_another_site_cannot_keep_a_session(app: Flask, ada: Browser) -> None:
    stranger = Browser(app)
    token = stranger.get("/sign-in").text

    assert stranger.post("/stay-signed-in", {}, opened=token).status_code == 401
    assert ada.send("POST", "/stay-signed-in").status_code == 400


def test_after_the_session_the_way_leads_back_to_the_form(ada: Browser) -> None:
    opened = ada.get("/admin/plans/new").text
    typed = {"name": "Five", "lessons_total": "5", **hidden(opened)}

    with clock.moved_by(timedelta(hours=1)):
        answer = ada.send("POST", "/admin/plans/new", data=typed)

    assert answer.status_code == 401
    assert "Five" in answer.text
    assert 'href="/sign-in?next=/admin/plans/new"' in answer.text


@pytest.mark.parametrize(
    "path", ["/admin/", "/static/app.css", "/static/vendor/tabler/tabler.min.css", "/admin/plans/new"]
)
def test_pages_and_files_travel_compressed(ada: Browser, path: str) -> None:
    answer = ada.get(path, headers=GZIP)
    plain = ada.get(path)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(answer.data) < 0.5 * len(plain.data)
    assert len(gzip.decompress(answer.data)) == pytest.approx(len(plain.data), abs=300)
    assert "Content-Encoding" not in plain.headers


def test_a_file_that_the_browser_has_is_not_sent_again(ada: Browser) -> None:
    first = ada.get("/static/app.css", headers=GZIP)

    again = ada.get("/static/app.css", headers={**GZIP, "If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.data == b""


def test_the_size_of_a_page_does_not_give_its_token_away(ada: Browser) -> None:
    sizes = {len(ada.get("/admin/plans/", headers=GZIP).data) for _ in range(6)}

    assert len(sizes) > 1


def test_a_first_visit_stays_light(ada: Browser) -> None:
    page = ada.get("/admin/", headers=GZIP)
    files = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', gzip.decompress(page.data).decode()))

    weight = len(page.data) + sum(len(ada.get(each, headers=GZIP).data) for each in files)

    assert len(files) > 5
    assert weight < 400_000
    assert len(page.data) < 40_000
