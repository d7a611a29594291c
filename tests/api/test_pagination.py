"""Cursors: what a list wrote is read back; anything else is refused, never trusted."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from guitaronline.api.errors import InvalidCursor, InvalidRequest
from guitaronline.api.pagination import Order, cut, page_of, read_cursor, write_cursor

ORDER = Order("bookings", lambda row: row)
FIRST, LAST = datetime(1970, 1, 1), datetime(9998, 12, 31)  # noqa: DTZ001  # hypothesis wants them naive
PLACE = (datetime(2026, 11, 23, 15, tzinfo=UTC), UUID(int=7))


@given(some.datetimes(FIRST, LAST), some.uuids())
def test_a_cursor_leads_back_to_its_place(moment: datetime, row_id: UUID) -> None:
    place = (moment.replace(tzinfo=UTC), row_id)
    assert read_cursor(write_cursor(ORDER, place), ORDER) == place


def packed(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "!!!!", "ж", packed(), packed("bookings"), packed("bookings", "2026-11-23T15:00:00+00:00"),
        packed("lessons", PLACE[0].isoformat(), str(PLACE[1])), packed("bookings", "2026-11-23T15:00:00", str(PLACE[1])),
        packed("bookings", "9999-12-31T15:00:00+00:00", str(PLACE[1])), packed("bookings", PLACE[0].isoformat(), "7"),
        packed("bookings", 5, 5), packed("bookings", None, None), packed("bookings", PLACE[0].isoformat(), str(PLACE[1]), "more"),
        packed("bookings", PLACE[0].isoformat(), str(PLACE[1]).upper().replace("0", "{", 1)), base64.urlsafe_b64encode(b"[" * 200).decode(),
    ],
)  # fmt: skip
def test_a_cursor_that_the_list_never_wrote_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(cursor, ORDER)


@given(some.text(max_size=60))
def test_no_text_breaks_the_reader(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read_cursor(cursor, ORDER)


def test_the_last_page_has_no_next() -> None:
    page = page_of({"limit": 2}, ORDER)
    assert cut([PLACE, PLACE], page, ORDER) == ([PLACE, PLACE], None)
    assert cut([PLACE, PLACE, PLACE], page, ORDER) == ([PLACE, PLACE], write_cursor(ORDER, PLACE))
    assert cut([], page, ORDER) == ([], None)


def test_cursor_and_offset_do_not_go_together() -> None:
    with pytest.raises(InvalidRequest):
        page_of({"cursor": write_cursor(ORDER, PLACE), "offset": 0}, ORDER)
