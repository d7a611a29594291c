"""Somebody is on the phone: person, package, slot and booking in one transaction, or nothing of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from guitaronline.actor import Role
from guitaronline.billing.models import Package, PackageOrigin
from guitaronline.billing.service import grant_step
from guitaronline.booking import facts, steps
from guitaronline.booking.models import Booking
from guitaronline.booking.service import hold, require_liberties
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.service import add_person, stand_for
from guitaronline.scheduling.service import make_slot
from guitaronline.unit_of_work import Work, command


@dataclass(frozen=True)
class NewGuardian:
    """The adult on the phone, who is not in the books either; stands for the child, pays and is written to."""

    full_name: str
    email: str | None
    phone: str | None = None


@dataclass(frozen=True)
class NewStudent:
    """A person who is not in the books yet; a child may have no e-mail."""

    full_name: str
    email: str | None = None
    timezone: str = "UTC"
    phone: str | None = None
    language: str | None = None
    instrument: str | None = None
    level: str | None = None
    guardian: NewGuardian | None = None


@dataclass(frozen=True)
class NewGrant:
    """A package that is granted with the booking."""

    lessons_total: int
    lesson_minutes: int | None = None
    expires_at: datetime | None = None
    price_minor: int = 0
    currency: str = "USD"
    plan_id: UUID | None = None
    origin: PackageOrigin = PackageOrigin.GRANTED
    is_trial: bool = False


@dataclass(frozen=True)
class NewSlot:
    """Time that the teacher has not offered yet."""

    teacher_id: UUID
    start_at: datetime
    end_at: datetime


@command("booking.by_phone", creates="bookings")
def book_by_phone(
    work: Work,
    *,
    student: UUID | NewStudent,
    package: UUID | NewGrant | None = None,
    slot: UUID | NewSlot,
    confirm: bool = True,
    override: bool = False,
    hold_minutes: int | None = None,
    reason: str | None = None,
) -> Booking:
    """The student has the slot: confirmed, or held. Whatever was named as new exists as well.

    Each part asks its own permission and refuses by its own rule; one refusal and nothing has happened.
    Package None: the one that fits and expires first."""
    access.require(work.actor, Permission.BOOK)
    require_liberties(work.actor, override=override, hold_minutes=hold_minutes, reason=reason)
    student_id = _person(work, student)
    teacher_id = slot.teacher_id if isinstance(slot, NewSlot) else facts.teacher_of(work.session, slot)
    facts.lock_people(work.session, student_id, teacher_id)
    if isinstance(package, NewGrant):
        package = grant_step(work, student_id=student_id, reason=reason, **vars(package)).id
    slot_id = make_slot(work, **asdict(slot)).id if isinstance(slot, NewSlot) else slot
    work.session.flush()
    booking = hold(work, slot_id, student_id=student_id, package_id=package, override=override, minutes=hold_minutes)
    if confirm:
        work.session.flush()
        steps.confirm(work, booking, work.lock(Package, booking.package_id))
    return booking


def _person(work: Work, student: UUID | NewStudent) -> UUID:
    if not isinstance(student, NewStudent):
        return student
    access.require(work.actor, Permission.EDIT_PEOPLE)
    details = {name: value for name, value in vars(student).items() if name != "guardian"}
    person = add_person(work, role=Role.STUDENT, **details)
    if student.guardian is not None:
        adult = add_person(work, role=Role.STUDENT, timezone=student.timezone, **vars(student.guardian))
        work.session.flush()
        stand_for(work, person, adult)
    return person.id
