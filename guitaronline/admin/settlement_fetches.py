"""Reports that are fetched from their provider by themselves: which of them are awaited, and what went wrong with the last asking."""

from __future__ import annotations

from typing import Any

from guitaronline.admin import show
from guitaronline.admin.record_page import Section, rows
from guitaronline.billing.settlements import fetch_queue
from guitaronline.billing.settlements.fetch_models import ReportKind, SettlementFetch
from guitaronline.billing.settlements.models import SettlementFile
from guitaronline.db import session

FETCHED = "fetched"
KINDS = {
    ReportKind.ACTIVITY: "Stripe: what changed the balance",
    ReportKind.PAYOUTS: "Stripe: payouts",
    ReportKind.PAYOUT_LINES: "Stripe: what payouts are made of",
}


def awaited() -> Section | None:
    """None when nothing is: all came, or people upload the files."""
    found = fetch_queue.awaited(session())
    if not found:
        return None
    table = rows(found, lambda each: KINDS[each.kind], lambda each: show.day(each.day), _said)
    return Section("Reports that are awaited", ("Report", "Day", "State"), table)


def _said(each: SettlementFetch) -> Any:
    if each.last_error:
        return show.html("{}; asked again {}", each.last_error.replace("_", " "), show.stamp(each.due_at))
    return "is being made" if each.reference else show.html("asked for {}", show.stamp(each.due_at))


def came(file: SettlementFile) -> Any:
    """When the file came, and whether nobody uploaded it."""
    if file.uploaded_by is not None:
        return show.stamp(file.created_at)
    return show.html('{} <span class="muted">{}</span>', show.stamp(file.created_at), FETCHED)
