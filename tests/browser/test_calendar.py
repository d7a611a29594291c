"""The calendar leads to what is done with the time in it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor

NEXT_WEEK = "The week after"


def booked_time(visitor: Visitor) -> Locator:
    return visitor.page.locator("#calendar a.cal-booked")


def next_week(visitor: Visitor) -> None:
    """Everybody's coming week has been drawn."""
    visitor.open("/admin/calendar/?view=week")
    visitor.main.get_by_role("link", name=NEXT_WEEK).click()
    expect(booked_time(visitor).first).to_be_visible()


def test_a_booking_that_is_canceled_from_the_calendar_is_gone_from_it(visit: Visit) -> None:
    support = visit("support")
    next_week(support)
    drawn = booked_time(support).last
    record = drawn.get_attribute("href")

    drawn.click()
    expect(support.page).to_have_url(re.compile(re.escape(record or "-")))
    support.main.get_by_role("link", name="Cancel", exact=True).click()
    support.main.get_by_label("Reason").fill("the string of the week broke")
    support.main.get_by_role("button", name="Cancel").click()
    expect(support.main.locator(".chip").first).to_have_text("canceled")

    next_week(support)
    expect(support.page.locator(f"#calendar a[href='{record}']")).to_have_count(0)


def test_open_time_of_the_calendar_leads_to_its_slot(visit: Visit) -> None:
    support = visit("support")
    support.open("/admin/calendar/")
    support.main.get_by_role("link", name="The day after").click()

    support.page.locator("#calendar a.cal-open").first.click()

    expect(support.heading).to_contain_text("SLT-")


def test_on_a_phone_the_calendar_is_a_list_that_leads_to_the_same(visit: Visit) -> None:
    support = visit("support", phone=True)
    support.open("/admin/calendar/?view=week")
    support.main.get_by_role("link", name=NEXT_WEEK).click()
    expect(support.page.locator("#calendar")).to_be_hidden()

    support.main.get_by_role("link", name=re.compile("^Cancel BK-")).first.click()

    expect(support.heading).to_contain_text("Cancel: ")
    assert support.sideways() == 0
