"""What a second person sees before allowing a refund or credit, and where exceptions are looked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from guitaronline import policy
from guitaronline.billing.models import Approval, Payment
from guitaronline.billing.service import credit_payment
from guitaronline.booking.refunding import Decided, With, refund_with_bookings
from guitaronline.booking.service import cancel_booking
from tests.admin.browser import signed_in, words
from tests.billing.books import paid
from tests.world import World, as_actor


@pytest.fixture
def made(world: World) -> Payment:
    package = world.package(lessons=5, price_minor=49_000, expires_at=world.now + timedelta(days=60))
    return paid(world, package)


def page_of(app: Flask, world: World, asked: object) -> str:
    assert isinstance(asked, Approval)
    return words(signed_in(app, world.ada).get(f"/admin/approvals/{asked.id}/approve").text)


def test_who_allows_a_refund_sees_what_goes_with_it(app: Flask, world: World, made: Payment) -> None:
    booked = world.booking()
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = refund_with_bookings(
            as_actor(world.finn), made.id, bookings=[Decided(booked.id, With.CANCEL)], reason="moved away"
        )

    page = page_of(app, world, asked)

    assert "What refund, 490.00 USD" in page
    assert "Lessons taken back 5" in page
    assert f"Bookings canceled with it {booked.reference}" in page


def test_a_credit_is_called_one(app: Flask, world: World, made: Payment) -> None:
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = credit_payment(as_actor(world.finn), made.id, lessons=4, reason="agreed")

    page = page_of(app, world, asked)

    assert "What credit in lessons, 490.00 USD" in page
    assert "Lessons taken back 5" in page
    assert "Lessons in a new package 4" in page
    assert "Bookings canceled with it none" in page


def test_what_would_be_refused_is_said_before(app: Flask, world: World, made: Payment) -> None:
    booked = world.booking()
    with policy.changed(APPROVAL_ABOVE_MINOR=10_000):
        asked = refund_with_bookings(
            as_actor(world.finn), made.id, bookings=[Decided(booked.id, With.CANCEL)], reason="moved away"
        )
    cancel_booking(as_actor(world.sue), booked.id, reason="called")

    assert f"{booked.reference} is not a booking of this package still to come." in page_of(app, world, asked)


@pytest.mark.parametrize(
    ("desk", "other", "says"),
    [
        ("exceptions", "/admin/payment-exceptions/", "files of providers and banks"),
        ("payment-exceptions", "/admin/exceptions/", "A provider told us of money"),
    ],
)
def test_each_list_of_exceptions_says_what_it_holds_and_leads_to_the_other(
    app: Flask, world: World, desk: str, other: str, says: str
) -> None:
    page = signed_in(app, world.finn).get(f"/admin/{desk}/").text

    assert says in words(page)
    assert f'href="{other}"' in page.partition("<h1>")[2]
