"""The rows of a list as it stood at one moment, for a file.

The ids are read once, in the list's order, and kept at 16 bytes each; so the number of rows is known before anything is
written, and a row is neither missed nor written twice while people work on. The values follow a thousand at a time, each
batch in a short transaction of its own: a slow download holds no connection, and a million rows need no more memory than one
batch. Each batch stands in an application context of its own, because an answer is read when its request is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from flask import Flask
from sqlalchemy import ARRAY, Uuid, any_, bindparam, cast, select

from guitaronline.admin import gate
from guitaronline.admin.base import Column, Desk, Selection
from guitaronline.admin.gate import Viewer
from guitaronline.admin.plain import Plain
from guitaronline.db import session
from guitaronline.office.files import Sheet, Value

BATCH = 1000
IDS_AT_ONCE = 5000
ID_BYTES = 16


def read_ids(desk: Desk, asked: Selection, *, most: int) -> bytes:
    """The ids of up to `most` rows that the viewer may see and asked for, in their order, packed."""
    query, _ = desk.ids(asked)
    found = session().scalars(query.limit(most), execution_options={"yield_per": IDS_AT_ONCE})
    packed = bytearray()
    for some in found.partitions():
        packed += b"".join(each.bytes for each in some)
    return bytes(packed)


def count(ids: bytes) -> int:
    return len(ids) // ID_BYTES


@dataclass(frozen=True)
class Reading:
    """What is exported: these rows with these columns, as `viewer` sees them at `now`."""

    app: Flask
    desk: Desk
    columns: Sequence[Column]
    ids: bytes
    viewer: Viewer
    now: datetime

    def sheet(self) -> Sheet:
        return Sheet(self.desk.title, self.headings(), self.batches(), ZoneInfo(self.viewer.timezone))

    def headings(self) -> list[str]:
        """A column of times names the zone that they are in."""
        return [
            f"{each.label or column.label}{f' ({self.viewer.timezone})' if each.is_time else ''}"
            for column in self.columns
            for each in self.desk.exported[column.name]
        ]

    def batches(self) -> Iterator[list[list[Value]]]:
        size = BATCH * ID_BYTES
        for start in range(0, len(self.ids), size):
            yield self._batch(self.ids[start : start + size])

    def _batch(self, packed: bytes) -> list[list[Value]]:
        """Index: the primary key. A row that is gone by now is left out."""
        wanted = [UUID(bytes=packed[at : at + ID_BYTES]) for at in range(0, len(packed), ID_BYTES)]
        with self.app.app_context(), gate.acting_as(self.viewer):
            flask.g.now = self.now
            plains = [each for column in self.columns for each in self.desk.exported[column.name]]
            key = self.desk.model.__mapper__.primary_key[0]
            reads = [each.label(f"v{place}") for place, each in enumerate(_expressions(plains))]
            query = select(key, *reads).where(key == any_(cast(bindparam("ids"), ARRAY(Uuid))))
            by_key = {row[0]: row for row in session().execute(query, {"ids": wanted})}
            said = _reader(plains)
            return [said(by_key[each]) for each in wanted if each in by_key]


def _expressions(plains: Sequence[Plain]) -> list[Any]:
    return [expression for each in plains for expression in each.expressions()]


def _reader(plains: Sequence[Plain]) -> Any:
    """Row of the query → row of the file."""
    steps: list[tuple[Any, int, int]] = []
    place = 1  # the key comes first
    for each in plains:
        steps.append((each.says, place, place + len(each.reads)))
        place += len(each.reads)

    def said(row: Any) -> list[Value]:
        return [row[first] if says is None else says(*row[first:end]) for says, first, end in steps]

    return said
