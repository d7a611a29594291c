"""Many at once, for real: every number once, none missing. Each race is first run without its guard."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from guitaronline.billing import settling
from guitaronline.billing.invoices import numbering
from guitaronline.billing.invoices.models import CreditNote, Invoice
from guitaronline.billing.models import Payment, PaymentStatus
from guitaronline.billing.service import refund_payment, set_payment_status, settle_refund
from guitaronline.errors import Conflict
from guitaronline.unit_of_work import Work, command
from tests.billing.books import is_refund, payment
from tests.concurrency import at_once, done, politely
from tests.invoices.office import bought, opened, ordered, references
from tests.world import World, as_actor

ALONE_SECONDS = 0.5
MANY = 8


def awaited(world: World, number: int) -> list[Payment]:
    people = [
        world.person(f"Student {each}", world.ann.role, email=f"s{each}@people.example") for each in range(number)
    ]
    return [payment(world, ordered(world, 11_900, each), 11_900, currency="EUR") for each in people]


def succeed(world: World, made: Payment) -> Any:
    return politely(partial(set_payment_status, as_actor(world.finn), made.id, status="succeeded", reason="seen"))


def unlocked(work: Work, paper: Any) -> Any:
    """What two who ask at once are both told."""
    return select(func.coalesce(func.max(Invoice.sequence), 0) + 1).scalar_subquery()


def numbers(model: Any = Invoice) -> list[int]:
    return [int(each[-6:]) for each in references(model)]


@pytest.mark.breaks_invariants  # the one that was turned away has no trace; the series was not used
def test_without_the_row_two_invoices_want_one_number(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(world)
    made = awaited(world, 2)
    barrier, write = Barrier(2), numbering.write

    def met(*args: Any) -> Any:
        paper = write(*args)
        with suppress(BrokenBarrierError):
            barrier.wait(ALONE_SECONDS)
        return paper

    monkeypatch.setattr(numbering, "next_number", unlocked)
    monkeypatch.setattr(numbering, "write", met)

    results = at_once(app, *[succeed(world, each) for each in made])

    assert len(done(results)) == 1
    assert numbers() == [1]


def test_many_at_once_have_a_number_each_and_none_is_missing(app: Flask, world: World) -> None:
    opened(world)
    made = awaited(world, MANY)

    results = at_once(app, *[succeed(world, each) for each in made])

    assert len(done(results)) == MANY
    assert numbers() == list(range(1, MANY + 1))


def test_credit_notes_at_once_have_a_number_each(app: Flask, world: World) -> None:
    opened(world)
    finn = as_actor(world.finn)
    made = [bought(world, student=world.ann), bought(world, student=world.ben)]
    refunds = [is_refund(refund_payment(finn, each.id, amount_minor=100, reason="goodwill")) for each in made]

    at_once(app, *[partial(settle_refund, finn, each.id, succeeded=True) for each in refunds])

    assert numbers(CreditNote) == [1, 2]


@command("test.succeed_and_fail", on="payments")
def succeed_and_fail(work: Work, payment_id: UUID) -> None:
    locked, package = settling.lock_payment(work, payment_id)
    settling.move_payment(work, locked, package, PaymentStatus.SUCCEEDED, cause="test")
    work.at_end(_fail)


def _fail() -> None:
    assert numbers_taken() == 1  # it had the number in its hands
    raise Conflict("after the number was taken")


def numbers_taken() -> int:
    from guitaronline.db import session

    return int(session().execute(text("SELECT count(*) FROM number_series")).scalar_one())


def test_a_transaction_that_fails_gives_its_number_back(world: World, db: Session) -> None:
    opened(world)
    failing, following = awaited(world, 2)
    with pytest.raises(Conflict, match="after the number"):
        succeed_and_fail(as_actor(world.finn), failing.id)

    set_payment_status(as_actor(world.finn), following.id, status="succeeded", reason="seen")

    assert numbers() == [1]
