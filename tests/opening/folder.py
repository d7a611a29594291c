"""Files of a small school, as it writes them down before it moves in."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Any

from guitaronline.office.opening.sheets import COLUMNS
from guitaronline.office.opening_models import Sheet
from tests.world import World

TEACHER = {"id": "T-1", "full_name": "Olga Teach", "email": "olga@people.example", "timezone": "Europe/Berlin", "display_name": "Olga", "tags": "jazz|blues", "experience_years": "12"}  # fmt: skip
ADULT = {"id": "S-1", "full_name": "Nora Berg", "email": "nora@people.example", "phone": "+49 30 1234567", "timezone": "Europe/Berlin"}  # fmt: skip
CHILD = {"id": "S-2", "full_name": "Mia Berg", "timezone": "Europe/Berlin", "level": "beginner"}
GUARDIAN = {"student": "S-2", "guardian": "S-1", "relation": "mother"}
PACKAGE = {"id": "P-1", "student": "S-2", "lessons_total": "10", "lessons_used": "3", "price": "490,00", "currency": "EUR", "paid": "yes"}  # fmt: skip


def booking(world: World, *, days: int = 20, **more: str) -> dict[str, str]:
    start = local_noon(world, days)
    return {"id": "B-1", "student": "S-2", "teacher": "T-1", "package": "P-1", "start": f"{start:%Y-%m-%d %H:%M}", "minutes": "60", **more}  # fmt: skip


def local_noon(world: World, days: int) -> datetime:
    return (world.now + timedelta(days=days)).replace(hour=12, minute=0, second=0, tzinfo=None)


def whole_school(world: World) -> dict[Sheet, bytes]:
    return {
        Sheet.TEACHERS: written(Sheet.TEACHERS, TEACHER),
        Sheet.PEOPLE: written(Sheet.PEOPLE, ADULT, CHILD),
        Sheet.GUARDIANS: written(Sheet.GUARDIANS, GUARDIAN),
        Sheet.PACKAGES: written(Sheet.PACKAGES, PACKAGE),
        Sheet.BOOKINGS: written(Sheet.BOOKINGS, booking(world)),
    }


def written(sheet: Sheet, *rows: dict[str, Any]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in COLUMNS[sheet]])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
