"""Each desk, as people use it: it opens, narrows down, and shows a record."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from guitaronline.admin import DESKS
from guitaronline.admin.base import Desk
from tests.browser.conftest import Visit

NOTHING_YET = {"backups"}  # a run of a few minutes has made none
FILLED = [desk for desk in DESKS if desk.path not in NOTHING_YET]
HOMES = [desk for desk in FILLED if desk.is_home]  # of two desks over one table only one has the records' pages
SEARCHED = [desk for desk in FILLED if desk.search_words]


def path_of(desk: type[Desk]) -> str:
    return desk.path


@pytest.mark.parametrize("desk", HOMES, ids=path_of)
def test_a_desk_opens_and_shows_a_record(visit: Visit, desk: type[Desk]) -> None:
    admin = visit("admin")
    admin.open(f"/admin/{desk.path}/")

    expect(admin.heading).to_have_text(desk.title)
    admin.rows().first.locator(f"a[href*='/admin/{desk.path}/details/']").first.click()

    expect(admin.page).to_have_url(re.compile(f"/admin/{desk.path}/details/"))
    expect(admin.heading).to_contain_text(desk.one)


@pytest.mark.parametrize("desk", SEARCHED, ids=path_of)
def test_a_desk_that_is_searched_for_nothing_known_says_so_and_leads_back(visit: Visit, desk: type[Desk]) -> None:
    admin = visit("admin")
    admin.open(f"/admin/{desk.path}/")

    admin.main.locator("#search").fill("nobody has this name")
    admin.main.locator("#search").press("Enter")

    expect(admin.main).to_contain_text("Nothing matches")
    admin.main.get_by_role("link", name="Show everything").click()
    expect(admin.rows().first).to_be_visible()


def test_bookings_are_narrowed_down_by_state_and_the_address_tells_it(visit: Visit) -> None:
    admin = visit("admin")
    admin.open("/admin/bookings/")

    admin.main.locator("#f-state").select_option("canceled")
    admin.main.get_by_role("button", name="Show").click()

    expect(admin.page).to_have_url(re.compile("state=canceled"))
    expect(admin.rows().first).to_contain_text("canceled")
    expect(admin.rows().filter(has_text="confirmed")).to_have_count(0)
