"""One action of the audit as people read it: who, when, what from → to, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.admin import ages, gate, show
from guitaronline.audit.models import AuditAction, OutboxEvent, OutboxStatus
from guitaronline.audit.queries import Change, Entry, changes_of, entry_of
from guitaronline.db import session
from guitaronline.identity.models import User

UNSAID = {
    "whole",
    "rest",
    "step",
    "mapping",
    "totals",
    "sha256",
    "problems",
    "report",
    "fields",
    "id",
    "version",
    "updated_at",
    "little_left_at",
    "created_at",
    "policy",
    "email_key",
    "digest",
    "settlement",
    "sequence",
    "op_key",
    "reference",
    "currency",  # stands with the amount
    "revision",
}
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d|Z)")  # a moment; a wall clock has no offset
DIGEST = ("sha256:", "***")
TABLES = {
    "availability_slots": "slot", "teacher_profiles": "teacher profile", "credit_entries": "ledger entry", "users": "person",
    "payment_transitions": "payment step", "bookings": "booking", "lessons": "lesson", "packages": "package", "payments": "payment",
    "refunds": "refund", "refund_credits": "credit in lessons", "disputes": "dispute", "approvals": "approval", "guardians": "guardian", "plans": "plan", "plan_prices": "price", "tasks": "task",
    "notes": "note", "saved_views": "saved view", "lesson_series": "series", "exports": "export", "bulk_runs": "bulk action",
    "checkouts": "checkout", "payment_facts": "word of the provider", "payment_exceptions": "payment exception",
    "package_warnings": "warning of expiry", "teacher_rates": "rate", "teacher_statements": "statement",
    "statement_extras": "other work or deduction", "statement_lines": "statement line", "account_mappings": "accounts",
    "waitlist_entries": "wait", "waitlist_offers": "offer to who waits",
    "settlement_files": "import", "settlement_profiles": "bank profile", "settlement_statements": "statement",
    "reconciliation_exceptions": "exception", "reconciliation_periods": "period", "settlement_matches": "match", "settlement_match_parts": "part of the match", "fee_contracts": "fee contract",
    "messages": "message", "message_preferences": "preference",
    "invoices": "invoice", "credit_notes": "credit note", "credit_cancellations": "cancellation of a credit note", "invoice_sellers": "seller", "tax_rates": "tax rate",
    "erasures": "erasure", "audit_redactions": "words taken out", "contact_readings": "reading",
    "opening_imports": "opening import", "opening_rows": "row that was brought along", "person_merges": "merge", "merged_rows": "row that changed hands",
    "duplicate_pairs": "possible duplicate",
    "billing_addresses": "billing address", "withdrawal_consents": "notice about withdrawal",
    "service_keys": "service key", "webhook_endpoints": "webhook", "webhook_deliveries": "delivery",
}  # fmt: skip
MADE_SAYS = {  # of a row that was made, what tells people something
    "credit_entries": ("d_available", "d_reserved", "d_consumed", "d_expired", "d_revoked"),
    "payment_transitions": ("evidence",),  # the payment's own move says the rest
    "plan_prices": ("amount_minor", "currency"),
    "notes": (),
    "invoices": ("gross_minor", "currency"),
    "credit_notes": ("gross_minor", "currency"),
    "credit_cancellations": ("gross_minor", "currency"),
}


TOLD = {  # what became of an event
    OutboxStatus.PENDING: ("yellow", "waits to be handled"),
    OutboxStatus.DONE: ("green", "handled"),
    OutboxStatus.NO_HANDLER: ("", "nobody had to be told"),
    OutboxStatus.DEAD: ("red", "could not be handled"),
}
BUCKETS = ("available", "reserved", "consumed", "expired", "revoked")  # of a package: its ledger entries tell them


@dataclass(frozen=True)
class Told:
    """One line of history."""

    title: Any  # leads to the record that it was about
    who: Any
    role: str  # in which they acted; empty for the system
    at: datetime
    when: Any
    ago: str
    reason: str | None
    changes: list[TableChange]
    events: list[EventTold]


@dataclass(frozen=True)
class TableChange:
    what: Any
    move: Any  # its state from → to; empty when that stayed
    said: Any  # what was written, where the change is a note or task
    fields: list[tuple[str, Any, Any]]


@dataclass(frozen=True)
class EventTold:
    """What was sent out about it, and what became of that."""

    topic: str
    tone: str
    words: str


def names(ids: set[UUID]) -> dict[UUID, str]:
    """Full names of these people."""
    query = select(User.id, User.full_name).where(User.id.in_(ids))
    return {row.id: row.full_name for row in session().execute(query)} if ids else {}


def told(
    entry: Entry,
    known: Mapping[UUID, str],
    *,
    events: Sequence[OutboxEvent] = (),
    said: Mapping[UUID, str] | None = None,
) -> Told:
    """`known`: names of people; `said`: what notes and tasks say, by their id."""
    changes = sorted(
        entry.changes, key=lambda each: (each.table_name, each.row_id) != (entry.record_type, entry.record_id)
    )
    tables = [_table(change, entry, (said or {}).get(change.row_id)) for change in changes]
    return Told(
        title=_title(entry),
        who=_who(entry, known),
        role=entry.actor_kind if entry.actor_id else "",
        at=entry.at,
        when=show.when(entry.at),
        ago=ages.ago(entry.at, gate.now()),
        reason=entry.reason,
        changes=[each for each in tables if each.move or each.said or each.fields],
        events=[_event(each) for each in events],
    )


def _title(entry: Entry) -> Any:
    words = title_of(entry.name)
    return show.link_to(entry.record_type, entry.record_id, words) if entry.record_type and entry.record_id else words


def _who(entry: Entry, known: Mapping[UUID, str]) -> Any:
    if entry.actor_id is None:
        return "the system" if entry.actor_kind == "system" else "a stranger"
    if entry.actor_kind == "service":
        return show.link_to("service_keys", entry.actor_id, "a service key")
    return show.link_to("users", entry.actor_id, known.get(entry.actor_id) or entry.actor_kind)


def _event(event: OutboxEvent) -> EventTold:
    tone, words = TOLD[event.status]
    attempts = f", {event.attempts} attempts" if event.attempts > 1 else ""
    error = f": {event.last_error}" if event.last_error and event.status is not OutboxStatus.DONE else ""
    return EventTold(event.topic.replace(".", " ").replace("_", " "), tone, f"{words}{attempts}{error}")


def title_of(name: str) -> str:
    """`booking.cancel` → `Booking: cancel`."""
    subject, _, verb = name.partition(".")
    return f"{subject.capitalize()}: {show.word(verb)}" if verb else subject.capitalize()


def _table(change: Change, entry: Entry, said: str | None) -> TableChange:
    noun = TABLES.get(change.table_name, show.word(change.table_name))
    verb = "made" if change.before is None else "removed" if change.after is None else "changed"
    what = show.html("{} {}", show.link_to(change.table_name, change.row_id, noun), verb)
    fields = [] if said and change.before is None else _fields(change, entry)
    return TableChange(what, _move(change), show.prose(said) if said else "", fields)


def _move(change: Change) -> Any:
    """`hold → confirmed`, or the state in which it was made; of a ledger entry its kind."""
    if change.table_name == "credit_entries":
        return show.word((change.after or {}).get("kind", ""))
    before, after = (change.before or {}).get("status"), (change.after or {}).get("status")
    if after is None:
        return ""
    return show.html("{} → {}", show.chip(before), show.chip(after)) if before else show.chip(after)


def _fields(change: Change, entry: Entry) -> list[tuple[str, Any, Any]]:
    made = change.before is None
    said = MADE_SAYS.get(change.table_name) if made else None
    columns = [
        each for each in change.columns if _is_told(change.table_name, each[0], said) and not _repeats(each[2], entry)
    ]
    columns.sort(key=lambda each: "start" not in each[0])  # a beginning before its end
    if change.table_name == "credit_entries":
        return [(_bucket(name), None, _signed(after)) for name, _, after in columns if after]
    currency = (change.after or {}).get("currency")
    if made:
        columns = [each for each in columns if each[2] not in (None, "", 0, [], False) and not _is_id(each[2])]
        return [(_label(name), None, _value(name, after, currency)) for name, _, after in columns]
    return [
        (_label(name), _value(name, before, currency), _value(name, after, currency))
        for name, before, after in columns
        if not (_is_id(before) or _is_id(after))
    ]


def _is_told(table: str, name: str, said: tuple[str, ...] | None) -> bool:
    if name in UNSAID or name == "status" or (table == "packages" and name in BUCKETS):
        return False
    return said is None or name in said


def _repeats(value: Any, entry: Entry) -> bool:
    """What the line above says already: the reason, or that it happened when it happened."""
    if isinstance(value, str) and STAMP.match(value):
        moment = datetime.fromisoformat(value)  # a wall clock's has no zone, and repeats nothing
        return moment.tzinfo is not None and abs(moment - entry.at) < timedelta(seconds=1)
    return value is not None and value == entry.reason


def _label(name: str) -> str:
    """`amount_minor` → `amount`."""
    return show.word(name.removesuffix("_minor"))


def _value(name: str, value: Any, currency: str | None) -> Any:
    """Money with its currency where the row says it."""
    if name.endswith("_minor") and isinstance(value, int):
        return show.money(value, currency) if currency else f"{value} minor units"
    return readable(value)


def _signed(value: Any) -> Any:
    return f"{value:+d}" if isinstance(value, int) else value


def _bucket(column: str) -> str:
    """`d_available` → `available`."""
    return column.removeprefix("d_")


def readable(value: Any) -> Any:
    """A stored value as people say it."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return show.yes(value)
    if isinstance(value, str) and value.startswith(DIGEST):
        return "(not shown)"
    if isinstance(value, str) and STAMP.match(value):
        moment = datetime.fromisoformat(value)
        return show.when(moment) if moment.tzinfo else f"{moment:%Y-%m-%d %H:%M} on the wall clock"
    if _is_nested(value):
        return "(stands on its page)"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "nothing"
    if isinstance(value, dict):
        return value.get("sentence") or ", ".join(f"{key} {each}" for key, each in value.items())
    return show.word(value) if isinstance(value, str) and value.islower() else value


def _is_nested(value: Any) -> bool:
    """Data for programs, such as a period's snapshot: nobody reads it in a line."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(each, dict | list) for each in parts)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def whole_action(action: AuditAction) -> list[Told]:
    """One action with all that it changed, as far as a page can show it."""
    entry = entry_of(action, changes_of(session(), [action.id])[action.id])
    return [told(entry, names({action.actor_id} if action.actor_id else set()))]
