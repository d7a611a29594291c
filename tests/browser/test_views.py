"""Views of a list that are kept under a name."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor

NAME = "Gone, by the school"


def tab(visitor: Visitor) -> Locator:
    return visitor.main.get_by_role("navigation", name="Views of this list").get_by_role("link", name=NAME)


def keep(visitor: Visitor) -> None:
    """What the school canceled is kept as a view of one's own, and shown."""
    visitor.open("/admin/bookings/?state=canceled&cause=school")
    visitor.main.get_by_role("link", name="Save this view").click()
    visitor.main.get_by_label("Name").fill(NAME)
    visitor.main.get_by_role("button", name="Save it").click()
    expect(tab(visitor)).to_have_attribute("aria-current", "page")


def test_a_view_that_is_shared_is_found_by_a_colleague_with_its_filters(visit: Visit) -> None:
    admin, support = visit("admin"), visit("support")
    keep(admin)
    support.open("/admin/bookings/")
    expect(support.heading).to_have_text("Bookings")
    expect(tab(support)).to_have_count(0)

    admin.main.get_by_label(f"Change the view {NAME}").click()
    admin.main.get_by_role("link", name="Share with all staff").click()
    admin.main.get_by_role("button", name="Share it").click()
    expect(admin.main).to_contain_text("is changed")

    support.open("/admin/bookings/")
    tab(support).click()
    expect(tab(support)).to_have_attribute("aria-current", "page")
    expect(support.main.locator("#f-state")).to_have_value("canceled")
    expect(support.main.locator("#f-cause")).to_have_value("school")
    expect(support.rows().filter(has_text="confirmed")).to_have_count(0)
