"""Recovery codes: ten for the day on which the phone is gone. Each works once in place of a code of the app.

80 random bits each, so that SHA-256 of them may lie in the database; with the person's id in it, so that no two rows can be
compared."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b32encode
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from guitaronline.db import new_id
from guitaronline.identity.models import User
from guitaronline.identity.revocation import BULK
from guitaronline.identity.sign_in_models import RecoveryCode
from guitaronline.unit_of_work import Work

HOW_MANY = 10
BYTES, GROUP = 10, 4
READ_AS = str.maketrans("018", "OIB")  # signs that base32 does not have and people take for these
LONGEST = 40  # with all the spaces and dashes that people put in


def renew(work: Work, user: User) -> list[str]:
    """Step: the locked person has ten new codes, in clear this once; the ones before are worth nothing."""
    codes = [_new() for _ in range(HOW_MANY)]
    forget(work, user.id)
    rows = [
        {"id": new_id(), "user_id": user.id, "code_hash": _hash(user.id, each), "created_at": work.now}
        for each in codes
    ]
    work.session.execute(insert(RecoveryCode), rows)
    return codes


def forget(work: Work, user_id: UUID) -> None:
    """Step: the person has no recovery codes."""
    work.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id), execution_options=BULK)


def use(session: Session, user_id: UUID, code: str, now: datetime) -> bool:
    """Whether this is an unused code of the person; it is used then. Two at once meet at the row, and one is told no."""
    used = update(RecoveryCode).where(
        RecoveryCode.user_id == user_id,
        RecoveryCode.code_hash == _hash(user_id, code),
        RecoveryCode.used_at.is_(None),
    )
    return bool(session.execute(used.values(used_at=now), execution_options=BULK).rowcount)  # type: ignore[attr-defined]


def left(session: Session, user_id: UUID) -> int:
    """Query: how many are unused. uq_recovery_codes_once"""
    query = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def _new() -> str:
    """`ABCD-EFGH-IJKL-MNOP`"""
    signs = b32encode(secrets.token_bytes(BYTES)).decode()
    return "-".join(signs[at : at + GROUP] for at in range(0, len(signs), GROUP))


def _hash(user_id: UUID, code: str) -> bytes:
    """However it is typed: with or without dashes, in capitals or not."""
    signs = "".join(sign for sign in code[:LONGEST].upper() if sign.isascii() and sign.isalnum()).translate(READ_AS)
    return hashlib.sha256(user_id.bytes + signs.encode()).digest()
