"""ETag and If-Match: a record's version, as the unit of work compares it under its lock."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from flask import request

NEVER = -1  # a version that no record has
TAG = re.compile(r'"v(\d{1,9})"', re.ASCII)


def etag_of(record: Any) -> str:
    return f'"v{record.version}"'


def expected(record_id: UUID) -> tuple[UUID, int] | None:
    """The record and the version that If-Match demands; a tag that is none of ours matches nothing."""
    given = request.headers.get("If-Match", "").strip()
    if given in ("", "*"):
        return None
    found = TAG.fullmatch(given)
    return record_id, int(found[1]) if found else NEVER
