"""What a profile may say. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from guitaronline.errors import Reason
from guitaronline.identity.rules import is_text

NAME_LENGTH = 200
BIO_LENGTH = 4_000
EXPERIENCE_YEARS = 80
TAGS = 20  # a profile
TAG_LENGTH = 40
URL_LENGTH = 500
EDITABLE = ("display_name", "bio", "experience_years", "tags", "meeting_url")


def tidy(changes: dict[str, Any]) -> dict[str, Any]:
    """The same changes as they are stored: trimmed, tags normalised, an empty address as none."""
    tidied = {field: value.strip() if isinstance(value, str) else value for field, value in changes.items()}
    tags = changes.get("tags")
    if isinstance(tags, list | tuple):
        tidied["tags"] = normal_tags(tags)
    if tidied.get("meeting_url") == "":
        tidied["meeting_url"] = None
    return tidied


def normal_tags(tags: list[Any] | tuple[Any, ...]) -> list[Any]:
    """`["Jazz ", "jazz", "Finger  Style"]` → `["finger style", "jazz"]`; what is no text stays, to be refused by name."""
    texts = {normal_tag(tag) for tag in tags if isinstance(tag, str)}
    return sorted(texts - {""}) + [tag for tag in tags if not isinstance(tag, str)]


def normal_tag(tag: str) -> str:
    return " ".join(tag.casefold().split())


def profile_problems(changes: dict[str, Any]) -> list[Reason]:
    """Everything that is wrong with these (tidied) changes; empty when they may be stored."""
    unknown = [_wrong(field, "unknown_field", "There is no such field.") for field in changes if field not in EDITABLE]
    checks = {"display_name": _name, "bio": _bio, "experience_years": _years, "tags": _tags, "meeting_url": _url}
    return unknown + [reason for field, check in checks.items() if field in changes for reason in check(changes[field])]


def _name(value: Any) -> list[Reason]:
    if not isinstance(value, str) or not 1 <= len(value) <= NAME_LENGTH or not is_text(value):
        return [_wrong("display_name", "bad_display_name", f"The name is one line of 1 to {NAME_LENGTH} characters.")]
    return []


def _bio(value: Any) -> list[Reason]:
    if not isinstance(value, str) or len(value) > BIO_LENGTH or not is_text(value, lines=True):
        return [_wrong("bio", "bad_bio", f"The description has at most {BIO_LENGTH} characters.")]
    return []


def _years(value: Any) -> list[Reason]:
    if type(value) is not int or not 0 <= value <= EXPERIENCE_YEARS:
        return [_wrong("experience_years", "bad_experience_years", f"Years of experience are 0 to {EXPERIENCE_YEARS}.")]
    return []


def _tags(value: Any) -> list[Reason]:
    fits = isinstance(value, list) and len(value) <= TAGS
    if not fits or not all(isinstance(tag, str) and len(tag) <= TAG_LENGTH and is_text(tag) for tag in value):
        return [_wrong("tags", "bad_tags", f"At most {TAGS} tags of at most {TAG_LENGTH} characters.")]
    return []


def _url(value: Any) -> list[Reason]:
    if value is None or (isinstance(value, str) and len(value) <= URL_LENGTH and is_https(value)):
        return []
    return [_wrong("meeting_url", "bad_meeting_url", "The meeting address starts with https:// and names a host.")]


def is_https(address: str) -> bool:
    """An absolute https address without user, spaces or controls."""
    if not address.isascii() or not address.isprintable() or any(mark in address for mark in ' <>"\\'):
        return False
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises when it is none
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.password is None


def _wrong(field: str, code: str, detail: str) -> Reason:
    return Reason(code, detail, fix=f"Correct {field}.", pointer=f"/{field}")
