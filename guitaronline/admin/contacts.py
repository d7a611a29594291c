"""Contact data on a person's page: clear for who calls people all day, for others after they said why (decision 0010)."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.office import reveals


def email(person: User) -> Any:
    return show.read_by_viewer(person.id, person.email) if person.email and _is_revealed(person) else show.email(person)


def phone(person: User) -> Any:
    return show.read_by_viewer(person.id, person.phone) if person.phone and _is_revealed(person) else show.phone(person)


def _is_revealed(person: User) -> bool:
    if gate.may(Permission.READ_CONTACTS):
        return True
    return bool(reveals.revealed(session(), gate.viewer().actor, reveals.CONTACTS, [person.id], gate.now()))


class RevealContacts(CommandPage):
    record = User
    path = "people/<uuid:id>/contacts"
    title = "Show contact data"
    button = "Show it"
    permission = Permission.READ_MASKED
    form = forms.ReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        minutes = show.minutes(reveals.SHOWN_FOR)
        return Consequences(
            [
                ("Shown", f"E-mail address and phone number, to you alone, on the person's page, for {minutes}."),
                ("Written down", "That you looked, when, and the reason that you give."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        if gate.may(Permission.READ_CONTACTS):
            return "You see it on the page already."
        return None if record.email or record.phone else "There is none."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return reveals.reveal_contacts(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The contact data is shown for a few minutes.", show.record_url("users", result.id) or "")


commands.add(RevealContacts)
