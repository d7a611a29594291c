"""What is told of a cancellation: who it was, and why a late move finds nothing that pays."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import Actor
from guitaronline.admin import show
from guitaronline.admin.record_page import facts
from guitaronline.audit import queries as audit
from guitaronline.booking import queries
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.identity.models import User


def canceled_facts(booking: Booking) -> list[show.Fact]:
    return facts(
        ("Canceled", show.when(booking.canceled_at)),
        ("Canceled by", _canceled_by(booking)),
        ("Because of", show.text(booking.cancel_cause)),
        ("Reason", booking.cancellation_reason),
        ("The lesson", (booking.decision or {}).get("sentence")),
    )


def _canceled_by(booking: Booking) -> Any:
    """What callers ask first, taken from the audit: nowhere else stands who it was."""
    action = audit.mover_of(session(), Booking.__tablename__, booking.id, BookingStatus.CANCELED)
    person = session().get(User, action.actor_id) if action and action.actor_id else None
    return show.link(person) if person else "the system"


def why_nothing_is_left(actor: Actor, record: Any, form: Any) -> list[tuple[str, Any]]:
    """A late move uses the old lesson up; then the new one needs a second, and a waiver is what helps."""
    waive = bool(form.waive.data)
    found = queries.preview_cancel(session(), actor, record.id, cause=form.cause.data, waive=waive)
    if found.decision is None or found.decision.is_returned:
        return []
    help_ = f"With “{form.waive.label.text}” ticked below, the old lesson pays for the new one."
    return [("The old lesson", found.decision.sentence()), ("What helps", help_)]
