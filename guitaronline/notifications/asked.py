"""A message of which it is asked whether it is still true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guitaronline.identity.models import User
from guitaronline.notifications import lookups
from guitaronline.notifications.models import Message


@dataclass(frozen=True)
class Asked:
    session: Session
    message: Message
    person: User
    now: datetime

    @property
    def facts(self) -> dict[str, Any]:
        return self.message.facts

    def record(self, model: type[Any]) -> Any:
        """As it is now, whatever this session has seen before; None when there is none."""
        return lookups.record(self.session, model, self.message.record_id)
