"""The numbers of invoices and credit notes: 1, 2, 3 … in each series and year, none missing, none twice.

A sequence of the database would be faster and would lose numbers: what it gave to a transaction that failed never comes
back. Here the last number is a row. Taking one locks it until the commit, so the next waits for what becomes of this one.
The INSERT itself takes it (`take_number` of migration 0021): nothing but the commit stands between, which was half of the wait.
"""

from __future__ import annotations

from typing import TypeVar, cast

from sqlalchemy import func
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice, Series
from guitaronline.unit_of_work import Work

Paper = TypeVar("Paper", Invoice, CreditNote, CreditCancellation)


def write(work: Work, paper: Paper, series: Series) -> Paper:
    """The paper stands in the books with the next number of its series and year.

    Everybody else who wants one waits for this unit's end: the last thing that a step of `work.at_end` does."""
    work.session.flush()
    paper.series, paper.year = series, paper.issued_on.year
    paper.sequence = cast(int, next_number(work, paper))
    work.add(paper)
    work.session.flush()
    return paper


def next_number(work: Work, paper: Paper) -> ColumnElement[int]:
    return func.take_number(paper.series.value, paper.year, work.now)
