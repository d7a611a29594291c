"""Signed events: `t=<unix seconds>,v1=<HMAC-SHA256 of "t.body">`, over the raw bytes, fresh, by one of several secrets."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from guitaronline.billing.providers.base import BadSignature

TOLERANCE_SECONDS = 300
HEADER = re.compile(r"[a-z0-9=,._-]{1,2000}", re.ASCII)
SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


def signed(raw: bytes, secret: str, *, at: datetime) -> str:
    """The header that goes with `raw`."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(raw, secret, str(seconds))}"


def verify(raw: bytes, header: str | None, secrets: Sequence[str], *, now: datetime) -> None:
    """Raises BadSignature unless one of the secrets signed exactly these bytes within the last 5 minutes (or the next)."""
    if not header or not HEADER.fullmatch(header):
        raise BadSignature()
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not SECONDS.fullmatch(times[0]):
        raise BadSignature()
    expected = [_digest(raw, secret, times[0]) for secret in secrets if secret]
    if not any(hmac.compare_digest(one, other) for one in expected for other in given):
        raise BadSignature()
    if abs(now.timestamp() - int(times[0])) > TOLERANCE_SECONDS:
        raise BadSignature("This was signed too long ago, or by a clock that is wrong.")


def _digest(raw: bytes, secret: str, seconds: str) -> str:
    return hmac.new(secret.encode(), seconds.encode() + b"." + raw, hashlib.sha256).hexdigest()
