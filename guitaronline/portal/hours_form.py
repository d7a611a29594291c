"""The weekly hours as a form: one row a window, rows added and taken away with or without JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from werkzeug.datastructures import MultiDict
from wtforms import DateField, FieldList, Form, FormField, HiddenField, IntegerField, SelectField, TimeField
from wtforms.validators import InputRequired, Optional

from guitaronline.errors import Reason
from guitaronline.forms import WEEKDAYS
from guitaronline.portal import fields
from guitaronline.scheduling.planning import WINDOWS_MAX, hours_digest
from guitaronline.scheduling.rules import Window


class WindowForm(Form):
    weekday = SelectField(
        "Day", choices=fields.choices((str(number), name) for number, name in enumerate(WEEKDAYS)), coerce=str
    )
    start_local = TimeField("From", validators=[InputRequired("From when?")])
    end_local = TimeField("Until", validators=[InputRequired("Until when?")])
    lesson_minutes = IntegerField("Minutes a lesson", validators=[InputRequired("How long is a lesson?")])
    buffer_minutes = IntegerField("Pause after it", validators=[Optional()], default=0)
    valid_from = DateField("First day", validators=[Optional()])
    valid_until = DateField("Last day", validators=[Optional()])

    @property
    def is_for_a_time(self) -> bool:
        """Whether the two days are shown at once."""
        days = (self.valid_from, self.valid_until)
        return any(each.data or each.errors or any(each.raw_data or ()) for each in days)

    def window(self) -> Window:
        start, end, minutes = self.start_local.data, self.end_local.data, self.lesson_minutes.data
        assert start is not None
        assert end is not None
        assert minutes is not None
        return Window(
            frozenset([int(self.weekday.data)]),
            start,
            end,
            minutes,
            self.buffer_minutes.data or 0,
            self.valid_from.data,
            self.valid_until.data,
        )


class HoursForm(fields.CommandForm):
    windows = FieldList(FormField(WindowForm))
    base = HiddenField()  # the hours as they were when the page was opened
    seen = HiddenField()  # the hours whose consequences were shown

    def all_windows(self) -> list[Window]:
        return [row.form.window() for row in self.windows.entries]

    def show_seen(self, windows: Sequence[Window]) -> None:
        self.seen.data = hours_digest(windows)

    def add_row(self) -> None:
        """Like the last one, on the next day."""
        entries = self.windows.entries
        last = entries[-1].form if entries else None
        if last is None:
            row = {"weekday": "0", "start_local": time(9), "end_local": time(12), "lesson_minutes": 60}
        else:
            following = (int(last.weekday.data) + 1) % 7 if str(last.weekday.data).isdigit() else 0
            kept = ("start_local", "end_local", "lesson_minutes", "buffer_minutes")
            row = {name: last[name].data for name in kept} | {"weekday": str(following)}
        self.windows.append_entry(row)

    def remove_row(self, name: str) -> None:
        self.windows.entries = [row for row in self.windows.entries if row.name != name]

    def point_out(self, reasons: Sequence[Reason]) -> list[Reason]:
        """Each reason that names a place of a window stands there; the others come back."""
        return [each for each in reasons if not self._at_its_place(each)]

    def _at_its_place(self, reason: Reason) -> bool:
        _, _, place, *name = [*reason.pointer.split("/"), "", ""]
        if not place.isdigit() or int(place) >= len(self.windows.entries):
            return False
        row = self.windows.entries[int(place)].form
        field = next((each for each in row if each.short_name == name[0]), row.weekday)
        field.errors = [*field.errors, reason.detail]
        return True


def opened(windows: Sequence[Window]) -> HoursForm:
    """The page as it is opened."""
    form: HoursForm = HoursForm.about(windows=[each.as_row() for each in windows], base=hours_digest(windows))
    return form


def has_too_many(typed: MultiDict[str, str]) -> bool:
    """Looked at before the form is built: a field for each of ten thousand rows would cost a minute."""
    rows = {name.split("-", 2)[1] for name in typed if name.startswith("windows-")}
    return len(rows) > WINDOWS_MAX
