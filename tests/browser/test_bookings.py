"""What the office does with bookings all day."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.office import cancel_page_of_row, history, state
from tests.browser.school import DemoSchool
from tests.browser.visitor import fill_in_sign_in, sign_in

OVER = "31 minutes"
NEWEST_SESSION_IS_OVER = f"""UPDATE console_sessions
    SET last_seen_at = last_seen_at - interval '{OVER}', created_at = created_at - interval '{OVER}'
    WHERE id = (SELECT id FROM console_sessions ORDER BY created_at DESC LIMIT 1)"""


def test_an_admin_cancels_a_booking_and_reads_why_in_its_history(visit: Visit) -> None:
    admin = visit("admin")
    reference = cancel_page_of_row(admin, 0)
    expect(admin.main.get_by_role("region", name="What will happen")).to_contain_text("lesson")

    admin.main.get_by_label("Reason").fill("the amplifier burned down")
    admin.main.get_by_role("button", name="Cancel").click()

    expect(admin.heading).to_contain_text(reference)
    expect(state(admin)).to_have_text("canceled")
    expect(history(admin)).to_contain_text("the amplifier burned down")
    expect(history(admin)).to_contain_text("Ada Lindqvist")


def test_a_double_click_acts_once(visit: Visit) -> None:
    admin = visit("admin")
    reference = cancel_page_of_row(admin, 1)
    admin.main.get_by_label("Reason").fill("clicked in a hurry")

    admin.main.get_by_role("button", name="Cancel").dblclick()

    expect(admin.heading).to_contain_text(reference)
    expect(state(admin)).to_have_text("canceled")
    expect(history(admin).get_by_text("clicked in a hurry")).to_have_count(1)


def test_somebody_new_is_booked_on_the_phone(visit: Visit) -> None:
    admin = visit("admin", phone=True)
    admin.open("/admin/bookings/new")

    admin.main.get_by_text("Somebody new: fill in the name below").click()
    admin.main.get_by_label("Full name").fill("Nell Newcomer")
    admin.main.get_by_role("group", name="Slot").get_by_role("radio").first.check()
    admin.main.get_by_role("button", name="Look, show what will happen").click()
    admin.main.get_by_text("Grant a new package: fill it in below").click()
    admin.main.get_by_role("button", name="Book", exact=True).click()

    expect(admin.heading).to_contain_text("BK-")
    expect(admin.main).to_contain_text("Nell Newcomer")


def test_a_form_that_outlived_its_session_gives_back_what_was_typed(visit: Visit, school: DemoSchool) -> None:
    support = visit()
    sign_in(support, "support")
    support.expected = {401}
    cancel_page_of_row(support, 2)
    support.main.get_by_label("Reason").fill("a long story, typed over lunch")

    school.time_passes(NEWEST_SESSION_IS_OVER)
    support.main.get_by_role("button", name="Cancel").click()

    expect(support.heading).to_have_text("You are signed out")
    expect(support.main).to_contain_text("a long story, typed over lunch")
    assert re.search("Nothing was changed", support.main.inner_text())


def test_who_signs_in_again_gets_back_the_form_and_what_was_typed_in_it(visit: Visit, school: DemoSchool) -> None:
    admin = visit()
    sign_in(admin, "admin")
    admin.expected = {401}
    admin.open("/admin/plans/new")
    admin.main.get_by_label("Name").fill("Twelve, thought up over lunch")
    school.time_passes(NEWEST_SESSION_IS_OVER)
    admin.main.get_by_role("button", name="Create").click()

    admin.main.get_by_role("link", name="Sign in").click()
    fill_in_sign_in(admin, "admin")

    expect(admin.main).to_contain_text("You typed something here before")
    admin.main.get_by_role("button", name="Put it back").click()
    expect(admin.main.get_by_label("Name")).to_have_value("Twelve, thought up over lunch")
