"""Students read their own papers and give their own address."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from guitaronline.billing.models import Payment
from guitaronline.identity.service import add_guardian
from tests.api.conftest import Api
from tests.invoices.office import bought, credit_notes, given_back, invoice_of, lives_in, opened
from tests.world import World, as_actor

ADDRESS = {"name": "Ann", "street": "Road 1", "postal_code": "1010", "city": "Wien", "country": "AT"}


def test_an_own_invoice_with_its_credit_notes(api: Api, world: World) -> None:
    opened(world)
    lives_in(world, world.ann, "DE")
    made = bought(world)
    given_back(world, made, 1_190)
    invoice, note = invoice_of(made), credit_notes(made)[0]

    answer = api.get(f"/billing/invoices/{invoice.id}", world.ann)

    assert answer.status == 200
    assert answer.json["reference"] == invoice.reference
    assert answer.json["tax"] == {"amount_minor": 1_900, "currency": "EUR"}
    assert [each["reference"] for each in answer.json["credit_notes"]] == [note.reference]
    assert answer.json["buyer"]["city"] == "Town"


def test_the_list_is_ones_own_newest_first(api: Api, world: World) -> None:
    opened(world)
    first, second = invoice_of(bought(world)), invoice_of(bought(world))
    bought(world, student=world.ben)

    page = api.get("/billing/invoices/my?limit=1", world.ann).json
    rest = api.get(f"/billing/invoices/my?limit=1&cursor={page['next_cursor']}", world.ann).json

    assert [each["id"] for each in [*page["items"], *rest["items"]]] == [str(second.id), str(first.id)]
    assert rest["next_cursor"] is None


def childs(world: World, *, pays: bool = True) -> Payment:
    """What was bought for Mia, whose guardian Ben is."""
    child = world.person("Mia", world.ann.role, email=None)
    add_guardian(as_actor(world.sue), child.id, guardian_id=world.ben.id, pays=pays)
    return bought(world, student=child)


def papers_of(made: Payment) -> list[str]:
    invoice, note = invoice_of(made), credit_notes(made)[0]
    return [
        f"/billing/invoices/{invoice.id}",
        f"/billing/invoices/{invoice.id}.pdf",
        f"/billing/credit-notes/{note.id}.pdf",
        f"/billing/payments/{made.id}/receipt.pdf",
    ]


def test_who_pays_for_a_child_reads_its_papers(api: Api, world: World) -> None:
    opened(world)
    made = childs(world)
    own = invoice_of(bought(world, student=world.ben))
    given_back(world, made, 1_190)

    listed = api.get("/billing/invoices/my", world.ben).json["items"]

    assert [each["id"] for each in listed] == [str(own.id), str(invoice_of(made).id)]
    assert [api.get(each, world.ben).status for each in papers_of(made)] == [200] * 4
    assert [api.get(each, world.ann).status for each in papers_of(made)] == [404] * 4


def test_a_guardian_who_does_not_pay_reads_none(api: Api, world: World) -> None:
    opened(world)
    made = childs(world, pays=False)
    given_back(world, made, 1_190)

    assert api.get("/billing/invoices/my", world.ben).json["items"] == []
    assert [api.get(each, world.ben).status for each in papers_of(made)] == [404] * 4


def test_a_pdf_is_the_same_each_time(api: Api, world: World) -> None:
    opened(world)
    invoice = invoice_of(bought(world))

    first, second = (api.get(f"/billing/invoices/{invoice.id}.pdf", world.ann) for _ in range(2))

    assert first.text == second.text
    assert first.text.startswith("%PDF-")


def test_an_address_is_given_and_read(api: Api, world: World) -> None:
    nothing = api.get("/billing/address", world.ann)
    given = api.call("PUT", "/billing/address", world.ann, body=ADDRESS)
    read = api.get("/billing/address", world.ann)

    assert (nothing.status, given.status, read.status) == (404, 200, 200)
    assert read.json == {**ADDRESS, "company": "", "tax_id": ""}


@pytest.mark.parametrize(
    ("wrong", "pointer"), [({"country": "XX"}, "/country"), ({"city": ""}, "/city"), ({"name": "a\u2028b"}, "/name")]
)
def test_what_is_no_address_is_refused_at_its_field(
    api: Api,
    world: World,
    wrong: dict[str, str],
    pointer: str,
) -> None:
    answer = api.call("PUT", "/billing/address", world.ann, body={**ADDRESS, **wrong})

    assert answer.status == 422
    assert [each[0] for each in answer.reasons] == [pointer]


def test_anybody_reads_the_notice_about_withdrawal(api: Api, app: Flask, db: Session) -> None:
    answer = api.get("/billing/withdrawal-notice")

    assert (answer.json["version"], answer.json["days"]) == ("2026-11", 14)
