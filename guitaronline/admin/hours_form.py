"""The rows of a week's hours on a form: added and taken away by buttons that send the page, so it works without script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flask
from wtforms import DateField, FieldList, Form, FormField, HiddenField, TimeField
from wtforms.validators import Optional

from guitaronline.admin import forms
from guitaronline.errors import DomainError, Reason
from guitaronline.forms import WEEKDAYS
from guitaronline.scheduling.planning import WINDOWS_MAX, hours_problems
from guitaronline.scheduling.rules import Window

ADD, REMOVE = "add", "remove-"  # values of the button `look`


class RowForm(Form):
    """One window; a row without times is none."""

    weekday = forms.choice("Weekday", [(str(number), day) for number, day in enumerate(WEEKDAYS)])
    start_local = TimeField("From", validators=[Optional()])
    end_local = TimeField("Until", validators=[Optional()])
    lesson_minutes = forms.number("Lesson, minutes", least=0, most=9999, required=False, default=60)
    buffer_minutes = forms.number("Pause, minutes", least=0, most=9999, required=False, default=0)
    valid_from = DateField("Valid from", validators=[Optional()])
    valid_until = DateField("Valid until", validators=[Optional()])

    @property
    def is_empty(self) -> bool:
        typed = [self.start_local.raw_data, self.end_local.raw_data]
        return self.start_local.data is None and self.end_local.data is None and not any(map(any, filter(None, typed)))

    def window(self) -> Window:
        assert self.start_local.data is not None
        assert self.end_local.data is not None
        return Window(
            frozenset([int(self.weekday.data)]),
            self.start_local.data,
            self.end_local.data,
            60 if self.lesson_minutes.data is None else self.lesson_minutes.data,
            self.buffer_minutes.data or 0,
            self.valid_from.data,
            self.valid_until.data,
        )


class HoursForm(forms.CommandForm):
    seen = HiddenField()  # the hours that stood when the page was opened
    rows = FieldList(FormField(RowForm), max_entries=WINDOWS_MAX + 1)  # one more shows that it is too many
    reason = forms.reason(required=False)

    @property
    def filled(self) -> list[Any]:
        return [row for row in self.rows if not row.form.is_empty]

    def windows(self) -> list[Window]:
        """In the order of the rows; the form is valid in shape."""
        return [row.form.window() for row in self.filled]

    def validate(self, extra_validators: Any = None) -> bool:
        """The shape of each field, then the rule of the command; what is wrong stands in its row."""
        is_fit = super().validate(extra_validators)
        if len(self.rows.entries) > WINDOWS_MAX:  # empty ones too: what lies beyond was not even read
            self.rows.errors = [f"A week has at most {WINDOWS_MAX} windows."]
            return False
        for row in self.filled:
            for field in (row.form.start_local, row.form.end_local):
                if field.data is None and not field.errors:
                    field.errors = ["A time is needed."]
                    is_fit = False
        problems = hours_problems(self.windows()) if is_fit else []
        self.place(problems)
        return is_fit and not problems

    def place(self, problems: Sequence[Reason]) -> None:
        """`/windows/2/end_local` stands at that field of the third filled row; about the whole row, at its beginning."""
        for problem in problems:
            parts = problem.pointer.strip("/").split("/")
            row = self.filled[int(parts[1])].form if len(parts) > 1 else None
            if row is None:
                self.rows.errors = [*self.rows.errors, problem.detail]
                continue
            field = row[parts[2]] if len(parts) > 2 and parts[2] in row else row.start_local
            field.errors = [*field.errors, problem.detail]

    def follow_button(self) -> bool:
        """Whether a row was to be added or taken away; it is done."""
        pressed = flask.request.form.get("look", "")
        if pressed == ADD:
            if len(self.rows.entries) < WINDOWS_MAX:
                before = self.rows.entries[-1].form if self.rows.entries else None
                self.rows.append_entry(_like(before))
            return True
        number = pressed.removeprefix(REMOVE)
        if pressed.startswith(REMOVE) and number.isascii() and number.isdigit():
            self.rows.entries = [each for each in self.rows.entries if each.name != f"rows-{int(number[:4])}"]
            return True
        return False


def _like(row: Any) -> dict[str, Any]:
    """The next weekday with the same lessons: what people type next most often."""
    if row is None:
        return {"weekday": "0", "lesson_minutes": 60, "buffer_minutes": 0}
    day = row.weekday.data if row.weekday.data in {"0", "1", "2", "3", "4", "5", "6"} else "0"
    names = ("start_local", "end_local", "lesson_minutes", "buffer_minutes")
    return {"weekday": str((int(day) + 1) % 7), **{name: row[name].data for name in names}}


def point_out_rows(form: HoursForm, refusal: DomainError) -> None:
    form.place([each for each in refusal.reasons if each.pointer.startswith("/windows")])
