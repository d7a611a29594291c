"""The ledger, the payments' history and the prices stay as they were written, whoever tries."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from guitaronline.billing.models import Payment
from guitaronline.billing.service import create_plan
from tests.billing.books import payment
from tests.by_hand import by_hand
from tests.world import World, as_actor

HISTORY = ["credit_entries", "payment_transitions", "plan_prices"]
REWRITES = ["UPDATE {} SET id = id", "UPDATE {} SET id = id WHERE false", "DELETE FROM {}", "TRUNCATE {} CASCADE"]


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize("statement", REWRITES)
def test_the_application_cannot_rewrite_history(world: World, db: Session, table: str, statement: str) -> None:
    write_history(world)

    with pytest.raises(DBAPIError, match="permission denied"):
        by_hand(db, statement.format(table))


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize("statement", REWRITES)
def test_the_owner_cannot_rewrite_history_either(world: World, owner: Connection, table: str, statement: str) -> None:
    write_history(world)

    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="what happened stays written"):
        owner.cursor().execute(statement.format(table))
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT count(*) > 0 FROM {table}")
        assert cursor.fetchone() == (True,)


def write_history(world: World) -> Payment:
    create_plan(as_actor(world.finn), name="One", lessons_total=1, amount_minor=1)
    return payment(world, world.package())
