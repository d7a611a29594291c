"""Failed sign-ins, and asking for a new password, counted in PostgreSQL: no other server has to be up for it.

Nobody can lock another person out. What counts first is the pair of account and address: LOGIN_MAX_FAILURES within
LOGIN_WINDOW_MINUTES, then that address has to wait for that account. One address may fail 20 times as often over all
accounts. When an account has failed 20 times as often over all addresses, every address has 3 tries left for it
instead of LOGIN_MAX_FAILURES: still enough for its owner at any address that the attacker does not use. When sign-ins fail
200 times as often over everything, somebody tries passwords on all accounts from many addresses: then every address has 3
tries left for each account, and LOGIN_MAX_FAILURES over all of them; who knows their password comes in at once as always.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import AddressValueError, IPv6Address
from math import ceil

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.db import new_id
from guitaronline.identity.models import FailedLogin

SOFT_FACTOR = 20  # a school class behind one address mistypes; a script does more
GLOBAL_FACTOR = 200  # a large school on a Monday fails a few hundred times; a script with many addresses does more
TRIES_UNDER_ATTACK = 3

NTH_NEWEST = text(
    "SELECT"
    " (SELECT at FROM failed_logins WHERE account_digest = :account AND address_digest = :address AND at > :since"
    "   ORDER BY at DESC OFFSET :limit - 1 LIMIT 1) AS pair,"
    " (SELECT at FROM failed_logins WHERE account_digest = :account AND address_digest = :address AND at > :since"
    "   ORDER BY at DESC OFFSET :few - 1 LIMIT 1) AS few,"
    " (SELECT at FROM failed_logins WHERE account_digest = :account AND at > :since ORDER BY at DESC OFFSET :soft - 1 LIMIT 1) AS account,"
    " (SELECT at FROM failed_logins WHERE address_digest = :address AND at > :since ORDER BY at DESC OFFSET :soft - 1 LIMIT 1) AS address,"
    " (SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC OFFSET :all - 1 LIMIT 1) AS everywhere,"
    " (SELECT at FROM failed_logins WHERE address_digest = :address AND at > :since ORDER BY at DESC OFFSET :limit - 1 LIMIT 1) AS tries"
)  # ix_failed_logins_account, ix_failed_logins_address, ix_failed_logins_at

NTH_ASKING = text(
    "SELECT"
    " (SELECT at FROM failed_logins WHERE account_digest = :account AND at > :since ORDER BY at DESC OFFSET :few - 1 LIMIT 1) AS account,"
    " (SELECT at FROM failed_logins WHERE address_digest = :address AND at > :since ORDER BY at DESC OFFSET :many - 1 LIMIT 1) AS address"
)


@dataclass(frozen=True)
class Attempt:
    """Which account is tried from where, as keyed digests: the table tells nobody who mistyped."""

    account: bytes
    address: bytes

    @classmethod
    def of(cls, account: str, address: str | None) -> Attempt:
        return cls(_digest("account", account), _digest("address", _network(address)))

    @classmethod
    def of_asking(cls, account: str, address: str | None) -> Attempt:
        """Asking for a new password: counted apart, so that it takes no sign-in away from anybody."""
        return cls(_digest("asked about", account), _digest("asked from", _network(address)))


def take_turn(session: Session, attempt: Attempt) -> None:
    """Until this transaction ends nobody else tries this pair, so that many at once do not get more tries."""
    _lock(session, attempt.account + attempt.address)


def take_turn_of_account(session: Session, attempt: Attempt) -> None:
    """The same for the account, from wherever."""
    _lock(session, attempt.account)


@dataclass(frozen=True)
class Asked:
    """How often it was asked for a new password within the window."""

    is_enough: bool  # about this account
    seconds_to_wait: int  # from this address, about whomever; 0 when it may ask


def asked(
    session: Session, attempt: Attempt, now: datetime, *, window: timedelta, per_account: int, per_address: int
) -> Asked:
    values = {"account": attempt.account, "address": attempt.address, "since": now - window}
    row = session.execute(NTH_ASKING, {**values, "few": per_account, "many": per_address}).one()
    wait = ceil((row.address + window - now).total_seconds()) if row.address else 0
    return Asked(row.account is not None, wait)


def seconds_to_wait(session: Session, attempt: Attempt, now: datetime) -> int:
    """0 when the attempt may be made."""
    settings = policy.current()
    window = timedelta(minutes=settings.LOGIN_WINDOW_MINUTES)
    limit = settings.LOGIN_MAX_FAILURES
    row = session.execute(
        NTH_NEWEST,
        {
            "account": attempt.account,
            "address": attempt.address,
            "since": now - window,
            "limit": limit,
            "few": min(TRIES_UNDER_ATTACK, limit),
            "soft": limit * SOFT_FACTOR,
            "all": limit * GLOBAL_FACTOR,
        },
    ).one()
    full = [at for at in (row.pair, row.address) if at is not None]
    if row.account is not None and row.few is not None:
        full.append(min(row.account, row.few))
    if row.everywhere is not None:
        full += [min(row.everywhere, each) for each in (row.few, row.tries) if each is not None]
    return max((ceil((at + window - now).total_seconds()) for at in full), default=0)


def count(session: Session, attempt: Attempt, now: datetime) -> None:
    session.add(FailedLogin(id=new_id(), account_digest=attempt.account, address_digest=attempt.address, at=now))


def forgive(session: Session, attempt: Attempt) -> None:
    """The right password from this address makes its earlier slips for this account void."""
    session.execute(
        delete(FailedLogin).where(
            FailedLogin.account_digest == attempt.account, FailedLogin.address_digest == attempt.address
        )
    )


def _lock(session: Session, key: bytes) -> None:
    number = int.from_bytes(hashlib.sha256(key).digest()[:8], signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _digest(kind: str, value: str) -> bytes:
    key = policy.current().SECRET_KEY.encode()
    return hmac.digest(key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), "sha256")


def _network(address: str | None) -> str:
    """Who has one IPv6 address has 2^64 of them: its network counts."""
    try:
        whole = IPv6Address(address or "")
    except AddressValueError:
        return address or "unknown"
    return str(whole.ipv4_mapped or int(whole) >> 64)
