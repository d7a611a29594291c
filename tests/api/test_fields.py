"""Fields take exactly the type they name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from marshmallow import ValidationError

from guitaronline.api.fields import Id, Input, Moment, OneOf, QueryWhole, Text, Texts, Whole, YesNo, reasons

ONE_OF_EACH = Input.from_dict(
    {
        "text": Text(least=1, most=5),
        "whole": Whole(least=1, most=9),
        "yes": YesNo(),
        "id": Id(),
        "at": Moment(),
        "word": OneOf(["a", "b"]),
        "texts": Texts(Text(most=3), most=2),
        "count": QueryWhole(least=0, most=99),
        "maybe": Text(most=5, allow_none=True),
    }
)()


FIRST, LAST = datetime(1970, 1, 2), datetime(9998, 12, 30)  # noqa: DTZ001  # hypothesis adds the zone


def codes(**given: Any) -> list[tuple[str, str]]:
    try:
        ONE_OF_EACH.load(given)
    except ValidationError as error:
        return [(reason.pointer, reason.code) for reason in reasons(error.messages)]
    return []


@pytest.mark.parametrize("value", [True, "5", 5.0, 5.5, None, [], {}, "٥"])
def test_only_a_whole_number_is_a_whole_number(value: Any) -> None:
    assert codes(whole=value)


@pytest.mark.parametrize("value", [1, True, None, ["a"], {"a": 1}, "", "123456", "a\x00"])
def test_only_a_fitting_text_is_a_text(value: Any) -> None:
    assert codes(text=value)


@pytest.mark.parametrize("value", [1, 0, "true", "false", None, "yes"])
def test_only_true_and_false_are_yes_and_no(value: Any) -> None:
    assert codes(yes=value)


@pytest.mark.parametrize(
    "value",
    [
        1,
        "x",
        "{0190a4c0-0000-7000-8000-000000000000}",
        "0190a4c00000700080000000000000000",
        "urn:uuid:0190a4c0-0000-7000-8000-000000000000",
        "0190a4c0-0000-7000-8000-00000000000٠",
    ],
)
def test_only_the_usual_form_is_an_id(value: Any) -> None:
    assert codes(id=value) == [("/id", "wrong_type")]


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T15:00:00", "2026-11-23", "2026-11-23 15:00:00Z", "20261123T150000Z", "2026-11-23T15:00Z", 1700000000, None,
        "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T15:00:60Z", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "9998-12-31T23:59:59-23:59", "2026-11-23T15:00:00+24:00", "２026-11-23T15:00:00Z", "1969-12-31T23:59:59Z", "infinity",
    ],
)  # fmt: skip
def test_only_a_time_with_offset_is_a_time(value: Any) -> None:
    assert codes(at=value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-23T15:00:00Z", datetime(2026, 11, 23, 15, tzinfo=UTC)),
        ("2026-11-23t15:00:00z", datetime(2026, 11, 23, 15, tzinfo=UTC)),
        ("2026-11-23T15:00:00+01:00", datetime(2026, 11, 23, 14, tzinfo=UTC)),
        ("2026-11-23T15:00:00.5Z", datetime(2026, 11, 23, 15, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-23T15:00:00.123456789Z", datetime(2026, 11, 23, 15, 0, 0, 123_456, tzinfo=UTC)),
        ("9998-12-31T23:59:59Z", datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_become_utc(value: str, moment: datetime) -> None:
    assert ONE_OF_EACH.load({"at": value}) == {"at": moment}


@settings(max_examples=40, deadline=None)
@given(some.datetimes(FIRST, LAST, timezones=some.timezones()))
def test_every_time_written_by_a_program_is_understood(moment: datetime) -> None:
    offset = moment.utcoffset()
    assume(offset is not None and offset.total_seconds() % 60 == 0)  # RFC 3339 has no seconds in offsets
    assert ONE_OF_EACH.load({"at": moment.isoformat()})["at"].timestamp() == moment.timestamp()


@pytest.mark.parametrize("value", ["+5", "1_0", "５", " 5", "5.0", "", "100", "-1", "9" * 30])
def test_numbers_in_a_query_are_plain_digits(value: str) -> None:
    assert codes(count=value)


def test_every_mistake_is_listed_with_its_pointer() -> None:
    assert codes(whole=True, text=5, stranger=1, texts=["long one"]) == [
        ("/text", "wrong_type"),
        ("/whole", "wrong_type"),
        ("/texts/0", "invalid"),
        ("/stranger", "unknown_field"),
    ]
    assert codes(texts=["a", "b", "c"]) == [("/texts", "invalid")]
    assert codes(texts="abc") == [("/texts", "wrong_type")]
    assert codes(**{"a/b~c": 1}) == [("/a~1b~0c", "unknown_field")]


def test_null_is_for_fields_that_allow_it() -> None:
    assert codes(maybe=None) == []
    assert codes(word=None) == [("/word", "null")]
    assert codes(word="c") == [("/word", "not_a_choice")]
