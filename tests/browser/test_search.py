"""The search of everything, from wherever somebody is."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor


def field(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("combobox", name="Search everything")


def hits(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def a_reference(visitor: Visitor) -> str:
    visitor.open("/admin/bookings/")
    return visitor.rows().first.get_by_role("link").first.inner_text()


def test_slash_leads_to_the_search_and_enter_to_the_very_booking(visit: Visit) -> None:
    support = visit("support")
    reference = a_reference(support)
    support.open("/admin/slots/")

    support.page.keyboard.press("/")
    expect(field(support)).to_be_focused()
    support.page.keyboard.type(reference)
    support.page.keyboard.press("Enter")

    expect(support.heading).to_contain_text(reference)


def test_ctrl_k_leads_to_the_search_also_from_a_field_and_a_suggestion_is_taken_by_arrow(visit: Visit) -> None:
    support = visit("support")
    support.open("/admin/people/")
    support.main.locator("#search").focus()

    support.page.keyboard.press("Control+k")
    expect(field(support)).to_be_focused()
    expect(field(support)).to_have_value("")
    support.page.keyboard.type("Ada Lindq")
    expect(hits(support).first).to_contain_text("Ada Lindqvist")
    support.page.keyboard.press("ArrowDown")
    expect(hits(support).first).to_have_attribute("aria-selected", "true")
    support.page.keyboard.press("Enter")

    expect(support.heading).to_contain_text("Ada Lindqvist")


def test_a_slash_that_is_typed_into_a_field_stays_there(visit: Visit) -> None:
    support = visit("support")
    support.open("/admin/people/")

    support.main.locator("#search").press_sequentially("a/b")

    expect(support.main.locator("#search")).to_have_value("a/b")


def test_what_nothing_is_called_is_said(visit: Visit) -> None:
    support = visit("support")
    support.open("/admin/")

    field(support).fill("nobody has this name")
    expect(support.page.get_by_role("listbox", name="Suggestions")).to_contain_text("Nothing is called that")
    field(support).press("Enter")

    expect(support.main).to_contain_text("Nothing is called that")
