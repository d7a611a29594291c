"""The original of a file, in parts of about a megabyte, read without holding it in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import text

from guitaronline import db

PART_BYTES = 1_000_000
MOST_BYTES = 200_000_000
ONE_PART = "SELECT bytes FROM settlement_parts WHERE file_id = %s AND sequence = %s"
SIZE = text("SELECT coalesce(sum(octet_length(bytes)), 0) FROM settlement_parts WHERE file_id = :file_id")


def part(file_id: UUID, sequence: int) -> bytes | None:
    """On a connection of its own: it is also asked while the session's connection copies lines."""
    with db.quick(alone=True) as connection:
        connection.run(ONE_PART, (file_id, sequence))
        row = connection.cursor.fetchone()
    return bytes(row[0]) if row else None


def parts(file_id: UUID) -> Iterator[bytes]:
    sequence = 0
    while (found := part(file_id, sequence)) is not None:
        yield found
        sequence += 1


class Original:
    """A `texts.Source`. `went_on` is told after each part how many bytes have been read."""

    def __init__(self, file_id: UUID, went_on: Callable[[int], None] | None = None) -> None:
        self.file_id, self.went_on = file_id, went_on

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Parts(self.file_id, self.went_on), buffer_size=65_536)


class _Parts(io.RawIOBase):
    def __init__(self, file_id: UUID, went_on: Callable[[int], None] | None) -> None:
        super().__init__()
        self.file_id, self.went_on = file_id, went_on
        self.sequence = self.at = self.done = 0
        self.now: bytes | None = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while self.now is not None and self.at >= len(self.now):
            self._next()
        if self.now is None:
            return 0
        piece = self.now[self.at : self.at + len(buffer)]
        buffer[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)

    def _next(self) -> None:
        self.done += len(self.now or b"")
        if self.went_on and self.sequence:
            self.went_on(self.done)
        self.now = part(self.file_id, self.sequence)
        self.sequence, self.at = self.sequence + 1, 0
