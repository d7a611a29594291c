"""What is read: lists, records, and what each role may see of them."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.admin import listing
from guitaronline.billing.service import grant_package
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.identity.service import write_note
from tests.admin.browser import links, signed_in, words
from tests.admin.conftest import School
from tests.world import World, as_actor


@pytest.mark.parametrize(("who", "seen"), [("sue", True), ("ada", True), ("finn", False), ("audrey", False)])
def test_contact_data_is_clear_on_the_persons_page_only_and_for_those_who_need_it(
    app: Flask, world: World, who: str, seen: bool
) -> None:
    eve = world.person("Eve", Role.STUDENT, phone="+49 30 5550199")
    browser = signed_in(app, getattr(world, who))

    pages = [browser.get("/admin/people/").text, browser.get(f"/admin/people/details/?id={eve.id}").text]

    assert [("eve@people.example" in page, "5550199" in page) for page in pages] == [(False, False), (seen, seen)]
    assert "e•••@p•••.example" in pages[0]
    assert all("Eve" in page for page in pages)


def test_a_search_does_not_give_away_what_is_masked(app: Flask, world: World) -> None:
    world.person("Eve", Role.STUDENT, phone="+49 30 5550199")
    finance, support = signed_in(app, world.finn), signed_in(app, world.sue)

    found = [
        [
            browser.get(f"/admin/people/?search={words_}").text.count(">Eve<")
            for words_ in ("eve@people", "5550199", "Eve")
        ]
        for browser in (finance, support)
    ]

    assert found == [[0, 0, 1], [1, 1, 1]]


def test_support_reads_own_actions_only(app: Flask, world: World) -> None:
    world.slot()
    browser = signed_in(app, world.sue)
    write_note(as_actor(world.sue), record_type="users", record_id=world.ann.id, body="hello")

    page = words(browser.get("/admin/audit/").text)

    assert "Note: write" in page
    assert "Slot: create" not in page


def test_an_action_that_is_not_shown_in_the_list_is_not_shown_by_its_id(app: Flask, world: World) -> None:
    slot = world.slot()
    admin, support = signed_in(app, world.ada), signed_in(app, world.sue)
    listed = [url for url in links(admin.get("/admin/audit/?action=slot.create").text) if "/audit/details/" in url]

    assert slot
    assert admin.get(listed[0]).status_code == 200
    assert support.get(listed[0]).status_code == 404


def test_finance_reads_actions_about_money(app: Flask, world: World) -> None:
    world.package()
    world.slot()
    page = words(signed_in(app, world.finn).get("/admin/audit/").text)

    assert "Package: grant" in page
    assert "Slot: create" not in page


def test_a_reference_finds_its_record_alone(app: Flask, school: School) -> None:
    browser = signed_in(app, school.world.sue)
    reference = school["booked"].reference

    page = browser.get(f"/admin/bookings/?search={reference.lower()}")

    assert _listed(page.text) == [reference]


def test_a_name_finds_the_persons_bookings(app: Flask, school: School) -> None:
    assert [school.booked, school.held, school.waiting, school.given]
    browser = signed_in(app, school.world.sue)

    assert len(_listed(browser.get("/admin/bookings/?search=ann").text)) == 4
    assert _listed(browser.get("/admin/bookings/?search=ben").text) == []


def test_a_lapsed_hold_reads_expired_before_any_job_has_run(app: Flask, world: World, owner: object) -> None:
    from datetime import timedelta

    from guitaronline import clock

    world.package()
    with clock.moved_by(timedelta(hours=-1)):
        held = world.hold(world.slot(hours=30))
    browser = signed_in(app, world.sue)

    assert held.reference in browser.get("/admin/bookings/?state=expired").text
    assert held.reference not in browser.get("/admin/bookings/?state=hold").text
    assert "expired" in words(browser.get(f"/admin/bookings/details/?id={held.id}").text)


def test_pages_together_are_the_whole_without_doubles(app: Flask, world: World) -> None:
    made = {world.person(f"Student {number}", Role.STUDENT, email=None).reference for number in range(60)}
    browser = signed_in(app, world.sue)

    pages = [browser.get(f"/admin/people/?sort=0&page={page}").text for page in range(4)]

    shown = [name for page in pages for name in _names(page)]
    assert len(shown) == len(set(shown)) == len(made) + 1
    assert _names(pages[3]) == []


def test_the_count_is_exact_up_to_its_cap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [world.ann, world.ben, world.tom]
    monkeypatch.setattr(listing, "COUNT_UP_TO", 2)

    capped = listing.count_rows(session(), select(User.id), table="users", is_whole=False)

    assert str(capped) == "more than 2"


def test_times_are_in_the_viewers_zone_with_its_name_and_utc_on_hover(app: Flask, world: World) -> None:
    from guitaronline.identity.service import edit_person

    edit_person(as_actor(world.ada), world.sue.id, changes={"timezone": "Asia/Kolkata"})
    world.package()
    booking = world.booking()
    browser = signed_in(app, world.sue)

    page = browser.get(f"/admin/bookings/details/?id={booking.id}").text

    assert " IST</time>" in page
    assert "Ann (UTC)" in page
    assert ' UTC"' in page


def test_today_counts_what_waits(app: Flask, school: School) -> None:
    assert school.everything()
    page = words(signed_in(app, school.world.ada).get("/admin/").text)

    assert "1 Holds about to lapse" in page
    assert "1 Lessons without an outcome" in page
    assert "1 Your tasks" in page
    assert "2 Approvals waiting" in page


def test_bookings_of_a_disabled_teacher_wait_for_a_decision(app: Flask, school: School) -> None:
    from guitaronline.teachers.service import disable_teacher

    assert school.booked
    disable_teacher(as_actor(school.world.ada), school["profile"].id, reason="ill")

    page = signed_in(app, school.world.sue).get("/admin/bookings/?waiting=needs_a_decision").text

    assert school["booked"].reference in page


def test_what_a_role_may_not_open_is_no_link(app: Flask, school: School) -> None:
    package = grant_package(
        school.admin, student_id=school.world.ann.id, lessons_total=1, plan_id=school.plan.id, reason="gift"
    )
    address = f"/admin/packages/details/?id={package.id}"

    support, finance = (signed_in(app, person).get(address).text for person in (school.world.sue, school.world.finn))

    assert ("/admin/plans/" in support, "/admin/plans/" in finance) == (False, True)
    assert "Ten" in words(support)


def test_a_small_role_is_shown_only_what_it_may_open(app: Flask, world: World) -> None:
    support = signed_in(app, world.sue)
    page = support.get("/admin/").text

    assert "/admin/checks/" not in page
    assert {support.get(url).status_code for url in links(page)} == {200}


def _listed(page: str) -> list[str]:
    import re

    return re.findall(r">(BK-[0-9A-Z]+)</a>", page)


def _names(page: str) -> list[str]:
    import re

    return re.findall(r">(Student \d+|Sue)</a></span></td>", page)
