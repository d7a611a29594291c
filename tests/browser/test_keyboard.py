"""Without a mouse."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.axe import grave_problems
from tests.browser.conftest import Visit
from tests.browser.office import bookings_ahead, history, state
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
    tab_to(admin, "a.skip")
    admin.page.keyboard.press("Enter")
    tab_to(admin, "tbody tr a[href*='/admin/bookings/details/']")
    admin.page.keyboard.press("Enter")

    expect(admin.heading).to_contain_text(reference)


def test_what_has_the_focus_is_seen(visit: Visit) -> None:
    admin = visit("admin")
    admin.open("/admin/bookings/")

    tab_to(admin, "nav a.item")

    outline = admin.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_sheet_of_the_keys_opens_and_closes(visit: Visit) -> None:
    support = visit("support")
    support.open("/admin/people/")
    sheet = support.page.get_by_role("dialog", name="Keyboard shortcuts")

    support.page.keyboard.press("?")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("Search everything")
    assert grave_problems(support.page) == []
    support.page.keyboard.press("Escape")

    expect(sheet).to_be_hidden()


def test_two_keys_lead_to_a_desk_and_the_next_ones_to_a_row_and_into_it(visit: Visit) -> None:
    support = visit("support")
    support.open("/admin/people/")

    support.page.keyboard.press("g")
    support.page.keyboard.press("b")
    expect(support.heading).to_have_text("Bookings")
    support.page.wait_for_load_state()  # keys are heard once the page's scripts have run
    links = support.rows().locator("a[href*='/admin/bookings/details/']")
    second = links.nth(1).inner_text()
    support.page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    support.page.keyboard.press("j")
    support.page.keyboard.press("j")
    expect(links.nth(2)).to_be_focused()
    support.page.keyboard.press("k")
    expect(links.nth(1)).to_be_focused()
    support.page.keyboard.press("Enter")

    expect(support.heading).to_contain_text(second)


def test_a_booking_is_found_and_canceled_with_a_reason_by_keys_alone(visit: Visit) -> None:
    support = visit("support")
    reference = bookings_ahead(support)[3]
    support.open("/admin/")

    support.page.keyboard.press("/")
    support.page.keyboard.type(reference)
    support.page.keyboard.press("Enter")
    expect(support.heading).to_contain_text(reference)
    tab_to(support, "main a[href$='/cancel']")
    support.page.keyboard.press("Enter")
    expect(support.heading).to_have_text(f"Cancel: {reference}")
    tab_to(support, "textarea[name=reason], input[name=reason]")
    support.page.keyboard.type("typed without a mouse")
    tab_to(support, "main form button.btn-danger")
    support.page.keyboard.press("Enter")

    expect(state(support)).to_have_text("canceled")
    expect(history(support)).to_contain_text("typed without a mouse")
