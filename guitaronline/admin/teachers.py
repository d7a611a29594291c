"""Teachers as students see them."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import State, contains, people_matching
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.admin.teacher_page import teacher_buttons, teacher_parts
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.teachers import service
from guitaronline.teachers.models import TeacherProfile, TeacherStatus

FIELDS = ("display_name", "bio", "experience_years", "meeting_url")


class TeachersDesk(Desk):
    model_of = TeacherProfile
    path = "teachers"
    title = "Teachers"
    one = "Teacher"
    permission = Permission.READ_PEOPLE
    empty = "No teacher yet. Create a person with the role teacher; the profile comes with it."
    search_words = "Name"
    columns = (
        Column("display_name", "Shown to students as", show.link),
        Column("user", "Person", lambda profile: show.link(profile.user)),
        Column("tags", "Tags", lambda profile: show.text(", ".join(profile.tags))),
        Column("meeting_url", "Meeting room", lambda profile: "yes" if profile.meeting_url else show.NOTHING),
        Column("status", "State", show.state),
        Column("id", "Since", lambda profile: show.stamp(profile.created_at), sort=TeacherProfile.id),
    )
    filters = (State(TeacherProfile.status, TeacherStatus),)
    exported = exported.TEACHERS
    default_order = (TeacherProfile.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(TeacherProfile.user),)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [contains(TeacherProfile.display_name, words), TeacherProfile.user_id.in_(people_matching(words))]

    def record_page(self, profile: Any) -> dict[str, Any]:
        found = facts(
            ("Person", show.link(profile.user)),
            ("About", show.prose(profile.bio)),
            ("Experience", f"{profile.experience_years} years"),
            ("Tags", ", ".join(profile.tags)),
            ("Meeting room", profile.meeting_url),
            ("Time zone", profile.user.timezone),
            ("Bookings", _link("desk_bookings", profile, "all bookings")),
            ("Slots", _link("desk_slots", profile, "all slots")),
            (
                "Calendar",
                show.html('<a href="{}">their week</a>', flask.url_for("desk_calendar.index", teacher=profile.user_id)),
            ),
        )
        figures, sections = teacher_parts(profile.user_id)
        also = teacher_buttons(profile.user_id)
        return whole(profile, Page(found, state=show.state(profile), figures=figures, sections=sections, also=also))


def _link(endpoint: str, profile: TeacherProfile, words: str) -> Any:
    return show.html('<a href="{}">{}</a>', flask.url_for(f"{endpoint}.index_view", teacher=profile.user_id), words)


class ProfileForm(forms.CommandForm):
    display_name = forms.line("Shown to students as", required=True, most=200)
    bio = forms.paragraph("About")
    experience_years = forms.number("Years of experience", least=0, most=80)
    tags = forms.line("Tags", most=500, help="Separated by commas, such as: blues, fingerstyle.")
    meeting_url = forms.line(
        "Meeting room", most=500, help="The link that students get for lessons without one of their own."
    )
    reason = forms.reason(required=False)


class TeacherCommand(CommandPage):
    record = TeacherProfile
    permission = Permission.EDIT_PEOPLE

    def done(self, result: Any) -> Done:
        return Done(
            f"{result.display_name} is {show.word(result.status)}.",
            show.record_url("teacher_profiles", result.id) or "",
        )


class EditProfile(TeacherCommand):
    path = "teachers/<uuid:id>/edit"
    title = "Edit profile"
    button = "Save"
    form = ProfileForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {name: getattr(record, name) for name in FIELDS} | {"tags": ", ".join(record.tags)}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        changes = {name: form[name].data for name in FIELDS}
        changes |= {
            "bio": form.bio.data or "",
            "tags": [tag.strip() for tag in (form.tags.data or "").split(",") if tag.strip()],
        }
        return service.edit_profile(actor, record.id, changes=changes, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The profile is saved.", show.record_url("teacher_profiles", result.id) or "")


class DisableTeacher(TeacherCommand):
    path = "teachers/<uuid:id>/disable"
    title = "Disable"
    tone = "danger"
    form = forms.ReasonForm
    targets = (TeacherStatus.DISABLED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        ahead = session().scalar(
            select(func.count()).where(
                Booking.teacher_id == record.user_id,
                Booking.status == BookingStatus.CONFIRMED,
                Booking.start_at > gate.now(),
            )
        )
        return Consequences(
            [
                ("Offered", "Nothing of theirs is offered any more, from now on."),
                ("Bookings ahead", f"{ahead} stand as they are and wait for a decision on Today."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.disable_teacher(actor, record.id, reason=form.reason.data)


class EnableTeacher(TeacherCommand):
    path = "teachers/<uuid:id>/enable"
    title = "Enable"
    form = forms.ReasonForm
    targets = (TeacherStatus.ACTIVE,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Offered", "Their open slots are offered again, if the person is active.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.enable_teacher(actor, record.id, reason=form.reason.data)


commands.add(EditProfile, DisableTeacher, EnableTeacher)
