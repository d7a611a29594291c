"""Two people on one record."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor


def edit_page_of_a_student(visitor: Visitor) -> None:
    visitor.open("/admin/people/?role=student")
    visitor.rows().last.locator("a[href*='/admin/people/details/']").first.click()
    visitor.open(visitor.page.locator("main a[href$='/edit']").first.get_attribute("href") or "")


def test_who_comes_second_is_shown_both_values_and_may_decide(visit: Visit) -> None:
    admin, support = visit("admin"), visit("support")
    support.expected = {409}
    edit_page_of_a_student(admin)
    support.open(admin.page.url)

    admin.main.get_by_label("Full name").fill("Robin Firstcome")
    admin.main.get_by_role("button", name="Save").click()
    expect(admin.heading).to_contain_text("Robin Firstcome")
    support.main.get_by_label("Full name").fill("Robin Secondcome")
    support.main.get_by_role("button", name="Save").click()

    both = support.main.get_by_role("row").filter(has_text="Full name")
    expect(both).to_contain_text("Robin Firstcome")
    expect(both).to_contain_text("Robin Secondcome")
    expect(support.main).to_contain_text("Ada Lindqvist")
    expect(support.main.get_by_label("Full name")).to_have_value("Robin Secondcome")
    support.main.get_by_role("button", name="Save").click()
    expect(support.heading).to_contain_text("Robin Secondcome")
