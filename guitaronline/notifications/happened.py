"""An event of the outbox, as planning is given it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Happened:
    id: UUID
    topic: str
    record_type: str
    record_id: UUID
    payload: dict[str, Any]
    created_at: datetime
