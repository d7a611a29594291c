"""Invoices and credit notes come to be with the money, and stay as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.invoices.issuing import issue_invoice
from guitaronline.billing.invoices.models import CreditNote, Invoice
from guitaronline.billing.invoices.refusals import InvoiceExists, NothingToInvoice, SellerMissing
from guitaronline.billing.models import Approval
from guitaronline.billing.service import (
    cancel_refund,
    decide_approval,
    refund_payment,
    set_payment_status,
    settle_refund,
)
from guitaronline.errors import NotAllowed
from guitaronline.identity.service import add_guardian
from tests.billing.books import is_refund, paid, payment
from tests.invoices.office import (
    bought,
    credit_notes,
    given_back,
    has_invoice,
    invoice_of,
    lives_in,
    opened,
    ordered,
    rate,
    references,
)
from tests.owner import tamper
from tests.world import World, as_actor

SYLVESTER = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)  # the last second of the year in Berlin


def amounts(paper: Any) -> tuple[int, int, int]:
    return paper.gross_minor, paper.net_minor, paper.tax_minor


def test_a_payment_that_succeeds_has_its_invoice(world: World) -> None:
    opened(world)
    lives_in(world, world.ann, "DE")

    invoice = invoice_of(bought(world))

    year = invoice.issued_on.year
    assert invoice.reference == f"INV-{year}-000001"
    assert (amounts(invoice), invoice.currency, invoice.rate_bps, invoice.country) == (
        (11_900, 10_000, 1_900),
        "EUR",
        1900,
        "DE",
    )
    assert invoice.seller["name"] == "Example School GmbH"
    assert invoice.buyer["city"] == "Town"
    assert invoice.lines[0]["text"] == "10 guitar lessons"


def test_an_approved_payment_has_its_invoice_only_then(world: World) -> None:
    opened(world)
    large = payment(world, ordered(world, 90_000), 90_000, currency="EUR")
    approval = set_payment_status(as_actor(world.finn), large.id, status="succeeded", reason="seen")
    assert isinstance(approval, Approval)
    assert not has_invoice(large)

    decide_approval(as_actor(world.ada), approval.id, approve=True)

    assert has_invoice(large)


def test_a_failed_payment_has_none_and_uses_no_number(world: World) -> None:
    opened(world)
    made = payment(world, ordered(world), 11_900, currency="EUR")
    set_payment_status(as_actor(world.finn), made.id, status="failed", reason="it did not come")

    bought(world, student=world.ben)

    assert not has_invoice(made)
    assert [each[-6:] for each in references()] == ["000001"]


def test_nobody_is_invoiced_before_the_school_says_who_sells(world: World) -> None:
    made = bought(world)

    assert not has_invoice(made)


def test_another_program_may_write_the_invoices(world: World) -> None:
    opened(world)

    with policy.changed(INVOICES="off"):
        assert not has_invoice(bought(world))


def test_the_guardian_who_pays_is_the_buyer(world: World) -> None:
    opened(world)
    child = world.person("Mia", world.ann.role, email=None)
    add_guardian(as_actor(world.sue), child.id, guardian_id=world.ben.id)
    lives_in(world, world.ben, "DE", name="Ben Senior")

    invoice = invoice_of(bought(world, student=child))

    assert invoice.buyer["name"] == "Ben Senior"
    assert "for Mia" in invoice.lines[0]["detail"]
    assert invoice.student_id == child.id


def test_a_changed_address_changes_no_invoice(world: World) -> None:
    opened(world)
    lives_in(world, world.ann, "DE", city="Bonn")
    made = bought(world)

    lives_in(world, world.ann, "DE", city="Kiel")

    assert invoice_of(made).buyer["city"] == "Bonn"
    assert invoice_of(bought(world)).buyer["city"] == "Kiel"


# Which tax


@pytest.mark.parametrize(("country", "rate_bps", "taxed_by"), [("AT", 2000, "AT"), ("JP", 1900, "DE"), ("US", 0, "US")])
def test_the_buyers_country_decides_and_where_it_has_no_rate_the_sellers(
    world: World, country: str, rate_bps: int, taxed_by: str
) -> None:
    opened(world)
    rate(world, "AT", 2000)
    rate(world, "US", 0, exemption="Outside the scope of VAT.")
    lives_in(world, world.ann, country)

    invoice = invoice_of(bought(world))

    assert (invoice.rate_bps, invoice.country) == (rate_bps, taxed_by)


def test_who_gave_no_address_pays_the_sellers_tax(world: World) -> None:
    opened(world)

    invoice = invoice_of(bought(world))

    assert (invoice.rate_bps, invoice.country, invoice.buyer) == (1900, "DE", {"name": "Ann"})


def test_a_small_business_charges_no_tax_and_says_why(world: World) -> None:
    opened(world, exemption="No tax is charged: small business.")
    rate(world, "AT", 2000)
    lives_in(world, world.ann, "AT")

    invoice = invoice_of(bought(world))

    assert amounts(invoice) == (11_900, 11_900, 0)
    assert "No tax is charged: small business." in invoice.texts


def test_the_rate_of_the_day_holds(world: World) -> None:
    opened(world)
    start = world.now
    rate(world, "DE", 1600, valid_from=(start + timedelta(days=10)).date())

    before = invoice_of(bought(world))
    with clock.standing_at(start + timedelta(days=10)):
        after = invoice_of(bought(world, student=world.ben))

    assert (before.rate_bps, after.rate_bps) == (1900, 1600)


# Numbers


def test_the_year_is_the_schools(world: World) -> None:
    opened(world)

    with policy.changed(SCHOOL_TIMEZONE="Europe/Berlin"):
        with clock.standing_at(SYLVESTER):
            old = invoice_of(bought(world))
        with clock.standing_at(SYLVESTER + timedelta(seconds=1)):
            new = invoice_of(bought(world, student=world.ben))

    assert (old.reference, new.reference) == ("INV-2026-000001", "INV-2027-000001")


def test_credit_notes_count_for_themselves(world: World) -> None:
    opened(world)
    first, second = bought(world), bought(world, student=world.ben)

    given_back(world, second, 100)
    given_back(world, first, 100)

    assert [each[-6:] for each in references()] == ["000001", "000002"]
    assert [each[:3] + each[-6:] for each in references(CreditNote)] == ["CN-000001", "CN-000002"]


# Credit notes


def test_each_refund_that_was_paid_out_has_its_credit_note(world: World) -> None:
    opened(world)
    made = bought(world, 11_900)

    refund = given_back(world, made, 5_950)

    note = credit_notes(made)[0]
    assert (amounts(note), note.refund_id, note.invoice_id) == ((5_950, 5_000, 950), refund.id, invoice_of(made).id)
    assert invoice_of(made).reference in note.texts[0]


def test_the_last_credit_note_takes_the_rest(world: World) -> None:
    opened(world)
    made = bought(world, 100)
    whole = amounts(invoice_of(made))

    given_back(world, made, 33)
    given_back(world, made, 33)
    given_back(world, made, 34)

    sums = tuple(sum(part) for part in zip(*[amounts(each) for each in credit_notes(made)], strict=True))
    assert whole == sums == (100, 84, 16)


def test_a_refund_that_is_pending_failed_or_canceled_has_none(world: World) -> None:
    opened(world)
    made, finn = bought(world), as_actor(world.finn)
    failed = is_refund(refund_payment(finn, made.id, amount_minor=100, reason="goodwill"))
    settle_refund(finn, failed.id, succeeded=False, reason="account closed")
    canceled = is_refund(refund_payment(finn, made.id, amount_minor=100, reason="goodwill"))
    cancel_refund(finn, canceled.id, reason="a mistake")

    refund_payment(finn, made.id, amount_minor=100, reason="goodwill")

    assert credit_notes(made) == []


def test_a_payment_recorded_as_refunded_has_one_credit_note_of_all(world: World) -> None:
    opened(world)
    made = bought(world)

    set_payment_status(as_actor(world.finn), made.id, status="refunded", reason="changed their mind")

    assert [amounts(each) for each in credit_notes(made)] == [amounts(invoice_of(made))]


# Afterwards


def test_money_that_came_before_can_be_invoiced_with_what_went_back(world: World) -> None:
    made = bought(world)
    given_back(world, made, 1_190)
    opened(world)

    invoice = issue_invoice(as_actor(world.finn), made.id)

    assert amounts(invoice) == (11_900, 10_000, 1_900)
    assert [amounts(each) for each in credit_notes(made)] == [(1_190, 1_000, 190)]


def test_a_second_invoice_is_refused(world: World) -> None:
    opened(world)
    made = bought(world)

    with pytest.raises(InvoiceExists):
        issue_invoice(as_actor(world.finn), made.id)


def test_what_was_not_paid_is_not_invoiced(world: World) -> None:
    opened(world)
    awaited = payment(world, ordered(world), 11_900, currency="EUR")

    with pytest.raises(NothingToInvoice):
        issue_invoice(as_actor(world.finn), awaited.id)


def test_without_a_seller_nothing_is_issued_by_hand_either(world: World) -> None:
    made = bought(world)

    with pytest.raises(SellerMissing):
        issue_invoice(as_actor(world.finn), made.id)


def test_support_issues_nothing(world: World) -> None:
    opened(world)
    made = paid(world, world.package(price_minor=500), 500)

    with pytest.raises(NotAllowed):
        issue_invoice(as_actor(world.sue), made.id)


@pytest.mark.parametrize(
    "statement", ["UPDATE invoices SET gross_minor = 1", "DELETE FROM invoices", "TRUNCATE invoices CASCADE"]
)
def test_not_even_the_owner_changes_what_was_issued(world: World, owner: Connection, statement: str) -> None:
    opened(world)
    bought(world)

    with owner.cursor() as cursor, pytest.raises(psycopg2.Error, match=r"not possible|needs an audit action"):
        cursor.execute(statement)


@pytest.mark.breaks_invariants
@pytest.mark.parametrize(
    ("check", "statement"),
    [
        ("I12 invoice numbers", "DELETE FROM invoices WHERE sequence = 1"),
        ("I12 invoice numbers", "UPDATE number_series SET last_number = 7 WHERE series = 'CN'"),
        ("I12 invoices", "UPDATE payments SET amount_minor = 12000"),
        ("I12 invoices", "DELETE FROM credit_notes; DELETE FROM invoices"),
        ("I12 credit notes", "DELETE FROM credit_notes"),
        ("I12 credit notes", "UPDATE credit_notes SET net_minor = net_minor - 1, tax_minor = tax_minor + 1"),
        ("I12 credit notes", "UPDATE refunds SET amount_minor = 11800"),
    ],
)
def test_the_nightly_checks_find_what_is_wrong(
    world: World, db: Session, owner: Connection, check: str, statement: str
) -> None:
    from guitaronline import checks

    with clock.moved_by(timedelta(days=-3)):
        opened(world)
    made = bought(world)
    bought(world, student=world.ben)
    given_back(world, made, 11_900)

    tamper(owner, statement)

    found = {each.name for each in checks.CHECKS if checks.run_one(db, each)}
    assert check in found


def test_an_invoice_stands_in_the_table_once_for_each_payment(world: World) -> None:
    opened(world)

    made = [bought(world), bought(world, student=world.ben)]

    assert len(references(Invoice)) == len(made)
