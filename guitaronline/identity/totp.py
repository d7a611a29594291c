"""The authenticator app: its secret, sealed at rest, and its codes, each good once (RFC 6238, 30 seconds, six digits).

A secret that is being set up is stored nowhere: it is derived from the browser's session, so that looking at the page changes
nothing and reloading it shows the same one. It is stored, and counts, once a code of it was typed.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import pyotp
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import secret_keys

PURPOSE, SETUP = "totp", "totp setup"
STEP_SECONDS = 30
DRIFT_STEPS = 1  # a clock may be 30 s wrong
DIGITS = 6
ISSUER = "GuitarOnline"

# Whoever comes second with the same code, or with one before it, changes no row: the row is locked by the first.
USE = text(
    "INSERT INTO totp_uses AS used (user_id, last_step) VALUES (:user_id, :step)"
    " ON CONFLICT (user_id) DO UPDATE SET last_step = excluded.last_step WHERE used.last_step < excluded.last_step"
)


def sealed(secret: str) -> str:
    return secret_keys.seal(secret, PURPOSE)


def secret_of(stored: str) -> str:
    """The secret in clear. One stored before secrets were sealed is read as it is. Raises `secret_keys.Unsealable`."""
    return secret_keys.unseal(stored, PURPOSE) if _is_sealed(stored) else stored


def looks_like_one(code: str) -> bool:
    """Whether this is a code of an app, and not one of the recovery codes."""
    return len(code) == DIGITS and code.isascii() and code.isdigit()


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Which 30 seconds the code belongs to; None when it is none of this secret's, or too old."""
    if not looks_like_one(code):
        return None
    made, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    steps = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    return next((step for step in steps if hmac.compare_digest(made.generate_otp(step), code)), None)


def use(session: Session, user_id: UUID, step: int) -> bool:
    """Whether the code of that step may be used; it is used up then, with every one before it."""
    return bool(session.execute(USE, {"user_id": user_id, "step": step}).rowcount)  # type: ignore[attr-defined]


def new_secrets(session_id: UUID, stored: str | None) -> Iterator[str]:
    """What this browser is shown to set up an app: the first one. While SECRET_KEY is replaced the page may still show what
    the key before made, so that is believed too. Another once there is another secret."""
    about = b"%b %b" % (session_id.bytes, hashlib.sha256((stored or "").encode()).digest())
    for key in secret_keys.accepted(SETUP):
        yield b32encode(hmac.digest(key, about, "sha256")[:20]).decode()  # 160 bits, as RFC 4226 recommends


def uri_of(secret: str, account: str) -> str:
    """The `otpauth://` address that apps read from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)


def _is_sealed(stored: str) -> bool:
    return "." in stored  # base32 has no dot
