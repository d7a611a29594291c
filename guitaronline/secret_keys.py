"""Keys made of SECRET_KEY, one for each purpose, and values sealed with them.

A purpose never shares its key with another: HKDF-SHA256 (RFC 5869) derives it. While one SECRET_KEY replaces another, the
earlier ones stand in SECRET_KEY_FALLBACKS: what they signed or sealed is still read, and everything new is made with the newest.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guitaronline import policy


class Unsealable(Exception):
    """No key of this process opens it: it was sealed with a SECRET_KEY that is not known any more, or it was changed."""


def primary(purpose: str) -> bytes:
    """32 bytes for everything new."""
    return accepted(purpose)[0]


def accepted(purpose: str) -> tuple[bytes, ...]:
    """The same of every SECRET_KEY that is still believed, the newest first."""
    return tuple(_derived(each, purpose) for each in policy.current().secrets_believed)


def seal(plain: str, purpose: str) -> str:
    """`plain`, readable only to who has the key (Fernet: AES-128-CBC and HMAC-SHA256), as `<key id>.<token>`."""
    key = primary(purpose)
    return f"{key_id(key)}.{_fernet(key).encrypt(plain.encode()).decode()}"


def unseal(sealed: str, purpose: str) -> str:
    """What was sealed for this purpose. Raises Unsealable."""
    made_with, _, token = sealed.partition(".")
    for key in accepted(purpose):
        if key_id(key) == made_with:
            try:
                return _fernet(key).decrypt(token).decode()
            except InvalidToken as error:
                raise Unsealable() from error
    raise Unsealable()


def is_newest(sealed: str, purpose: str) -> bool:
    """Whether it is sealed with the newest key; otherwise it has to be sealed again before the fallback goes."""
    return sealed.partition(".")[0] == key_id(primary(purpose))


def key_id(key: bytes) -> str:
    """Eight characters that tell keys apart and nothing about them."""
    return hashlib.sha256(b"id of " + key).hexdigest()[:8]


def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())


def _fernet(key: bytes) -> Fernet:
    return Fernet(urlsafe_b64encode(key))
