"""Choosing a slot on a form: the offered ones of a teacher and day, by the same query that students see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from wtforms import RadioField
from wtforms.validators import InputRequired, Optional

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.admin import gate, show
from guitaronline.admin.filters import Days, people_matching
from guitaronline.admin.forms import choices
from guitaronline.admin.people_picker import id_of, picked
from guitaronline.booking import queries
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot

OFFERED = 30
TEACHERS = 5
__all__ = ["chosen", "fill", "id_of", "picked"]


def chosen(label: str, *, required: bool = True) -> RadioField:
    checks = [InputRequired("Look for slots, then choose one.")] if required else [Optional()]
    return RadioField(label, choices=[], validators=checks, validate_choice=False)


def fill(field: Any, *, teacher: str | None, days: str | None, without: UUID | None = None) -> None:
    """The offered slots, soonest first, and the one that is chosen already."""
    slots = [slot for slot in _offered(teacher, days) if slot.id != without]
    already = id_of(field)
    if already and already not in {slot.id for slot in slots}:
        slot = session().get(Slot, already)
        slots = [slot, *slots] if slot else slots
    field.choices = choices((str(slot.id), described(slot)) for slot in slots)


def described(slot: Slot) -> str:
    local = slot.start_at.astimezone(show.zone())
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M %Z} · {show.minutes(slot.end_at - slot.start_at)} · {slot.teacher.full_name}"


def _offered(teacher: str | None, days: str | None) -> list[Slot]:
    start, end = _range(days)
    found: list[UUID] = []
    for teacher_id in _teachers(teacher):
        offered = queries.offered_slots(
            session(),
            now=gate.now(),
            settings=policy.current(),
            teacher_id=teacher_id,
            start_from=start,
            start_to=end,
            limit=OFFERED,
        )
        found += [each.id for each in offered]
    query = select(Slot).where(Slot.id.in_(found)).order_by(Slot.start_at, Slot.id).limit(OFFERED)
    return list(session().scalars(query)) if found else []


def _teachers(words: str | None) -> Sequence[UUID | None]:
    if not words:
        return [None]
    query = (
        select(User.id)
        .where(User.role == Role.TEACHER, User.id.in_(people_matching(words)))
        .order_by(User.full_name)
        .limit(TEACHERS)
    )
    return list(session().scalars(query))


def _range(days: str | None) -> tuple[Any, Any]:
    try:
        return Days("day", "Day", None).parse(days) if days else (None, None)
    except ValueError:
        return (None, None)
