"""Addresses that mail does not reach: noted by who sends, gone when the address changes or somebody says that it works."""

from __future__ import annotations

from uuid import UUID

from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.people import require_over
from guitaronline.unit_of_work import Work, command

PROBLEM_LENGTH = 100


@command("person.address_failed", on="users", quiet=True)
def note_address_problem(work: Work, user_id: UUID, *, address: str, problem: str) -> bool:
    """Mail to `address` does not arrive, and staff see it. Nothing happens when it is not the person's address any more, or
    known already. Locks the person."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    user = work.lock(User, user_id)
    if user.email != address or user.address_problem is not None:
        return False
    user.address_problem, user.address_problem_at = problem[:PROBLEM_LENGTH], work.now
    return True


@command("person.address_works", on="users")
def clear_address_problem(work: Work, user_id: UUID, *, reason: str | None = None) -> User:
    """Mail is sent to the address again, as when a full mailbox has room. Locks the person."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    user = work.lock(User, user_id)
    require_over(work.actor, user)
    user.address_problem = user.address_problem_at = None
    return user
