"""JSON as this API speaks it: UTF-8, no NaN, no doubled keys, no NUL, no lone surrogates, bounded depth."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from flask.json.provider import DefaultJSONProvider

from guitaronline.errors import Invalid, Reason

MAX_DEPTH = 20
MAX_DIGITS = 20  # no field needs more; also keeps int() quick
SURROGATE = re.compile("[\ud800-\udfff]")


class NotJson(Invalid):
    detail = "The body is not JSON."


class UnfitJson(Invalid):
    detail = "The body is JSON, but not as it is accepted here."


def loads(raw: bytes) -> Any:
    """The value that the bytes spell. Raises NotJson, or UnfitJson naming what is not accepted."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_int, parse_float=_float
        )
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise NotJson() from None
    except RecursionError:
        raise _unfit("too_deep", f"Values may be nested {MAX_DEPTH} deep.") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in text:  # the only way in for NUL and lone surrogates
        _check_strings(value)
    return value


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class StrictProvider(DefaultJSONProvider):
    """The app's provider: whatever reads or writes JSON through Flask does it as above."""

    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return loads(s.encode("utf-8", "surrogatepass") if isinstance(s, str) else s)

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **{**kwargs, "allow_nan": False})


def _unfit(code: str, detail: str) -> UnfitJson:
    return UnfitJson(reasons=[Reason(code, detail)])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _unfit("duplicate_key", "A key stands twice in one object.")
    return found


def _no_constant(name: str) -> Any:
    raise _unfit("not_finite", f"{name} is not a JSON number.")


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _unfit("number_too_long", f"Numbers have at most {MAX_DIGITS} digits.")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _unfit("not_finite", "The number is too large.")
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for each in level for child in _children(each)]
    if any(isinstance(each, dict | list) for each in level):
        raise _unfit("too_deep", f"Values may be nested {MAX_DEPTH} deep.")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _check_strings(value: Any) -> None:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str) and ("\x00" in each or SURROGATE.search(each)):
            raise _unfit("bad_character", "A text contains NUL or half of a surrogate pair.")
        if isinstance(each, dict):
            todo += each.keys()
        todo += _children(each)
