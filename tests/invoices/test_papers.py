"""What is printed: the words and amounts are in it, in every script, and the same page gives the same bytes."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest

from guitaronline import pdf
from guitaronline.billing.invoices import documents
from guitaronline.billing.invoices.documents import Document, NothingReceived
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.wording import Line
from guitaronline.db import session
from tests.billing.books import payment
from tests.invoices.office import bought, credit_notes, given_back, invoice_of, lives_in, opened, ordered
from tests.world import World


def words(made: bytes) -> str:
    """What the PDF says, page by page."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages)


def printed(document: Document) -> bytes:
    return pdf.pdf_of("invoices/pdf.html", document=document)


def a_page(**more: Any) -> Document:
    facts: dict[str, Any] = {
        "title": "Invoice",
        "reference": "INV-2026-000001",
        "seller": Party("Example School"),
        "buyer": Party("Ann"),
        "facts": [("Number", "INV-2026-000001")],
        "lines": [Line("10 guitar lessons", "PKG-12345", 11_900)],
        "totals": [("Total", "119.00 EUR")],
        "currency": "EUR",
    }
    return Document(**{**facts, **more})


def test_an_invoice_says_everything_it_must(world: World) -> None:
    opened(world, footer="Thank you.")
    lives_in(world, world.ann, "DE", street="Am Tor 3", company="Strings Ltd", tax_id="DE999")
    invoice = invoice_of(bought(world))

    said = words(printed(documents.of_invoice(invoice)))

    expected = [
        "Example School GmbH", "Long Street 6", "10115 Berlin", "DE123456789", "Strings Ltd", "Am Tor 3", "Germany", "DE999",
        invoice.reference, invoice.issued_on.isoformat(), "10 guitar lessons", "119.00 EUR", "100.00 EUR", "19.00 EUR", "19 %", "Thank you.",
    ]  # fmt: skip
    assert [each for each in expected if each not in said] == []


def test_a_credit_note_names_its_invoice(world: World) -> None:
    opened(world)
    made = bought(world)
    given_back(world, made, 1_190)

    said = words(printed(documents.of_credit_note(credit_notes(made)[0])))

    assert [
        each for each in ("Credit note", invoice_of(made).reference, "11.90 EUR", "1.90 EUR") if each not in said
    ] == []


def test_a_receipt_says_what_came_and_what_went_back(world: World) -> None:
    made = bought(world)
    given_back(world, made, 1_900)

    said = words(printed(documents.of_receipt(session(), made)))

    assert [
        each for each in ("Receipt", made.reference, "119.00 EUR", "-19.00 EUR", "100.00 EUR") if each not in said
    ] == []


def test_there_is_no_receipt_before_the_money(world: World) -> None:
    awaited = payment(world, ordered(world), 11_900, currency="EUR")

    with pytest.raises(NothingReceived):
        documents.of_receipt(session(), awaited)


@pytest.mark.parametrize(
    "name", ["Łukasz Żółć", "Ірина Шевченко", "Γιώργος Παπαδόπουλος", "Jörg Weiß", "İbrahim Çağrı"]
)
def test_names_of_every_script_are_printed(name: str) -> None:
    assert name in words(printed(a_page(buyer=Party(name))))


def test_the_same_page_gives_the_same_bytes() -> None:
    assert printed(a_page()) == printed(a_page())


def test_what_people_typed_is_text() -> None:
    typed = '<img src="http://127.0.0.1:9/x"><b>bold</b> {{ 7*7 }} <pdf:nextpage/>'

    made = printed(a_page(buyer=Party(typed)))

    assert "{{ 7*7 }}" in words(made)
    assert len(pypdf.PdfReader(io.BytesIO(made)).pages) == 1


@pytest.mark.parametrize("source", ["file:///etc/hostname", "/etc/hostname", "http://127.0.0.1:9/x.png"])
def test_a_template_cannot_make_the_printer_read_anything(source: str) -> None:
    with pytest.raises(pdf.Unprintable):
        pdf.pdf(f'<html><body><p>page</p><img src="{source}"></body></html>')


def test_a_long_page_goes_on_and_numbers_its_pages() -> None:
    made = printed(a_page(lines=[Line(f"line {number}", "more about it", 100) for number in range(90)]))

    pages = pypdf.PdfReader(io.BytesIO(made)).pages
    assert len(pages) > 1
    assert f"page 2 of {len(pages)}" in pages[1].extract_text()
