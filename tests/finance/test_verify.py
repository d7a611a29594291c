"""`flask money verify`: nothing on a school that is whole, and a name for each thing that somebody changed past the commands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.billing.models import Package, Payment, Refund
from guitaronline.billing.reconciliation.service import run_matching
from guitaronline.billing.service import create_plan, expire_packages, grant_package, refund_payment, settle_refund
from guitaronline.finance import verify
from guitaronline.finance.verify import Difference
from tests.billing.books import paid
from tests.finance.school import APRIL, MARCH, School
from tests.invoices import office
from tests.owner import tamper
from tests.reconciliation.statements import charged, line, told
from tests.world import World, as_actor

DAY = timedelta(days=1)


class Books:
    """A package that was paid, refunded in part and expired; Tom's March with a correction and other work in April."""

    def __init__(self, taught: School) -> None:
        finn, world = taught.finance, taught.world
        plan = create_plan(finn, name="Four", lessons_total=4, amount_minor=10_000, books_breakage=True)
        facts = {"lessons_total": 4, "price_minor": 10_000, "expires_at": world.now + DAY, "plan_id": plan.id}
        self.package: Package = grant_package(finn, student_id=world.ann.id, reason="sold", **facts)  # type: ignore[arg-type]
        self.payment: Payment = paid(world, self.package, 10_000)
        self.refund: Any = refund_payment(finn, self.payment.id, amount_minor=2_500, reason="goodwill")
        settle_refund(finn, self.refund.id, succeeded=True)
        with clock.standing_at(world.now + 2 * DAY):
            expire_packages(as_actor(world.ada))
        taught.rate(2_000)
        lesson = taught.given(3, 3)
        self.march = taught.approved(MARCH)
        taught.extra(APRIL)
        taught.given(4, 7)
        taught.corrected(lesson, APRIL.start + 9 * DAY)
        self.april = taught.approved(APRIL)
        assert isinstance(self.refund, Refund)


@pytest.fixture
def books(taught: School) -> Books:
    return Books(taught)


def found(db: Session) -> list[Difference]:
    differences = list(verify.run(db))
    db.rollback()
    return differences


def verified(app: Flask, db: Session) -> Result:
    db.rollback()
    return app.test_cli_runner().invoke(args=["money", "verify"])


def test_a_school_that_is_whole_has_no_differences(app: Flask, db: Session, books: Books) -> None:
    assert books.package
    done = verified(app, db)

    names = "packages, breakage, payments, refunds, liability, statements, invoices, matches"
    assert (done.exit_code, done.output) == (0, f"{names} replayed: no differences\n")


# What somebody changes in a table, the ledger that finds it, and what it says
CORRUPT = [
    ("UPDATE packages SET expired = expired - 1, revoked = revoked + 1 WHERE id = %(package)s", "packages", "revoked is 2, its entries say 1"),
    ("UPDATE packages SET lessons_total = 5, available = 1 WHERE id = %(package)s", "packages", "it has 5 lessons in all, its entries say 4"),
    ("UPDATE packages SET status = 'active' WHERE id = %(package)s", "packages", "it cannot be active"),
    ("DELETE FROM credit_entries WHERE package_id = %(package)s AND kind = 'revoke'", "packages", "expire:"),
    ("UPDATE credit_entries SET revoked = 3 WHERE package_id = %(package)s AND kind = 'revoke'", "packages", "does not follow"),
    ("UPDATE credit_entries SET breakage_minor = breakage_minor + 1 WHERE kind = 'expire'", "breakage", "breakage of 7501 USD is booked, its expired lessons are worth 7500"),
    ("UPDATE credit_entries SET breakage_minor = 0", "breakage", "breakage of 0 USD"),
    ("UPDATE payments SET status = 'refunded' WHERE id = %(payment)s", "payments", "it is refunded, its history ends with succeeded"),
    ("UPDATE payments SET paid_at = paid_at - interval '1 day' WHERE id = %(payment)s", "payments", "its history says"),
    ("DELETE FROM payment_transitions WHERE payment_id = %(payment)s AND to_status = 'pending'", "payments", "after nothing"),
    ("UPDATE refunds SET amount_minor = 10001 WHERE id = %(refund)s", "refunds", "refunds of 10001 stand"),
    ("UPDATE refunds SET amount_minor = 10000 WHERE id = %(refund)s", "refunds", "it is succeeded with 10000 USD"),
    ("UPDATE refunds SET currency = 'EUR' WHERE id = %(refund)s", "refunds", "is in another currency"),
    ("UPDATE refunds SET lessons_revoked = 3 WHERE id = %(refund)s", "refunds", "3 lessons taken back; the ledger took 1"),
    ("UPDATE credit_entries SET d_expired = d_expired - 1, d_revoked = d_revoked + 1, expired = expired - 1, revoked = revoked + 1 WHERE kind = 'expire'", "liability", "the report says [0, 0, 5000, 5000], the packages [0, 0, 7500, 2500]"),
    ("UPDATE statement_lines SET revision = 3 WHERE revision = 2", "statements", "line "),
    ("DELETE FROM statement_lines WHERE kind = 'work'", "statements", "other work or a deduction of its month is missing"),
    ("UPDATE statement_lines SET amount_minor = 4999 WHERE kind = 'work'", "statements", "it is not what was written down"),
    ("UPDATE statement_extras SET amount_minor = 1", "statements", "it is not what was written down"),
    ("DELETE FROM statement_lines WHERE kind = 'correction'", "statements", "its lines are not numbered one by one"),
    ("UPDATE teacher_statements SET teacher_id = %(ann)s WHERE id = %(march)s", "statements", "another teacher's"),
]  # fmt: skip


@pytest.mark.breaks_invariants
@pytest.mark.parametrize(("statement", "ledger", "words"), CORRUPT)
def test_what_somebody_changed_past_the_commands_is_named(
    taught: School, db: Session, owner: Connection, books: Books, statement: str, ledger: str, words: str
) -> None:
    ids = {"package": books.package, "payment": books.payment, "refund": books.refund, "march": books.march}
    values = {name: str(record.id) for name, record in ids.items()} | {"ann": str(taught.world.ann.id)}
    db.rollback()
    tamper(owner, "SET session_replication_role = replica", statement, values=values)

    differences = [each for each in found(db) if each.ledger == ledger]

    assert any(words in each.words or words in each.reference for each in differences), found(db)
    assert all(each.reference for each in differences)


@pytest.mark.breaks_invariants
def test_the_command_names_the_record_and_ends_with_one(
    app: Flask, db: Session, owner: Connection, books: Books
) -> None:
    db.rollback()
    tamper(owner, "UPDATE payments SET status = 'failed'")

    done = verified(app, db)

    said = f"DIFFERS: payments: {books.payment.reference}: it is failed, its history ends with succeeded\n"
    assert done.exit_code == 1
    assert said in done.output
    assert done.output.endswith("replayed: 1 difference\n")


@pytest.mark.breaks_invariants
def test_an_invoice_that_is_not_its_payment_is_named(world: World, db: Session, owner: Connection) -> None:
    office.opened(world)
    invoice = office.invoice_of(office.bought(world))
    db.rollback()
    tamper(
        owner,
        "SET session_replication_role = replica",
        "UPDATE invoices SET gross_minor = gross_minor + 1, net_minor = net_minor + 1",
    )

    differences = [each for each in found(db) if each.ledger == "invoices"]

    assert invoice.id
    assert any("Every invoice is its payment" in each.words for each in differences)


@pytest.mark.breaks_invariants
def test_a_match_whose_sides_differ_is_named(world: World, db: Session, owner: Connection) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_900, world.now.date(), intent_id="pi_1")])
    run_matching(SYSTEM)
    assert [each for each in found(db) if each.ledger == "matches"] == []
    tamper(
        owner,
        "SET session_replication_role = replica",
        "UPDATE settlement_lines SET amount_minor = 5000, net_minor = 5000",
    )

    assert [each.words for each in found(db) if each.ledger == "matches"] == [
        "both sides of the match are not equal, or a line stands in two"
    ]


def test_nothing_is_changed_by_looking(db: Session, books: Books) -> None:
    assert books.package

    assert found(db) == found(db) == []
