"""The numbers of invoices and credit notes: 1, 2, 3 … in each series and year, none missing, none twice.

A sequence of the database would be faster and would lose numbers: what it gave to a transaction that failed never comes
back. Here the last number is a row. Taking one locks it until the commit, so the next waits for what becomes of this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from guitaronline.billing.invoices.models import Series
from guitaronline.db import new_id
from guitaronline.unit_of_work import Work

DIGITS = 6  # more when a year needs more
TAKE = text("""
    INSERT INTO number_series (id, series, year, last_number, updated_at) VALUES (:id, :series, :year, 1, :now)
        ON CONFLICT (series, year) DO UPDATE SET last_number = number_series.last_number + 1, updated_at = :now
    RETURNING last_number
""")


@dataclass(frozen=True)
class Number:
    series: Series
    year: int
    sequence: int

    @property
    def reference(self) -> str:
        """`INV-2026-000123`"""
        return f"{self.series}-{self.year}-{self.sequence:0{DIGITS}d}"


def take(work: Work, series: Series, day: date) -> Number:
    """The next number of the series in that day's year.

    Everybody else who wants one waits for this unit's end: taken last, by a step of `work.at_end`."""
    values = {"id": new_id(), "series": series.value, "year": day.year, "now": work.now}
    sequence = work.session.execute(TAKE, values).scalar_one()
    return Number(series, day.year, sequence)
