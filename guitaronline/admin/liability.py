"""Liability: what is owed to students at the end of a month, how it came about, and the packages behind each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from guitaronline.admin import books, gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.db import session
from guitaronline.errors import Invalid
from guitaronline.finance import liability, months
from guitaronline.finance.liability import Line, Movement, Standing
from guitaronline.finance.months import Month
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import CURRENCIES, Money, decimal_string
from guitaronline.office.files import Value

SHOWN = 100  # packages on a page
MOST_IN_FILE = 100_000
NO_PLAN = "none"
HEADINGS = ("Currency", "Plan", "Packages", "Lessons", "Owed", "Frozen", "Expired", "Breakage", "Not booked", "Taken back", "Earned", "Sold in all")  # fmt: skip
MOVED = ("Currency", "Plan", "Owed before", "Sold", "Earned", "Breakage", "Not booked", "Taken back", "Owed after")  # fmt: skip
OF_PACKAGES = ("Package", "Student", "Lessons", "Price", "Lessons owed", "Owed", "Delivered", "Earned", "Expired", "Worth", "Taken back", "Worth", "Frozen")  # fmt: skip


@dataclass(frozen=True)
class Of:
    """One line of the report that was asked for."""

    currency: str
    plan_id: UUID | None


class Liability(ConsolePage):
    path = "liability"
    title = "Liability"
    reads_standby = True
    permission = Permission.READ_BOOKS

    def page(self) -> Any:
        month = books.asked_month(flask.request.args.get("month"), months.month_of(gate.now()))
        at = moment_of(month)
        of = asked_line(flask.request.args.get("currency"), flask.request.args.get("plan"))
        opening, closing = liability.report(session(), month.start), liability.report(session(), at)
        return self.render(
            "admin/liability.html",
            month=month,
            months=books.months_offered(),
            is_running=at < month.end,
            headings=HEADINGS,
            rows=[_cells(each, month) for each in closing],
            totals=_totals(closing),
            moved=MOVED,
            movements=[_moved(each) for each in liability.between(opening, closing)],
            zone=months.zone().key,
            of=of,
            **(self._packages(of, month, closing) if of else {}),
        )

    def _packages(self, of: Of, month: Month, lines: Sequence[Line]) -> dict[str, Any]:
        after = _id(flask.request.args.get("after"))
        found = liability.packages_of(
            session(), moment_of(month), currency=of.currency, plan_id=of.plan_id, after=after, limit=SHOWN + 1
        )
        line = next((each for each in lines if (each.currency, each.plan_id) == (of.currency, of.plan_id)), None)
        return {
            "of_headings": OF_PACKAGES,
            "of_rows": _package_rows(found[:SHOWN]),
            "of_words": f"{line.plan or 'Without a plan'}, {of.currency}" if line else of.currency,
            "more_url": _url(month, of, after=found[SHOWN - 1].package_id) if len(found) > SHOWN else None,
        }


def moment_of(month: Month) -> datetime:
    """Its end, or now while it runs."""
    return min(month.end, gate.now())


def asked_line(currency: str | None, plan: str | None) -> Of | None:
    """None when no line, or none that can be, was asked for."""
    if currency not in CURRENCIES or not plan:
        return None
    plan_id = _id(plan)
    return None if plan_id is None and plan != NO_PLAN else Of(currency, plan_id)


@books.blueprint.post("/liability/export")
@gate.needs(Permission.READ_BOOKS)
def export_liability() -> ResponseReturnValue:
    """The report of a month, or the packages of one of its lines, as CSV."""
    month = books.posted_month()
    of = asked_line(flask.request.form.get("currency"), flask.request.form.get("plan"))
    if of is None and flask.request.form.get("plan"):
        raise Invalid("There is no such line in the report.")
    filters = {"month": month.written()}
    if of is None:
        rows = [_plain(each) for each in liability.report(session(), moment_of(month))]
        return books.csv_answer("liability", HEADINGS, rows, needs=Permission.READ_BOOKS, filters=filters)
    filters |= {"currency": of.currency, "plan": str(of.plan_id or NO_PLAN)}
    packages = liability.packages_of(
        session(), moment_of(month), currency=of.currency, plan_id=of.plan_id, limit=MOST_IN_FILE
    )
    return books.csv_answer(
        "liability-packages",
        OF_PACKAGES,
        [_plain_package(each) for each in packages],
        needs=Permission.READ_BOOKS,
        filters=filters,
    )


def _url(month: Month, of: Of, **more: Any) -> str:
    plan = of.plan_id or NO_PLAN
    return flask.url_for("desk_liability.index", month=month.written(), currency=of.currency, plan=plan, **more)


def _cells(line: Line, month: Month) -> list[Any]:
    url = _url(month, Of(line.currency, line.plan_id))
    amounts = (line.breakage_minor, line.lapsed_minor, line.revoked_minor, line.earned_minor, line.price_minor)
    return [
        line.currency,
        show.html('<a href="{}#packages">{}</a>', url, line.plan or "without a plan"),
        f"{line.packages:,}",
        f"{line.owed:,}",
        _amount(line.owed_minor, line.currency),
        _amount(line.frozen_minor, line.currency),
        f"{line.expired:,}" if line.expired else show.NOTHING,
        *(_amount(each, line.currency) for each in amounts),
    ]


def _amount(minor: int, currency: str) -> Any:
    """Without its currency, which stands at the head of the row."""
    return show.html('<span class="money">{}</span>', decimal_string(minor, currency)) if minor else show.NOTHING


def _plain(line: Line) -> list[Value]:
    amounts = (line.breakage_minor, line.lapsed_minor, line.revoked_minor, line.earned_minor, line.price_minor)
    return [
        line.currency,
        line.plan,
        line.packages,
        line.owed,
        Money(line.owed_minor, line.currency),
        Money(line.frozen_minor, line.currency),
        line.expired,
        *(Money(each, line.currency) for each in amounts),
    ]


def _totals(lines: Sequence[Line]) -> list[tuple[str, Any, str]]:
    """What is owed in each currency, and in how many lessons."""
    found: dict[str, list[int]] = {}
    for each in lines:
        sums = found.setdefault(each.currency, [0, 0])
        sums[:] = [sums[0] + each.owed_minor, sums[1] + each.owed]
    return [(code, show.money(minor, code), f"{lessons:,} lessons") for code, (minor, lessons) in sorted(found.items())]


def _moved(moved: Movement) -> list[Any]:
    amounts = (
        moved.opening_minor,
        moved.sold_minor,
        -moved.earned_minor,
        -moved.breakage_minor,
        -moved.lapsed_minor,
        -moved.revoked_minor,
        moved.closing_minor,
    )
    return [moved.currency, moved.plan or "without a plan", *(_amount(each, moved.currency) for each in amounts)]


def _package_rows(found: Sequence[Standing]) -> list[list[Any]]:
    ids = {each.student_id for each in found}
    students = {each.id: each for each in session().scalars(select(User).where(User.id.in_(ids)))}
    return [_package(each, students[each.student_id]) for each in found]


def _package(found: Standing, student: User) -> list[Any]:
    code = found.currency
    return [
        show.link_to("packages", found.package_id, found.reference),
        show.link(student),
        f"{found.lessons_total:,}",
        _amount(found.price_minor, code),
        found.owed,
        _amount(found.owed_minor, code),
        found.delivered,
        _amount(found.earned_minor, code),
        found.expired or show.NOTHING,
        _amount(found.expired_minor, code),
        found.revoked or show.NOTHING,
        _amount(found.revoked_minor, code),
        show.chip("frozen") if found.is_frozen else show.NOTHING,
    ]


def _plain_package(found: Standing) -> list[Value]:
    code = found.currency
    return [
        found.reference,
        str(found.student_id),
        found.lessons_total,
        Money(found.price_minor, code),
        found.owed,
        Money(found.owed_minor, code),
        found.delivered,
        Money(found.earned_minor, code),
        found.expired,
        Money(found.expired_minor, code),
        found.revoked,
        Money(found.revoked_minor, code),
        show.yes(found.is_frozen),
    ]


def _id(given: str | None) -> UUID | None:
    try:
        return UUID(given or "")
    except ValueError:
        return None
