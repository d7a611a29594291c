"""What is done about somebody else's sign-in: everything signed out after a theft, an authenticator app that is lost."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import STAFF_ROLES, Actor
from guitaronline.admin import forms, gate
from guitaronline.admin.command_page import Consequences, commands
from guitaronline.admin.person_commands import PersonCommand
from guitaronline.db import session
from guitaronline.identity import second_factor, service
from guitaronline.identity.access import Permission
from guitaronline.identity.signed_in_devices import devices_of


class ResetTotp(PersonCommand):
    path = "people/<uuid:id>/authenticator/reset"
    title = "Reset authenticator app"
    is_rare = True
    tone = "danger"
    permission = Permission.ADMINISTER
    form = forms.ReasonForm
    needs_step_up = True
    sentence = "The authenticator app of {} is reset."
    lead = "For somebody who lost the phone and the recovery codes. Make sure that it is them: call them back at a number you know."

    def concerns(self, record: Any) -> bool:
        return record.role in STAFF_ROLES

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                (
                    "App and recovery codes",
                    "Stop working. Where an app is required, the next sign-in begins with a new one.",
                ),
                ("Sign-in", "The person is signed out everywhere."),
                ("Message", "They are told that it was reset."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        if record.id == gate.viewer().id:
            return "Nobody resets their own; set up another one on your account page."
        return None if record.totp_secret else "No authenticator app is set up."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return second_factor.reset(actor, record.id, reason=form.reason.data)


class SignOutPerson(PersonCommand):
    path = "people/<uuid:id>/sign-out"
    title = "Sign out everywhere"
    is_rare = True
    tone = "danger"
    form = forms.ReasonForm
    sentence = "{} is signed out everywhere."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        count = len(devices_of(session(), record.id, now=gate.now()))
        return Consequences(
            [
                ("Devices", f"{count} signed in now."),
                ("Links", "Links to choose a password that were mailed to them stop working, too."),
                ("Afterwards", "They may sign in again with their password."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.sign_out_everywhere(actor, record.id, reason=form.reason.data)


commands.add(ResetTotp, SignOutPerson)
