"""People by what somebody remembers of them: whole names first, then beginnings, then parts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, select, union_all
from sqlalchemy.orm import Session

from guitaronline.identity.models import User

SHORTEST = 2  # letters of a name
PHONE_DIGITS = 5  # fewer find everybody


def people_called(session: Session, words: str, *, limit: int, by_contact: bool) -> list[User]:
    """By name; with `by_contact` by e-mail and phone too (for others, finding somebody would give these away).

    Each kind of likeness is asked for a few rows only, so that a name half the school has costs no more than a rare one.
    Indexes: ix_users_full_name_trgm, ix_users_email_trgm, ix_users_phone_digits."""
    alike = [_alike(condition, rank, limit) for rank, condition in enumerate(_likenesses(words, by_contact=by_contact))]
    if not alike:
        return []
    found = union_all(*alike).subquery()
    best = select(found.c.id, func.min(found.c.rank).label("rank")).group_by(found.c.id).subquery()
    query = select(User).join(best, best.c.id == User.id).order_by(best.c.rank, User.full_name, User.id)
    return list(session.scalars(query.limit(limit)))


def _alike(condition: ColumnElement[bool], rank: int, limit: int) -> Any:
    return select(select(User.id, literal(rank).label("rank")).where(condition).limit(limit).subquery())


def _likenesses(words: str, *, by_contact: bool) -> list[ColumnElement[bool]]:
    """The likest first."""
    if len(words) < SHORTEST:
        return []
    part = escaped(words)
    every_word = and_(*(User.full_name.ilike(f"%{escaped(each)}%", escape="\\") for each in words.split()))
    names: list[ColumnElement[bool]] = [
        User.full_name.ilike(pattern, escape="\\") for pattern in (part, f"{part}%", f"% {part}%")
    ]
    contacts: list[ColumnElement[bool]] = [User.email.ilike(f"{part}%", escape="\\")] if by_contact else []
    digits = "".join(sign for sign in words if sign.isascii() and sign.isdigit())
    if by_contact and len(digits) >= PHONE_DIGITS and not any(sign.isalpha() for sign in words):
        contacts.append(phone_digits().contains(digits))
    return [*names, *contacts, every_word, *([User.email.ilike(f"%{part}%", escape="\\")] if by_contact else [])]


def phone_digits() -> ColumnElement[str]:
    """The phone number without spaces and signs, as its index has it."""
    return func.regexp_replace(User.phone, r"\D", "", "g")


def escaped(words: str) -> str:
    """For LIKE, which reads % and _ as anything."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
