"""A person's standing: role, active or not, password and second factor. Each change takes effect on the next request."""

from __future__ import annotations

from uuid import UUID

import pyotp
from sqlalchemy import select

from guitaronline.actor import PERSON_ROLES, Actor, Role
from guitaronline.errors import Reason
from guitaronline.identity import access, credentials, recovery, totp
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.passwords import hash_password, password_problems
from guitaronline.identity.people import require_over, take_role
from guitaronline.identity.refusals import (
    InvalidCredentials,
    LastAdmin,
    OwnRole,
    PasswordUnfit,
    PersonInvalid,
    PersonMerged,
    ReasonRequired,
)
from guitaronline.identity.revocation import revoke_sign_ins
from guitaronline.unit_of_work import Work, command


@command("person.set_role", on="users")
def set_role(work: Work, user_id: UUID, *, role: Role, reason: str) -> User:
    """The person has the role, and has to sign in again. The same role: nothing happens.

    Locks the person and every admin. Raises OwnRole, LastAdmin, PersonInvalid."""
    access.require(work.actor, Permission.ADMINISTER)
    require_reason(reason)
    if work.actor.id == user_id:
        raise OwnRole()
    user, others = _lock_with_admins(work, user_id)
    if user.role is role:
        return user
    if role not in PERSON_ROLES:
        raise PersonInvalid(reasons=[Reason("role_unknown", "This is not a role that a person can have.", "", "/role")])
    if role is not Role.STUDENT and user.email is None:
        raise PersonInvalid(
            reasons=[
                Reason(
                    "email_needed", "Only a student can be without an e-mail address.", "Give them one first.", "/role"
                )
            ]
        )
    _refuse_last_admin(user, others)
    user.role = role
    work.session.flush()
    revoke_sign_ins(work, user.id, because="role changed")
    take_role(work, user)
    return user


@command("person.deactivate", on="users")
def deactivate_person(work: Work, user_id: UUID, *, reason: str) -> User:
    """The person cannot sign in and nothing that was signed in works any more. Repeating it changes nothing.

    Locks the person and every admin. Raises LastAdmin."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    require_reason(reason)
    user, others = _lock_with_admins(work, user_id)
    require_over(work.actor, user)
    if not user.is_active:
        return user
    _refuse_last_admin(user, others)
    user.is_active = False
    revoke_sign_ins(work, user.id, because="deactivated")
    return user


@command("person.reactivate", on="users")
def reactivate_person(work: Work, user_id: UUID, *, reason: str | None = None) -> User:
    """The person may sign in again, with the password they had. Repeating it changes nothing. Raises PersonMerged."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    user = work.lock(User, user_id)
    require_over(work.actor, user)
    if user.merged_into_id is not None:
        raise PersonMerged()
    if not user.is_active:
        user.is_active = True
    return user


@command("person.set_test", on="users")
def set_test(work: Work, user_id: UUID, *, is_test: bool, reason: str) -> User:
    """The person is a test account, whose doings count in no KPI, or is one no more. Repeating it changes nothing."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    require_reason(reason)
    user = work.lock(User, user_id)
    require_over(work.actor, user)
    if user.is_test is not is_test:
        user.is_test = is_test
    return user


def change_password(
    actor: Actor,
    *,
    old: str,
    new: str,
    keep_family: UUID | None = None,
    keep_session: UUID | None = None,
    address: str | None = None,
) -> None:
    """One's own password is `new`; everything else that is signed in as this person is signed out.

    `keep_family`, `keep_session`: where the person is doing this. Wrong `old` ones are counted like failed sign-ins.
    Raises InvalidCredentials, TooManyAttempts, PasswordUnfit."""
    access.require(actor, Permission.OWN_PROFILE, own=actor.id is not None)
    if actor.id is None:
        raise InvalidCredentials()
    seen = credentials.confirm_password(actor.id, old, address=address)
    _change_password(actor, actor.id, new=new, seen=seen, keep_family=keep_family, keep_session=keep_session)


@command("person.change_password", on="users")
def _change_password(
    work: Work, user_id: UUID, *, new: str, seen: str, keep_family: UUID | None, keep_session: UUID | None
) -> User:
    user = work.lock(User, user_id)
    if user.password_hash != seen or not user.is_active:  # changed since it was compared
        raise InvalidCredentials()
    store_password(work, user, new, pointer="/new")
    revoke_sign_ins(work, user.id, because="password changed", keep_family=keep_family, keep_session=keep_session)
    work.emit("person.password_changed", user)
    return user


@command("person.set_password", on="users")
def set_password(work: Work, user_id: UUID, *, password: str, reason: str | None = None) -> User:
    """An admin or the command line sets the password; the person is signed out everywhere. Raises PasswordUnfit."""
    access.require(work.actor, Permission.ADMINISTER)
    user = work.lock(User, user_id)
    store_password(work, user, password)
    revoke_sign_ins(work, user.id, because="password changed")
    return user


def store_password(work: Work, user: User, password: str, *, pointer: str = "/password") -> None:
    """Step: the locked person has this password. Raises PasswordUnfit with every reason."""
    problems = password_problems(password, user.role, pointer=pointer)
    if problems:
        raise PasswordUnfit(reasons=problems)
    user.password_hash = hash_password(password)


@command("person.set_up_totp", on="users")
def set_up_totp(work: Work, user_id: UUID, *, reason: str | None = None) -> str:
    """A new secret for the person's authenticator app, as an `otpauth://` address to be shown once; the old one is void."""
    access.require(work.actor, Permission.ADMINISTER)
    user = work.lock(User, user_id)
    secret = pyotp.random_base32()
    user.totp_secret = totp.sealed(secret)
    recovery.forget(work, user.id)
    revoke_sign_ins(work, user.id, because="second factor changed")
    return totp.uri_of(secret, user.email or user.reference)


def require_reason(reason: str | None) -> None:
    if not (reason or "").strip():
        raise ReasonRequired(reasons=[Reason("reason_required", ReasonRequired.detail, "", "/reason")])


def _lock_with_admins(work: Work, user_id: UUID) -> tuple[User, list[User]]:
    """The person, and the other active admins, all locked in one order: two admins who remove each other meet here."""
    admins = work.session.scalars(select(User.id).where(User.role == Role.ADMIN, User.is_active))
    locked = {each.id: each for each in work.lock_all(User, [user_id, *admins])}
    user = locked.pop(user_id, None) or work.lock(User, user_id)
    return user, [each for each in locked.values() if each.role is Role.ADMIN and each.is_active]


def _refuse_last_admin(user: User, others: list[User]) -> None:
    if user.role is Role.ADMIN and user.is_active and not others:
        raise LastAdmin()
