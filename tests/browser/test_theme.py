"""Light and dark."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor


def theme_of(visitor: Visitor) -> Locator:
    return visitor.page.locator("html")


def test_the_theme_that_was_chosen_stays(visit: Visit) -> None:
    admin = visit("admin")
    admin.open("/admin/")
    expect(theme_of(admin)).to_have_attribute("data-bs-theme", "light")

    admin.page.locator("details.account summary").click()
    admin.page.get_by_role("button", name="Light or dark").click()
    expect(theme_of(admin)).to_have_attribute("data-bs-theme", "dark")
    admin.open("/admin/bookings/")

    expect(theme_of(admin)).to_have_attribute("data-bs-theme", "dark")


def test_a_system_that_is_dark_gets_the_dark_theme(visit: Visit) -> None:
    stranger = visit(dark=True)

    stranger.open("/sign-in")

    expect(theme_of(stranger)).to_have_attribute("data-bs-theme", "dark")


def test_the_menu_opens_on_a_phone_and_leads_to_a_desk(visit: Visit) -> None:
    support = visit("support", phone=True)
    support.open("/admin/")
    expect(support.page.get_by_role("link", name="Bookings", exact=True)).to_be_hidden()

    support.page.get_by_role("button", name="Menu").click()
    support.page.get_by_role("link", name="Bookings", exact=True).click()

    expect(support.heading).to_have_text("Bookings")
