"""SQL past the commands, inside a bare action: to see what the database itself refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

BEGIN = text(
    "SELECT begin_action(gen_random_uuid(), NULL, 'system', 'test.by_hand', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)


def by_hand(db: Session, statement: str, **values: Any) -> None:
    """The statement alone, in an action of its own, committed."""
    try:
        db.execute(BEGIN)
        db.execute(text(statement), values)
        db.commit()
    except BaseException:
        db.rollback()
        raise


@contextmanager
def refused_by(constraint: str) -> Iterator[None]:
    """The database says no, and says it by this name."""
    with pytest.raises(DBAPIError) as refusal:
        yield
    assert refusal.value.orig is not None
    assert refusal.value.orig.diag.constraint_name == constraint  # type: ignore[attr-defined]
