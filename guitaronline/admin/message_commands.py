"""What is done with a message: a dead one is driven again, one that was sent goes once more."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.message_words import title_of, why
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import redriving
from guitaronline.notifications.models import Channel, Message, MessageStatus


class MessageCommand(CommandPage):
    record = Message
    permission = Permission.SEND_MESSAGES
    form = forms.MaybeReasonForm

    def heading(self, record: Any) -> str:
        return f"{self.title}: {title_of(record)}"

    def back(self, record: Any) -> tuple[str, str]:
        return title_of(record), show.record_url("messages", record.id) or ""

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """Whether it is still true, by the rule that is asked at every sending."""
        found = redriving.outlook(session(), record, gate.now())
        lines: list[tuple[str, Any]] = [
            ("To", show.link(session().get(User, record.person_id))),
            ("Address", address(record, found.address)),
        ]
        if record.last_error or record.suppressed_because:
            lines.append(("Until now", why(record)))
        if record.status is MessageStatus.UNCERTAIN:
            lines.append(("Beware", "It may have arrived already; then it arrives twice."))
        if found.rendered is not None:
            lines += [("Still true", "Yes, in these words:"), ("Subject", found.rendered.subject)]
            lines.append(("Text", show.html('<div class="prose">{}</div>', found.rendered.text)))
        return Consequences(lines, blockers=found.reasons)

    def done(self, result: Any) -> Done:
        return Done("It is on its way.", show.record_url("messages", result.id) or "")


def address(message: Message, found: str | None) -> Any:
    if found is None:
        return show.NOTHING
    if gate.may(Permission.READ_CONTACTS):
        return show.read_by_viewer(message.person_id, found)
    return show.masked_email(found) if "@" in found else show.masked_phone(found)


class RedriveMessage(MessageCommand):
    path = "messages/<uuid:id>/redrive"
    title = "Re-drive"
    lead = "It goes now, with all its attempts before it."

    def refused_because(self, record: Any) -> str | None:
        problems = redriving.state_problems(record)
        return problems[0].detail if problems else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return redriving.redrive_message(actor, record.id, reason=form.reason.data)


class ResendMessage(MessageCommand):
    path = "messages/<uuid:id>/resend"
    title = "Resend"
    lead = "The same goes once more, in words of today; both stand in the list."

    def refused_because(self, record: Any) -> str | None:
        if record.channel is Channel.IN_APP:
            return "It stands in the person's list already."
        return None if record.status is MessageStatus.SENT else "It was not sent yet."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return redriving.resend_message(actor, record.id, reason=form.reason.data)


commands.add(RedriveMessage, ResendMessage)
