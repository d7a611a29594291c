"""Single-use links: what they are for, how long they live, and whose they are.

A token is derived from the link's id with the secret key, so that a mail can be written again at any attempt while nothing
that signs in lies in the database: the row keeps SHA-256 of it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.db import new_id
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.refusals import LinkInvalid
from guitaronline.identity.revocation import BULK
from guitaronline.unit_of_work import Work

PREFIXES = {
    LinkPurpose.INVITE: "gol_in_",
    LinkPurpose.RESET: "gol_pw_",
    LinkPurpose.VERIFY: "gol_ev_",
    LinkPurpose.ADDRESS: "gol_ea_",
    LinkPurpose.UNDO: "gol_eu_",
}
PATHS = {
    LinkPurpose.INVITE: "/invitation/",
    LinkPurpose.RESET: "/reset/",
    LinkPurpose.VERIFY: "/verify/",
    LinkPurpose.ADDRESS: "/address/",
    LinkPurpose.UNDO: "/undo-address/",
}
UNDO_FOR = timedelta(hours=72)  # over a weekend; who finds the mail later asks the school


def is_mailed() -> bool:
    """Whether links reach people by mail; otherwise staff pass invitations on and nobody is sent any other."""
    return policy.current().MAIL_TRANSPORT != "off"


def life_of(purpose: LinkPurpose) -> timedelta:
    settings = policy.current()
    return {
        LinkPurpose.INVITE: timedelta(hours=settings.INVITE_HOURS),
        LinkPurpose.RESET: timedelta(minutes=settings.RESET_MINUTES),
        LinkPurpose.VERIFY: timedelta(hours=settings.VERIFY_HOURS),
        LinkPurpose.ADDRESS: timedelta(hours=settings.VERIFY_HOURS),
        LinkPurpose.UNDO: UNDO_FOR,
    }[purpose]


def token_of(purpose: LinkPurpose, link_id: UUID) -> str:
    """What stands in a new link; the same each time, as long as SECRET_KEY is."""
    return _token(policy.current().SECRET_KEY, purpose, link_id)


def url_of(link: SignInLink) -> str | None:
    """The address to follow; None where no secret that is believed made it, and it cannot be written again."""
    secret = secret_of(link)
    if secret is None:
        return None
    return policy.current().PUBLIC_BASE_URL.rstrip("/") + PATHS[link.purpose] + _token(secret, link.purpose, link.id)


def secret_of(link: SignInLink) -> str | None:
    """The secret that made the link, if it is still believed."""
    for secret in policy.current().secrets_believed:
        if hmac.compare_digest(digest(_token(secret, link.purpose, link.id)), link.token_hash):
            return secret
    return None


def _token(secret: str, purpose: LinkPurpose, link_id: UUID) -> str:
    made = hmac.digest(secret.encode(), f"link {purpose}:{link_id}".encode(), "sha256")
    return PREFIXES[purpose] + urlsafe_b64encode(made).decode().rstrip("=")


def new_link(work: Work, user: User, purpose: LinkPurpose) -> SignInLink:
    """Step: the locked person has such a link; earlier ones for the same purpose are void."""
    void_links(work, user.id, purpose)
    return another_link(work, user, purpose)


def another_link(work: Work, user: User, purpose: LinkPurpose) -> SignInLink:
    """Step: the locked person has such a link; earlier ones stay good."""
    link_id = new_id()
    link = SignInLink(
        id=link_id,
        user_id=user.id,
        purpose=purpose,
        token_hash=digest(token_of(purpose, link_id)),
        created_at=work.now,
        expires_at=work.now + life_of(purpose),
    )
    work.session.add(link)
    return link


def void_links(work: Work, user_id: UUID, *purposes: LinkPurpose) -> None:
    """Step: unused links of the person for these purposes are worth nothing."""
    unused = update(SignInLink).where(
        SignInLink.user_id == user_id, SignInLink.used_at.is_(None), SignInLink.purpose.in_(purposes)
    )
    work.session.execute(unused.values(used_at=work.now), execution_options=BULK)


def void(work: Work, link_ids: Iterable[UUID]) -> None:
    """Step: those of the links that are unused are worth nothing."""
    unused = update(SignInLink).where(SignInLink.id.in_(list(link_ids)), SignInLink.used_at.is_(None))
    work.session.execute(unused.values(used_at=work.now), execution_options=BULK)


def use(work: Work, purpose: LinkPurpose, token: str) -> User:
    """Step: the person of the link, locked; the link is used.

    Locks the person, then looks again whether the link is good: two who follow it at once meet here. Raises LinkInvalid."""
    user_id = work.session.scalar(select(SignInLink.user_id).where(SignInLink.token_hash == digest(token)))
    if user_id is None:
        raise LinkInvalid()
    user = work.lock(User, user_id)
    if person_of(work.session, purpose, token, work.now) is None:
        raise LinkInvalid()
    used = update(SignInLink).where(SignInLink.token_hash == digest(token))
    work.session.execute(used.values(used_at=work.now), execution_options=BULK)
    return user


def person_of(session: Session, purpose: LinkPurpose, token: str, now: datetime) -> User | None:
    """Query: for whom the link is good at this moment, if for anybody. uq_sign_in_links_token_hash"""
    found = session.scalars(
        select(User)
        .join(SignInLink, SignInLink.user_id == User.id)
        .where(
            SignInLink.token_hash == digest(token),
            SignInLink.purpose == purpose,
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
            User.is_active,
        )
    )
    return found.one_or_none()


def id_of(session: Session, token: str) -> UUID | None:
    """Query: the link's id, good or not. uq_sign_in_links_token_hash"""
    return session.scalar(select(SignInLink.id).where(SignInLink.token_hash == digest(token)))


def is_good(link: SignInLink, now: datetime) -> bool:
    """Whether following it would do anything."""
    return link.used_at is None and link.expires_at > now


def digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
