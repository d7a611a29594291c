"""Who reads a message, and what of others' words may stand in it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from guitaronline.identity.models import User
from guitaronline.notifications.kinds import Kind
from guitaronline.notifications.languages import Words

NAME_LENGTH = 80
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class ReadAs(StrEnum):
    STUDENT = "student"
    GUARDIAN = "guardian"
    TEACHER = "teacher"
    OTHER = "other"


@dataclass(frozen=True)
class Scene:
    """A message about a record, for one reader. `facts` are the message's."""

    session: Session
    kind: Kind
    record_id: UUID
    facts: dict[str, Any]
    person: User
    words: Words
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.person.timezone)

    def read_as(self, student_id: UUID, teachers: tuple[UUID | None, ...]) -> ReadAs:
        if self.person.id in teachers:
            return ReadAs.TEACHER
        return ReadAs.STUDENT if self.person.id == student_id else ReadAs.GUARDIAN


def plain(written: str | None, longest: int = NAME_LENGTH) -> str:
    """Somebody's words on one line, of a length that a line of a mail can bear; no control characters, no halves of signs."""
    shown = (written or "")[: 4 * longest]
    if not shown.isprintable():
        shown = "".join(sign if unicodedata.category(sign) not in UNSEEN else " " for sign in shown)
    line = " ".join(shown.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def name_of(person: User | None) -> str:
    """What the person is called; the reference where no name is known."""
    return (plain(person.full_name) or person.reference) if person is not None else ""
