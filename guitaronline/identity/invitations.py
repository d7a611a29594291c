"""Invitations: a link that works once, for INVITE_HOURS, and lets somebody choose a password."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.errors import Reason
from guitaronline.identity import access, links
from guitaronline.identity.access import Permission
from guitaronline.identity.models import LinkPurpose, User
from guitaronline.identity.refusals import PersonInactive, PersonInvalid
from guitaronline.identity.revocation import revoke_sign_ins
from guitaronline.identity.standing import store_password
from guitaronline.unit_of_work import Work, command


@command("person.invite", on="users")
def invite_person(work: Work, user_id: UUID, *, reason: str | None = None) -> str:
    """The token of a new link, mailed to the person, or to be shown once where no mail is sent; earlier ones are void.

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
    link = links.new_link(work, user, LinkPurpose.INVITE)
    if links.is_mailed():
        work.emit("person.invited", user, link_id=str(link.id))
    return links.token_of(link.purpose, link.id)


@command("person.accept_invitation")
def accept_invitation(work: Work, *, token: str, password: str) -> User:
    """The person has this password; the link is used and everything signed in before is signed out.

    Raises LinkInvalid, PasswordUnfit."""
    user = links.use(work, LinkPurpose.INVITE, token)
    store_password(work, user, password)
    revoke_sign_ins(work, user.id, because="password changed")
    return user


def invited_person(session: Session, token: str, now: datetime) -> User | None:
    """Query: whom the invitation is for, while it is good."""
    return links.person_of(session, LinkPurpose.INVITE, token, now)
