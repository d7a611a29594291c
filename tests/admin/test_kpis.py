"""The page of KPIs: numbers with their words, the span before, and the rows that were counted."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask

from guitaronline import clock, policy
from guitaronline.db import session
from guitaronline.identity import access
from guitaronline.identity.access import Permission, Scope
from guitaronline.identity.service import edit_person, set_test
from guitaronline.kpis.definitions import NUMBERS
from tests.admin.browser import Browser, signed_in, words
from tests.kpis.life import Life, counted
from tests.world import World, as_actor

ROWS = re.compile(r'<a href="([^"]*[?&]counted=[^"]*)">([^<]*)</a>')
COUNT = re.compile(r'<span class="muted">([^<]*)</span><div class="grow">')
CARD = re.compile(r'<div class="card kpi" id="([a-z_]+)">(.*?)</details>', re.DOTALL)
ROWS_COUNTED = {each.code for each in NUMBERS if each.counts_rows and each.code != "active_students"}


@pytest.fixture
def life(world: World) -> Life:
    made = Life(world).whole()
    counted()
    return made


def page(browser: Browser, query: str = "range=last-30-days") -> str:
    answer = browser.get(f"/admin/kpis/?{query}")
    assert answer.status_code == 200
    return answer.text


def drilled(text: str) -> list[tuple[str, str, str]]:
    """Of every link to rows: code, address and number."""
    return [(code, unescape(url), number) for code, card in CARD.findall(text) for url, number in ROWS.findall(card)]


def listed(browser: Browser, url: str) -> str:
    found = COUNT.search(browser.get(url).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("query", ["range=last-30-days", "range=last-7-days", "range=yesterday", "range=today"])
def test_the_list_behind_a_number_has_as_many_rows_as_the_number_says(ada: Browser, life: Life, query: str) -> None:
    found = [each for each in drilled(page(ada, query)) if each[0] in {*ROWS_COUNTED, "active_students"}]

    assert {code for code, _, _ in found} == {*ROWS_COUNTED, "active_students"}
    assert {(code, url): listed(ada, url) for code, url, _ in found} == {
        (code, url): number for code, url, number in found
    }


def test_the_rows_are_the_schools_days_whatever_the_viewers_zone(ada: Browser, life: Life) -> None:
    edit_person(as_actor(life.world.ada), life.world.ada.id, changes={"timezone": "Pacific/Kiritimati"})
    found = [each for each in drilled(page(ada, f"from={life.day(4)}&to={life.day(4)}")) if each[0] == "delivered"]

    assert [(number, listed(ada, url)) for _, url, number in found] == [("2", "2"), ("1", "1"), ("1", "1")]


def test_lists_behind_sums_hold_the_rows_that_were_added_up(ada: Browser, life: Life) -> None:
    found = {(code, number): listed(ada, url) for code, url, number in drilled(page(ada))}

    assert found["offered", "9 h"] == "9"
    assert found["booked", "4 h"] == "4"
    assert found["revenue_gross", "99.99 USD"] == "1"
    assert found["refunds", "10.00 USD"] == "1"
    assert found["earned", "99.96 USD"] == "4"
    assert found["outstanding", "9"] == "4"
    assert found["liability", "150.00 EUR"] == "2"


def test_a_test_accounts_rows_are_not_listed(ada: Browser, life: Life) -> None:
    url = next(url for code, url, _ in drilled(page(ada)) if code == "new_students")
    set_test(as_actor(life.world.ada), life.world.ben.id, is_test=True, reason="ours")

    assert listed(ada, url) == "1"


def test_how_things_stand_is_listed_for_the_present_only(ada: Browser, life: Life) -> None:
    yesterday = {code for code, _, _ in drilled(page(ada, "range=yesterday"))}

    assert yesterday & {"outstanding", "expiring", "liability"} == set()
    assert "delivered" in yesterday


def test_a_chip_says_what_is_listed(ada: Browser, life: Life) -> None:
    url = next(
        url for code, url, _ in drilled(page(ada, f"from={life.day(4)}&to={life.day(4)}")) if code == "delivered"
    )

    assert "Counted as: Lessons delivered" in words(ada.get(url).text)


@pytest.mark.parametrize(
    "value",
    [
        "nonsense",
        "delivered",
        "delivered:2026-13-01",
        "refunds:2026-11-01",
        "delivered:2026-11-01:%27",
        "delivered:2026-11-01:a:b:c",
    ],
)
def test_a_filter_that_means_nothing_is_left_out(ada: Browser, value: str) -> None:
    answer = ada.get(f"/admin/lessons/?counted={value}")

    assert answer.status_code == 200
    assert "that filter was left out" in words(answer.text)


@pytest.mark.parametrize(
    "query",
    [
        "range=ever",
        "from=2026-11-30&to=2026-11-01",
        "from=yesterday",
        "from=1999-01-01&to=2026-01-01",
        "from=%00",
        "to=2026-02-30",
        "from=0001-01-01&to=0001-01-02",
        "from=2999-12-31&to=2999-12-31",
    ],
)
def test_a_span_that_means_nothing_is_answered_in_words(ada: Browser, query: str) -> None:
    text = words(page(ada, query))

    assert "last 30" in text or "31 Dec 2999" in text


def test_numbers_have_words_a_comparison_and_a_table(ada: Browser, life: Life) -> None:
    text = page(ada, f"from={life.day(3)}&to={life.day(3)}")

    assert {code for code, _ in CARD.findall(text)} >= {each.code for each in NUMBERS}
    assert "−1 (−50.0 %)" in text
    assert "none before" in text
    assert page(ada).count('role="img"') == page(ada).count("As a table") > 5
    assert " style=" not in text


def test_money_is_for_those_who_may_read_payments(app: Flask, life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    sue = signed_in(app, life.world.sue)
    whole = {code for code, _ in CARD.findall(page(sue))}
    monkeypatch.setitem(access.TABLE[Permission.READ_PAYMENTS], life.world.sue.role, Scope.NO)

    without = {code for code, _ in CARD.findall(page(sue))}

    assert whole - without == {
        "revenue_gross",
        "refunds",
        "credits",
        "disputes_lost",
        "revenue_net",
        "earned",
        "liability",
    }


def test_marking_says_what_follows_and_leaves_an_action(ada: Browser, life: Life) -> None:
    url = f"/admin/people/{life.world.ann.id}/test-account"

    assert "left out of every KPI" in words(ada.get(url).text)
    assert ada.post(url, {"reason": "ours"}).status_code == 303
    assert life.world.again(life.world.ann).is_test is True


def test_today_in_the_schools_zone_decides_what_today_is(ada: Browser, life: Life) -> None:
    with policy.changed(SCHOOL_TIMEZONE="Pacific/Kiritimati"):
        there = clock.read(session()).astimezone(__import__("zoneinfo").ZoneInfo("Pacific/Kiritimati")).date()

        assert f"{there.day} {there:%b %Y}" in words(page(ada, "range=today"))
