"""A made-up year with every kind of defect in it: what is clean is matched, nothing wrongly, and each defect is found as what it is."""

from __future__ import annotations

import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.money_year import DEFECTS, Year, load, make_year
from guitaronline.actor import SYSTEM
from guitaronline.billing.reconciliation.models import ReconciliationException
from guitaronline.billing.reconciliation.service import run_matching
from tests.reconciliation.statements import matches

pytestmark = pytest.mark.breaks_invariants  # nobody made these payments by a command


def about(found: ReconciliationException) -> str:
    """What the exception is about, as the year names it."""
    words = found.natural_key.removeprefix(f"{found.category}:")
    return words if found.category == "missing_file" else words.rpartition(":")[2]


@pytest.fixture
def year(db: Session, owner: Connection) -> Year:
    made = make_year(2_000, defects_each=2)
    load(owner, made)
    run_matching(SYSTEM)
    return made


def test_clean_lines_are_matched_and_nothing_wrongly(year: Year, db: Session) -> None:
    found = {each.line_id: each.payment_id or each.refund_id or each.bank_line_id for each in matches(db)}

    wrong = {line for line, other in found.items() if year.clean.get(line) != other}
    assert wrong == set()
    assert len(found) / len(year.clean) >= 0.995


def test_every_defect_is_found_as_what_it_is_and_nothing_else_is(year: Year, db: Session) -> None:
    found = {(str(each.category), about(each)) for each in db.scalars(select(ReconciliationException))}

    planted = {each for expected in year.planted.values() for each in expected}
    assert found == planted
    assert set(year.planted) == set(DEFECTS)
