"""What people see of a purchase: the sandbox's page, the school's thanks, and the console's desks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.models import PackageStatus
from guitaronline.billing.provider_models import PaymentException, ProviderEvent
from guitaronline.billing.sandbox_models import SandboxCheckout, SandboxEvent
from guitaronline.billing.sandbox_post import send_due
from guitaronline.billing.service import open_page
from guitaronline.db import new_id
from jobs import payments
from tests.admin.browser import Browser, signed_in, words
from tests.purchase.shop import bought, fact, post, tell, work_off
from tests.world import World


def page_of(world: World) -> tuple[Any, str]:
    made = bought(world)
    url = open_page(made.payment.id).url or ""
    return made, "/" + url.split("/", 3)[3]


def test_the_page_says_what_is_paid_and_that_it_is_play_money(app: Flask, world: World) -> None:
    _, url = page_of(world)

    read = words(Browser(app).get(url).text)

    assert "Ten lessons" in read
    assert "490.00 USD" in read
    assert "Play money" in read


def test_paying_leads_back_to_the_school_and_is_told_once(app: Flask, world: World, db: Session) -> None:
    _, url = page_of(world)
    browser = Browser(app)

    paid = browser.post(url, {"choice": "pay"})
    again = browser.post(url, {"choice": "pay"}, opened=paid.text or browser.get("/thank-you").text)

    assert (paid.status_code, paid.headers["Location"]) == (303, "http://127.0.0.1:8000/thank-you")
    assert again.status_code in (303, 400)
    assert db.query(SandboxEvent).count() == 1


def test_a_whole_purchase_goes_through_real_signed_requests(app: Flask, live: str, world: World) -> None:
    made, url = page_of(world)
    Browser(app).post(url, {"choice": "pay"})

    sent = send_due()
    taken = payments.take_events()

    assert (sent, taken) == (1, 1)
    assert world.again(made.package).status is PackageStatus.ACTIVE
    assert send_due() == 0


def test_what_the_webhook_does_not_take_is_sent_again(app: Flask, world: World, db: Session) -> None:
    """Nobody listens at the public address."""
    with policy.changed(PUBLIC_BASE_URL="http://127.0.0.1:9"):
        _, url = page_of(world)
        Browser(app).post(url, {"choice": "pay"})
        assert send_due() == 1
        with clock.moved_by(timedelta(minutes=2)):
            assert send_due() == 1

    assert db.query(SandboxEvent).one().sent_at is None


def test_a_declined_card_is_told_and_can_be_tried_again(app: Flask, world: World, db: Session) -> None:
    _, url = page_of(world)
    browser = Browser(app)

    browser.post(url, {"choice": "decline"})

    assert "The card was declined" in words(browser.get(url).text)
    assert db.query(SandboxEvent).one().body["kind"] == "failed"


def test_told_late_the_event_waits_a_minute(app: Flask, world: World, db: Session) -> None:
    _, url = page_of(world)

    Browser(app).post(url, {"choice": "late"})

    assert db.query(SandboxEvent).one().send_at > world.now + timedelta(seconds=50)


def test_after_a_day_the_page_takes_no_money(app: Flask, world: World, db: Session) -> None:
    _, url = page_of(world)
    browser = Browser(app)

    with clock.moved_by(timedelta(hours=25)):
        opened = browser.get(url).text
        browser.post(url, {"choice": "pay"}, opened=Browser(app).get("/thank-you").text)

    assert "The time to pay is over" in words(opened)
    assert db.query(SandboxCheckout).one().state == "open"


def test_a_form_without_the_token_of_its_page_is_refused(app: Flask, world: World, db: Session) -> None:
    _, url = page_of(world)

    answer = Browser(app).send("POST", url, data={"choice": "pay"})

    assert answer.status_code == 400
    assert db.query(SandboxCheckout).one().state == "open"


@pytest.mark.parametrize("token", ["nothing", "a" * 200, "%00", "é"])
def test_there_is_no_other_page(app: Flask, world: World, token: str) -> None:
    assert Browser(app).get(f"/sandbox/checkout/{token}").status_code == 404


def test_a_choice_that_is_none_changes_nothing(app: Flask, world: World, db: Session) -> None:
    _, url = page_of(world)

    assert Browser(app).post(url, {"choice": "steal"}).status_code == 422
    assert db.query(SandboxEvent).count() == 0


def test_thanks_say_nothing_about_anybody(app: Flask, world: World) -> None:
    assert "As soon as the payment is confirmed" in words(Browser(app).get("/thank-you").text)


# The console


def test_a_payments_page_shows_what_the_provider_said(app: Flask, world: World) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment))

    read = words(signed_in(app, world.finn).get(f"/admin/payments/details/?id={made.payment.id}").text)

    assert "What the provider said" in read
    assert "pay_1" in read
    assert "Ask the provider" in read


def test_finance_tries_a_dead_event_again(app: Flask, world: World, db: Session) -> None:
    made = bought(world)
    post(fact(made.payment, payment_id=new_id()))
    with clock.moved_by(timedelta(hours=25)):
        work_off()
    event = db.query(ProviderEvent).one()
    browser = signed_in(app, world.finn)

    shown = words(browser.get(f"/admin/provider-events/details/?id={event.id}").text)
    done = browser.post(f"/admin/provider-events/{event.id}/retry", {"reason": "recorded now"})

    assert "its payment never came" in shown
    assert done.status_code == 303
    assert world.again(event).status == "received"


def test_finance_resolves_an_exception_with_words(app: Flask, world: World, db: Session) -> None:
    made = bought(world)
    tell(made.payment, fact(made.payment, amount_minor=1))
    found = db.query(PaymentException).one()
    browser = signed_in(app, world.finn)

    listed = words(browser.get("/admin/payment-exceptions/?state=open").text)
    refused = browser.post(f"/admin/payment-exceptions/{found.id}/resolve", {"reason": ""})
    done = browser.post(f"/admin/payment-exceptions/{found.id}/resolve", {"reason": "given back at the provider"})

    assert "wrong amount" in listed.lower()
    assert (refused.status_code, done.status_code) == (422, 303)
    assert world.again(found).resolution == "given back at the provider"


def test_a_providers_payment_has_no_button_to_receive_it(app: Flask, world: World) -> None:
    made = bought(world)

    read = words(signed_in(app, world.finn).get(f"/admin/payments/{made.payment.id}/received").text)

    assert "Its provider says what becomes of it" in read


def test_finance_has_the_provider_asked(app: Flask, world: World) -> None:
    made = bought(world)

    done = signed_in(app, world.finn).post(f"/admin/payments/{made.payment.id}/ask", {"reason": ""})

    assert done.status_code == 303
    assert payments.ask_providers() == 1
