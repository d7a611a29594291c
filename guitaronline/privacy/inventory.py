"""The inventory: every column of every table, what it holds, who sees it, how long it is kept, and what erasure does.

One table in code. The page docs/privacy.md is made of it, the export of a person's data reads by it, and erasure does what
stands in it; a test fails when a column is missing or gone.
"""

from __future__ import annotations

from guitaronline.privacy.holding import Holding
from guitaronline.privacy.lessons import LESSONS
from guitaronline.privacy.money import MONEY
from guitaronline.privacy.office import OFFICE
from guitaronline.privacy.people import PEOPLE
from guitaronline.privacy.settlements import SETTLEMENTS

CHAPTERS = {
    "People and what they are told": PEOPLE,
    "Time, bookings, lessons": LESSONS,
    "Money": MONEY,
    "Settlements": SETTLEMENTS,
    "The office, the audit, jobs": OFFICE,
}
HOLDINGS: dict[str, Holding] = {each.table: each for chapter in CHAPTERS.values() for each in chapter}
