"""What time it is: PostgreSQL's clock, read once per unit of work or query and passed down.

The demo loader and the tests may shift it; the audit keeps the real time as well. Shifting is refused in production.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

_shift: list[timedelta | datetime] = []
_allowed = True


def forbid_shifting() -> None:
    """Called at start-up in production."""
    global _allowed
    _allowed = False


def read(session: Session) -> datetime:
    """The database's time of this moment, aware, in UTC."""
    return shifted(session.execute(text("SELECT clock_timestamp()")).scalar_one())


def shifted(real: datetime) -> datetime:
    """`real` as the seam shows it; the same value unless somebody shifted the clock."""
    if not _shift:
        return real.astimezone(UTC)
    last = _shift[-1]
    return last if isinstance(last, datetime) else real.astimezone(UTC) + last


def seam() -> tuple[datetime | None, timedelta | None]:
    """The moment the clock stands at, or how far it is moved; what `begin_action` is told."""
    if not _shift:
        return None, None
    last = _shift[-1]
    return (last, None) if isinstance(last, datetime) else (None, last)


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """The clock stands still at `moment`. For the demo loader and tests."""
    with _pushed(moment.astimezone(UTC)):
        yield


@contextmanager
def moved_by(delta: timedelta) -> Iterator[None]:
    """The clock runs, `delta` away from the real time. For tests."""
    with _pushed(delta):
        yield


@contextmanager
def _pushed(entry: timedelta | datetime) -> Iterator[None]:
    if not _allowed:
        raise RuntimeError("the clock cannot be shifted in production")
    _shift.append(entry)
    try:
        yield
    finally:
        _shift.pop()
