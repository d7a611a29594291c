"""Service keys: a partner's program calls the API with a key of its own, for what the key was made for and no more.

`gok_<prefix>_<secret>` is shown once and kept as SHA-256 only. A key ends by itself; before that it is replaced: the new one and
the old one work side by side for as long as the program takes to change over.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, text
from sqlalchemy.orm import Session

from guitaronline import clock, db
from guitaronline.actor import Actor, Role
from guitaronline.errors import NotAllowed, Reason
from guitaronline.identity import access, rules
from guitaronline.identity.access import KEY_SCOPES, Permission, granted_by
from guitaronline.identity.key_models import ServiceKey, ServiceKeyUse
from guitaronline.identity.refusals import ServiceKeyInvalid, ServiceKeyOver, ServiceKeyReplaced
from guitaronline.identity.standing import require_reason
from guitaronline.unit_of_work import Work, command

BEGINS = "gok_"  # so that scanners of texts find a lost one
NAME_LENGTH = 100
DAYS_MOST = 366
OVERLAP_HOURS_MOST = 14 * 24
SOON = timedelta(days=14)

# One row by the unique index on secret_hash; runs before every call with a key.
WHOSE = db.Prepared(
    "whose_service_key",
    "bytea, timestamptz, interval",
    "SELECT k.id, k.scopes, coalesce(u.last_used_at < moment - interval '10 minutes', true) FROM service_keys k"
    " LEFT JOIN service_key_uses u ON u.id = k.id,"
    " coalesce($2, clock_timestamp() + coalesce($3, interval '0')) AS moment"
    " WHERE k.secret_hash = $1 AND k.revoked_at IS NULL AND k.expires_at > moment",
)
USED = text("""
INSERT INTO service_key_uses (id, last_used_at) VALUES (:id, :now)
ON CONFLICT (id) DO UPDATE SET last_used_at = greatest(service_key_uses.last_used_at, excluded.last_used_at)
""")


class KeyState(StrEnum):
    """How a key stands at a moment; nothing is written when its time is over."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Issued:
    """A new key; `whole` is shown this once."""

    key: ServiceKey
    whole: str


def actor_of_key(whole: str) -> Actor | None:
    """The program whose key this is, with what it may; None when it is worth nothing. Its use is noted to ten minutes."""
    at, shift = clock.seam()
    with db.quick(alone=True) as connection:
        found = connection.one(WHOSE, _hash(whole), at, shift)
    if found is None:
        return None
    key_id, scopes, is_news = found
    if is_news:
        with db.technical_transaction() as session:
            session.execute(USED, {"id": key_id, "now": clock.read(session)})
    return Actor(key_id, Role.SERVICE, granted_by(scopes))


@command("service_key.create", creates="service_keys")
def create_service_key(work: Work, *, name: str, scopes: Collection[str], days: int, reason: str) -> Issued:
    """A key that works for so many days. Raises ServiceKeyInvalid with every reason, ReasonRequired."""
    maker = _maker(work, reason)
    problems = _problems(name, scopes, days)
    if problems:
        raise ServiceKeyInvalid(reasons=problems)
    return _issue(work, name=name.strip(), scopes=scopes, days=days, maker=maker)


@command("service_key.rotate", on="service_keys")
def rotate_service_key(work: Work, key_id: UUID, *, days: int, overlap_hours: int, reason: str) -> Issued:
    """A new key with the same name and scopes; the old one works `overlap_hours` more, at most to its own end.

    Locks the key. Raises ServiceKeyOver, ServiceKeyReplaced (once is enough), ServiceKeyInvalid, ReasonRequired."""
    maker = _maker(work, reason)
    old = work.lock(ServiceKey, key_id)
    if state_of(old, work.now) is not KeyState.ACTIVE:
        raise ServiceKeyOver()
    if successor_of(work.session, [old.id]):
        raise ServiceKeyReplaced()
    problems = _problems(old.name, old.scopes, days) + _overlap_problems(overlap_hours)
    if problems:
        raise ServiceKeyInvalid(reasons=problems)
    old.expires_at = min(old.expires_at, work.now + timedelta(hours=overlap_hours))
    work.session.flush()
    return _issue(work, name=old.name, scopes=old.scopes, days=days, maker=maker, replaces=old.id)


@command("service_key.revoke", on="service_keys")
def revoke_service_key(work: Work, key_id: UUID, *, reason: str) -> ServiceKey:
    """The key is worth nothing from the next call on. Repeat: no-op. Locks the key. Raises ReasonRequired."""
    _maker(work, reason)
    key = work.lock(ServiceKey, key_id)
    if key.revoked_at is None:
        key.revoked_at = work.now
    return key


def state_of(key: ServiceKey, now: datetime) -> KeyState:
    """Rule: how it reads at that moment; `is_in_state` is its twin in SQL."""
    if key.revoked_at is not None:
        return KeyState.REVOKED
    return KeyState.EXPIRED if key.expires_at <= now else KeyState.ACTIVE


def is_in_state(state: str, now: datetime) -> ColumnElement[bool]:
    is_revoked = ServiceKey.revoked_at.is_not(None)
    return {
        KeyState.REVOKED: is_revoked,
        KeyState.EXPIRED: and_(~is_revoked, ServiceKey.expires_at <= now),
        KeyState.ACTIVE: and_(~is_revoked, ServiceKey.expires_at > now),
    }[KeyState(state)]


def last_uses(session: Session, key_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Query: when each was used last, where it ever was."""
    query = select(ServiceKeyUse.id, ServiceKeyUse.last_used_at).where(ServiceKeyUse.id.in_(key_ids))
    return {row[0]: row[1] for row in session.execute(query)}


def successor_of(session: Session, key_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Query: the key that took over, by the key that it replaces. uq_service_keys_replaces_id"""
    query = select(ServiceKey.replaces_id, ServiceKey.id).where(ServiceKey.replaces_id.in_(key_ids))
    return {replaced: key_id for replaced, key_id in session.execute(query) if replaced is not None}


def _maker(work: Work, reason: str) -> UUID:
    """Who is at it: keys are in the hands of people who may administer."""
    access.require(work.actor, Permission.ADMINISTER)
    if work.actor.id is None:
        raise NotAllowed("A service key is made by a person.")
    require_reason(reason)
    return work.actor.id


def _issue(
    work: Work, *, name: str, scopes: Iterable[str], days: int, maker: UUID, replaces: UUID | None = None
) -> Issued:
    prefix = secrets.token_hex(4)
    whole = f"{BEGINS}{prefix}_{secrets.token_urlsafe(32)}"
    key = ServiceKey(
        id=db.new_id() if replaces else work.record_id,
        name=name,
        prefix=prefix,
        secret_hash=_hash(whole),
        scopes=sorted(set(scopes)),
        created_by=maker,
        expires_at=work.now + timedelta(days=days),
        replaces_id=replaces,
    )
    work.add(key)
    return Issued(key, whole)


def _problems(name: str, scopes: Collection[str], days: int) -> list[Reason]:
    unknown = sorted(each for each in scopes if each not in KEY_SCOPES)
    found = rules.text_problems("name", name, NAME_LENGTH)
    if not name.strip():
        found.append(Reason("name_empty", "A key is named after the program that has it.", "Name it.", "/name"))
    if not scopes:
        found.append(Reason("scopes_empty", "A key without a scope opens nothing.", "Choose at least one.", "/scopes"))
    if unknown:
        found.append(Reason("scope_unknown", f"There is no scope {', '.join(unknown)}.", "", "/scopes"))
    if not 1 <= days <= DAYS_MOST:
        found.append(Reason("days_out_of_range", f"A key lives 1 to {DAYS_MOST} days.", "", "/days"))
    return found


def _overlap_problems(hours: int) -> list[Reason]:
    if 0 <= hours <= OVERLAP_HOURS_MOST:
        return []
    words = f"The old key works 0 to {OVERLAP_HOURS_MOST} hours more."
    return [Reason("overlap_out_of_range", words, "", "/overlap_hours")]


def _hash(whole: str) -> bytes:
    return sha256(whole.encode("utf-8", "surrogatepass")).digest()
