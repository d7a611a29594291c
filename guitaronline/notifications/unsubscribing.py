"""The link in a message that switches such messages off. It says whose and which by itself, signed, and needs no sign-in.

Whoever has the mail can follow it; it can do nothing else, and it can be undone in the preferences."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from guitaronline import policy
from guitaronline.notifications.models import Preference

PURPOSE = b"unsubscribe:1:"
ORDER = (Preference.REMINDERS, Preference.PACKAGES, Preference.OFFERS)  # a link keeps its place for good: only append
SIGNATURE_BYTES = 16
TOKEN_LENGTH = 44  # of 33 bytes


@dataclass(frozen=True)
class Unsubscription:
    person_id: UUID
    preference: Preference


def url_of(person_id: UUID, preference: Preference) -> str:
    facts = person_id.bytes + bytes([ORDER.index(preference)])
    token = base64.urlsafe_b64encode(facts + _signature(policy.current().SECRET_KEY, facts)).decode()
    return f"{policy.current().PUBLIC_BASE_URL.rstrip('/')}/unsubscribe/{token}"


def read(token: str) -> Unsubscription | None:
    """What the link stands for; None when it is not one of ours."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        whole = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    facts, signature = whole[:17], whole[17:]
    signed = [_signature(secret, facts) for secret in policy.current().secrets_believed]
    if not any(hmac.compare_digest(signature, each) for each in signed) or facts[16] >= len(ORDER):
        return None
    return Unsubscription(UUID(bytes=facts[:16]), ORDER[facts[16]])


def _signature(secret: str, facts: bytes) -> bytes:
    return hmac.new(secret.encode(), PURPOSE + facts, hashlib.sha256).digest()[:SIGNATURE_BYTES]
