"""What a column says in a file: plain values, read straight from the database.

A page shows 25 records and takes them whole; a file has a hundred thousand rows, and reading them as records took five times
as long. So an exported column names what it reads (columns of the desk's table, or expressions about them) and, where
that is not yet what people read, a function of just these values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from sqlalchemy import DateTime, Integer, Text, case, cast, extract, func, select, type_coerce

from guitaronline.billing.invoices.models import CreditCancellation, CreditNote, Invoice
from guitaronline.billing.models import Package, Payment, Plan, Refund
from guitaronline.billing.settlements.models import SettlementFile
from guitaronline.booking.models import Booking
from guitaronline.booking.waitlist_models import WaitlistEntry
from guitaronline.db import UtcDateTime
from guitaronline.identity.models import Task, User
from guitaronline.lessons.models import Lesson
from guitaronline.money import Money
from guitaronline.office.files import Value
from guitaronline.scheduling.models import Slot
from guitaronline.teachers.models import TeacherProfile


@dataclass(frozen=True)
class Plain:
    """One column of a file."""

    reads: Sequence[Any]  # columns and expressions; a function is asked for its expression when the file is made
    says: Callable[..., Value] | None = None  # of the values read; None: the one value as it is
    label: str = ""  # empty: the heading of the list's column
    is_time: bool = False  # its heading names the zone

    def expressions(self) -> list[Any]:
        return [_quick(each() if isinstance(each, FunctionType) else each) for each in self.reads]


def _quick(read: Any) -> Any:
    """Times as the driver gives them, aware already: they are turned into the zone of the file anyway."""
    return type_coerce(read, DateTime(timezone=True)) if isinstance(read.type, UtcDateTime) else read


Plains = tuple[Plain, ...]


def words(read: Any, *, label: str = "") -> Plains:
    """Text as it stands."""
    return (Plain((read,), label=label),)


def word(read: Any, *, label: str = "") -> Plains:
    """A state or another value of a closed set, as people say it. The database does it: it is asked for most rows."""
    if isinstance(read, FunctionType):
        return (Plain((lambda: _said(read()),), label=label),)
    return (Plain((_said(read),), label=label),)


def _said(read: Any) -> Any:
    return func.replace(cast(read, Text), "_", " ")


def number(read: Any, *, label: str = "") -> Plains:
    return (Plain((read,), label=label),)


def yes(read: Any, *, true: str = "yes", false: str = "no") -> Plains:
    return (Plain((read,), lambda value: true if value else false),)


def moment(read: Any, *, label: str = "") -> Plains:
    """A time, in the zone of who exports."""
    return (Plain((read,), label=label, is_time=True),)


def span(start: Any, end: Any) -> Plains:
    """When it starts, and how many minutes it takes."""
    length = cast(func.floor(extract("epoch", end - start) / 60), Integer)
    return (*moment(start), *number(length, label="Minutes"))


def amount(minor: Any, currency: Any, *, label: str) -> Plains:
    """Money as a decimal number, and its currency beside it."""
    said = Plain((minor, currency), lambda value, code: None if value is None else Money(value, code))
    return (said, Plain((currency,), label=f"{label} currency"))


def of(value: Any, key: Any) -> Any:
    """`value` of the record whose id is `key`: by its primary key, so it costs a microsecond or two a row."""
    return select(value).where(value.class_.id == key).correlate(key.class_).scalar_subquery()


LABELS: dict[str, Any] = {
    "users": User.full_name,
    "teacher_profiles": TeacherProfile.display_name,
    "plans": Plan.name,
    "tasks": Task.title,
    "availability_slots": Slot.reference,
    "bookings": Booking.reference,
    "lessons": Lesson.reference,
    "packages": Package.reference,
    "payments": Payment.reference,
    "refunds": Refund.reference,
    "invoices": Invoice.reference,
    "credit_notes": CreditNote.reference,
    "credit_cancellations": CreditCancellation.reference,
    "waitlist_entries": WaitlistEntry.reference,
    "settlement_files": SettlementFile.reference,
}


def label(kind: Any, key: Any) -> Any:
    """What people call the record `key` of the table `kind`."""
    return case(*((kind == table, of(value, key)) for table, value in LABELS.items()))
