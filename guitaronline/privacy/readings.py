"""Who saw whose contact data in clear: one row a person, reader and day. Written when a page shows it, whoever reads it.

A technical table and not the audit: support opens people all day, and a history that is full of it would hide what was done
(decision 0010). But "who read this number last month?" has an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text

from guitaronline.db import array, technical_transaction

NOTE = text("""
INSERT INTO contact_readings (id, person_id, reader_id, day, first_at, last_at)
SELECT gen_random_uuid(), person_id, :reader, CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date), clock_timestamp(), clock_timestamp()
  FROM unnest(CAST(:people AS uuid[])) AS person_id ORDER BY person_id
ON CONFLICT ON CONSTRAINT uq_contact_readings_once
DO UPDATE SET last_at = excluded.last_at, times = contact_readings.times + 1
""")  # in one order: two pages of the same people wait for each other and do not deadlock


def note_readings(reader_id: UUID, people: Iterable[UUID]) -> None:
    """It is written down that the reader saw these people's contact data. One's own is nobody's business."""
    seen = sorted(set(people) - {reader_id})
    if not seen:
        return
    with technical_transaction() as session:
        session.execute(NOTE, {"reader": reader_id, "people": array(seen)})
