"""How a job makes a file: claimed by lease, kept in parts, and stopped when somebody else took it over.

These are technical tables: progress is written often and says nothing about the business. Who was killed is taken over
when the lease has run out, and the file is begun anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text

from guitaronline.db import session, technical_transaction
from guitaronline.office.export_models import ExportPart, ExportRun
from guitaronline.office.exports import FencedOut

LEASE = timedelta(seconds=60)
ATTEMPTS_MOST = 3

CLAIM = text("""
UPDATE export_runs SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease,
                       rows_done = 0, rows_total = NULL
 WHERE export_id = (SELECT export_id FROM export_runs
                      WHERE lease_until IS NULL OR lease_until < clock_timestamp()
                      ORDER BY export_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING export_id, attempts
""")
FORGET_PARTS = text("DELETE FROM export_parts WHERE export_id = :export_id")
GO_ON = text("""
UPDATE export_runs SET rows_done = :done, rows_total = :total, lease_until = clock_timestamp() + :lease
 WHERE export_id = :export_id AND lease_token = :token
""")
KEEP = text("INSERT INTO export_parts (export_id, sequence, bytes) VALUES (:export_id, :sequence, :bytes)")


@dataclass(frozen=True)
class Claimed:
    export_id: UUID
    token: UUID
    attempts: int

    @property
    def is_hopeless(self) -> bool:
        """Begun often enough, and never ended."""
        return self.attempts > ATTEMPTS_MOST


@dataclass(frozen=True)
class Progress:
    done: int = 0
    total: int | None = None

    @property
    def percent(self) -> int:
        return min(99, self.done * 100 // self.total) if self.total else 0


def claim(token: UUID) -> Claimed | None:
    """The export that waits longest, ours until the lease ends; what an earlier attempt left of it is gone."""
    with technical_transaction() as current:
        row = current.execute(CLAIM, {"token": token, "lease": LEASE}).one_or_none()
        if row is None:
            return None
        current.execute(FORGET_PARTS, {"export_id": row.export_id})
    return Claimed(row.export_id, token, row.attempts)


def keep(claimed: Claimed, *, sequence: int, part: bytes, progress: Progress) -> None:
    """The part is kept and the lease prolonged, or neither. Raises FencedOut when it is not ours any more."""
    with technical_transaction() as current:
        facts = {"export_id": claimed.export_id, "token": claimed.token, "lease": LEASE}
        held = current.execute(GO_ON, {**facts, "done": progress.done, "total": progress.total})
        if not held.rowcount:  # type: ignore[attr-defined]
            raise FencedOut()
        if part:
            current.execute(KEEP, {"export_id": claimed.export_id, "sequence": sequence, "bytes": part})


def progress_of(export_ids: list[UUID]) -> dict[UUID, Progress]:
    """How far those of them are that wait or are being made."""
    if not export_ids:
        return {}
    query = select(ExportRun.export_id, ExportRun.rows_done, ExportRun.rows_total)
    found = session().execute(query.where(ExportRun.export_id.in_(export_ids)))
    return {row.export_id: Progress(row.rows_done, row.rows_total) for row in found}


def part(export_id: UUID, sequence: int) -> bytes | None:
    query = select(ExportPart.bytes).where(ExportPart.export_id == export_id, ExportPart.sequence == sequence)
    return session().scalar(query)


def size_of(export_id: UUID) -> int:
    query = text("SELECT coalesce(sum(octet_length(bytes)), 0) FROM export_parts WHERE export_id = :export_id")
    return int(session().execute(query, {"export_id": export_id}).scalar_one())


def in_parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of at least `size`, the last one aside."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= size:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
