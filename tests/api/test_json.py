"""What counts as JSON here."""

from __future__ import annotations

import pytest

from guitaronline.api.json import NotJson, UnfitJson, dumps, loads


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a": "\x00"}',
        b'"\xed\xa0\x80"',
        b"1 2",
    ],
)
def test_what_is_not_json_is_called_so(body: bytes) -> None:
    with pytest.raises(NotJson):
        loads(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a": NaN}', "not_finite"),
        (b'{"a": -Infinity}', "not_finite"),
        (b'{"a": 1e999}', "not_finite"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b'{"a": {"b": 1, "b": 2}}', "duplicate_key"),
        (b'{"a": "\\u0000"}', "bad_character"),
        (b'{"\\u0000": 1}', "bad_character"),
        (b'{"a": "\\ud800"}', "bad_character"),
        (b'["\\udfff\\ud800"]', "bad_character"),
        (b"[" * 21 + b"]" * 21, "too_deep"),
        (b"[" * 500_000 + b"]" * 500_000, "too_deep"),
        (b'{"a":' * 21 + b"1" + b"}" * 21, "too_deep"),
        (b"9" * 21, "number_too_long"),
        (b"9" * 10_000, "number_too_long"),
    ],
)
def test_json_that_is_refused_says_why(body: bytes, code: str) -> None:
    with pytest.raises(UnfitJson) as refused:
        loads(body)
    assert [reason.code for reason in refused.value.reasons] == [code]


def test_twenty_levels_may_be_nested() -> None:
    assert loads(b"[" * 20 + b"]" * 20)
    assert loads(b'{"a":' * 20 + b"1" + b"}" * 20)


def test_many_brackets_on_one_level_are_not_deep() -> None:
    assert len(loads(b"[" + b",".join([b"[]"] * 100) + b"]")) == 100


def test_whole_surrogate_pairs_and_any_other_character_pass() -> None:
    assert loads('{"a": "\\ud83c\\udfb8", "b": "Ж\\u20ac"}'.encode()) == {"a": "🎸", "b": "Ж€"}


def test_output_never_contains_nan() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps({"a": float("nan")})
