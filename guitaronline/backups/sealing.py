"""A backup's files sealed with a key that lies elsewhere: AES-256-GCM in frames, each bound to its place and the last one to
being the last, so that nothing can be cut off, left out or put elsewhere unseen.

    8 bytes of chance · frames of up to 1 MiB, each with a tag of 16 bytes
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guitaronline.backups.errors import BackupFailed

FRAME = 1 << 20
TAG = 16
CHANCE = 8
KEY = 32


def make_key(path: Path) -> None:
    """A new key lies in the file, for its owner only. Raises BackupFailed where there is a file already."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(urlsafe_b64encode(os.urandom(KEY)).decode() + "\n")
    except FileExistsError as error:
        raise BackupFailed(f"{path} exists: a key is never overwritten, backups may be sealed with it") from error


def read_key(path: str) -> bytes:
    """Raises BackupFailed when the file holds no key."""
    if not path:
        raise BackupFailed("this backup is sealed: set BACKUP_KEY_FILE to the file with its key")
    try:
        key = urlsafe_b64decode(Path(path).read_text().strip())
    except (OSError, ValueError) as error:
        raise BackupFailed(f"BACKUP_KEY_FILE={path} cannot be read: {type(error).__name__}") from error
    if len(key) != KEY:
        raise BackupFailed(f"BACKUP_KEY_FILE={path} does not hold a key; `flask backup key FILE` makes one")
    return key


def seal(source: Path, target: Path, key: bytes) -> None:
    """`target` is `source` sealed."""
    cipher, chance = AESGCM(key), os.urandom(CHANCE)
    with source.open("rb") as plain, target.open("xb") as sealed:
        sealed.write(chance)
        number, frame = 0, plain.read(FRAME)
        while True:
            following = plain.read(FRAME)
            sealed.write(cipher.encrypt(_nonce(chance, number), frame, _place(is_last=not following)))
            if not following:
                return
            number, frame = number + 1, following


def unseal(source: Path, target: Path, key: bytes) -> None:
    """`target` is what was sealed. Raises BackupFailed when the key is another, or anything was changed or cut off."""
    cipher = AESGCM(key)
    with source.open("rb") as sealed, target.open("xb") as plain:
        chance = sealed.read(CHANCE)
        number, frame = 0, sealed.read(FRAME + TAG)
        while True:
            following = sealed.read(FRAME + TAG)
            try:
                plain.write(cipher.decrypt(_nonce(chance, number), frame, _place(is_last=not following)))
            except (InvalidTag, ValueError) as error:
                raise BackupFailed(f"{source.name} does not open: another key, or it was changed or cut off") from error
            if not following:
                return
            number, frame = number + 1, following


def _nonce(chance: bytes, number: int) -> bytes:
    return chance + number.to_bytes(4, "big")


def _place(*, is_last: bool) -> bytes:
    return b"last" if is_last else b"more"
