"""Without a mouse."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor

MOST_TABS = 60


def tab_to(visitor: Visitor, selector: str) -> None:
    """Tab was pressed until the element has the focus. Raises StopIteration where that takes too long."""
    here = "selector => document.activeElement?.matches(selector)"
    next(
        True for _ in range(MOST_TABS) if (visitor.page.keyboard.press("Tab"), visitor.page.evaluate(here, selector))[1]
    )


def test_the_first_tab_skips_the_navigation(visit: Visit) -> None:
    admin = visit("admin")
    admin.open("/admin/bookings/")

    admin.page.keyboard.press("Tab")
    expect(admin.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(admin.page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    admin.page.keyboard.press("Enter")

    expect(admin.main).to_be_focused()


def test_a_booking_is_found_and_opened_by_keys_alone(visit: Visit) -> None:
    admin = visit("admin")
    admin.open("/admin/bookings/")
    reference = admin.rows().first.get_by_role("link").first.inner_text()

    tab_to(admin, "a.skip")
    admin.page.keyboard.press("Enter")
    tab_to(admin, "#search")
    admin.page.keyboard.type(reference)
    admin.page.keyboard.press("Enter")
    expect(admin.page).to_have_url(re.compile("search=BK-"))
    tab_to(admin, "tbody tr a[href*='/admin/bookings/details/']")
    admin.page.keyboard.press("Enter")

    expect(admin.heading).to_contain_text(reference)


def test_what_has_the_focus_is_seen(visit: Visit) -> None:
    admin = visit("admin")
    admin.open("/admin/bookings/")

    tab_to(admin, "nav a.item")

    outline = admin.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
