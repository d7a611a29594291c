"""The console's desks and pages of invoices: what is shown, to whom, and what they lead to."""

from __future__ import annotations

import io
from datetime import timedelta

import pypdf
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from guitaronline.billing.invoices.addresses import address_of
from guitaronline.billing.invoices.sellers import seller_on
from guitaronline.billing.invoices.taxes import rate_on
from tests.admin.browser import Browser, signed_in, words
from tests.invoices.office import (
    bought,
    credit_notes,
    given_back,
    has_invoice,
    invoice_of,
    lives_in,
    opened,
    rate,
    today,
)
from tests.world import World

SELLER = {
    "name": "Example School", "street": "Road 1", "postal_code": "10115", "city": "Berlin", "country": "DE",
}  # fmt: skip


@pytest.fixture
def finn(app: Flask, world: World) -> Browser:
    return signed_in(app, world.finn)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def test_an_invoice_is_found_by_its_number(world: World, finn: Browser) -> None:
    opened(world)
    invoice = invoice_of(bought(world))

    answer = finn.get(f"/admin/search/?q={invoice.reference.lower()}")

    assert answer.location == f"/admin/invoices/details/?id={invoice.id}"


def test_the_list_is_narrowed_to_one_by_its_number(world: World, finn: Browser) -> None:
    opened(world)
    one, other = invoice_of(bought(world)), invoice_of(bought(world, student=world.ben))

    page = words(finn.get(f"/admin/invoices/?search={one.reference}").text)

    assert (one.reference in page, other.reference in page) == (True, False)


def test_the_page_of_an_invoice_shows_it_as_it_was_issued(world: World, finn: Browser) -> None:
    opened(world)
    made = bought(world)
    given_back(world, made, 1_190)
    invoice, note = invoice_of(made), credit_notes(made)[0]

    page = words(finn.get(f"/admin/invoices/details/?id={invoice.id}").text)

    expected = [
        "Example School GmbH",
        "10 guitar lessons",
        "Tax 19 % (Germany)",
        "19.00 EUR",
        note.reference,
        made.reference,
    ]
    assert [each for each in expected if each not in page] == []


def test_the_pdf_of_an_invoice_says_the_same(world: World, finn: Browser) -> None:
    opened(world)
    invoice = invoice_of(bought(world))

    answer = finn.get(f"/admin/invoices/{invoice.id}.pdf")

    assert answer.content_type == "application/pdf"
    assert f'filename="invoice-{invoice.reference}.pdf"' in answer.headers["Content-Disposition"]
    assert "119.00 EUR" in text_of(answer.data)


def test_a_receipt_of_money_that_is_awaited_is_refused_in_words(world: World, finn: Browser) -> None:
    from tests.billing.books import payment
    from tests.invoices.office import ordered

    awaited = payment(world, ordered(world), 11_900, currency="EUR")

    answer = finn.get(f"/admin/payments/{awaited.id}/receipt.pdf")

    assert answer.status_code == 409
    assert "There is a receipt when the money came." in words(answer.text)


@pytest.mark.parametrize("path", ["invoices", "credit-notes"])
def test_what_does_not_exist_is_not_found(world: World, finn: Browser, path: str) -> None:
    assert finn.get(f"/admin/{path}/{world.ann.id}.pdf").status_code == 404


def test_the_page_of_a_payment_leads_to_its_papers(world: World, finn: Browser) -> None:
    opened(world)
    made = bought(world)

    page = finn.get(f"/admin/payments/details/?id={made.id}").text

    assert f"/admin/invoices/{invoice_of(made).id}.pdf" in page
    assert f"/admin/payments/{made.id}/receipt.pdf" in page


def test_the_page_of_a_purchase_says_until_when_it_can_be_withdrawn_from(world: World, finn: Browser) -> None:
    made = bought(world)

    page = words(finn.get(f"/admin/packages/details/?id={made.package_id}").text)

    assert "Right to withdraw until" in page
    assert "A refund now would be 119.00 EUR" in page


def test_who_sells_is_said_on_a_page(world: World, finn: Browser, db: Session) -> None:
    rate(world, "DE", 1900)

    answer = finn.post("/admin/invoice-settings/new", SELLER)

    assert answer.status_code == 303
    found = seller_on(db, today(world))
    assert found is not None
    assert found.name == "Example School"


def test_a_seller_without_a_rate_is_told_at_the_field(world: World, finn: Browser) -> None:
    answer = finn.post("/admin/invoice-settings/new", SELLER)

    assert answer.status_code == 422
    assert "There is no tax rate for DE" in words(answer.text)


def test_a_rate_is_set_and_ended_on_pages(world: World, finn: Browser, db: Session) -> None:
    day = today(world)
    finn.post("/admin/tax-rates/new", {"country": "AT", "rate": "5.5", "valid_from": day.isoformat()})
    made = rate_on(db, "AT", day)
    assert made is not None
    assert made.rate_bps == 550

    last = day + timedelta(days=1)
    answer = finn.post(f"/admin/tax-rates/{made.id}/end", {"valid_until": last.isoformat(), "reason": "no buyers"})

    assert answer.status_code == 303
    db.rollback()
    assert rate_on(db, "AT", last) is None


@pytest.mark.parametrize("typed", ["", "x", "1.234", "-1", "101", "1e2", "١٩", "NaN"])
def test_what_is_no_percentage_is_refused(world: World, finn: Browser, typed: str) -> None:
    answer = finn.post("/admin/tax-rates/new", {"country": "AT", "rate": typed, "valid_from": today(world).isoformat()})

    assert answer.status_code == 422


def test_an_address_is_given_on_the_persons_page(world: World, finn: Browser, db: Session) -> None:
    typed = {"name": "Ann", "street": "Road 1", "postal_code": "1010", "city": "Wien", "country": "AT"}

    answer = finn.post(f"/admin/people/{world.ann.id}/billing-address", typed)

    assert answer.status_code == 303
    found = address_of(db, world.ann.id)
    assert found is not None
    assert found.city == "Wien"
    assert "Road 1, 1010 Wien, Austria" in words(finn.get(f"/admin/people/details/?id={world.ann.id}").text)


def test_the_auditor_does_not_see_addresses_on_the_persons_page(app: Flask, world: World) -> None:
    lives_in(world, world.ann, "AT", street="Hidden Lane 4")

    page = signed_in(app, world.audrey).get(f"/admin/people/details/?id={world.ann.id}").text

    assert "Hidden Lane" not in page


def test_an_invoice_is_issued_for_money_that_came_before(world: World, finn: Browser) -> None:
    made = bought(world)
    opened(world)
    assert "Tax 19.00 EUR Rate 19 %, Germany" in words(finn.get(f"/admin/payments/{made.id}/invoice").text)

    answer = finn.post(f"/admin/payments/{made.id}/invoice", {})

    assert answer.status_code == 303
    assert has_invoice(made)


def test_a_statement_is_shown_printed_and_taken_along(world: World, finn: Browser) -> None:
    opened(world)
    made = bought(world)
    address = f"/admin/statements/?student={world.ann.id}"

    page = finn.get(address)
    pdf = finn.get(f"/admin/statements/{world.ann.id}.pdf")
    csv = finn.post(f"/admin/statements/{world.ann.id}/csv", {}, opened=page.text)

    assert made.reference in words(page.text)
    assert made.reference in text_of(pdf.data)
    lines = csv.data.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("Day,What,Reference")
    assert [line.split(",")[4] for line in lines[1:]] == ["", "119.00", "-119.00", ""]


def test_a_statement_that_was_taken_along_is_written_down(world: World, finn: Browser) -> None:
    bought(world)
    page = finn.get(f"/admin/statements/?student={world.ann.id}").text

    finn.post(f"/admin/statements/{world.ann.id}/csv", {}, opened=page)

    assert f"student: {world.ann.reference}" in words(finn.get("/admin/exports/").text)


def test_days_that_mean_nothing_are_told(world: World, finn: Browser) -> None:
    page = words(finn.get(f"/admin/statements/?student={world.ann.id}&from=2026-02-30&to=x").text)

    assert "These days cannot be shown" in page


def test_support_reads_and_changes_nothing(app: Flask, world: World) -> None:
    opened(world)
    invoice = invoice_of(bought(world))
    sue = signed_in(app, world.sue)

    assert sue.get(f"/admin/invoices/{invoice.id}.pdf").status_code == 200
    assert sue.get("/admin/invoice-settings/new").status_code == 403
