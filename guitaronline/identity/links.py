"""Invitations: a link that works once, for INVITE_HOURS, and lets somebody choose a password."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.db import new_id
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.refusals import LinkInvalid, PersonInactive, PersonInvalid
from guitaronline.identity.revocation import BULK, revoke_sign_ins
from guitaronline.identity.standing import store_password
from guitaronline.unit_of_work import Work, command

INVITE = "gol_in_"


@command("person.invite", on="users")
def invite_person(work: Work, user_id: UUID, *, reason: str | None = None) -> str:
    """The token of a new link, to be shown once; earlier links of the person are void.

    Who holds it can become that person, so only admins invite others than students. Raises PersonInactive, PersonInvalid."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    user = work.lock(User, user_id)
    if user.role is not Role.STUDENT:
        access.require(work.actor, Permission.ADMINISTER)
    if not user.is_active:
        raise PersonInactive()
    if user.email is None:
        raise PersonInvalid(
            reasons=[
                Reason(
                    "email_needed", "Without an e-mail address nobody can sign in.", "Give them one first.", "/email"
                )
            ]
        )
    earlier = update(SignInLink).where(SignInLink.user_id == user.id, SignInLink.used_at.is_(None))
    work.session.execute(earlier.values(used_at=work.now), execution_options=BULK)
    token = INVITE + secrets.token_urlsafe(32)
    work.session.add(
        SignInLink(
            id=new_id(),
            user_id=user.id,
            purpose=LinkPurpose.INVITE,
            token_hash=_hash(token),
            created_at=work.now,
            expires_at=work.now + timedelta(hours=policy.current().INVITE_HOURS),
        )
    )
    return token


@command("person.accept_invitation")
def accept_invitation(work: Work, *, token: str, password: str) -> User:
    """The person has this password; the link is used and everything signed in before is signed out.

    Locks the person, then the link, and looks again. Raises LinkInvalid, PasswordUnfit."""
    user_id = work.session.scalar(select(SignInLink.user_id).where(SignInLink.token_hash == _hash(token)))
    if user_id is None:
        raise LinkInvalid()
    user = work.lock(User, user_id)
    if invited_person(work.session, token, work.now) is None:
        raise LinkInvalid()
    store_password(work, user, password)
    revoke_sign_ins(work, user.id, because="password changed")  # this link among them
    return user


def invited_person(session: Session, token: str, now: datetime) -> User | None:
    """Query: for whom the link is good at this moment, if for anybody. Its page greets them by name."""
    found = session.scalars(
        select(User)
        .join(SignInLink, SignInLink.user_id == User.id)
        .where(
            SignInLink.token_hash == _hash(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
            User.is_active,
        )
    )
    return found.one_or_none()


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
