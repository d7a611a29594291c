"""What the office does with bookings all day."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.school import DemoSchool
from tests.browser.visitor import Visitor, sign_in

AHEAD = "/admin/bookings/?state=confirmed&day=next+7+days"


def cancel_page_of_row(visitor: Visitor, number: int) -> str:
    """The page that cancels the booking in that row of those ahead is open; returns the booking's reference."""
    visitor.open(AHEAD)
    link = visitor.rows().nth(number).locator("a[href*='/admin/bookings/details/']").first
    reference = link.inner_text()
    link.click()
    visitor.main.get_by_role("link", name="Cancel", exact=True).click()
    expect(visitor.heading).to_contain_text(reference)
    return reference


def history(visitor: Visitor) -> Locator:
    return visitor.main.get_by_role("region", name=re.compile("History|Timeline"))


def test_an_admin_cancels_a_booking_and_reads_why_in_its_history(visit: Visit) -> None:
    admin = visit("admin")
    reference = cancel_page_of_row(admin, 0)
    expect(admin.main.get_by_role("region", name="What will happen")).to_contain_text("lesson")

    admin.main.get_by_label("Reason").fill("the amplifier burned down")
    admin.main.get_by_role("button", name="Cancel").click()

    expect(admin.heading).to_contain_text(reference)
    expect(admin.main.locator(".chip").first).to_have_text("canceled")
    expect(history(admin)).to_contain_text("the amplifier burned down")
    expect(history(admin)).to_contain_text("Ada Lindqvist")


def test_a_double_click_acts_once(visit: Visit) -> None:
    admin = visit("admin")
    reference = cancel_page_of_row(admin, 1)
    admin.main.get_by_label("Reason").fill("clicked in a hurry")

    admin.main.get_by_role("button", name="Cancel").dblclick()

    expect(admin.heading).to_contain_text(reference)
    expect(admin.main.locator(".chip").first).to_have_text("canceled")
    expect(history(admin).get_by_text("clicked in a hurry")).to_have_count(1)


def test_somebody_new_is_booked_on_the_phone(visit: Visit) -> None:
    admin = visit("admin", phone=True)
    admin.open("/admin/bookings/new")

    admin.main.get_by_text("Somebody new: fill in the name below").click()
    admin.main.get_by_text("Somebody new", exact=True).click()
    admin.main.get_by_label("Full name").fill("Nell Newcomer")
    admin.main.get_by_role("group", name="Slot").get_by_role("radio").first.check()
    admin.main.get_by_role("button", name="Look, show what will happen").click()
    admin.main.get_by_text("Grant", exact=False).first.click()
    admin.main.get_by_role("button", name="Book", exact=True).click()

    expect(admin.heading).to_contain_text("BK-")
    expect(admin.main).to_contain_text("Nell Newcomer")


def test_a_form_that_outlived_its_session_gives_back_what_was_typed(visit: Visit, school: DemoSchool) -> None:
    support = visit()
    sign_in(support, "support")
    support.expected = {401}
    cancel_page_of_row(support, 2)
    support.main.get_by_label("Reason").fill("a long story, typed over lunch")

    school.time_passes(
        "UPDATE console_sessions SET last_seen_at = last_seen_at - interval '31 minutes', created_at = created_at - interval '31 minutes'"
        " WHERE user_id = (SELECT id FROM users WHERE email = 'support@school.example')"
    )
    support.main.get_by_role("button", name="Cancel").click()

    expect(support.heading).to_have_text("You are signed out")
    expect(support.main).to_contain_text("a long story, typed over lunch")
    assert re.search("Nothing was changed", support.main.inner_text())
