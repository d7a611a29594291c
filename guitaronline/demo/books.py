"""What the finance desk has set up: the accounts of the journal, rates of every teacher, and the first statements."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from guitaronline.db import session
from guitaronline.demo.stage import School
from guitaronline.finance import accounts, months, statements
from guitaronline.finance.service import add_extra, approve_statement, map_accounts, set_rate
from guitaronline.finance.statement_models import LineKind, RateUnit

HALF_HOUR, HOUR = 1_300, 2_400
RAISED = 2_600
APPROVED = 2  # teachers whose last month is approved; the others wait in the round


def run(school: School) -> None:
    school.on(school.ago(41), partial(_set_up, school))
    school.on(school.ago(minutes=6), partial(_raise_first, school))
    school.on(school.ago(minutes=5), partial(_other_work, school))
    school.on(school.ago(minutes=4), partial(_approve, school))


def _set_up(school: School, _: datetime) -> None:
    for kind, (debit, credit) in accounts.USUAL.items():
        map_accounts(school.finance, kind=kind, debit_account=debit, credit_account=credit)
    first = months.day_of(school.founded)
    for teacher in school.teachers:
        for minutes, amount in ((30, HALF_HOUR), (None, HOUR)):
            set_rate(
                school.finance,
                teacher_id=teacher.id,
                amount_minor=amount,
                currency="USD",
                unit=RateUnit.LESSON if minutes else RateUnit.HOUR,
                lesson_minutes=minutes,
                valid_from=first,
            )


def _raise_first(school: School, moment: datetime) -> None:
    set_rate(
        school.finance,
        teacher_id=school.teachers[0].id,
        amount_minor=RAISED,
        currency="USD",
        unit=RateUnit.HOUR,
        valid_from=months.month_of(moment).next().first_day,
        reason="a year with us",
    )


def _other_work(school: School, moment: datetime) -> None:
    add_extra(
        school.finance,
        teacher_id=school.teachers[0].id,
        month=months.month_of(moment).before(),
        kind=LineKind.WORK,
        amount_minor=7_500,
        currency="USD",
        reason="Played at the open evening",
    )


def _approve(school: School, moment: datetime) -> None:
    month = months.month_of(moment).before()
    for teacher in school.teachers[:APPROVED]:
        if statements.preview(session(), teacher.id, month).lines:
            approve_statement(school.finance_second, teacher_id=teacher.id, month=month)
