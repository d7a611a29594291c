"""Where a person is signed in at this moment, browsers and apps alike; and being signed out there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.devices import in_words
from guitaronline.identity.models import ConsoleSession, TokenFamily, User
from guitaronline.identity.people import require_over
from guitaronline.identity.revocation import BULK, revoke_sign_ins
from guitaronline.identity.standing import require_reason
from guitaronline.unit_of_work import Work, command

LIMIT = 50


@dataclass(frozen=True)
class Device:
    """One browser, or one app on one device."""

    id: UUID
    is_browser: bool
    name: str  # in words; empty where it did not say
    address: str | None  # the network address it signed in from
    signed_in_at: datetime
    last_used_at: datetime


def devices_of(session: Session, user_id: UUID, *, now: datetime, limit: int = LIMIT) -> list[Device]:
    """Query: signed in at this moment, the last used first. ix_console_sessions_user_id, ix_token_families_user_id"""
    idle = timedelta(minutes=policy.current().SESSION_IDLE_MINUTES)
    browsers = (
        select(ConsoleSession)
        .where(
            ConsoleSession.user_id == user_id,
            ConsoleSession.revoked_at.is_(None),
            ConsoleSession.expires_at > now,
            ConsoleSession.last_seen_at > now - idle,
        )
        .order_by(ConsoleSession.last_seen_at.desc())
    )
    apps = (
        select(TokenFamily)
        .where(TokenFamily.user_id == user_id, TokenFamily.revoked_at.is_(None), TokenFamily.expires_at > now)
        .order_by(TokenFamily.last_used_at.desc())
    )
    found = [
        *(
            Device(each.id, True, in_words(each.device), each.address, each.created_at, each.last_seen_at)
            for each in session.scalars(browsers.limit(limit))
        ),
        *(
            Device(each.id, False, each.device_label or "", each.address, each.created_at, each.last_used_at)
            for each in session.scalars(apps.limit(limit))
        ),
    ]
    return sorted(found, key=lambda each: each.last_used_at, reverse=True)[:limit]


@command("person.sign_out_device", on="users")
def sign_out_device(work: Work, user_id: UUID, *, device_id: UUID) -> User:
    """One's own browser or app is signed out. Repeating it changes nothing. Raises NotFound where it is not theirs.

    Locks the person."""
    access.require(work.actor, Permission.OWN_PROFILE, own=work.actor.id == user_id)
    user = work.lock(User, user_id)
    browser = select(ConsoleSession.id).where(ConsoleSession.id == device_id, ConsoleSession.user_id == user_id)
    app = select(TokenFamily.id).where(TokenFamily.id == device_id, TokenFamily.user_id == user_id)
    if work.session.scalar(browser) is None and work.session.scalar(app) is None:
        raise NotFound("This device is not one of yours.")
    sessions = update(ConsoleSession).where(ConsoleSession.id == device_id, ConsoleSession.revoked_at.is_(None))
    families = update(TokenFamily).where(TokenFamily.id == device_id, TokenFamily.revoked_at.is_(None))
    work.session.execute(sessions.values(revoked_at=work.now), execution_options=BULK)
    work.session.execute(
        families.values(revoked_at=work.now, revoke_reason="signed out from elsewhere"), execution_options=BULK
    )
    return user


@command("person.sign_out_elsewhere", on="users")
def sign_out_elsewhere(
    work: Work, user_id: UUID, *, keep_session: UUID | None = None, keep_family: UUID | None = None
) -> User:
    """Everything of one's own is signed out but where this is done. Locks the person."""
    access.require(work.actor, Permission.OWN_PROFILE, own=work.actor.id == user_id)
    user = work.lock(User, user_id)
    revoke_sign_ins(
        work, user.id, because="signed out from elsewhere", keep_session=keep_session, keep_family=keep_family
    )
    return user


@command("person.sign_out_everywhere", on="users")
def sign_out_everywhere(work: Work, user_id: UUID, *, reason: str) -> User:
    """Somebody else is signed out on every device, as after a theft. They may sign in again. Locks the person."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    require_reason(reason)
    user = work.lock(User, user_id)
    require_over(work.actor, user)
    revoke_sign_ins(work, user.id, because="signed out by the school")
    return user
