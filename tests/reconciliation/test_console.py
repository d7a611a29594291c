"""The finance desk: both sides next to each other, candidates with reasons, and every decision by a page and a POST."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation.models import ExceptionStatus, ReconciliationException
from guitaronline.billing.reconciliation.service import run_matching
from tests.admin.browser import Browser, signed_in
from tests.billing.books import payment
from tests.reconciliation.statements import charged, credit, line, matches, the_exception, told
from tests.world import World


@pytest.fixture
def today(world: World) -> date:
    return world.now.date()


@pytest.fixture
def finn(app: Flask, world: World) -> Browser:
    return signed_in(app, world.finn)


def page_of(exception: ReconciliationException) -> str:
    return f"/admin/exceptions/details/?id={exception.id}"


def test_fields_that_differ_are_marked(world: World, db: Session, finn: Browser, today: date) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_901, today, intent_id="pi_1")])
    run_matching(SYSTEM)

    page = finn.get(page_of(the_exception(db))).text

    assert page.count('<mark class="differs">') == 2
    assert {"49.01 USD", "49.00 USD"} == {each for each in ("49.01 USD", "49.00 USD") if each in page}


def test_a_candidate_is_accepted_from_its_page_and_a_second_click_changes_nothing(
    world: World, db: Session, finn: Browser, today: date
) -> None:
    awaited = payment(world, world.package(), 4_900)
    told([credit("b1", 4_900, today)])
    run_matching(SYSTEM)
    waits = the_exception(db)
    assert f"Accept {awaited.reference}" in finn.get(page_of(waits)).text
    url = f"/admin/exceptions/{waits.id}/accept"
    form = finn.get(f"{url}?other={awaited.id}").text

    answers = [finn.post(url, {"other": str(awaited.id)}, opened=form).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert [each.payment_id for each in matches(db)] == [awaited.id]


def test_what_is_too_large_to_write_off_says_so_on_the_button_and_in_the_answer(
    world: World, db: Session, finn: Browser, today: date
) -> None:
    told([credit("b1", 99_900, today)])
    run_matching(SYSTEM)
    waits = the_exception(db)
    url = f"/admin/exceptions/{waits.id}/write-off"
    form = finn.get(url).text

    answer = finn.post(url, {"reason": "let it go"}, opened=form)

    assert answer.status_code == 403
    assert "Your role may write off 5.00 USD at most" in finn.get(page_of(waits)).text
    assert world.again(waits).status is ExceptionStatus.OPEN


def test_the_money_page_shows_rate_and_precision_with_what_they_are_measured_on(
    world: World, db: Session, finn: Browser, today: date
) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_900, today, intent_id="pi_1", fee=172), line("txn_2", 1, today)])
    run_matching(SYSTEM)

    page = finn.get("/admin/money/").text

    expected = ("50.00 %", "100.00 %", "provider id 1", "1.72 USD", "47.28 USD")
    assert [each for each in expected if each not in page] == []


@pytest.mark.parametrize("days", ["", "nonsense", "2026-13", "1999-01-01..2026-01-01", "\x00"])
def test_days_that_mean_nothing_show_this_month(finn: Browser, days: str) -> None:
    assert finn.get("/admin/money/", query_string={"days": days}).status_code == 200


@pytest.mark.parametrize("percent", ["NaN", "-1", "1e3", "100.001", "٣", "999"])
def test_a_percentage_that_is_none_is_refused_in_words(finn: Browser, percent: str) -> None:
    url = "/admin/fee-contracts/new"
    typed = {"account": "stripe", "currency": "USD", "from_on": "2026-01-01", "percent": percent, "fixed": "0.30"}

    assert finn.post(url, typed, opened=finn.get(url).text).status_code == 422


@pytest.mark.parametrize("year", ["9999", "0026"])
def test_a_period_of_no_possible_year_is_refused_in_words(finn: Browser, year: str) -> None:
    url = "/admin/periods/new"
    typed = {"first_on": f"{year}-12-01", "last_on": f"{year}-12-31"}

    shown = finn.get(url, query_string=typed)
    answer = finn.post(url, typed, opened=shown.text)

    assert (shown.status_code, answer.status_code) == (200, 409)
