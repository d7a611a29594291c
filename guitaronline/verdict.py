"""What the database says of a transaction, in our words: do it again, no, busy, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg2
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from guitaronline.errors import Busy, DomainError, ProviderFailed

DEADLOCK, SERIALIZATION, LOCK_TIMEOUT, STATEMENT_TIMEOUT = "40P01", "40001", "55P03", "57014"
SHUTDOWN = "57P"  # the class of its codes


class StartAgain(Exception):
    """Nothing has happened, and the next attempt may well succeed."""


class OutcomeUnknown(ProviderFailed):
    """The connection broke while the database was committing: it may be done, or not."""

    detail = "The database went away at the last moment: this may be done or not. Look first, or send the very same once more."
    retry_after_seconds = 5


def commit(session: Session) -> None:
    """Raises OutcomeUnknown: only of a commit nobody knows, when its connection breaks, whether it was done."""
    try:
        session.commit()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        session.rollback()
        raise OutcomeUnknown() from error


def is_cut_off(error: psycopg2.Error) -> bool:
    """The connection broke while the server had the statement; one that was closed before took nothing with it."""
    is_shutdown = (error.pgcode or "").startswith(SHUTDOWN)
    return not isinstance(error, psycopg2.InterfaceError) and (error.pgcode is None or is_shutdown)


def translated(error: DBAPIError, refusals: Mapping[str, type[DomainError]]) -> Exception:
    """What to raise instead; the error itself when it says nothing that we know. `refusals`: by name of the constraint."""
    code = getattr(error.orig, "pgcode", None)
    if code in (DEADLOCK, SERIALIZATION):
        return StartAgain()
    if code in (LOCK_TIMEOUT, STATEMENT_TIMEOUT):
        return Busy()
    if isinstance(error, IntegrityError):
        name = error.orig.diag.constraint_name if error.orig is not None else None  # type: ignore[attr-defined]
        if name == "uq_idempotency_keys_scope":
            return StartAgain()
        if name is not None and name in refusals:
            return refusals[name]()
    return error
