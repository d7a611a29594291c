"""The invariants of the domain."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session


def run_all(session: Session) -> list[Any]:
    return []
