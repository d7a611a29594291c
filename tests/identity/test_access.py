"""The permission table, against a transcription of the page that people read (domain.md, "Who may do what")."""

from __future__ import annotations

import pytest

from guitaronline.actor import ANONYMOUS, PERSON_ROLES, SYSTEM, Actor, Role
from guitaronline.db import new_id
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission, Scope

# One line a permission: who reaches what, in the words of the page. "-" nobody there, "own" one's own, "any" everybody's.
# Order: student teacher support finance auditor admin.
PAGE = """
OWN_PROFILE       own own own own own own
BOOK              own -   any -   -   any
CANCEL            own own any -   -   any
READ_BOOKINGS     own own any any any any
MANAGE_SLOTS      -   own any -   -   any
RECORD_OUTCOME    -   own any -   -   any
OVERRIDE          -   -   any -   -   any
ADJUST_LESSONS    -   -   any any -   any
READ_PEOPLE       -   own any any any any
READ_CONTACTS     -   -   any -   -   any
READ_MASKED       -   -   -   any any any
VIEW_AS           -   -   any -   -   any
EDIT_PEOPLE       -   -   any -   -   any
WRITE_NOTES       -   -   any any -   any
READ_MESSAGES     -   -   any any any any
SEND_MESSAGES     -   -   any -   -   any
RUN_BULK          -   -   any any -   any
READ_PACKAGES     own -   any any any any
BUY               own -   -   -   -   -
OPEN_CHECKOUT     own -   any any -   any
GRANT_PACKAGES    -   -   -   any -   any
EXTEND_PACKAGES   -   -   any any -   any
READ_PAYMENTS     own -   any any any any
EDIT_PAYMENTS     -   -   -   any -   any
EDIT_INVOICING    -   -   -   any -   any
EDIT_ADDRESSES    own -   any any -   any
APPROVE           -   -   -   any -   any
READ_KPIS         -   -   any any any any
EXPORT            -   -   any any any any
READ_OWN_ACTIONS  -   -   any any any any
READ_MONEY_AUDIT  -   -   -   any any any
READ_AUDIT        -   -   -   -   any any
READ_CHECKS       -   -   -   any any any
READ_SETTINGS     -   -   -   any any any
EDIT_PLANS        -   -   -   any -   any
READ_BOOKS        -   -   -   any any any
READ_STATEMENTS   -   own -   any any any
KEEP_BOOKS        -   -   -   any -   any
KEEP_PRIVACY      -   -   -   -   -   any
ADMINISTER        -   -   -   -   -   any
"""
COLUMNS = ("student", "teacher", "support", "finance", "auditor", "admin")
LINES = {name: words for name, *words in (line.split() for line in PAGE.strip().splitlines())}
CELLS = [(name, role, word) for name, words in LINES.items() for role, word in zip(COLUMNS, words, strict=True)]
CHANGES = [  # what an auditor, who "reads everything, changes nothing", must not reach
    name for name in LINES if not name.startswith("READ_") and name not in ("OWN_PROFILE", "EXPORT")
]


def somebody(role: str) -> Actor:
    return Actor(new_id(), Role(role))


def answer(actor: Actor, permission: Permission, *, own: bool) -> str:
    try:
        access.require(actor, permission, own=own)
    except NotAllowed:
        return "not allowed"
    except NotFound:
        return "not found"
    return "yes"


def test_the_page_and_the_table_have_the_same_lines_and_columns() -> None:
    assert set(LINES) == {permission.name for permission in Permission}
    assert set(COLUMNS) == {str(role) for role in PERSON_ROLES}


@pytest.mark.parametrize(("name", "role", "word"), CELLS)
def test_a_cell_says_what_the_page_says(name: str, role: str, word: str) -> None:
    others = {"-": "not allowed", "own": "not found", "any": "yes"}[word]
    ones_own = {"-": "not allowed", "own": "yes", "any": "yes"}[word]

    assert answer(somebody(role), Permission[name], own=False) == others
    assert answer(somebody(role), Permission[name], own=True) == ones_own


@pytest.mark.parametrize("name", LINES)
def test_the_system_may_everything_and_a_stranger_nothing(name: str) -> None:
    assert access.scope(SYSTEM, Permission[name]) is Scope.ANY
    assert answer(ANONYMOUS, Permission[name], own=True) == "not allowed"


@pytest.mark.parametrize("name", CHANGES)
def test_an_auditor_changes_nothing(name: str) -> None:
    assert not access.may(somebody("auditor"), Permission[name], own=True)


@pytest.mark.parametrize("name", [name for name in LINES if name != "BUY"])  # one buys for oneself
def test_an_admin_reaches_every_line_and_may_agrees_with_require(name: str) -> None:
    assert access.may(somebody("admin"), Permission[name], own=True)
    assert [access.may(somebody(role), Permission[name]) for role in COLUMNS] == [
        answer(somebody(role), Permission[name], own=False) == "yes" for role in COLUMNS
    ]
