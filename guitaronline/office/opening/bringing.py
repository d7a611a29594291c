"""Each kind of row by the step that makes such a record every day, so that every rule and invariant holds for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from guitaronline import policy
from guitaronline.actor import Role
from guitaronline.billing.models import Package
from guitaronline.billing.opening import bring_package
from guitaronline.billing.worth import worth
from guitaronline.booking.models import Booking
from guitaronline.booking.opening import bring_booking
from guitaronline.db import Base
from guitaronline.errors import Invalid, Reason
from guitaronline.identity.guardians import stand_for
from guitaronline.identity.models import Guardian, User
from guitaronline.identity.people import add_person
from guitaronline.office.opening.places import Plans
from guitaronline.office.opening.reports import Report
from guitaronline.office.opening.rows import BookingRow, GuardianRow, PackageRow, PersonRow, Row, TeacherRow
from guitaronline.office.opening_models import Sheet
from guitaronline.teachers.service import fill_profile
from guitaronline.unit_of_work import Work

Find = Callable[[Sheet, str], UUID]


class RowInvalid(Invalid):
    detail = "The row cannot come in like this."


class Bringing:
    """Makes the record of a row; `find` says which record a named row became."""

    def __init__(self, work: Work, plans: Plans, find: Find) -> None:
        self.work, self.plans, self.find = work, plans, find
        self._makers: dict[Sheet, Callable[[Any], Base]] = {
            Sheet.TEACHERS: self._teacher,
            Sheet.PEOPLE: self._person,
            Sheet.GUARDIANS: self._guardian,
            Sheet.PACKAGES: self._package,
            Sheet.BOOKINGS: self._booking,
        }

    def bring(self, sheet: Sheet, row: Row) -> Base:
        """The record. Raises what the step raises, and RowInvalid."""
        return self._makers[sheet](row)

    def count(self, row: Row, report: Report) -> None:
        """What packages that came in were sold for, and what of that was used before, for the bookkeeping."""
        if isinstance(row, PackageRow) and row.price_minor:
            report.sold_minor[row.currency] += row.price_minor
            report.used_minor[row.currency] += worth(
                row.lessons_used, price_minor=row.price_minor, lessons_total=row.lessons_total
            )

    def _teacher(self, row: TeacherRow) -> User:
        teacher = self._add(Role.TEACHER, row)
        said = {
            "display_name": row.display_name or row.full_name,
            "bio": row.bio,
            "experience_years": row.experience_years,
            "tags": list(row.tags),
            "meeting_url": row.meeting_url,
        }
        self.work.session.flush()
        fill_profile(self.work, teacher, said)
        return teacher

    def _person(self, row: PersonRow) -> User:
        if row.existing:
            return self._existing(row.existing)
        return self._add(Role.STUDENT, row, instrument=row.instrument, level=row.level)

    def _add(self, role: Role, row: TeacherRow | PersonRow, instrument: str = "", level: str = "") -> User:
        return add_person(
            self.work,
            role=role,
            email=row.email or None,
            timezone=row.timezone or policy.current().SCHOOL_TIMEZONE,
            full_name=row.full_name,
            phone=row.phone,
            language=row.language,
            instrument=instrument,
            level=level,
        )

    def _existing(self, reference: str) -> User:
        found = self.work.session.scalars(select(User).where(User.reference == reference)).one_or_none()
        if found is None or found.role is not Role.STUDENT or found.merged_into_id is not None:
            words = f"There is no student {reference[:20]}."
            raise RowInvalid(reasons=[Reason("existing_unknown", words, "Look for them under People.", "/existing")])
        return found

    def _guardian(self, row: GuardianRow) -> Guardian:
        student = self.work.find(User, self.find(Sheet.PEOPLE, row.student))
        guardian = self.work.find(User, self.find(Sheet.PEOPLE, row.guardian))
        return stand_for(
            self.work,
            student,
            guardian,
            relation=row.relation,
            pays=row.pays,
            receives_messages=row.receives_messages,
        )

    def _package(self, row: PackageRow) -> Package:
        plan = self.plans.named(row.plan) if row.plan else None
        if row.plan and plan is None:
            words = f"There is no plan “{row.plan[:60]}”."
            raise RowInvalid(reasons=[Reason("plan_unknown", words, "Make it under Plans, or leave it out.", "/plan")])
        return bring_package(
            self.work,
            student_id=self.find(Sheet.PEOPLE, row.student),
            row=row.id,
            lessons_total=row.lessons_total,
            lessons_used=row.lessons_used,
            lesson_minutes=row.lesson_minutes,
            price_minor=row.price_minor,
            currency=row.currency,
            is_paid=row.is_paid,
            is_trial=row.is_trial,
            expires_at=_end_of(row),
            plan=plan,
        )

    def _booking(self, row: BookingRow) -> Booking:
        teacher = self.work.find(User, self.find(Sheet.TEACHERS, row.teacher))
        start_at = _moment(row.start, ZoneInfo(teacher.timezone))
        student_id, package_id = self.find(Sheet.PEOPLE, row.student), self.find(Sheet.PACKAGES, row.package)
        if self.work.find(Package, package_id).student_id != student_id:
            words = "The package is another student's."
            raise RowInvalid(reasons=[Reason("package_of_another", words, "Name one of theirs.", "/package")])
        return bring_booking(
            self.work,
            student_id=student_id,
            teacher_id=teacher.id,
            package_id=package_id,
            start_at=start_at,
            end_at=start_at + timedelta(minutes=row.minutes),
        )


def _end_of(row: PackageRow) -> datetime | None:
    """The end of its last day, where the school is."""
    if row.expires_on is None:
        return None
    zone = ZoneInfo(policy.current().SCHOOL_TIMEZONE)
    return datetime.combine(row.expires_on + timedelta(days=1), time(), zone)


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    """That time on the teacher's clock; of one that comes twice, the first. Raises RowInvalid for one that never comes."""
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        words = f"On that day the clocks in {zone.key} go forward: there is no {local:%H:%M}."
        raise RowInvalid(reasons=[Reason("no_such_time", words, "Write another time.", "/start")])
    return moment
