"""The console's pages of disputes and refunds: what they say before, and what a person sees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.audit import integrity
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.facts import hear
from guitaronline.billing.models import Approval, Payment, Refund
from guitaronline.billing.providers.base import FactKind
from guitaronline.billing.service import open_dispute, refund_payment, set_payment_status
from guitaronline.booking.service import cancel_booking
from guitaronline.db import session
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson
from tests.admin.browser import signed_in, words
from tests.billing.books import is_refund, paid, payment
from tests.invoices.office import bought as invoiced
from tests.invoices.office import invoice_of, opened
from tests.refunds.scripted import bought, told
from tests.world import World, as_actor


@pytest.fixture
def made(world: World) -> Payment:
    return paid(world, world.package(lessons=5, price_minor=49_000))


def disputed(world: World, made: Payment) -> Dispute:
    return open_dispute(as_actor(world.finn), made.id, amount_minor=made.amount_minor, reason="the card was stolen")


def test_the_pack_tells_terms_attendance_decisions_and_proof(app: Flask, world: World, made: Payment) -> None:
    with clock.moved_by(timedelta(days=-3)):
        given, missed = world.booking(world.slot(hours=30)), world.booking(world.slot(hours=34))
        late = world.booking(world.slot(hours=25))
    with clock.moved_by(timedelta(days=-2, hours=-1)):
        cancel_booking(as_actor(world.ann), late.id, reason="a cold")
    lesson = session().scalars(select(Lesson).where(Lesson.booking_id == given.id)).one()
    complete_lesson(as_actor(world.ada), lesson.id)
    dispute = disputed(world, made)
    integrity.seal(everything=True)

    page = words(signed_in(app, world.finn).get(f"/admin/evidence/?dispute={dispute.id}").text)

    assert (
        "A lesson called off 24 hours or more before its start goes back to the package; later it counts as used."
        in page
    )
    assert f"{given.reference} Tom" in page
    assert "given, recorded" in page
    assert f"{missed.reference}" in page
    assert "not recorded yet" in page
    assert "so it counts as used" in page
    assert "booking canceled" in page
    assert "the card was stolen" in page
    assert "has not been proved yet" in page


def test_the_pack_names_the_invoice(app: Flask, world: World) -> None:
    opened(world)
    made = invoiced(world)
    dispute = disputed(world, made)

    page = words(signed_in(app, world.finn).get(f"/admin/evidence/?dispute={dispute.id}").text)

    assert f"Invoice {invoice_of(made).reference}" in page


@pytest.mark.parametrize(
    "asked", ["", "?dispute=", "?dispute=x", "?dispute=00000000-0000-0000-0000-000000000000", "?dispute=%00"]
)
def test_a_pack_of_nothing_is_not_found(app: Flask, world: World, asked: str) -> None:
    assert signed_in(app, world.finn).get(f"/admin/evidence/{asked}").status_code == 404


def test_the_page_of_losing_says_what_will_be_lost(app: Flask, world: World, made: Payment) -> None:
    world.booking()
    dispute = disputed(world, made)

    page = words(signed_in(app, world.finn).get(f"/admin/disputes/{dispute.id}/lost").text)

    assert "Money gone 490.00 USD" in page
    assert "Lessons taken back 4 of the 4 that are free" in page


def test_the_refunds_page_foresees_what_is_ticked(app: Flask, world: World, made: Payment) -> None:
    booked = world.booking()
    finn = signed_in(app, world.finn)

    before = words(finn.get(f"/admin/payments/{made.id}/refund").text)
    looked = words(finn.post(f"/admin/payments/{made.id}/refund", {"cancel": [str(booked.id)], "look": "1"}).text)

    assert "Lessons taken back 4" in before
    assert "Lessons taken back 5" in looked
    assert "is canceled, its lesson goes with the refund" in looked
    assert session().scalars(select(Refund)).all() == []


def test_the_credits_page_says_how_many_lessons_at_most(app: Flask, world: World, made: Payment) -> None:
    finn = signed_in(app, world.finn)
    url = f"/admin/payments/{made.id}/credit"

    looked = words(finn.post(url, {"amount": "98", "lessons": "3", "look": "1"}).text)
    refused = finn.post(url, {"amount": "98", "lessons": "3", "reason": "generous"})

    assert "The amount is worth 1 lessons at most, not 3." in looked
    assert refused.status_code == 422


def test_a_refund_of_a_provider_says_how_far_it_is(app: Flask, world: World) -> None:
    refund = is_refund(refund_payment(as_actor(world.finn), bought(world).id, reason="moved away"))
    finn = signed_in(app, world.finn)

    page = words(finn.get(f"/admin/refunds/details/?id={refund.id}").text)
    refused = finn.post(f"/admin/refunds/{refund.id}/paid-out", {})

    assert "is asked within seconds" in page
    assert "Sandbox pays it out, and says how it ended." in page
    assert refused.status_code == 409


def test_what_came_unasked_waits_on_today_until_somebody_looked(app: Flask, world: World) -> None:
    payment_ = bought(world)
    hear(SYSTEM, payment_.id, facts=[told(payment_, FactKind.REFUNDED, 2, 4_900, refund_reference="re_own")])
    refund = session().scalars(select(Refund)).one()
    finn = signed_in(app, world.finn)

    before = words(finn.get("/admin/refunds/?waiting=to_look_at").text)
    answer = finn.post(f"/admin/refunds/{refund.id}/looked-at", {"reason": "done in their dashboard"})

    assert refund.reference in before
    assert "is succeeded" in words(finn.get(answer.headers["Location"]).text)
    assert refund.reference not in words(finn.get("/admin/refunds/?waiting=to_look_at").text)


def test_an_approval_that_waits_alone_says_until_when(app: Flask, world: World) -> None:
    with policy.changed(ONE_PERSON_APPROVALS=True, OWNER_EMAIL="owner@school.example"):
        made = payment(world, world.package(), 50_001)
        asked = set_payment_status(as_actor(world.finn), made.id, status="succeeded", reason="cash")
    assert isinstance(asked, Approval)

    page = words(signed_in(app, world.finn).get(f"/admin/approvals/details/?id={asked.id}").text)

    assert "unless somebody says no" in page


def test_a_provider_payments_buttons_say_why_not(app: Flask, world: World) -> None:
    page = words(signed_in(app, world.finn).get(f"/admin/payments/details/?id={bought(world).id}").text)

    assert "Sandbox tells of its disputes by itself." in page
    assert "Its provider says what becomes of it, not a person." in page
