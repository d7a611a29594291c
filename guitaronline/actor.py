"""Who acts. Everything that is written names one of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    STUDENT = "student"
    TEACHER = "teacher"
    SUPPORT = "support"  # people, bookings, lessons; no money
    FINANCE = "finance"  # payments, refunds, reconciliation
    AUDITOR = "auditor"  # reads everything, changes nothing
    ADMIN = "admin"
    SYSTEM = "system"  # jobs; nobody can sign in as this
    ANONYMOUS = "anonymous"  # a stranger at a public door
    SERVICE = "service"  # a partner's program with a service key; nobody can sign in as this


STAFF_ROLES = frozenset({Role.SUPPORT, Role.FINANCE, Role.AUDITOR, Role.ADMIN})
PERSON_ROLES = frozenset({Role.STUDENT, Role.TEACHER}) | STAFF_ROLES


@dataclass(frozen=True)
class Actor:
    """A person, a service key (`id` is the key's), or the system itself (`id` None)."""

    id: UUID | None
    role: Role
    granted: frozenset[str] = frozenset()  # of a service key: the permissions that its scopes give

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES

    @property
    def is_service(self) -> bool:
        return self.role is Role.SERVICE

    @property
    def is_system(self) -> bool:
        return self.role is Role.SYSTEM


SYSTEM = Actor(None, Role.SYSTEM)
ANONYMOUS = Actor(None, Role.ANONYMOUS)
