"""Idempotency-Key: the same call twice is done once. The unit of work keeps the answer together with the effect."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from flask import request

from guitaronline.actor import Actor
from guitaronline.errors import Invalid
from guitaronline.unit_of_work import Claim

KEY = re.compile(r"[!-~]{1,255}", re.ASCII)


class InvalidIdempotencyKey(Invalid):
    detail = "An Idempotency-Key has 1 to 255 printable ASCII characters without spaces."


def claim_of(actor: Actor, body: Any, render: Callable[[Any], tuple[int, str]]) -> Claim | None:
    """What the unit of work has to know about the key of this request; None when it has none."""
    key = request.headers.get("Idempotency-Key")
    if key is None or actor.id is None:
        return None
    if not KEY.fullmatch(key):
        raise InvalidIdempotencyKey()
    asked = json.dumps([body, sorted(request.args.items(multi=True))], sort_keys=True).encode()
    return Claim(actor.id, request.method, request.path, key, hashlib.sha256(asked).digest(), render)
