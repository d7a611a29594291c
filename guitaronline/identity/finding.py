"""People by what somebody remembers of them: whole names first, then beginnings, then parts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, union
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.identity.models import User

SHORTEST = 2  # letters; of fewer, half the school
INDEXED = 3  # letters that a trigram index finds inside a word
LOOKED_AT = 200  # of those who only have the words somewhere
PHONE_DIGITS = 5  # fewer find everybody


def people_called(session: Session, words: str, *, limit: int, by_contact: bool) -> list[User]:
    """By name; with `by_contact` by e-mail and phone too (for others, finding somebody would give these away).

    Each kind of likeness gives a few rows only, so that a name half the school has costs no more than a rare one."""
    asked_for = _likenesses(words, limit, by_contact=by_contact) if len(words) >= SHORTEST else []
    if not asked_for:
        return []
    candidates = [tuple(row) for row in session.execute(union(*asked_for))]
    ids = [person_id for person_id, name in sorted(candidates, key=lambda each: _order(each, words))[:limit]]
    found = {person.id: person for person in session.scalars(select(User).where(User.id.in_(ids)))}
    return [found[each] for each in ids]


def _likenesses(words: str, limit: int, *, by_contact: bool) -> list[Any]:
    part = escaped(words)
    spellings = {words, words.lower(), words.title(), words.capitalize()}
    everywhere: list[ColumnElement[bool]] = [
        User.full_name.ilike(f"%{escaped(each)}%", escape="\\") for each in words.split()
    ]
    wanted: list[tuple[int, list[ColumnElement[bool]]]] = [
        (limit, [User.role.in_(list(_PERSONS)), User.full_name.in_(spellings)]),  # ix_users_role_name
        (limit, [User.full_name.ilike(f"{part}%", escape="\\")]),  # ix_users_full_name_trgm
    ]
    if max(map(len, words.split())) >= INDEXED:
        wanted.append((LOOKED_AT, everywhere))
    if by_contact and len(words) >= INDEXED:
        wanted.append((LOOKED_AT, [User.email.ilike(f"%{part}%", escape="\\")]))  # ix_users_email_trgm
    digits = "".join(sign for sign in words if sign.isascii() and sign.isdigit())
    if by_contact and len(digits) >= PHONE_DIGITS and not any(sign.isalpha() for sign in words):
        wanted.append((limit, [phone_digits().contains(digits)]))  # ix_users_phone_digits
    return [
        select(select(User.id, User.full_name).where(*conditions).limit(most).subquery()) for most, conditions in wanted
    ]


_PERSONS = [role for role in Role if role not in (Role.SYSTEM, Role.ANONYMOUS)]


def _order(candidate: tuple[UUID, str], words: str) -> tuple[int, str, UUID]:
    """The whole name, its beginning, the beginning of a part of it, anything else; then by name."""
    person_id, full_name = candidate
    name, typed = full_name.lower(), words.lower()
    likeness = 0 if name == typed else 1 if name.startswith(typed) else 2 if f" {typed}" in name else 3
    return likeness, full_name, person_id


def phone_digits() -> ColumnElement[str]:
    """The phone number without spaces and signs, as its index has it."""
    return func.regexp_replace(User.phone, r"\D", "", "g")


def escaped(words: str) -> str:
    """For LIKE, which reads % and _ as anything."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
