"""A teacher's week in the hands of staff: edited row by row, or copied from a colleague; with what becomes of the slots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wtforms.validators import ValidationError

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.hours_form import HoursForm
from guitaronline.booking import horizon
from guitaronline.db import session
from guitaronline.forms import WEEKDAYS
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.planning import Plan, hours_digest
from guitaronline.scheduling.rules import Window
from guitaronline.teachers.models import TeacherProfile, TeacherStatus

LISTED = 12  # rows of a preview; more is counted
STAYS = {
    "made_by_hand": "It was made by hand.",
    "blocked": "It is blocked.",
    "occupied": "It is held or booked.",
    "begun": "It has begun.",
}


class HoursCommand(CommandPage):
    """About the week of one teacher; afterwards their page is shown."""

    record = TeacherProfile
    permission = Permission.MANAGE_SLOTS

    def refused_because(self, record: Any) -> str | None:
        return (
            None
            if record.status is TeacherStatus.ACTIVE
            else "The teacher is not active: nothing of theirs is offered."
        )

    def done(self, result: Any) -> Done:
        plan = result.plan
        words = f"The hours are saved: {_slots(len(plan.make))} made, {len(plan.remove)} removed."
        if plan.kept or plan.skipped:
            words += f" {len(plan.kept)} kept although not asked for, {len(plan.skipped)} places left out."
        profile = _profile(result.teacher_id)
        return Done(words, show.record_url("teacher_profiles", profile.id) or "")


class EditHours(HoursCommand):
    path = "teachers/<uuid:id>/hours"
    title = "Weekly hours"
    button = "Save the hours"
    form = HoursForm
    looks = "Preview"
    template = "admin/hours.html"
    lead = "Each row is cut into lessons on that weekday. A row without times is left out."

    def initial(self, record: Any) -> dict[str, Any]:
        windows = horizon.hours_of(session(), record.user_id)
        return {"rows": [each.as_row() for each in windows] or [{}], "seen": hours_digest(windows)}

    def prepare(self, form: Any, record: Any) -> None:
        form.zone_name = record.user.timezone
        form.is_only_rows = form.follow_button()

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if form.is_only_rows or not form.is_submitted() or not form.validate():
            return Consequences()
        form.seen.data = hours_digest(horizon.hours_of(session(), record.user_id))  # the preview is against these
        return preview(record.user, form.windows())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        typed = {"windows": form.windows(), "seen": form.seen.data or "", "reason": form.reason.data}
        return horizon.set_hours(actor, record.user_id, **typed)


class CopyForm(forms.CommandForm):
    linkable = frozenset({"find", "teacher_id"})
    find = people_picker.find("From whom? Name or USR-…")
    teacher_id = people_picker.chosen("Teacher")
    reason = forms.reason(required=False)

    def validate_teacher_id(self, field: Any) -> None:
        if not self.windows():
            raise ValidationError("This teacher has no weekly hours to copy.")

    def windows(self: Any) -> list[Window]:
        source = people_picker.id_of(self.teacher_id)
        return horizon.hours_of(session(), source) if source else []


class CopyHours(HoursCommand):
    path = "teachers/<uuid:id>/copy-hours"
    title = "Copy hours"
    button = "Copy the hours"
    form = CopyForm
    looks = "Look, show what will happen"
    lead = "The hours of a colleague replace this teacher's. Clock times are copied as they are, each in its teacher's own zone."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.teacher_id, form.find.data, role=Role.TEACHER, without=record.user_id)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        windows = form.windows()
        if not windows:
            return Consequences()
        found = preview(record.user, windows)
        return Consequences([("The week", show.joined(map(in_words, windows))), *found.lines], found.table)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return horizon.set_hours(actor, record.user_id, windows=form.windows(), reason=form.reason.data)


def preview(teacher: User, windows: Sequence[Window]) -> Consequences:
    """What `set_hours` would do now, by its own rule."""
    plan = horizon.preview_hours(session(), teacher, windows, gate.now())
    zone = ZoneInfo(teacher.timezone)
    lines = [
        ("Clock", f"All times are {teacher.full_name}'s: {teacher.timezone}."),
        ("Made", _stretch([each.start_at for each in plan.make], zone)),
        ("Removed", _stretch([each.start_at for each in plan.remove], zone)),
        ("As before", _slots(len(plan.same))),
    ]
    table = _exceptions(plan, zone)
    more = len(plan.kept) + len(plan.skipped) - (len(table) - 1)
    if more > 0 and table:
        lines.append(("Not shown", f"{more} more slots that stay or places that are left out."))
    return Consequences(lines, table)


def _exceptions(plan: Plan, zone: ZoneInfo) -> list[list[Any]]:
    """What is kept although not asked for, and what is asked for and not possible."""
    kept = [["stays", _at(each.start_at.astimezone(zone)), f"{STAYS.get(each.stays_because or '', '')} ({each.reference})"] for each in plan.kept]  # fmt: skip
    skipped = [["left out", _at(each.local), each.detail] for each in plan.skipped]
    found = (kept + skipped)[:LISTED]
    return [["What", "When", "Why"], *found] if found else []


def _stretch(starts: Sequence[datetime], zone: ZoneInfo) -> str:
    if not starts:
        return "none"
    first, last = min(starts).astimezone(zone), max(starts).astimezone(zone)
    return f"{_slots(len(starts))}, from {_at(first)} to {_at(last)}"


def _slots(number: int) -> str:
    return f"{number} slot{'' if number == 1 else 's'}"


def _at(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def in_words(window: Window) -> str:
    """`Monday 15:00–18:00, 60 min`"""
    words = f"{WEEKDAYS[min(window.weekdays)]} {window.start_local:%H:%M}–{window.end_local:%H:%M}, {window.lesson_minutes} min"
    words += f" + {window.buffer_minutes} pause" if window.buffer_minutes else ""
    words += f", from {show.day(window.valid_from)}" if window.valid_from else ""
    return words + (f", until {show.day(window.valid_until)}" if window.valid_until else "")


def _profile(teacher_id: Any) -> TeacherProfile:
    from guitaronline.teachers.queries import profile_of

    found = profile_of(session(), teacher_id)
    assert found is not None
    return found


commands.add(EditHours, CopyHours)
