"""Passwords: what may be one, and how they are kept (argon2id) and compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.errors import Busy, Reason

MIN_LENGTH, MIN_LENGTH_STAFF, MAX_LENGTH = 12, 15, 128
COMMON = Path(__file__).with_name("common_passwords.txt")
HASHES_AT_ONCE = 2  # each takes a core and ARGON2_MEMORY_KIB; more would starve the other requests of the process
WAIT_SECONDS = 10
_turns = BoundedSemaphore(HASHES_AT_ONCE)


def password_problems(password: str, role: Role, *, pointer: str = "/password") -> list[Reason]:
    """Why this cannot be the password of somebody with that role. Length is all: no rules about kinds of signs."""
    least = MIN_LENGTH if role is Role.STUDENT else MIN_LENGTH_STAFF
    folded = _normal(password)
    problems = []
    if len(folded) < least:
        problems.append(
            Reason(
                "password_too_short",
                f"A password has at least {least} characters.",
                "Take a longer one.",
                pointer,
                {"limit": least},
            )
        )
    if len(folded) > MAX_LENGTH:
        problems.append(
            Reason(
                "password_too_long",
                f"A password has at most {MAX_LENGTH} characters.",
                "Take a shorter one.",
                pointer,
                {"limit": MAX_LENGTH},
            )
        )
    if folded.casefold() in common_passwords():
        problems.append(
            Reason(
                "password_too_common",
                "Many people use this password; it would be guessed first.",
                "Take another one.",
                pointer,
            )
        )
    if any(unicodedata.category(sign) == "Cs" for sign in folded):
        problems.append(Reason("password_not_text", "The password holds half a character.", "Type it again.", pointer))
    return problems


@cache
def common_passwords() -> frozenset[str]:
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def hash_password(password: str) -> str:
    with _turn():
        return _hasher().hash(_bytes(password))


def fits(stored: str | None, password: str) -> bool:
    """Whether this is the password. Takes the time of one hash also when there is none to compare with."""
    if len(password) > 2 * MAX_LENGTH:  # nobody has one; hashing megabytes is what an attacker wants
        stored, password = None, ""
    with _turn():
        if stored is None:
            _hasher().hash(_bytes(password))
            return False
        try:
            return _hasher().verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


@contextmanager
def _turn() -> Iterator[None]:
    """Raises Busy when no turn comes within WAIT_SECONDS."""
    if not _turns.acquire(timeout=WAIT_SECONDS):
        raise Busy("Many people are signing in at this moment. Try again in a moment.")
    try:
        yield
    finally:
        _turns.release()


def _hasher() -> PasswordHasher:
    settings = policy.current()
    return PasswordHasher(settings.ARGON2_TIME_COST, settings.ARGON2_MEMORY_KIB, parallelism=1, type=Type.ID)


def _normal(password: str) -> str:
    """One password, whichever keyboard composed its accents."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")
