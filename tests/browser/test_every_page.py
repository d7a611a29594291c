"""Every page that the console's own links lead to, seen by an admin in light, in dark and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from guitaronline.admin import DESKS
from tests.browser.axe import COLORS, grave_problems, thin_out
from tests.browser.conftest import Visit
from tests.browser.pages import every_page
from tests.browser.school import DemoSchool
from tests.browser.visitor import LAPTOP, PHONE, Visitor, context_of

DARK = "() => { document.documentElement.dataset.bsTheme = 'dark' }"


@dataclass(frozen=True)
class Look:
    """What was seen of one page."""

    status: int
    light: list[str]
    dark: list[str]
    sideways: int


NOTHING_YET = {"backups"}  # a run of a few minutes has made none


@dataclass(frozen=True)
class Walk:
    looks: dict[str, Look]
    complaints: list[str]


@pytest.fixture(scope="module")
def walk(school: DemoSchool, browser: Browser, cookies: Callable[[str], object]) -> Walk:
    """Each page is opened once and looked at in all ways."""
    context = context_of(browser, school.url, cookies=cookies("admin"))
    admin = Visitor(context, school.url)
    admin.expected = {404}  # one page that does not exist
    looks = {path: look_at(admin, path) for path in every_page(context.request)}
    context.close()
    return Walk(looks, admin.complaints)


def look_at(visitor: Visitor, path: str) -> Look:
    """Its width with all of its words, then its structure and colors."""
    page = visitor.page
    page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
    status = visitor.open(path).status
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    sideways = visitor.sideways()
    page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
    thin_out(page)
    light = grave_problems(page)
    page.evaluate(DARK)
    return Look(status, light, grave_problems(page, only=COLORS), sideways)


def test_each_desk_with_its_records_is_among_them(walk: Walk) -> None:
    parts = {path.partition("?")[0] for path in walk.looks}

    assert parts >= {f"/admin/{desk.path}/" for desk in DESKS}
    assert parts >= {f"/admin/{desk.path}/details/" for desk in DESKS if desk.is_home and desk.path not in NOTHING_YET}
    assert len(walk.looks) > 70


def test_every_page_answers(walk: Walk) -> None:
    assert {path: look.status for path, look in walk.looks.items() if look.status != 200} == {
        "/admin/no-such-page": 404,
        "/reset/gone": 404,
    }


def test_people_who_see_badly_can_use_every_page(walk: Walk) -> None:
    assert {path: look.light for path, look in walk.looks.items() if look.light} == {}


def test_the_dark_theme_has_contrast_on_every_page(walk: Walk) -> None:
    assert {path: look.dark for path, look in walk.looks.items() if look.dark} == {}


def test_no_page_moves_sideways_on_a_phone(walk: Walk) -> None:
    assert {path: look.sideways for path, look in walk.looks.items() if look.sideways > 0} == {}


def test_no_page_makes_the_browser_complain(walk: Walk) -> None:
    assert walk.complaints == []


ROWS = """<html lang="en"><title>Rows</title><main><h1>Rows</h1><table><tbody>
    <tr><td>1 <button>Go</button></td></tr><tr><td>2 <button>Go</button></td></tr><tr><td>3 <button>Go</button></td></tr>
    <tr><td>4 <button class="pale" style="color: #ddd; background: #fff">Go</button></td></tr>
    <tr><td>5 <button></button></td></tr></tbody></table></main></html>"""


def test_of_rows_that_are_alike_two_are_looked_at_and_of_others_every_one(visit: Visit) -> None:
    page = visit().page
    page.set_content(ROWS)

    thin_out(page)

    assert [row[0] for row in page.locator("tr").all_inner_texts()] == ["1", "2", "4", "5"]
    assert [each.partition(" at ")[0] for each in grave_problems(page)] == [
        "critical: Buttons must have discernible text (button-name)",
        "serious: Elements must meet minimum color contrast ratio thresholds (color-contrast)",
    ]
