"""API tokens: opaque, 256 bits, stored as SHA-256 only. No rights travel in them.

A device has a *family*: a line of pairs, of which at most one is live (the database sees to it). Refreshing uses a pair
up and makes its successor. Using one twice means that two hold it, and nobody can tell who is the thief: the whole
family is revoked. Except for a lost answer: a repeat within REPEAT_SECONDS, while the successor lies unused, gets a
new pair, and that successor is revoked.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guitaronline import clock, db, policy
from guitaronline.actor import Actor, Role
from guitaronline.errors import DomainError
from guitaronline.identity import credentials, devices, rules, second_factor, step_up
from guitaronline.identity.models import ApiToken, TokenFamily, User
from guitaronline.identity.refusals import RefreshTokenInvalid, TotpNotSetUp

ACCESS, REFRESH = "gol_at_", "gol_rt_"
REPEAT_SECONDS = 20  # a phone that lost the answer asks again within this
BULK = {"synchronize_session": False}

# One row by the unique index on access_hash; the family and the person by their keys. Runs before every API call, and
# planning it would take five times as long as running it.
WHOSE = db.Prepared(
    "whose_token",
    "bytea, timestamptz, interval",
    "SELECT u.id, u.role, f.id, f.created_at, u.totp_secret, moment FROM api_tokens t JOIN token_families f ON f.id = t.family_id JOIN users u ON u.id = f.user_id,"
    " coalesce($2, clock_timestamp() + coalesce($3, interval '0')) AS moment"
    " WHERE t.access_hash = $1 AND t.used_at IS NULL AND t.revoked_at IS NULL AND t.access_expires_at > moment"
    " AND f.revoked_at IS NULL AND f.expires_at > moment AND u.is_active",
)


@dataclass(frozen=True)
class TokenPair:
    """Shown this once. `expires_in`: seconds of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int
    family_id: UUID
    user_id: UUID


@dataclass(frozen=True)
class Signed:
    actor: Actor
    family_id: UUID
    is_confirmed: bool = False  # the device signed in a moment ago, or no second factor is used (`identity/step_up.py`)
    must_enroll: bool = False  # staff without the second factor that is required by now


def login(
    email: str,
    password: str,
    *,
    otp: str | None = None,
    device_label: str | None = None,
    agent: str | None = None,
    address: str | None = None,
) -> TokenPair:
    """A new family with its first pair. `agent`: what program it is. A device not seen before is told to the person.

    Raises InvalidCredentials, OtpRequired, OtpInvalid, TotpNotSetUp, TooManyAttempts."""

    mark = devices.mark_of_app(device_label, agent)

    def opened(session: Session, person: credentials.Person, now: datetime) -> tuple[TokenPair, bool] | DomainError:
        if second_factor.is_missing(person.role, person.totp_secret):
            return TotpNotSetUp()
        family = TokenFamily(
            id=db.new_id(),
            user_id=person.id,
            device_label=rules.label(device_label),
            address=rules.label(address),
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(days=policy.current().REFRESH_TOKEN_MAX_DAYS),
        )
        session.add(family)
        session.flush()
        return _new_pair(session, family, now)[1], devices.is_news(session, person.id, mark, now)

    pair, is_news = credentials.sign_in(email, password, otp=otp, address=address, opened=opened)
    if is_news:
        devices.tell_of(pair.user_id, mark, family_id=pair.family_id)
    return pair


def actor_of_token(access_token: str) -> Signed | None:
    """Whose token it is, with their role of this moment; None when it is worth nothing. One statement."""
    at, shift = clock.seam()
    with db.quick(alone=True) as connection:
        found = connection.one(WHOSE, _hash(access_token), at, shift)
    if found is None:
        return None
    user_id, role, family_id, signed_in_at, totp_secret, moment = found
    return Signed(
        Actor(user_id, Role(role)),
        family_id,
        is_confirmed=totp_secret is None or step_up.is_fresh(signed_in_at, moment),
        must_enroll=second_factor.is_missing(Role(role), totp_secret),
    )


def refresh(refresh_token: str) -> TokenPair:
    """The next pair of the family. Locks the family, so two at once go one after the other.

    A revocation is committed before the answer says no. Raises RefreshTokenInvalid."""
    with credentials.short_transaction() as session:
        now = clock.read(session)
        answer = _refreshed(session, _hash(refresh_token), now)
    if isinstance(answer, DomainError):
        raise answer
    return answer


def logout(actor: Actor, family_id: UUID) -> None:
    """This device's tokens are worth nothing any more. Repeating it changes nothing."""
    with credentials.short_transaction() as session:
        if _lock_family(session, family_id, user_id=actor.id) is not None:
            _revoke(session, family_id, clock.read(session), "signed out")


def _refreshed(session: Session, hashed: bytes, now: datetime) -> TokenPair | DomainError:
    family_id = session.scalar(select(ApiToken.family_id).where(ApiToken.refresh_hash == hashed))
    family = _lock_family(session, family_id) if family_id else None
    if (
        family is None
        or family.revoked_at is not None
        or family.expires_at <= now
        or not _is_active(session, family.user_id)
    ):
        return RefreshTokenInvalid()
    # Only now: before the lock was held, somebody else could still use it.
    token = session.scalars(
        select(ApiToken).where(ApiToken.refresh_hash == hashed), execution_options={"populate_existing": True}
    ).one()
    if not _may_continue(session, token, now):
        _revoke(session, family.id, now, "a refresh token was used twice")
        return RefreshTokenInvalid()
    if token.refresh_expires_at <= now:
        return RefreshTokenInvalid()
    _use_up(session, token, now)
    family.last_used_at = now
    successor, pair = _new_pair(session, family, now)
    token.successor_id = successor.id
    return pair


def _may_continue(session: Session, token: ApiToken, now: datetime) -> bool:
    """Not used yet; or used a moment ago by somebody who does not seem to have got the answer."""
    if token.revoked_at is not None:
        return False
    if token.used_at is None:
        return True
    if now - token.used_at > timedelta(seconds=REPEAT_SECONDS) or token.successor_id is None:
        return False
    successor = session.get(ApiToken, token.successor_id, populate_existing=True)
    return successor is not None and successor.used_at is None and successor.revoked_at is None


def _use_up(session: Session, token: ApiToken, now: datetime) -> None:
    """The token is used (its first use counts), and its successor, if it has one, is void."""
    if token.used_at is None:
        session.execute(update(ApiToken).where(ApiToken.id == token.id).values(used_at=now), execution_options=BULK)
    else:
        session.execute(
            update(ApiToken).where(ApiToken.id == token.successor_id).values(revoked_at=now), execution_options=BULK
        )


def _new_pair(session: Session, family: TokenFamily, now: datetime) -> tuple[ApiToken, TokenPair]:
    settings = policy.current()
    access, refreshing = ACCESS + secrets.token_urlsafe(32), REFRESH + secrets.token_urlsafe(32)
    lives_until = min(now + timedelta(minutes=settings.ACCESS_TOKEN_MINUTES), family.expires_at)
    token = ApiToken(
        id=db.new_id(),
        family_id=family.id,
        access_hash=_hash(access),
        refresh_hash=_hash(refreshing),
        created_at=now,
        access_expires_at=lives_until,
        refresh_expires_at=min(now + timedelta(days=settings.REFRESH_TOKEN_IDLE_DAYS), family.expires_at),
    )
    session.add(token)
    session.flush()
    return token, TokenPair(access, refreshing, int((lives_until - now).total_seconds()), family.id, family.user_id)


def _lock_family(session: Session, family_id: UUID, *, user_id: UUID | None = None) -> TokenFamily | None:
    query = select(TokenFamily).where(TokenFamily.id == family_id)
    if user_id is not None:
        query = query.where(TokenFamily.user_id == user_id)
    return session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).one_or_none()


def _revoke(session: Session, family_id: UUID, now: datetime, because: str) -> None:
    family = update(TokenFamily).where(TokenFamily.id == family_id, TokenFamily.revoked_at.is_(None))
    session.execute(family.values(revoked_at=now, revoke_reason=because), execution_options=BULK)


def _is_active(session: Session, user_id: UUID) -> bool:
    return bool(session.scalar(select(User.is_active).where(User.id == user_id)))


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
