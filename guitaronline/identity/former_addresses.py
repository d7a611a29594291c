"""Where somebody was written to before: told once that it is over, then forgotten."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline.db import new_id
from guitaronline.identity.models import FormerAddress, User
from guitaronline.unit_of_work import Work


def say_goodbye(work: Work, user: User) -> None:
    """Step: the locked person's present address, about to be replaced, is told so."""
    if user.email is None:
        return
    former = FormerAddress(id=new_id(), user_id=user.id, email=user.email, created_at=work.now)
    work.session.add(former)
    work.emit("person.email_changed", former, person_id=str(user.id))


def former_address(session: Session, former_id: UUID) -> str | None:
    """Query: the address; None when it was forgotten since."""
    found = session.get(FormerAddress, former_id)
    return found.email if found else None


def whose(session: Session, former_id: UUID) -> UUID | None:
    """Query: the person who had it; None when it was forgotten since."""
    found = session.get(FormerAddress, former_id)
    return found.user_id if found else None
