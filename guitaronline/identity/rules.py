"""What may stand in a person's fields, and in what staff write. Pure: no session, no clock."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from zoneinfo import available_timezones

from guitaronline.errors import Reason

LENGTHS = {"full_name": 200, "phone": 40, "language": 35, "instrument": 80, "level": 80}
PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,38}")
NO_PLACE = {"Factory", "localtime", "posixrules"}  # stand among the zones and are none


@cache
def zones() -> frozenset[str]:
    """The IANA zones that people may live in."""
    return frozenset(
        name for name in available_timezones() if name not in NO_PLACE and not name.startswith(("posix/", "right/"))
    )


def zone_problems(name: str | None) -> list[Reason]:
    if name in zones():
        return []
    return [
        Reason(
            "timezone_unknown", "This is not a time zone of the IANA list.", "Take one like Europe/Paris.", "/timezone"
        )
    ]


def field_problems(name: str, value: str | None) -> list[Reason]:
    """Why `value` cannot stand in that field of a person; None and empty mean: not known."""
    if not value:
        return []
    problems = text_problems(name, value, LENGTHS[name])
    if name == "phone" and not PHONE.fullmatch(value):
        problems.append(
            Reason("phone_invalid", "This is not a telephone number.", "Write it like +44 20 7946 0000.", "/phone")
        )
    return problems


def text_problems(name: str, value: str, limit: int, *, lines: bool = False) -> list[Reason]:
    """Why `value` is not a text of at most `limit` characters; with `lines`, of several lines."""
    pointer, problems = f"/{name}", []
    if len(value) > limit:
        problems.append(
            Reason(
                f"{name}_too_long", f"At most {limit} characters stand here.", "Shorten it.", pointer, {"limit": limit}
            )
        )
    if not is_text(value, lines=lines):
        problems.append(
            Reason(f"{name}_not_text", "There are signs in it that cannot be shown.", "Type it again.", pointer)
        )
    return problems


def is_text(value: str, *, lines: bool = False) -> bool:
    """No control characters (line ends and tabs where several lines may stand) and no halves of characters."""
    allowed = "\n\r\t" if lines else ""
    return all(sign in allowed or unicodedata.category(sign) not in ("Cc", "Cs") for sign in value)


def label(value: str | None, limit: int = 100) -> str | None:
    """What a device says about itself, cut to something that can be stored; it is shown and decides nothing."""
    kept = "".join(sign for sign in (value or "")[:limit] if is_text(sign)).strip()
    return kept or None
