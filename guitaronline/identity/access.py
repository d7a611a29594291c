"""Who may do what: ONE table, role × permission. Code, pages and tests read it; nothing else decides.

OWN means: the actor's own records (a teacher's: own slots and own lessons). A record that is not one's own looks as if
it did not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from guitaronline.actor import Actor, Role
from guitaronline.errors import NotAllowed, NotFound


class Scope(IntEnum):
    NO = 0
    OWN = 1
    ANY = 2


class Permission(StrEnum):
    OWN_PROFILE = "see and edit one's own profile"
    BOOK = "hold and confirm a booking"
    CANCEL = "cancel and reschedule a booking"
    READ_BOOKINGS = "read bookings and lessons"
    MANAGE_SLOTS = "make, block and withdraw slots"
    RECORD_OUTCOME = "record a lesson's outcome and report"
    OVERRIDE = "correct an outcome, waive, override booking rules"
    ADJUST_LESSONS = "adjust the lessons of a package"
    READ_PEOPLE = "read people"
    READ_CONTACTS = "see contact data in clear"
    READ_MASKED = "reveal masked personal data, with a reason; each time is logged"
    VIEW_AS = "view the school as a student or teacher, with a reason"
    EDIT_PEOPLE = "create, edit and deactivate people"
    WRITE_NOTES = "write notes and tasks"
    READ_MESSAGES = "read what others were told, and whether it arrived"
    SEND_MESSAGES = "write to people, send messages again"
    RUN_BULK = "act on many records at once, stop and undo that"
    READ_PACKAGES = "read packages and their ledger"
    BUY = "buy packages for oneself"
    OPEN_CHECKOUT = "get the page where a payment is paid"
    GRANT_PACKAGES = "grant, reinstate and revoke packages"
    EXTEND_PACKAGES = "extend and freeze packages"
    READ_PAYMENTS = "read payments, refunds and approvals"
    EDIT_PAYMENTS = "record payments and refunds"
    EDIT_INVOICING = "say who sells on invoices and at which tax rates"
    EDIT_ADDRESSES = "edit billing addresses"
    APPROVE = "approve what another asked for"
    READ_KPIS = "read KPIs"
    EXPORT = "export lists"
    READ_OWN_ACTIONS = "read the audit of one's own actions"
    READ_MONEY_AUDIT = "read the audit of money"
    READ_AUDIT = "read the whole audit and the outbox"
    READ_CHECKS = "read the integrity checks"
    READ_SETTINGS = "read settings, plans and roles"
    EDIT_PLANS = "edit plans and prices"
    READ_BOOKS = "read liability, breakage, the journal and its accounts"
    READ_STATEMENTS = "read rates and statements of teachers"
    KEEP_BOOKS = "set teachers' rates, approve their statements, map accounts"
    KEEP_PRIVACY = "give out all data of a person, erase a person"
    ADMINISTER = "settings, roles, keys, expire endpoints"


_COLUMNS = (Role.STUDENT, Role.TEACHER, Role.SUPPORT, Role.FINANCE, Role.AUDITOR, Role.ADMIN)
_NO, _OWN, _ANY = Scope.NO, Scope.OWN, Scope.ANY

TABLE: dict[Permission, dict[Role, Scope]] = {
    permission: dict(zip(_COLUMNS, scopes, strict=True))
    for permission, scopes in {
        #                             student teacher support finance auditor admin
        Permission.OWN_PROFILE:      (_OWN,   _OWN,   _OWN,   _OWN,   _OWN,   _OWN),
        Permission.BOOK:             (_OWN,   _NO,    _ANY,   _NO,    _NO,    _ANY),
        Permission.CANCEL:           (_OWN,   _OWN,   _ANY,   _NO,    _NO,    _ANY),
        Permission.READ_BOOKINGS:    (_OWN,   _OWN,   _ANY,   _ANY,   _ANY,   _ANY),
        Permission.MANAGE_SLOTS:     (_NO,    _OWN,   _ANY,   _NO,    _NO,    _ANY),
        Permission.RECORD_OUTCOME:   (_NO,    _OWN,   _ANY,   _NO,    _NO,    _ANY),
        Permission.OVERRIDE:         (_NO,    _NO,    _ANY,   _NO,    _NO,    _ANY),
        Permission.ADJUST_LESSONS:   (_NO,    _NO,    _ANY,   _ANY,   _NO,    _ANY),
        Permission.READ_PEOPLE:      (_NO,    _OWN,   _ANY,   _ANY,   _ANY,   _ANY),
        Permission.READ_CONTACTS:    (_NO,    _NO,    _ANY,   _NO,    _NO,    _ANY),
        Permission.READ_MASKED:      (_NO,    _NO,    _NO,    _ANY,   _ANY,   _ANY),
        Permission.VIEW_AS:          (_NO,    _NO,    _ANY,   _NO,    _NO,    _ANY),
        Permission.EDIT_PEOPLE:      (_NO,    _NO,    _ANY,   _NO,    _NO,    _ANY),
        Permission.WRITE_NOTES:      (_NO,    _NO,    _ANY,   _ANY,   _NO,    _ANY),
        Permission.READ_MESSAGES:    (_NO,    _NO,    _ANY,   _ANY,   _ANY,   _ANY),
        Permission.SEND_MESSAGES:    (_NO,    _NO,    _ANY,   _NO,    _NO,    _ANY),
        Permission.RUN_BULK:         (_NO,    _NO,    _ANY,   _ANY,   _NO,    _ANY),
        Permission.READ_PACKAGES:    (_OWN,   _NO,    _ANY,   _ANY,   _ANY,   _ANY),
        Permission.BUY:              (_OWN,   _NO,    _NO,    _NO,    _NO,    _NO),
        Permission.OPEN_CHECKOUT:    (_OWN,   _NO,    _ANY,   _ANY,   _NO,    _ANY),
        Permission.GRANT_PACKAGES:   (_NO,    _NO,    _NO,    _ANY,   _NO,    _ANY),
        Permission.EXTEND_PACKAGES:  (_NO,    _NO,    _ANY,   _ANY,   _NO,    _ANY),
        Permission.READ_PAYMENTS:    (_OWN,   _NO,    _ANY,   _ANY,   _ANY,   _ANY),
        Permission.EDIT_PAYMENTS:    (_NO,    _NO,    _NO,    _ANY,   _NO,    _ANY),
        Permission.EDIT_INVOICING:   (_NO,    _NO,    _NO,    _ANY,   _NO,    _ANY),
        Permission.EDIT_ADDRESSES:   (_OWN,   _NO,    _ANY,   _ANY,   _NO,    _ANY),
        Permission.APPROVE:          (_NO,    _NO,    _NO,    _ANY,   _NO,    _ANY),
        Permission.READ_KPIS:        (_NO,    _NO,    _ANY,   _ANY,   _ANY,   _ANY),
        Permission.EXPORT:           (_NO,    _NO,    _ANY,   _ANY,   _ANY,   _ANY),
        Permission.READ_OWN_ACTIONS: (_NO,    _NO,    _ANY,   _ANY,   _ANY,   _ANY),
        Permission.READ_MONEY_AUDIT: (_NO,    _NO,    _NO,    _ANY,   _ANY,   _ANY),
        Permission.READ_AUDIT:       (_NO,    _NO,    _NO,    _NO,    _ANY,   _ANY),
        Permission.READ_CHECKS:      (_NO,    _NO,    _NO,    _ANY,   _ANY,   _ANY),
        Permission.READ_SETTINGS:    (_NO,    _NO,    _NO,    _ANY,   _ANY,   _ANY),
        Permission.EDIT_PLANS:       (_NO,    _NO,    _NO,    _ANY,   _NO,    _ANY),
        Permission.READ_BOOKS:       (_NO,    _NO,    _NO,    _ANY,   _ANY,   _ANY),
        Permission.READ_STATEMENTS:  (_NO,    _OWN,   _NO,    _ANY,   _ANY,   _ANY),
        Permission.KEEP_BOOKS:       (_NO,    _NO,    _NO,    _ANY,   _NO,    _ANY),
        Permission.KEEP_PRIVACY:     (_NO,    _NO,    _NO,    _NO,    _NO,    _ANY),
        Permission.ADMINISTER:       (_NO,    _NO,    _NO,    _NO,    _NO,    _ANY),
    }.items()
}  # fmt: skip


class KeyScope(StrEnum):
    """What a service key may be made for. No scope reaches people's contacts, money going out, settings or the audit."""

    BOOKINGS_READ = "bookings:read"
    BOOKINGS_WRITE = "bookings:write"
    SLOTS_WRITE = "slots:write"
    LESSONS_WRITE = "lessons:write"
    PACKAGES_READ = "packages:read"
    PACKAGES_GRANT = "packages:grant"
    PAYMENTS_READ = "payments:read"
    FIGURES_READ = "figures:read"


KEY_SCOPES: dict[KeyScope, frozenset[Permission]] = {
    KeyScope.BOOKINGS_READ: frozenset({Permission.READ_BOOKINGS}),
    KeyScope.BOOKINGS_WRITE: frozenset({Permission.BOOK, Permission.CANCEL}),
    KeyScope.SLOTS_WRITE: frozenset({Permission.MANAGE_SLOTS}),
    KeyScope.LESSONS_WRITE: frozenset({Permission.RECORD_OUTCOME}),
    KeyScope.PACKAGES_READ: frozenset({Permission.READ_PACKAGES}),
    KeyScope.PACKAGES_GRANT: frozenset({Permission.GRANT_PACKAGES}),
    KeyScope.PAYMENTS_READ: frozenset({Permission.READ_PAYMENTS}),
    KeyScope.FIGURES_READ: frozenset({Permission.READ_KPIS}),
}


def granted_by(scopes: Iterable[str]) -> frozenset[str]:
    """The permissions of a service key. A scope that is not known any more gives none."""
    known = [KEY_SCOPES[KeyScope(each)] for each in scopes if each in KEY_SCOPES]
    return frozenset().union(*known)


def scopes_that_give(permission: Permission) -> list[KeyScope]:
    return [scope for scope, given in KEY_SCOPES.items() if permission in given]


def scope(actor: Actor, permission: Permission) -> Scope:
    """How far the actor's role reaches; the system may do anything, a stranger nothing, a service key what it was made for."""
    if actor.is_system:
        return Scope.ANY
    if actor.is_service:
        return Scope.ANY if permission in actor.granted else Scope.NO
    return TABLE[permission].get(actor.role, Scope.NO)


def may(actor: Actor, permission: Permission, *, own: bool = False) -> bool:
    reach = scope(actor, permission)
    return reach is Scope.ANY or (reach is Scope.OWN and own)


def require(actor: Actor, permission: Permission, *, own: bool = False) -> None:
    """Raises NotAllowed when the role may not at all, NotFound when it may but the record is not the actor's own."""
    reach = scope(actor, permission)
    if reach is Scope.NO:
        raise NotAllowed(permission=permission.name.lower())
    if reach is Scope.OWN and not own:
        raise NotFound()
