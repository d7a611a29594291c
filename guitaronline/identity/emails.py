"""E-mail addresses: what is one, when two are the same, and how they are shown to those who may not see them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from email_validator import EmailSyntaxError, ValidatedEmail, validate_email

MAX_LENGTH = 254  # RFC 5321: a path of 256 with its angle brackets


@dataclass(frozen=True)
class Email:
    address: str  # as typed; mail goes here
    key: str  # folded; two addresses with one key are the same


def read_email(typed: str) -> Email:
    """Raises ValueError with a sentence. Whether the domain exists is not asked; `.example` is accepted."""
    address = typed.strip()
    if len(address) > MAX_LENGTH:
        raise ValueError(f"An e-mail address has at most {MAX_LENGTH} characters.")
    try:
        found = _parsed(address)
        key = f"{_folded(found.local_part)}@{found.ascii_domain}"
        _parsed(key)  # folding can bring forth signs that no address has
    except (EmailSyntaxError, UnicodeError) as error:
        raise ValueError("This is not an e-mail address.") from error
    return Email(address, key)


def email_key(typed: str) -> str | None:
    """The folded address to look a person up with; None when nobody can have it."""
    try:
        return read_email(typed).key
    except ValueError:
        return None


def masked_email(address: str | None) -> str:
    """`a…@people.example`: enough to recognize, too little to write to."""
    if not address:
        return ""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def masked_phone(number: str | None) -> str:
    return f"…{number[-2:]}" if number else ""


def _parsed(address: str) -> ValidatedEmail:
    return validate_email(address, check_deliverability=False)


def _folded(local: str) -> str:
    """Case and width do not make another person: NFKC, casefold, and NFKC again, as casefold can undo it."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", local).casefold())
