"""Money at a glance: revenue, refunds, fees and net by currency and plan, and how well the rules of matching do."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import flask

from guitaronline.admin import gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.dates import days_meant
from guitaronline.billing.reconciliation import queries, rules
from guitaronline.billing.reconciliation.queries import PlanMoney, Quality, Rate
from guitaronline.db import session
from guitaronline.identity.access import Permission

MOST_DAYS = 93  # a quarter is read while somebody waits


class MoneyPage(ConsolePage):
    path = "money"
    title = "Money"
    permission = Permission.READ_PAYMENTS

    def page(self) -> Any:
        today = gate.now().astimezone(show.zone()).date()
        asked = flask.request.args.get("days", "")
        first, last = _span(asked, today)
        found = queries.quality(session())
        return self.render(
            "admin/money.html",
            first=first,
            last=last,
            months=_months(today),
            rows=[_row(each) for each in queries.money_by_plan(session(), first, last)],
            quality=_quality(found),
            rates=[_rate(each) for each in found.rates],
            exceptions_url=flask.url_for("desk_exceptions.index_view", state="open"),
            matches_url=flask.url_for("desk_matches.index_view"),
        )


def _span(asked: str, today: date) -> tuple[date, date]:
    """The days that the address names; this month for one that means nothing or more than a quarter."""
    month = rules.month_of(today)
    try:
        first, last = days_meant(asked, today=today)
    except ValueError:
        return month
    if first is None or last is None or not timedelta(0) <= last - first <= timedelta(days=MOST_DAYS):
        return month
    return first, last


def _months(today: date) -> list[tuple[str, str]]:
    """Address and name of this month and the three before it."""
    found, day = [], today
    for _ in range(4):
        found.append((f"{day:%Y-%m}", f"{day:%B %Y}"))
        day = day.replace(day=1) - timedelta(days=1)
    return found


def _row(each: PlanMoney) -> dict[str, Any]:
    amounts = {
        name: show.money(getattr(each, f"{name}_minor"), each.currency)
        for name in ("revenue", "refunds", "fees", "net")
    }
    return {"currency": each.currency, "plan": each.plan or "no plan", "payments": each.payments, **amounts}


def _quality(found: Quality) -> dict[str, Any]:
    return {
        "at": show.when(found.at) if found.at else None,
        "rate": _share(found.matched, found.lines),
        "lines": f"{found.lines:,}",
        "precision": _share(found.automatic - found.wrong, found.automatic),
        "automatic": f"{found.automatic:,}",
        "wrong": found.wrong,
    }


def _rate(each: Rate) -> dict[str, Any]:
    return {
        "kind": show.word(each.kind),
        "lines": f"{each.lines:,}",
        "share": _share(each.matched, each.lines),
        "rules": ", ".join(f"{show.word(rule)} {number:,}" for rule, number in sorted(each.by_rule.items())) or "none",
    }


def _share(part: int, whole: int) -> str:
    """Rounded down: 99.99 % is not all."""
    return f"{part * 10_000 // whole / 100:.2f} %" if whole else "–"
