"""Many records at once, and back again."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.office import bookings_ahead, references, state
from tests.browser.visitor import Visitor

TEACHING = re.compile(
    "Clara Weber|Tom Ashdown|Inés Cabrera|Marcus Bell|Luiza Andrade|Kenji Morita"
)  # one of the others stops in the demo


def choose(visitor: Visitor, reference: str) -> None:
    visitor.main.get_by_role("checkbox", name=f"Choose {reference}").check()


def cancel_two(visitor: Visitor) -> tuple[str, str]:
    """They are canceled, the page of the bulk action is open; returns their references."""
    bookings_ahead(visitor)
    first, second = references(visitor.rows().filter(has_text=TEACHING))[3:5]
    choose(visitor, first)
    choose(visitor, second)
    expect(visitor.main.get_by_role("form", name="Act on many")).to_contain_text("2 chosen")
    visitor.main.get_by_role("button", name="Cancel bookings").click()
    expect(visitor.main.get_by_role("region", name="What will happen")).to_contain_text("2 of 2")
    visitor.main.get_by_label("Reason").fill("the wrong Tuesday")
    visitor.main.get_by_role("button", name="Cancel them").click()
    expect(visitor.heading).to_contain_text("BLK-")
    expect(state(visitor)).to_have_text("done")  # the page looks again by itself
    return first, second


def test_bookings_that_were_canceled_at_once_are_made_again(visit: Visit) -> None:
    admin = visit("admin")
    canceled = cancel_two(admin)
    assert set(canceled).isdisjoint(bookings_ahead(admin))
    admin.page.go_back()

    admin.main.get_by_role("link", name="Undo", exact=True).click()
    expect(admin.main.get_by_role("region", name="What will happen")).to_contain_text("2 of 2")
    admin.main.get_by_label("Reason").fill("it was the right Tuesday")
    admin.main.get_by_role("button", name="Undo it").click()
    expect(state(admin)).to_have_text("done")

    rows = admin.main.get_by_role("region", name="Rows").locator("tbody tr")
    expect(rows.filter(has=admin.page.locator(".chip", has_text=re.compile("^done$")))).to_have_count(2)
    rows.first.get_by_role("link", name="Look at it").click()
    expect(admin.heading).to_contain_text("BK-")
    expect(state(admin)).to_have_text("confirmed")


def test_a_choice_of_nothing_is_told_and_changes_nothing(visit: Visit) -> None:
    admin = visit("admin")
    bookings_ahead(admin)

    admin.main.get_by_role("button", name="Cancel bookings").click()

    expect(admin.main).to_contain_text("Nothing is chosen")
    expect(admin.main.get_by_role("link", name="Back to the list")).to_be_visible()
