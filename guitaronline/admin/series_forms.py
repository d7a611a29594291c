"""The forms of weekly lessons, and what they offer to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from wtforms import SelectMultipleField
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.bookings import CAUSES
from guitaronline.admin.new_booking import packages_for
from guitaronline.billing.models import Package
from guitaronline.booking import series_rules
from guitaronline.booking.models import Booking
from guitaronline.booking.series import Wanted
from guitaronline.booking.series_lessons import read_lessons
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_moving import NewTime
from guitaronline.booking.series_rules import Term
from guitaronline.db import session
from guitaronline.forms import WEEKDAYS
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX, SLOT_MINUTES_MIN

MOST = series_rules.DATES_MAX
ALL = ""


def several(label: str, *, help: str = "") -> SelectMultipleField:  # noqa: A002  # the word on screen
    return SelectMultipleField(
        label,
        choices=[],
        option_widget=CheckboxInput(),
        widget=ListWidget(),
        validators=[Optional()],
        description=help,
    )


def days_chosen(field: Any) -> frozenset[date]:
    return frozenset(day for day in map(_day, field.data or ()) if day)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def offer_days(field: Any, days: Iterable[date]) -> None:
    """Dates that may be left out; what was chosen and is none of them any more is forgotten."""
    field.choices = forms.choices((day.isoformat(), series_rules.spoken(day)) for day in days)
    known = {each.value for each in field.choices}
    field.data = [each for each in field.data or () if each in known]


class NewSeriesForm(forms.CommandForm):
    linkable = frozenset({"find", "student_id", "teacher_find", "teacher_id"})

    find = people_picker.find("Student: name, e-mail or USR-…")
    student_id = people_picker.chosen("Student")
    teacher_find = people_picker.find("Teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher")
    first_day = forms.DateField("First lesson on", validators=[InputRequired("A day is needed.")])
    start_local = forms.TimeField(
        "Starts at",
        validators=[InputRequired("A time is needed.")],
        description="On the teacher's clock, all the year.",
    )
    lesson_minutes = forms.number("Minutes", least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX, default=60)
    interval_weeks = forms.choice("How often", [("1", "every week"), ("2", "every other week")])
    count = forms.number("How many lessons", least=1, most=MOST, required=False, help="Or the last day, below.")
    last_day = forms.DateField("Last day", validators=[Optional()], description="At most a year.")
    package_ids = several("Paid by", help="None: any that fits, the earliest expiry first. Several: in this order.")
    skip = several("Leave out", help="Look first: dates that cannot be booked are marked above.")
    override = forms.BooleanField("Override notice and lesson length")
    reason = forms.reason()

    def term(self: Any) -> Term | None:
        """None while something is missing."""
        if not (self.first_day.data and self.start_local.data and self.lesson_minutes.data):
            return None
        return Term(
            self.first_day.data,
            self.start_local.data,
            self.lesson_minutes.data,
            self.last_day.data,
            self.count.data,
            2 if self.interval_weeks.data == "2" else 1,
        )

    def wanted(self: Any) -> Wanted | None:
        term = self.term()
        student_id, teacher_id = people_picker.id_of(self.student_id), people_picker.id_of(self.teacher_id)
        if term is None or student_id is None or teacher_id is None:
            return None
        packages = tuple(map(UUID, self.package_ids.data or ()))
        return Wanted(student_id, teacher_id, term, packages, days_chosen(self.skip), bool(self.override.data))


class ExtendForm(forms.CommandForm):
    count = forms.number("How many more lessons", least=1, most=MOST, required=False, help="Or the last day, below.")
    last_day = forms.DateField("Last day", validators=[Optional()])
    package_ids = several("Paid by", help="None: any that fits, the earliest expiry first. Several: in this order.")
    skip = several("Leave out", help="Look first: dates that cannot be booked are marked above.")
    override = forms.BooleanField("Override notice and lesson length")
    reason = forms.reason()

    def more(self: Any) -> dict[str, Any]:
        return {
            "last_day": self.last_day.data,
            "count": self.count.data,
            "package_ids": tuple(map(UUID, self.package_ids.data or ())),
            "skip": days_chosen(self.skip),
            "override": bool(self.override.data),
        }


class MoveForm(forms.CommandForm):
    linkable = frozenset({"from_booking"})
    from_booking = forms.choice("Which lessons", [(ALL, "all that are ahead")])
    weekday = forms.choice("To", [(str(number), day) for number, day in enumerate(WEEKDAYS)])
    start_local = forms.TimeField(
        "Starts at", validators=[InputRequired("A time is needed.")], description="On the teacher's clock."
    )
    find = people_picker.find("Another teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher", required=False)
    skip = several("Leave where they are", help="Look first: lessons that cannot move are marked above.")
    cause = forms.choice("Because of", CAUSES)
    waive = forms.BooleanField("Keep the lessons although the notice was too short")
    override = forms.BooleanField("Override notice and lesson length")
    reason = forms.reason()

    def new_time(self: Any) -> NewTime | None:
        if self.start_local.data is None:
            return None
        return NewTime(
            int(self.weekday.data) if self.weekday.data in set("0123456") else 0,
            self.start_local.data,
            people_picker.id_of(self.teacher_id),
            forms.id_or_none(self.from_booking.data),
            days_chosen(self.skip),
            self.cause.data,
            bool(self.waive.data),
            bool(self.override.data),
        )


class CancelSeriesForm(forms.CommandForm):
    linkable = frozenset({"from_booking", "cause"})
    from_booking = forms.choice("Which lessons", [(ALL, "all that are ahead")])
    cause = forms.choice("Because of", CAUSES, help="Whose doing it is decides what becomes of the lessons; see above.")
    waive = forms.BooleanField("Give the lessons back although the notice was too short")
    reason = forms.reason()


def offer_lessons(field: Any, series: LessonSeries) -> list[Booking]:
    """From which lesson on; those ahead, the soonest first."""
    ahead = [
        each
        for each in read_lessons(session(), series, from_booking=None, now=gate.now())
        if each.start_at > gate.now()
    ]
    zone = show.zone()
    days = [(str(each.id), f"{each.start_at.astimezone(zone):%a %d %b %Y, %H:%M} and later") for each in ahead]
    field.choices = forms.choices([(ALL, "all that are ahead"), *days])
    field.data = field.data or ALL
    return ahead


def offer_packages(field: Any, student_id: UUID | None, *, also: Sequence[UUID] = ()) -> None:
    """What the student has; what was chosen and is none of it any more is forgotten."""
    offered = [each for each in packages_for(student_id) if forms.id_or_none(each[0])]
    known = {value for value, _ in offered}
    others = session().scalars(select(Package).where(Package.id.in_([each for each in also if str(each) not in known])))
    offered += [(str(each.id), each.reference) for each in others]
    field.choices = forms.choices(offered)
    field.data = [each for each in field.data or () if each in {value for value, _ in offered}]
