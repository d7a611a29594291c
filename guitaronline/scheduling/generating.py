"""Slots put in by the thousand, in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import text

from guitaronline import db
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot, SlotOrigin, SlotStatus
from guitaronline.scheduling.rules import Planned
from guitaronline.unit_of_work import Work

# Columns travel as array literals: row by row, binding values took longer than writing the rows.
INSERT = text("""
INSERT INTO availability_slots
       (id, teacher_id, start_at, end_at, busy_until, wall_start, wall_zone, status, origin, created_at, updated_at)
SELECT id, teacher_id, start_at, end_at, nullif(busy_until, end_at), wall_start, wall_zone, :status, :origin, :now, :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:teachers AS uuid[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
              CAST(:busy AS timestamptz[]), CAST(:walls AS timestamp[]), CAST(:zones AS text[]))
       AS place (id, teacher_id, start_at, end_at, busy_until, wall_start, wall_zone)
""")


def make_generated(work: Work, places: Sequence[tuple[User, Planned]]) -> None:
    """A step: the teachers, who are locked, have an open generated slot at each place, none of which overlaps another."""
    if not places:
        return
    Slot.states.event(None, SlotStatus.OPEN)  # a legal first state
    work.session.execute(
        INSERT,
        {
            "ids": _array(str(db.new_id()) for _ in places),
            "teachers": _array(str(teacher.id) for teacher, _ in places),
            "starts": _array(place.start_at.isoformat() for _, place in places),
            "ends": _array(place.end_at.isoformat() for _, place in places),
            "busy": _array(place.busy_until.isoformat() for _, place in places),
            "walls": _array(place.local.isoformat() for _, place in places),
            "zones": _array(teacher.timezone for teacher, _ in places),
            "status": SlotStatus.OPEN.value,
            "origin": SlotOrigin.GENERATED.value,
            "now": work.now,
        },
    )


def _array(values: Iterable[str]) -> str:
    """Of ids, times and names of zones: nothing in them needs quoting."""
    return "{" + ",".join(values) + "}"
