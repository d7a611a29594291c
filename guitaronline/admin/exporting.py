"""The rows of a list as it stood at one moment, for a file.

The ids are read once, in the list's order, and kept as text; so the number of rows is known before anything is written, and a
row is neither missed nor written twice while people work on. The values follow a thousand at a time, each batch in a
transaction of its own: a slow download holds no connection, and a million rows need the memory of their ids and of one
batch. Each batch stands in an application context of its own, because an answer is read when its request is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import flask
from flask import Flask
from sqlalchemy import ARRAY, Select, Text, Uuid, bindparam, cast, func, literal_column, select, text
from sqlalchemy.exc import DataError

from guitaronline.admin import gate
from guitaronline.admin.base import Column, Desk, Selection
from guitaronline.admin.export_request import whole
from guitaronline.admin.gate import Viewer
from guitaronline.admin.plain import Plain
from guitaronline.db import session
from guitaronline.office.files import Sheet, Value

BATCH = 1000
ISO_8601 = 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM'  # as `files.moment` says it
IDS_AT_ONCE = 5000
ID_WIDTH = 37  # characters, with the comma that PostgreSQL writes between the elements of an array


@dataclass(frozen=True)
class Ids:
    """Which rows, in which order: packed, because a million UUIDs as objects would be 100 MB."""

    packed: str

    def __len__(self) -> int:
        return (len(self.packed) + 1) // ID_WIDTH

    def arrays(self, size: int) -> Iterator[str]:
        """Array literals of `size` ids."""
        for start in range(0, len(self.packed), size * ID_WIDTH):
            yield "{" + self.packed[start : start + size * ID_WIDTH - 1] + "}"


def read_ids(desk: Desk, asked: Selection, *, most: int) -> Ids:
    """The ids of up to `most` rows that the viewer may see and asked for, in their order. Raises SelectionInvalid."""
    query = whole(desk, asked)
    key = _key(desk)
    found = session().scalars(
        query.with_only_columns(cast(key, Text)).limit(most), execution_options={"yield_per": IDS_AT_ONCE}
    )
    return Ids(",".join([",".join(some) for some in found.partitions()]))


def _key(desk: Desk) -> Any:
    return desk.model.__mapper__.primary_key[0]


@dataclass(frozen=True)
class Reading:
    """What is exported: these rows with these columns, as `viewer` sees them at `now`."""

    app: Flask
    desk: Desk
    columns: Sequence[Column]
    ids: Ids
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

    def batches(self) -> Iterator[list[Sequence[Value]]]:
        with self._eyes():
            is_known = stands_in(self.viewer.timezone)
            query = self._query(says_times=is_known)
        says = _says(self._plains())
        for array in self.ids.arrays(BATCH):
            with self._eyes():
                if is_known:
                    stands_in(self.viewer.timezone)
                batch = [says(row) for row in session().execute(query, {"ids": array})]
            yield batch

    @contextmanager
    def _eyes(self) -> Iterator[None]:
        """Everything is seen as the viewer saw it then. Never open while somebody else has the turn."""
        with self.app.app_context(), gate.acting_as(self.viewer):
            flask.g.now = self.now
            yield

    def _plains(self) -> list[Plain]:
        return [each for column in self.columns for each in self.desk.exported[column.name]]

    def _query(self, *, says_times: bool) -> Select[Any]:
        """In the order of the ids; a row that is gone by now is left out. Index: the primary key.

        `says_times`: the database writes times as text, which halves the time of a file that has many of them."""
        found = _expressions(self._plains(), says_times=says_times)
        reads = [read.label(f"v{place}") for place, read in enumerate(found)]
        ids = cast(cast(bindparam("ids"), Text), ARRAY(Uuid))
        wanted = func.unnest(ids).table_valued("id", with_ordinality="place", name="wanted").render_derived()
        key = _key(self.desk)
        return select(*reads).select_from(wanted).join(key.table, key == wanted.c.id).order_by(wanted.c.place)


def stands_in(zone: str) -> bool:
    """Until this transaction ends the database says times in that zone. False: it knows no such zone, and does not."""
    try:
        session().execute(text("SELECT set_config('TimeZone', :zone, true)"), {"zone": zone})
    except DataError:
        session().rollback()
        return False
    return True


def _expressions(plains: Sequence[Plain], *, says_times: bool) -> list[Any]:
    pattern: Any = literal_column(f"'{ISO_8601}'")
    return [
        func.to_char(read, pattern) if says_times and each.is_time else read
        for each in plains
        for read in each.expressions()
    ]


def _says(plains: Sequence[Plain]) -> Callable[[Any], Sequence[Value]]:
    """Row of the query → row of the file."""
    if all(each.says is None for each in plains):
        return lambda row: row
    steps: list[tuple[Any, int, int]] = []
    place = 0
    for each in plains:
        steps.append((each.says, place, place + len(each.reads)))
        place += len(each.reads)
    return lambda row: [row[first] if says is None else says(*row[first:end]) for says, first, end in steps]
