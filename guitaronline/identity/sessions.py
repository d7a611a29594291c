"""Signed-in browsers of console and portal. The cookie holds a random token; the row decides what it is worth."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from guitaronline import clock, db, policy
from guitaronline.actor import Actor, Role
from guitaronline.errors import DomainError
from guitaronline.identity import credentials, devices, rules, second_factor, step_up
from guitaronline.identity.models import ConsoleSession, User, ViewAsSession
from guitaronline.identity.refusals import ConsoleNotForStudents

TOUCH = timedelta(seconds=60)  # `last_seen_at` is written at most this often: reading pages must not write each time


@dataclass(frozen=True)
class SessionOpened:
    """`token` goes into the cookie; it is shown this once and stored as SHA-256 only. `browser`: into its other cookie."""

    token: str
    session_id: UUID
    actor: Actor
    expires_at: datetime
    browser: str


Opened = tuple[SessionOpened, UUID | None]  # and who is to be told of a new device


@dataclass(frozen=True)
class Looking:
    """As whom this browser is viewing just now, and how long at most (`identity/viewing.py`)."""

    id: UUID
    person_id: UUID
    until: datetime


@dataclass(frozen=True)
class SignedSession:
    """Whose browser it is; plain values, so that no rollback takes them away."""

    actor: Actor
    session_id: UUID
    full_name: str
    email: str
    timezone: str
    seconds_left: int  # until it ends when nothing more is done
    is_confirmed: bool = False  # they proved that it is them a moment ago (`identity/step_up.py`)
    must_enroll: bool = False  # staff who have to set up an authenticator app before anything else
    looking: Looking | None = None


def open_session(
    email: str,
    password: str,
    otp: str | None = None,
    address: str | None = None,
    device: str | None = None,
    *,
    browser: str | None = None,
) -> SessionOpened:
    """A new session with a new token, for teachers and staff. `browser`: the cookie by which it may be known
    (`identity/devices.py`); one not seen before is told to the person. Staff without a second factor come in where one is
    required, too: to set it up, and to nothing else (`SignedSession.must_enroll`).

    Raises InvalidCredentials, OtpRequired, OtpInvalid, ConsoleNotForStudents, TooManyAttempts."""

    browser = browser or devices.new_browser()
    mark = devices.mark_of_browser(browser)

    def opened(session: Session, person: credentials.Person, now: datetime) -> Opened | DomainError:
        if person.role is Role.STUDENT:
            return ConsoleNotForStudents()
        token = secrets.token_urlsafe(32)
        row = ConsoleSession(
            id=db.new_id(),
            user_id=person.id,
            token_hash=_hash(token),
            created_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(hours=policy.current().SESSION_MAX_HOURS),
            address=rules.label(address),
            device=rules.label(device, 300),
        )
        session.add(row)
        done = SessionOpened(token, row.id, person.actor, row.expires_at, browser)
        return done, person.id if devices.is_news(session, person.id, mark, now) else None

    done, to_tell = credentials.sign_in(email, password, otp=otp, address=address, opened=opened)
    if to_tell is not None:
        devices.tell_of(to_tell, mark, session_id=done.session_id)
    return done


def actor_of_session(token: str) -> SignedSession | None:
    """Who is signed in with this cookie: their role of this moment. None when nobody is (any more)."""
    session = db.session()
    now = clock.read(session)
    idle = timedelta(minutes=policy.current().SESSION_IDLE_MINUTES)
    row = session.execute(
        select(
            ConsoleSession.id,
            ConsoleSession.last_seen_at,
            ConsoleSession.expires_at,
            func.coalesce(ConsoleSession.confirmed_at, ConsoleSession.created_at),
            User.totp_secret,
            User.id,
            User.role,
            User.full_name,
            User.email,
            User.timezone,
            ViewAsSession.id,
            ViewAsSession.person_id,
            ViewAsSession.until,
        )
        .join(User, User.id == ConsoleSession.user_id)
        .outerjoin(  # at most one: ix_view_as_sessions_session_id
            ViewAsSession,
            (ViewAsSession.session_id == ConsoleSession.id)
            & ViewAsSession.ended_at.is_(None)
            & (ViewAsSession.until > now),
        )
        .where(
            ConsoleSession.token_hash == _hash(token),
            ConsoleSession.revoked_at.is_(None),
            ConsoleSession.expires_at > now,
            ConsoleSession.last_seen_at > now - idle,
            User.is_active,
            User.role != Role.STUDENT,
        )
    ).one_or_none()
    if row is None:
        return None
    (
        session_id,
        last_seen_at,
        expires_at,
        confirmed_at,
        totp_secret,
        user_id,
        role,
        full_name,
        email,
        timezone,
        *view,
    ) = row
    if now - last_seen_at > min(TOUCH, idle / 10) and not db.reads_standby():
        _touch(session_id, now)
        last_seen_at = now
    seconds = int((min(last_seen_at + idle, expires_at) - now).total_seconds())
    looking = Looking(*view) if view[0] else None
    return SignedSession(
        Actor(user_id, role),
        session_id,
        full_name,
        email or "",
        timezone,
        seconds,
        is_confirmed=step_up.is_fresh(confirmed_at, now),
        must_enroll=second_factor.is_missing(role, totp_secret),
        looking=looking,
    )


def close_session(token: str) -> None:
    """The cookie is worth nothing any more, also where somebody copied it. Repeating it changes nothing."""
    with credentials.short_transaction() as session:
        row = update(ConsoleSession).where(
            ConsoleSession.token_hash == _hash(token), ConsoleSession.revoked_at.is_(None)
        )
        session.execute(row.values(revoked_at=clock.read(session)), execution_options={"synchronize_session": False})


def _touch(session_id: UUID, now: datetime) -> None:
    with credentials.short_transaction() as session:
        row = update(ConsoleSession).where(ConsoleSession.id == session_id, ConsoleSession.last_seen_at < now)
        session.execute(row.values(last_seen_at=now), execution_options={"synchronize_session": False})


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
