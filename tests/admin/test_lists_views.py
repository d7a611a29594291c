"""Saved views above a list: tabs with what they count, what a role sees first, and views that have grown old."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.admin import view_tabs
from guitaronline.db import session
from guitaronline.office import views
from guitaronline.office.view_models import SavedView
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School, actions
from tests.world import World, as_actor

CONFIRMED = {"search": "", "filters": {"state": "confirmed"}, "sort": "start_at", "is_descending": False}


@pytest.fixture
def sue(app: Flask, school: School) -> Browser:
    assert [school.booked, school.held]
    return signed_in(app, school.world.sue)


@pytest.fixture
def view(school: School) -> SavedView:
    return keep(school.world, "Sure")


def keep(world: World, name: str, **more: Any) -> SavedView:
    asked = {"desk": "bookings", "name": name, "selection": CONFIRMED, **more}
    return views.save_view(as_actor(world.sue), **asked)


def test_a_tab_says_how_many_it_shows_and_opens_them(sue: Browser, school: School, view: SavedView) -> None:
    page = sue.get("/admin/bookings/").text

    assert "Everything Sure 1" in words(page)
    assert references(sue.get(tab(page, "Sure")).text) == [school["booked"].reference]


def test_the_open_tab_is_marked(sue: Browser, view: SavedView) -> None:
    assert current(sue.get(f"/admin/bookings/?view={view.id}").text) == "Sure 1"
    assert current(sue.get("/admin/bookings/").text) == "Everything"


def test_a_tab_that_was_narrowed_further_says_so_and_may_be_kept_as_it_is_now(sue: Browser, view: SavedView) -> None:
    page = sue.get(f"/admin/bookings/?state=confirmed&search=ann&on={view.id}").text

    assert current(page) == "Sure (changed) 1"
    assert "Keep the changes" in words(page)
    assert "Keep the changes" not in words(sue.get(f"/admin/bookings/?view={view.id}").text)


def test_pages_of_a_view_stay_on_its_tab(sue: Browser, school: School, view: SavedView) -> None:
    page = sue.get(f"/admin/bookings/?view={view.id}").text
    sort = next(url for url in links(page) if "sort=id" in url)

    assert f"on={view.id}" in sort
    assert current(sue.get(sort).text).startswith("Sure")


def test_what_the_list_shows_now_is_saved_under_a_name(sue: Browser, school: School) -> None:
    page = sue.get("/admin/bookings/?state=hold&columns=reference,package&sort=id&desc=1").text
    address = next(url for url in links(page) if "/views/new" in url)
    before = actions("view.save")

    answer = sue.post(address, {"name": "Holds", "desk": "bookings", **query_of(address)})

    opened = sue.get(answer.headers["Location"]).text
    assert references(opened) == [school["held"].reference]
    assert current(opened) == "Holds 1"
    assert actions("view.save") == before + 1


def test_the_page_that_saves_says_what_will_be_kept(sue: Browser) -> None:
    page = words(sue.get("/admin/views/new?desk=bookings&query=state%3Dhold%26colour%3Dred").text)

    assert "State hold" in page
    assert "no filter “colour”" in page


def test_a_role_opens_the_view_that_it_sees_first_and_everything_is_one_tab_away(
    app: Flask, school: School, view: SavedView, sue: Browser
) -> None:
    views.share_view(as_actor(school.world.sue), view.id)
    views.make_view_default(as_actor(school.world.ada), view.id, role=Role.SUPPORT)

    bare = sue.get("/admin/bookings/").text

    assert current(bare) == "Sure 1"
    assert len(references(sue.get(tab(bare, "Everything")).text)) == 2
    assert current(signed_in(app, school.world.finn).get("/admin/bookings/").text) == "Everything"


def test_an_address_that_asks_for_something_is_not_overruled_by_what_a_role_sees_first(
    school: School, view: SavedView, sue: Browser
) -> None:
    views.share_view(as_actor(school.world.sue), view.id)
    views.make_view_default(as_actor(school.world.ada), view.id, role=Role.SUPPORT)

    assert references(sue.get("/admin/bookings/?state=hold").text) == [school["held"].reference]
    assert len(references(sue.get("/admin/bookings/?state=&search=").text)) == 2


def test_a_view_whose_filter_is_gone_says_so_and_shows_the_rest(sue: Browser, school: School) -> None:
    old = {"filters": {"state": "confirmed", "colour": "red", "cause": "the moon"}, "sort": "mood", "search": "x" * 200}
    grown_old = keep(school.world, "Old", selection=old, columns=["reference", "aura"])

    answer = sue.get(f"/admin/bookings/?view={grown_old.id}")

    page = words(answer.text)
    assert answer.status_code == 200
    assert references(answer.text) == [school["booked"].reference]
    assert "no filter “colour”" in page
    assert "“the moon” means nothing for" in page
    assert "no column “aura”" in page


@pytest.mark.parametrize("given", ["x", "%00", "00000000-0000-0000-0000-000000000000", "٣"])
def test_a_view_that_does_not_exist_is_told(sue: Browser, given: str) -> None:
    answer = sue.get(f"/admin/bookings/?view={given}")

    assert answer.status_code == 200
    assert "does not exist any more" in words(answer.text)


def test_another_persons_private_view_does_not_exist(app: Flask, school: School, view: SavedView) -> None:
    finn = signed_in(app, school.world.finn)

    assert "Sure" not in words(finn.get("/admin/bookings/").text)
    assert "does not exist any more" in words(finn.get(f"/admin/bookings/?view={view.id}").text)
    assert finn.get(f"/admin/views/{view.id}/rename").status_code == 404


def test_a_shared_view_of_a_list_that_a_role_may_not_open_leads_nowhere(app: Flask, school: School) -> None:
    private = {"desk": "checks", "name": "Runs", "selection": {}, "is_shared": True}
    view = views.save_view(as_actor(school.world.ada), **private)
    support = signed_in(app, school.world.sue)

    assert support.get("/admin/views/new?desk=checks").status_code == 200
    assert support.post("/admin/views/new", {"desk": "checks", "name": "Mine"}).status_code == 422
    assert support.get(f"/admin/checks/?view={view.id}").status_code == 403


def test_tabs_beyond_the_first_are_not_counted(sue: Browser, school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [keep(school.world, "A"), keep(school.world, "B")]
    monkeypatch.setattr(view_tabs, "COUNTED", 1)

    assert "A 1 B" in words(sue.get("/admin/bookings/").text)


def test_what_cannot_be_counted_in_time_has_no_number(
    sue: Browser, view: SavedView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_tabs, "BUDGET_MS", 0)

    assert tab_text(sue.get("/admin/bookings/").text, "Sure") == "Sure"


def test_looking_at_lists_and_views_changes_no_row(sue: Browser, view: SavedView) -> None:
    before = (actions(), session().scalar(select(SavedView.version)))
    sue.get(f"/admin/bookings/?view={view.id}")
    sue.get(f"/admin/views/{view.id}/delete")

    assert (actions(), session().scalar(select(SavedView.version))) == before


def test_the_name_of_a_view_is_shown_as_text(sue: Browser, school: School) -> None:
    assert keep(school.world, "<img src=x>")

    assert "<img src=x>" not in sue.get("/admin/bookings/").text


def _tabs(page: str) -> list[tuple[str, str, str]]:
    return re.findall(r'<a class="view-tab" href="([^"]*)"([^>]*)>(.*?)</a>', page, re.DOTALL)


def tab(page: str, name: str) -> str:
    return unescape(next(url for url, _, label in _tabs(page) if words(label).startswith(name)))


def tab_text(page: str, name: str) -> str:
    return next(words(label) for _, _, label in _tabs(page) if words(label).startswith(name))


def current(page: str) -> str:
    return next(words(label) for _, marks, label in _tabs(page) if "aria-current" in marks)


def references(page: str) -> list[str]:
    return re.findall(r">(BK-[0-9A-Z]+)</a>", page)


def query_of(address: str) -> dict[str, str]:
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(address).query))
