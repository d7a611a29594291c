"""Calls on the list of tasks: the telephone numbers, and the tick that somebody was reached."""

from __future__ import annotations

import re
from typing import Any

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.db import session
from guitaronline.identity import service
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, TaskStatus, User
from guitaronline.notifications import calls
from guitaronline.notifications.calls import About, Callee

CALLEES: Ahead[About, list[Callee]] = Ahead("callees", lambda keys: calls.callees(session(), keys))
REACHED = "Reached by phone."
NOT_DIALED = re.compile(r"[^0-9+]")


def look(tasks: list[Task]) -> None:
    CALLEES.look((each.record_type, each.record_id) for each in tasks if calls.is_call(each))


def whom(task: Task) -> list[Any]:
    """Name and number of each who is to be called; nothing where the task is no open call."""
    if task.status is not TaskStatus.OPEN or not calls.is_call(task):
        return []
    found = CALLEES.of((task.record_type, task.record_id)) or []
    return [show.html("{} {}", each.full_name or each.reference, number(each)) for each in calls.meant(task, found)]


def number(person: User) -> Any:
    """To be dialed by a touch, for those who may see it."""
    if not person.phone:
        return "(no number known)"
    if not gate.may(Permission.READ_CONTACTS):
        return show.phone(person)
    read = show.read_by_viewer(person.id, person.phone)
    return show.html('<a href="tel:{}">{}</a>', NOT_DIALED.sub("", read), read)


class ReachedByPhone(CommandPage):
    record = Task
    path = "tasks/<uuid:id>/reached"
    title = "Reached"
    button = "They were reached"
    permission = Permission.WRITE_NOTES
    form = forms.MaybeReasonForm
    targets = (TaskStatus.DONE,)
    lead = "The call is done; what was said may stand below."

    def concerns(self, record: Any) -> bool:
        return calls.is_call(record)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Call", show.joined(whom(record)))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        said = f"{REACHED} {form.reason.data}" if form.reason.data else REACHED
        return service.finish_task(actor, record.id, reason=said)

    def done(self, result: Any) -> Done:
        return Done("The call is ticked off.", show.record_url("tasks", result.id) or "")


commands.add(ReachedByPhone)
