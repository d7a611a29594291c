"""Choosing a person on a form without knowing an id: type a name, look, choose."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length, Optional

from guitaronline.actor import Role
from guitaronline.admin import show
from guitaronline.admin.filters import people_matching, reference_is
from guitaronline.admin.forms import choices, tidy, typeable
from guitaronline.db import session
from guitaronline.errors import Invalid
from guitaronline.identity.models import User

OFFERED = 20


def find(label: str) -> StringField:
    return StringField(
        label,
        validators=[Optional(), Length(max=100), typeable],
        filters=[tidy],
        description="Type a few letters, then look.",
    )


def chosen(label: str, *, required: bool = True) -> RadioField:
    checks = [InputRequired("Look for the person, then choose.")] if required else [Optional()]
    return RadioField(label, choices=[], validators=checks, validate_choice=False)


def fill(field: Any, words: str | None, *, role: Role | None = None, without: UUID | None = None) -> None:
    """The people whom the words find, and the one who is chosen already."""
    people = [each for each in _found(words, role) if each.id != without]
    already = id_of(field)
    if already and already not in {each.id for each in people}:
        person = session().get(User, already)
        people = [person, *people] if person else people
    field.choices = choices((str(each.id), described(each)) for each in people)
    if len(people) == 1 and not field.data:
        field.data = str(people[0].id)


def id_of(field: Any) -> UUID | None:
    try:
        return UUID(field.data)
    except (TypeError, ValueError, AttributeError):
        return None


def picked(field: Any) -> UUID:
    """The id that was chosen. Raises Invalid in words when it is none: only a page that was tampered with sends that."""
    found = id_of(field)
    if found is None:
        raise Invalid(f"Choose from what was found: {field.label.text.lower()}.")
    return found


def described(person: User) -> str:
    """Enough to tell two of the same name apart."""
    return " · ".join(
        str(part)
        for part in (
            person.full_name or "(no name)",
            person.reference,
            person.role,
            show.email_hint(person) if person.email else "no e-mail",
        )
    )


def _found(words: str | None, role: Role | None) -> list[User]:
    if not words:
        return []
    exact = reference_is(User.reference, words)
    query = select(User).where(or_(*(exact or [User.id.in_(people_matching(words))])), User.is_active)
    if role is not None:
        query = query.where(User.role == role)
    return list(session().scalars(query.order_by(User.full_name, User.id).limit(OFFERED)))


def zone_of(person_id: UUID | None) -> ZoneInfo:
    """The person's clock; the viewer's while nobody is chosen."""
    person = session().get(User, person_id) if person_id else None
    return ZoneInfo(person.timezone) if person else show.zone()
