"""Input fields that take exactly the JSON type they name, and say by a code what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import marshmallow
from marshmallow import Schema, ValidationError, fields, validate

from guitaronline.billing.cards import has_card_number
from guitaronline.errors import Reason
from guitaronline.scheduling.rules import wall_clock

RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
RFC3339_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
FIRST_TIME, AFTER_LAST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")


class Said(str):
    """A sentence with the stable code of what it says."""

    __slots__ = ("code",)
    code: str

    @classmethod
    def of(cls, code: str, sentence: str) -> Said:
        said = cls(sentence)
        said.code = code
        return said


class _Coded(fields.Field[Any]):
    """`self.wrong("too_soon", "…")` carries its code to the answer."""

    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        return ValidationError(Said.of(key, str(self.error_messages[key]).format(**kwargs)))

    def wrong(self, code: str, sentence: str) -> ValidationError:
        return ValidationError(Said.of(code, sentence))


class Text(_Coded, fields.String):
    def __init__(self, *, most: int, least: int = 0, **more: Any) -> None:
        super().__init__(validate=validate.Length(least, most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong("wrong_type", "This must be a text.")
        if UNPRINTABLE.search(value):
            raise self.wrong("bad_character", "This contains a character that cannot be stored.")
        if has_card_number(value):
            raise self.wrong("card_number", "This looks like a card number; card numbers are not kept here.")
        return value


class OneOf(_Coded, fields.String):
    """One of a closed set of words."""

    def __init__(self, words: Iterable[str], **more: Any) -> None:
        self.words = [str(word) for word in words]
        super().__init__(validate=validate.OneOf(self.words), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise self.wrong("not_a_choice", f"This must be one of: {', '.join(self.words)}.")
        return value


class Whole(_Coded, fields.Integer):
    """A whole number; `true`, `"5"` and `5.0` are none."""

    def __init__(self, *, least: int, most: int, **more: Any) -> None:
        super().__init__(validate=validate.Range(least, most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.wrong("wrong_type", "This must be a whole number.")
        return value


class QueryWhole(Whole):
    """A whole number in a query string: plain digits only (no `+5`, `1_000`, `５`)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch(r"-?\d{1,9}", str(value), re.ASCII):
            raise self.wrong("wrong_type", "This must be a whole number.")
        return int(value)


class YesNo(_Coded, fields.Boolean):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.wrong("wrong_type", "This must be true or false.")
        return value


class Id(_Coded, fields.UUID):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not CANONICAL_UUID.fullmatch(value):
            raise self.wrong("wrong_type", "This must be an id: a UUID in its usual form.")
        return UUID(value)


class Moment(_Coded, fields.DateTime):
    """RFC 3339 with an offset; becomes UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        found = RFC3339.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise self.wrong("wrong_type", "This must be a time with its offset, like 2026-11-23T15:00:00+01:00.")
        clock, fraction, offset = found.groups()
        try:
            moment = datetime.fromisoformat(f"{clock.upper()}.{(fraction or '0'):0<6.6}{offset.upper()}").astimezone(
                UTC
            )
        except (ValueError, OverflowError):
            raise self.wrong("no_such_time", "There is no such time.") from None
        if not FIRST_TIME <= moment < AFTER_LAST_TIME:
            raise self.wrong("no_such_time", "This must be a time from 1970 to 9998.")
        return moment


class Day(_Coded, fields.Date):
    """A day of the calendar, 2026-11-30."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not isinstance(value, str) or not RFC3339_DAY.fullmatch(value):
            raise self.wrong("wrong_type", "This must be a day, like 2026-11-30.")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise self.wrong("no_such_day", "There is no such day.") from None


class WallClock(_Coded, fields.String):
    """A time of day without a zone, 09:30; as an end also 24:00."""

    def __init__(self, *, is_end: bool = False, metadata: dict[str, Any], **more: Any) -> None:
        self.is_end = is_end
        until = "|24:00" if is_end else ""
        shape = {"pattern": rf"^(([01]\d|2[0-3]):[0-5]\d{until})$", "minLength": 5, "maxLength": 5}
        super().__init__(metadata={**shape, **metadata}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return wall_clock(value if isinstance(value, str) else "", is_end=self.is_end)
        except ValueError:
            raise self.wrong("no_such_local_time", "This must be a time of day, like 09:30.") from None


class Many(_Coded, fields.List[Any]):
    """A list of objects."""

    def __init__(self, each: fields.Field[Any], *, most: int, **more: Any) -> None:
        self.most = most
        super().__init__(each, validate=validate.Length(0, most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.wrong("wrong_type", "This must be a list.")
        if len(value) > self.most:  # before each of them is looked at
            raise self.wrong("too_many", f"At most {self.most} at a time.")
        return super()._deserialize(value, attr, data, **kwargs)


class Texts(_Coded, fields.List[str]):
    """A list of texts."""

    def __init__(self, each: Text, *, most: int, **more: Any) -> None:
        super().__init__(each, validate=validate.Length(0, most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.wrong("wrong_type", "This must be a list.")
        return super()._deserialize(value, attr, data, **kwargs)


class Input(Schema):
    """What a client sends: nothing but the named fields."""

    class Meta:
        unknown = marshmallow.RAISE

    error_messages = {  # noqa: RUF012  # as marshmallow declares it
        "unknown": Said.of("unknown_field", "There is no such field."),
        "type": Said.of("wrong_type", "This must be an object."),
    }


class Output(Schema):
    """What a client gets; describes what the hand-written `…_json` functions make."""


def reasons(messages: Any, pointer: str = "") -> list[Reason]:
    """marshmallow's nested messages as a flat list with JSON pointers."""
    if isinstance(messages, Mapping):
        return [found for key, each in messages.items() for found in reasons(each, pointer + _step(key))]
    return [Reason(getattr(each, "code", "invalid"), str(each), pointer=pointer) for each in messages]


def _step(key: Any) -> str:
    return "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
