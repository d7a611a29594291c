"""Card numbers that somebody types are refused at every door, and nothing of them is kept."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.audit.models import AuditAction
from guitaronline.billing.models import Payment
from guitaronline.identity.models import Note
from tests.admin.browser import signed_in, words
from tests.world import World

CARD = "4111 1111 1111 1111"


def count(db: Session, model: type) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(model)) or 0


def test_a_note_with_a_card_number_is_not_kept(app: Flask, db: Session, world: World) -> None:
    url = f"/admin/notes/new?record_type=users&record_id={world.ann.id}"

    answer = signed_in(app, world.sue).post(url, {"body": f"she pays with {CARD}"})

    assert answer.status_code == 422
    assert "looks like a card number" in words(answer.text)
    assert count(db, Note) == 0


@pytest.mark.parametrize("field", ["external_reference", "reason"])
def test_a_payment_with_a_card_number_in_it_is_not_recorded(app: Flask, world: World, db: Session, field: str) -> None:
    package = world.package(price_minor=4900)
    typed = {"amount": "49.00", "currency": "USD", "external_reference": "", "reason": "", field: CARD}

    answer = signed_in(app, world.finn).post(f"/admin/packages/{package.id}/payments/new", typed)

    assert answer.status_code == 422
    assert "looks like a card number" in words(answer.text)
    assert count(db, Payment) == 0
    assert db.scalar(select(func.count()).where(AuditAction.reason.contains("4111"))) == 0
