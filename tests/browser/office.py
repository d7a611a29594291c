"""What several tests do on the way to what they are about."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.visitor import Visitor

AHEAD = "/admin/bookings/?state=confirmed&day=next+7+days"
RECORD = "a[href*='/admin/bookings/details/']"


def bookings_ahead(visitor: Visitor) -> list[str]:
    """They are on the page, the furthest first; returns their references. Those of today, which come last, may have begun."""
    visitor.open(AHEAD)
    return references(visitor.rows())


def references(rows: Locator) -> list[str]:
    return [each for each in rows.locator(RECORD).all_inner_texts() if each.startswith("BK-")]


def state(visitor: Visitor) -> Locator:
    """The chip beside the heading of a record."""
    return visitor.main.locator(".head .chip").first


def cancel_page_of_row(visitor: Visitor, number: int) -> str:
    """The page that cancels the booking in that row of those ahead is open; returns the booking's reference."""
    visitor.open(AHEAD)
    link = visitor.rows().nth(number).locator(RECORD).first
    reference = link.inner_text()
    link.click()
    visitor.main.get_by_role("link", name="Cancel", exact=True).click()
    expect(visitor.heading).to_contain_text(reference)
    return reference


def history(visitor: Visitor) -> Locator:
    return visitor.main.get_by_role("region", name=re.compile("History|Timeline"))
