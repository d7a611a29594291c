"""A person's own change of e-mail address: asked for with the password, done by the link that goes to the new address, and
undone by the link that goes to the old one.

Who undoes it says that a stranger had the account: everything is signed out, and the password, which the stranger knew, is void;
a link to choose another comes with it. Changes that the school makes have no such link: the address before may have been
somebody else's by mistake, who must not get the account by it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Actor
from guitaronline.db import new_id
from guitaronline.errors import Reason
from guitaronline.identity import access, credentials, links
from guitaronline.identity.access import Permission
from guitaronline.identity.emails import Email, read_email
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.people import refuse_taken
from guitaronline.identity.refusals import InvalidCredentials, LinkInvalid, MailIsOff, PersonInvalid, SameAddress
from guitaronline.identity.revocation import revoke_sign_ins
from guitaronline.identity.sign_in_models import AddressChange
from guitaronline.identity.verifying import note_arrival
from guitaronline.unit_of_work import Work, command

BEFORE_IT = (LinkPurpose.INVITE, LinkPurpose.RESET, LinkPurpose.VERIFY, LinkPurpose.ADDRESS)


def ask_to_change(actor: Actor, *, email: str, password: str, address: str | None) -> AddressChange:
    """A link is on its way to the new address; nothing changes before it is followed. An earlier such link is void.

    Raises InvalidCredentials, TooManyAttempts, PersonInvalid, SameAddress, EmailTaken, MailIsOff."""
    access.require(actor, Permission.OWN_PROFILE, own=actor.id is not None)
    if actor.id is None:
        raise InvalidCredentials()
    seen = credentials.confirm_password(actor.id, password, address=address)
    return _ask(actor, actor.id, email=email, seen=seen)


@command("person.ask_address_change", on="users")
def _ask(work: Work, user_id: UUID, *, email: str, seen: str) -> AddressChange:
    if not links.is_mailed():
        raise MailIsOff()
    user = work.lock(User, user_id)
    if user.password_hash != seen or not user.is_active:  # changed since it was compared
        raise InvalidCredentials()
    wanted = _read(email)
    if wanted.key == user.email_key:
        raise SameAddress(reasons=[Reason("same_address", SameAddress.detail, "", "/email")])
    refuse_taken(work, wanted, but=user.id)
    link = links.new_link(work, user, LinkPurpose.ADDRESS)
    change = AddressChange(id=new_id(), user_id=user.id, link_id=link.id, new_email=wanted.address, created_at=work.now)
    work.session.add(change)
    work.emit("person.address_change_asked", change, person_id=str(user.id), link_id=str(link.id))
    return change


@command("person.change_address")
def change_address(work: Work, *, token: str) -> User:
    """The person is written to at the new address, which is known to be theirs; the old one is told, with a link that undoes it
    for `links.UNDO_FOR`. Links that went to the old one before are void. Locks the person. Raises LinkInvalid, EmailTaken."""
    user = links.use(work, LinkPurpose.ADDRESS, token)
    change = _of_link(work.session, AddressChange.link_id, token)
    if change is None or user.email is None:
        raise LinkInvalid()
    wanted = _read(change.new_email)
    refuse_taken(work, wanted, but=user.id)
    links.void_links(work, user.id, *BEFORE_IT)
    undo = links.another_link(work, user, LinkPurpose.UNDO)  # the address before this one can still take all of it back
    change.done_at, change.undo_until, change.undo_link_id = work.now, undo.expires_at, undo.id
    change.former_email, change.former_key = user.email, user.email_key
    user.email, user.email_key, user.email_verified_at = wanted.address, wanted.key, None
    note_arrival(work, user)
    work.emit("person.address_changed", change, person_id=str(user.id), link_id=str(undo.id))
    return user


@command("person.undo_address_change")
def undo_change(work: Work, *, token: str) -> str:
    """The person has the address back, is signed out everywhere, and no password opens the account; the token of a link to
    choose another. Later changes are undone with it. Locks the person. Raises LinkInvalid, EmailTaken."""
    user = links.use(work, LinkPurpose.UNDO, token)
    change = _of_link(work.session, AddressChange.undo_link_id, token)
    if change is None or change.former_email is None:
        raise LinkInvalid()
    former = _read(change.former_email)
    refuse_taken(work, former, but=user.id)
    links.void_links(work, user.id, *BEFORE_IT)
    _undo_later(work, change)
    user.email, user.email_key, user.email_verified_at = former.address, former.key, None
    note_arrival(work, user)
    user.password_hash = None
    revoke_sign_ins(work, user.id, because="change of address undone")
    work.emit("person.address_change_undone", change, person_id=str(user.id))
    return links.token_of(LinkPurpose.RESET, links.new_link(work, user, LinkPurpose.RESET).id)


def _undo_later(work: Work, change: AddressChange) -> None:
    """Step: this change and those after it are undone, and the links that would undo those lead nowhere: they went to whoever
    made them."""
    later = select(AddressChange).where(AddressChange.user_id == change.user_id, AddressChange.id >= change.id)
    undone = [each for each in work.session.scalars(later) if each.done_at is not None and each.undone_at is None]
    for each in undone:
        each.undone_at = work.now
    links.void(work, [each.undo_link_id for each in undone if each.undo_link_id is not None])


def changing_person(session: Session, token: str, now: datetime) -> tuple[User, AddressChange] | None:
    """Query: whose address this link changes, and to what, while it is good."""
    return _whose(session, LinkPurpose.ADDRESS, _of_link(session, AddressChange.link_id, token), token, now)


def undoing_person(session: Session, token: str, now: datetime) -> tuple[User, AddressChange] | None:
    """Query: whose change this link undoes, while it is good."""
    return _whose(session, LinkPurpose.UNDO, _of_link(session, AddressChange.undo_link_id, token), token, now)


def pending_change(session: Session, user_id: UUID, now: datetime) -> AddressChange | None:
    """Query: the newest change that waits for its link to be followed."""
    query = (
        select(AddressChange)
        .join(SignInLink, SignInLink.id == AddressChange.link_id)
        .where(AddressChange.user_id == user_id, SignInLink.used_at.is_(None), SignInLink.expires_at > now)
    )
    return session.scalars(query.order_by(AddressChange.id.desc()).limit(1)).one_or_none()


def change_of(session: Session, change_id: UUID) -> AddressChange | None:
    """Query: None when it was forgotten since."""
    return session.get(AddressChange, change_id)


def _whose(
    session: Session, purpose: LinkPurpose, change: AddressChange | None, token: str, now: datetime
) -> tuple[User, AddressChange] | None:
    user = links.person_of(session, purpose, token, now)
    return (user, change) if user is not None and change is not None else None


def _of_link(session: Session, column: Any, token: str) -> AddressChange | None:
    link_id = links.id_of(session, token)
    if link_id is None:
        return None
    query = select(AddressChange).where(column == link_id)
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def _read(email: str) -> Email:
    try:
        return read_email(email)
    except ValueError as error:
        wrong = Reason("email_invalid", str(error), "Write it like ann@people.example.", "/email")
        raise PersonInvalid(reasons=[wrong]) from error
