"""What the audit can be asked for: actions by group or name, one record, one person, one request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, union
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, show
from guitaronline.admin.base import ListFilter
from guitaronline.admin.filters import REFERENCE, Choice
from guitaronline.admin.history import TABLES
from guitaronline.admin.notes import MODELS
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.db import session
from guitaronline.office.reveals import readable

GROUPS = {  # words → how the names of its actions begin
    "bookings": ("booking.",),
    "weekly lessons": ("series.",),
    "lessons and outcomes": ("lesson.",),
    "slots": ("slot.",),
    "hours, time off, closures": ("schedule.", "time_off.", "closure."),
    "waitlist": ("waitlist.",),
    "calendar feeds": ("feed.",),
    "people and sign-in": ("person.", "notification."),
    "moving in, duplicates": ("opening.", "duplicate.", "person.merge", "person.unmerge"),
    "messages": ("message.",),
    "teachers": ("teacher.",),
    "packages": ("package.",),
    "imports and reconciliation": (
        "settlement.",
        "reconciliation.",
        "match.",
        "exception.",
        "period.",
        "fee_contract.",
    ),
    "payments, refunds, disputes, approvals": ("payment.", "refund.", "dispute.", "approval."),
    "plans and prices": ("plan.",),
    "invoices and taxes": ("invoice.", "seller.", "tax_rate.", "billing_address."),
    "books: rates, statements, accounts": ("rate.", "statement.", "account."),
    "notes and tasks": ("note.", "task."),
    "personal data shown, viewing as": ("person.reveal", "person.view_as", "audit.reveal"),
    "proofs, checks, secrets": ("audit.verify", "checks.", "secrets."),
    "lists, views, exports, bulk": ("list.", "view.", "export.", "bulk."),
    "service keys and webhooks": ("service_key.", "webhook."),
    "migrations": ("migration:",),
}
TABLE_OF = {
    "USR": "users", "SLT": "availability_slots", "BK": "bookings", "LES": "lessons", "PKG": "packages", "PAY": "payments",
    "RFD": "refunds", "DSP": "disputes", "CRD": "refund_credits", "STF": "settlement_files", "EXC": "reconciliation_exceptions", "SER": "lesson_series", "WL": "waitlist_entries", "OFF": "time_off", "CLO": "closures",
    "INV": "invoices", "CN": "credit_notes", "OPN": "opening_imports", "MRG": "person_merges", "CNC": "credit_cancellations", "TST": "teacher_statements",
}  # fmt: skip
LONGEST_REQUEST = timedelta(minutes=5)


def group() -> Choice:
    return Choice("group", "What about", list(GROUPS), _in_group)


def _in_group(words: str) -> ColumnElement[bool]:
    first, *others = [AuditAction.name.startswith(name, autoescape=True) for name in GROUPS[words]]
    for other in others:
        first |= other
    return first


class Name(ListFilter):
    """The action's name or its beginning: `booking.cancel`, `payment`."""

    def clause(self, value: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = AuditAction.name.startswith(value.lower(), autoescape=True)
        return condition


class About(ListFilter):
    """Everything done to one record, also on the way: by its reference, or `table/id` for records that have none."""

    def parse(self, value: str) -> tuple[str, UUID]:
        table, separator, record_id = value.partition("/")
        if separator and table in TABLES:
            return table, UUID(record_id)
        found = self._by_reference(value.upper())
        if found is None:
            raise ValueError
        return found

    def _by_reference(self, value: str) -> tuple[str, UUID] | None:
        table = TABLE_OF.get(value.partition("-")[0]) if REFERENCE.fullmatch(value) else None
        if table is None:
            return None
        record_id = session().scalar(select(MODELS[table].id).where(MODELS[table].reference == value))
        return (table, record_id) if record_id else None

    def clause(self, value: tuple[str, UUID]) -> ColumnElement[bool]:
        """Two index scans: ix_audit_actions_record, ix_audit_changes_row."""
        table, record_id = value
        meant = select(AuditAction.id).where(AuditAction.record_type == table, AuditAction.record_id == record_id)
        changed = select(AuditChange.action_id).where(AuditChange.table_name == table, AuditChange.row_id == record_id)
        condition: ColumnElement[bool] = AuditAction.id.in_(union(meant, changed))
        return condition

    def shown(self, value: str) -> str:
        table, record_id = self.clean(value)
        found = session().get(MODELS[table], record_id) if table in MODELS else None
        return f"{TABLES[table]} {show.label_of(found) if found else str(record_id)[-6:]}"


class SameRequest(ListFilter):
    """What the request of one action did; the value is that action's id. Ids tell the time, so a few minutes around it on
    the primary key are enough, and requests need no index."""

    def parse(self, value: str) -> AuditAction:
        query = readable(select(AuditAction), gate.viewer().actor).where(AuditAction.id == UUID(value))
        found: AuditAction | None = session().scalars(query).one_or_none()
        if found is None:
            raise ValueError
        return found

    def clause(self, value: Any) -> ColumnElement[bool]:
        return request_of(value)

    def shown(self, value: str) -> str:
        return self.clean(value).request_id or "none"


def request_of(action: AuditAction) -> ColumnElement[bool]:
    """Actions of the same request. Not the other actions of one that came without a request, such as a job."""
    if action.request_id is None:
        return AuditAction.id == action.id
    around = int(LONGEST_REQUEST.total_seconds() * 1000) << 80
    first, last = UUID(int=max(action.id.int - around, 0)), UUID(int=min(action.id.int + around, (1 << 128) - 1))
    near: ColumnElement[bool] = AuditAction.id.between(first, last)
    return near & (AuditAction.request_id == action.request_id)
