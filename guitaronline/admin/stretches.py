"""From one day and time to another, on somebody's clock: how people type a stretch of a teacher's time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wtforms.validators import InputRequired, Optional, ValidationError

from guitaronline.admin import forms, people_picker, show
from guitaronline.scheduling.rules import FIRST_YEAR, LAST_YEAR, local_to_utc


class StretchForm(forms.CommandForm):
    """Of a teacher; whole days unless times are typed."""

    linkable = frozenset({"find", "teacher_id", "first_day", "last_day"})
    find = people_picker.find("Teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher")
    first_day = forms.DateField("First day", validators=[InputRequired("A day is needed.")])
    first_time = forms.TimeField("From", validators=[Optional()], description="Empty: from the beginning of the day.")
    last_day = forms.DateField("Last day", validators=[InputRequired("A day is needed.")])
    last_time = forms.TimeField("Until", validators=[Optional()], description="Empty: to the end of the day.")
    clock = forms.choice("These times are on", [("teacher", "the teacher's clock"), ("mine", "my clock")])

    def validate_first_day(self, field: Any) -> None:
        _in_reach(field)

    def validate_last_day(self, field: Any) -> None:
        _in_reach(field)

    def validate_first_time(self, field: Any) -> None:
        self._shown_by_clock(self.first_day.data, field)

    def validate_last_time(self, field: Any) -> None:
        self._shown_by_clock(self.last_day.data, field)

    def _shown_by_clock(self, day: date | None, field: Any) -> None:
        if day and field.data and local_to_utc(datetime.combine(day, field.data), self.zone()) is None:
            raise ValidationError(f"The clocks jump over {field.data:%H:%M} on that day in {self.zone().key}.")

    def zone(self: Any) -> ZoneInfo:
        if self.clock.data == "mine":
            return show.zone()
        return people_picker.zone_of(people_picker.id_of(self.teacher_id))

    def start_at(self: Any) -> datetime:
        return datetime.combine(self.first_day.data, self.first_time.data or time(), self.zone())

    def end_at(self: Any) -> datetime:
        if self.last_time.data:
            return datetime.combine(self.last_day.data, self.last_time.data, self.zone())
        return datetime.combine(self.last_day.data + timedelta(days=1), time(), self.zone())

    @property
    def is_whole(self) -> bool:
        """Whether it can be looked at: somebody is chosen and the days can be read."""
        if not (people_picker.id_of(self.teacher_id) and self.first_day.data and self.last_day.data):
            return False
        return all(FIRST_YEAR < day.year < LAST_YEAR for day in (self.first_day.data, self.last_day.data))


def _in_reach(field: Any) -> None:
    if field.data and not FIRST_YEAR < field.data.year < LAST_YEAR:
        raise ValidationError(f"Days lie between the years {FIRST_YEAR} and {LAST_YEAR}.")
