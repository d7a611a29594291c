"""What the rows name: rows that came in before, people who are in the school, and who looks like one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from guitaronline.billing.models import Plan
from guitaronline.identity.emails import email_key
from guitaronline.identity.finding import phone_digits
from guitaronline.identity.models import User
from guitaronline.office.opening_models import OpeningRow, Sheet

T = TypeVar("T")
AT_ONCE = 1000  # values in one statement


@dataclass(frozen=True)
class Known:
    record_id: UUID
    digest: bytes


def known_rows(session: Session, ids: dict[Sheet, set[str]]) -> dict[tuple[Sheet, str], Known]:
    """Of the named rows, those that came in before. uq_opening_rows_once"""
    found: dict[tuple[Sheet, str], Known] = {}
    for sheet, wanted in ids.items():
        for some in _portions(sorted(wanted)):
            query = select(OpeningRow.external_id, OpeningRow.record_id, OpeningRow.digest)
            for row in session.execute(query.where(OpeningRow.sheet == sheet, OpeningRow.external_id.in_(some))):
                found[sheet, row.external_id] = Known(row.record_id, row.digest)
    return found


def owners_of(session: Session, addresses: Iterable[str]) -> dict[str, str]:
    """Folded address → reference of the person who has it. uq_users_email_key"""
    keys = sorted({key for each in addresses if each and (key := email_key(each))})
    found: dict[str, str] = {}
    for some in _portions(keys):
        rows = session.execute(select(User.email_key, User.reference).where(User.email_key.in_(some)))
        found.update({row.email_key: row.reference for row in rows})
    return found


def digits_of(phone: str) -> str:
    return "".join(sign for sign in phone if sign in "0123456789")


def alike(session: Session, people: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """(name, phone) → references of people with that name and number, as far as there are some. ix_users_same_person"""
    wanted = sorted({(name.lower(), digits_of(phone)) for name, phone in people if name and digits_of(phone)})
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    same = tuple_(func.lower(User.full_name), phone_digits())
    for some in _portions(wanted):
        query = select(func.lower(User.full_name), phone_digits(), User.reference).where(
            same.in_(some), User.phone.is_not(None), User.merged_into_id.is_(None)
        )
        for name, digits, reference in session.execute(query):
            found[name, digits].append(reference)
    return dict(found)


class Plans:
    """Plans by name, each asked for once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._known: dict[str, Plan | None] = {}

    def named(self, name: str) -> Plan | None:
        if name not in self._known:
            self._known[name] = self.session.scalars(select(Plan).where(Plan.name == name)).one_or_none()
        return self._known[name]


def repeated_of(items: Iterable[T], key: Callable[[T], Any]) -> set[Any]:
    """The keys that more than one of the items has; None and empty are none."""
    seen: set[Any] = set()
    twice: set[Any] = set()
    for each in items:
        value = key(each)
        if value:
            (twice if value in seen else seen).add(value)
    return twice


def _portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
