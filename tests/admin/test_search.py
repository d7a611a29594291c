"""The search of the whole console: what is meant exactly comes first, and nobody finds what their role may not see."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import text

from guitaronline.actor import Role
from guitaronline.billing import service as billing
from guitaronline.db import session
from guitaronline.identity.finding import people_called
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School
from tests.world import World

REFERENCED = ("booked", "given", "package", "paid", "refund", "open_slot", "child")


def suggested(browser: Browser, typed: str) -> dict[str, list[str]]:
    """Titles by group, as the box under the field shows them."""
    answer = browser.get(f"/admin/search/suggest?q={quote(typed)}")
    assert answer.status_code == 200
    groups: list[dict[str, Any]] = answer.json["groups"] if answer.json else []
    return {group["title"]: [hit["title"] for hit in group["hits"]] for group in groups}


@pytest.mark.parametrize("name", REFERENCED)
def test_a_reference_leads_straight_to_its_record(ada: Browser, school: School, name: str) -> None:
    record = school[name]

    answer = ada.get(f"/admin/search/?q=%20{record.reference.lower()}%20")

    assert answer.status_code == 303
    assert str(record.id) in answer.headers["Location"]
    assert record.reference in ada.get(answer.headers["Location"]).text


def test_an_id_leads_straight_to_its_record(ada: Browser, school: School) -> None:
    answer = ada.get(f"/admin/search/?q={school.booked.id}")

    assert answer.headers["Location"] == f"/admin/bookings/details/?id={school.booked.id}"


def test_the_providers_number_leads_straight_to_the_payment(ada: Browser, school: School) -> None:
    payment = billing.record_payment(
        school.finance,
        package_id=school.package.id,
        amount_minor=100,
        currency="USD",
        external_reference="WIRE 2026/17",
    )

    answer = ada.get("/admin/search/?q=WIRE+2026/17")

    assert str(payment.id) in answer.headers["Location"]


@pytest.mark.parametrize(
    "typed", ["eve@people.example", "EVE@People.Example", "eve@peop", "555 0199", "+49 (30) 5550199"]
)
def test_those_who_may_see_contacts_find_by_them(app: Flask, world: World, typed: str) -> None:
    eve = world.person("Eve Stone", Role.STUDENT, email="eve@people.example", phone="+49 30 5550199")
    world.person("Moe", Role.STUDENT, phone="+49 30 1112223")
    support, finance = signed_in(app, world.sue), signed_in(app, world.finn)

    found = [hits for hits in suggested(support, typed).values() if "Eve Stone" in hits]

    assert found == [["Eve Stone"]]
    assert suggested(finance, typed) == {}
    assert "Eve Stone" in suggested(finance, "eve")["People"]
    assert eve.email not in finance.get("/admin/search/?q=eve").text


def test_the_likest_name_comes_first(app: Flask, world: World) -> None:
    names = ("Joanna Lee", "Anna-Maria Oz", "Lee Anna", "Anna")
    made = {
        name: world.person(name, Role.STUDENT, email=f"{number}@people.example") for number, name in enumerate(names)
    }

    found = people_called(session(), "anna", limit=10, by_contact=False)

    assert [person.full_name for person in found] == ["Anna", "Anna-Maria Oz", "Lee Anna", "Joanna Lee"]
    assert people_called(session(), "anna", limit=1, by_contact=False) == [made["Anna"]]


def test_words_of_a_name_are_found_in_any_order(world: World) -> None:
    world.person("Ava Abbott", Role.STUDENT, email="a@people.example")
    world.person("Ava Berger", Role.STUDENT, email="b@people.example")

    found = people_called(session(), "abb ava", limit=10, by_contact=False)

    assert [person.full_name for person in found] == ["Ava Abbott"]


@pytest.mark.parametrize("typed", ["%", "_", "%%", "\\", "' OR 1=1 --", "a%"])
def test_signs_of_the_database_are_just_signs(world: World, typed: str) -> None:
    assert world.ann

    assert people_called(session(), typed, limit=10, by_contact=True) == []


def test_plans_and_open_tasks_are_found_by_their_words(ada: Browser, school: School) -> None:
    assert school.plan
    assert school.open_task
    assert school.done_task

    assert suggested(ada, "ten")["Plans"] == ["Ten"]
    assert suggested(ada, "call")["Open tasks"] == ["Call"]
    assert "Open tasks" not in suggested(ada, "write")


@pytest.mark.parametrize(
    ("typed", "first"),
    [("audit", "Audit"), ("new bo", "New booking"), ("calen", "Calendar"), ("prices", "Plans"), ("b", "Bookings")],
)
def test_pages_and_actions_are_found_by_name(ada: Browser, typed: str, first: str) -> None:
    assert suggested(ada, typed)["Pages and actions"][0] == first


def test_a_role_finds_only_what_it_may_open(app: Flask, school: School) -> None:
    support, auditor = signed_in(app, school.world.sue), signed_in(app, school.world.audrey)
    assert school.plan

    assert "Pages and actions" not in suggested(support, "integrity")
    assert suggested(auditor, "integrity") == {"Pages and actions": ["Integrity"]}
    assert suggested(auditor, "new booking") == {}
    assert suggested(support, "ten") == {}
    assert suggested(auditor, "ten") == {"Plans": ["Ten"]}


def test_the_page_says_what_was_found_and_where_else_to_look(ada: Browser, world: World) -> None:
    world.person("Ann Oak", Role.STUDENT, email="oak@people.example")

    page = ada.get("/admin/search/?q=oak")

    assert "Found for “oak”" in words(page.text)
    assert "Ann Oak" in page.text
    assert "/admin/bookings/?search=oak" in page.text
    assert "Nothing is called that." in ada.get("/admin/search/?q=nobody-at-all").text


@pytest.mark.parametrize("typed", ["%00", "a%00b", "x" * 101, "x" * 20_000])
def test_what_nobody_types_is_answered_in_words(ada: Browser, typed: str) -> None:
    page, box = ada.get(f"/admin/search/?q={typed}"), ada.get(f"/admin/search/suggest?q={typed}")

    assert page.status_code == 200
    assert "alert-warning" in page.text
    assert box.status_code == 422
    assert "earch" in (box.json or {})["error"]


@pytest.mark.parametrize("typed", ["", "%20%20", "BK-NOTHING", "01a21d20-6b8b-7420-bbfc-75e7e4a0b8fa", "ü", "१२३४५६"])
def test_what_finds_nothing_is_no_mistake(ada: Browser, typed: str) -> None:
    assert ada.get(f"/admin/search/suggest?q={typed}").json == {"groups": []}
    assert ada.get(f"/admin/search/?q={typed}").status_code == 200


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("users WHERE full_name ILIKE '%ann oak%'", "ix_users_full_name_trgm"),
        (r"users WHERE regexp_replace(phone, '\D', '', 'g') LIKE '%' || '5550199' || '%'", "ix_users_phone_digits"),
    ],
)
def test_each_search_has_its_index(world: World, where: str, index: str) -> None:
    assert world.ann
    session().execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off"))
    session().execute(text("SET LOCAL enable_indexonlyscan = off"))  # few rows: any index would do

    plan = session().execute(text(f"EXPLAIN SELECT id FROM {where}".replace(":", "\\:"))).scalars().all()

    assert index in "\n".join(plan)


def test_every_page_of_the_console_has_the_search(ada: Browser) -> None:
    page = ada.get("/admin/bookings/").text

    assert page.index('id="global-search"') < page.index("<main")
    assert 'data-suggest="/admin/search/suggest"' in page
