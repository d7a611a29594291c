"""The signature of Standard Webhooks (https://www.standardwebhooks.com), version 1: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime

from guitaronline import secret_keys

BEGINS = "whsec_"
PURPOSE = "webhooks"  # of the key that seals the secrets


def new_secret() -> str:
    """256 bits, as libraries of the standard take them."""
    return BEGINS + b64encode(secrets.token_bytes(32)).decode()


def seal(secret: str) -> str:
    return secret_keys.seal(secret, PURPOSE)


def unseal(sealed: str) -> str:
    """Raises secret_keys.Unsealable."""
    return secret_keys.unseal(sealed, PURPOSE)


def headers(delivery_id: str, now: datetime, body: bytes, sealed: Iterable[str]) -> dict[str, str]:
    """With one signature for each secret that is in force, so that one may replace another. Raises secret_keys.Unsealable."""
    stamp = str(int(now.timestamp()))
    signed = b".".join((delivery_id.encode(), stamp.encode(), body))
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signature(unseal(each), signed) for each in sealed),
    }


def signature(secret: str, signed: bytes) -> str:
    made = hmac.digest(b64decode(secret.removeprefix(BEGINS)), signed, "sha256")
    return f"v1,{b64encode(made).decode()}"
