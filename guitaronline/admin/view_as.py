"""Viewing as a student or teacher: read-only pages of what that person sees through the API, by the same queries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask

from guitaronline import db
from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.selection import LAST_PAGE, WHOLE_NUMBER
from guitaronline.admin.views_of_people import PARTS, Part, profile
from guitaronline.db import session
from guitaronline.errors import Conflict, NotFound
from guitaronline.identity import viewing
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User

SHOWN = 20


def viewed() -> tuple[User, Any] | None:
    """The person as whom the viewer is viewing just now, and until when; for the banner of every page."""
    looking = gate.viewer().looking
    person = session().get(User, looking.person_id) if looking else None
    return (person, show.when(looking.until)) if looking and person else None


def new_key() -> str:
    """The key of a form that stands on every page."""
    return str(db.new_id())


class ViewAs(ConsolePage):
    path = "view-as"
    title = "View as"
    permission = Permission.VIEW_AS

    def page(self) -> Any:
        found = viewed()
        if found is None or viewing.why_not_viewed(found[0]) is not None:
            return self.render("admin/view_as.html", person=None)
        person = found[0]
        parts = PARTS[person.role]
        part = self._part(parts)
        number = self._number()
        rows = part.rows(session(), Actor(person.id, person.role), number * SHOWN, SHOWN + 1)
        return self.render(
            "admin/view_as.html",
            person=person,
            profile=profile,
            parts=parts,
            part=part,
            rows=rows[:SHOWN],
            number=number,
            has_next=len(rows) > SHOWN and number < LAST_PAGE,
        )

    def _part(self, parts: tuple[Part, ...]) -> Part:
        asked = flask.request.args.get("part", parts[0].name)
        found = next((part for part in parts if part.name == asked), None)
        if found is None:
            raise NotFound("This person sees no such page.")
        return found

    def _number(self) -> int:
        given = flask.request.args.get("page", "0")
        return int(given) if WHOLE_NUMBER.fullmatch(given) and int(given) <= LAST_PAGE else 0


class ViewAsPerson(CommandPage):
    record = User
    path = "people/<uuid:id>/view-as"
    title = "View as"
    is_rare = True
    button = "View as this person"
    permission = Permission.VIEW_AS
    form = forms.ReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        minutes = show.minutes(viewing.VIEW_FOR)
        return Consequences(
            [
                ("Shown", "What this person sees in the app, and nothing more."),
                ("Nothing can be changed", f"Anywhere in the console, until you leave the view; {minutes} at most."),
                ("Written down", "That you viewed, from when to when, and the reason that you give."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        if gate.viewer().looking:
            return "You are viewing as somebody already. Leave that view first."
        refusal = viewing.why_not_viewed(record)
        return refusal.text if refusal else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return viewing.start_viewing(actor, record.id, session_id=gate.viewer().session_id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("You see what this person sees. Leave when you are done.", flask.url_for("desk_view-as.index"))


class LeaveViewAs(CommandPage):
    path = "view-as/leave"
    title = "Leave the view"
    button = "Leave"
    permission = Permission.VIEW_AS
    parent = "desk_view-as.index"
    lead = "The console is as before, and you can act again."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        last = viewing.newest_view(session(), gate.viewer().session_id)
        if last is None:
            raise Conflict("You have not been viewing as anybody.")
        viewing.end_viewing(actor, last.person_id, view_id=last.id)
        return last.person_id

    def done(self, result: UUID) -> Done:
        return Done("You have left the view.", show.record_url("users", result) or "")


commands.add(ViewAsPerson, LeaveViewAs)
