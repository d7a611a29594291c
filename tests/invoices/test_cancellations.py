"""A refund that comes back cancels its credit note by a paper of its own: numbered, of the same amounts, never changed."""

from __future__ import annotations

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.actor import SYSTEM
from guitaronline.billing.facts import hear
from guitaronline.billing.invoices import documents, queries
from guitaronline.billing.invoices.models import CreditCancellation
from guitaronline.billing.invoices.statement import EntryKind
from guitaronline.billing.models import Payment
from guitaronline.billing.providers import FactKind
from tests.admin.browser import signed_in
from tests.invoices.office import credit_notes, invoice_of, opened
from tests.invoices.test_issuing import amounts
from tests.invoices.test_papers import printed, words
from tests.invoices.test_statement import account
from tests.owner import tamper
from tests.refunds.scripted import bought, told
from tests.world import World

REFUNDED, FAILED = FactKind.REFUNDED, FactKind.REFUND_FAILED


def heard(payment: Payment, kind: FactKind, number: int, amount: int, reference: str) -> None:
    hear(SYSTEM, payment.id, facts=[told(payment, kind, number, amount, refund_reference=reference)])


@pytest.fixture
def came_back(world: World) -> Payment:
    opened(world)
    payment = bought(world, amount_minor=11_900)
    heard(payment, REFUNDED, 2, 2_380, "re_1")
    heard(payment, FAILED, 3, 2_380, "re_1")
    return payment


def the_cancellation(db: Session) -> CreditCancellation:
    db.rollback()
    return db.scalars(select(CreditCancellation)).one()


def test_it_is_numbered_and_says_what_it_cancels(db: Session, came_back: Payment) -> None:
    (note,) = credit_notes(came_back)
    paper = the_cancellation(db)

    assert paper.reference == f"CNC-{paper.year}-000001"
    assert (paper.credit_note_id, amounts(paper)) == (note.id, amounts(note))
    said = words(printed(documents.of_cancellation(paper)))
    assert [
        each for each in (paper.reference, note.reference, invoice_of(came_back).reference) if each not in said
    ] == []


def test_told_again_there_is_one(db: Session, came_back: Payment) -> None:
    heard(came_back, FAILED, 3, 2_380, "re_1")
    heard(came_back, REFUNDED, 2, 2_380, "re_1")

    assert the_cancellation(db).sequence == 1


def test_the_invoice_stands_again_and_all_of_it_can_be_credited(db: Session, came_back: Payment) -> None:
    heard(came_back, REFUNDED, 4, 11_900, "re_2")

    invoice = invoice_of(came_back)
    standing = queries.credited(db, invoice.id)
    assert (standing.gross_minor, standing.net_minor, standing.tax_minor) == amounts(invoice)


def test_a_refund_that_failed_before_it_was_paid_out_cancels_nothing(world: World, db: Session) -> None:
    opened(world)
    payment = bought(world, amount_minor=11_900)
    heard(payment, FAILED, 3, 2_380, "re_1")
    heard(payment, REFUNDED, 2, 2_380, "re_1")

    assert (credit_notes(payment), db.scalars(select(CreditCancellation)).all()) == ([], [])


def test_the_account_of_the_student_tells_both(world: World, db: Session, came_back: Payment) -> None:
    found = account(world, db).accounts[0]

    assert [(each.kind, each.amount_minor) for each in found.entries[2:]] == [
        (EntryKind.CREDIT, -2_380),
        (EntryKind.REFUND, 2_380),
        (EntryKind.CANCELLATION, 2_380),
        (EntryKind.RETURN, -2_380),
    ]
    assert found.entries[4].paper == the_cancellation(db).reference
    assert found.closing_minor == 0


def test_the_console_shows_it_with_the_note_and_with_the_invoice(
    app: Flask, world: World, db: Session, came_back: Payment
) -> None:
    paper, finn = the_cancellation(db), signed_in(app, world.finn)
    (note,) = credit_notes(came_back)

    pages = [
        finn.get(f"/admin/credit-notes/details/?id={note.id}").text,
        finn.get(f"/admin/invoices/details/?id={note.invoice_id}").text,
    ]

    assert [paper.reference in page for page in pages] == [True, True]
    assert ["cancellation of a credit note" in page for page in pages] == [True, True]
    printed_page = finn.get(f"/admin/credit-notes/cancellations/{paper.id}.pdf")
    assert (printed_page.status_code, printed_page.content_type) == (200, "application/pdf")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM credit_cancellations", "UPDATE credit_cancellations SET gross_minor = 1"]
)
def test_nobody_changes_it(owner: Connection, came_back: Payment, statement: str) -> None:
    with owner.cursor() as cursor, pytest.raises(psycopg2.Error, match=r"not possible|needs an audit action"):
        cursor.execute(statement)


@pytest.mark.breaks_invariants
@pytest.mark.parametrize(
    ("check", "statement"),
    [
        ("I12 invoice numbers", "DELETE FROM credit_cancellations"),
        ("I12 credit notes", "DELETE FROM credit_cancellations"),
        ("I12 credit notes", "UPDATE credit_cancellations SET net_minor = net_minor - 1, tax_minor = tax_minor + 1"),
        ("I12 credit notes", "UPDATE refunds SET returned_at = NULL"),
    ],
)
def test_the_checks_see_what_is_missing(
    db: Session, owner: Connection, came_back: Payment, check: str, statement: str
) -> None:
    tamper(owner, statement)

    found = {each.name for each in checks.CHECKS if checks.run_one(db, each)}
    assert check in found
