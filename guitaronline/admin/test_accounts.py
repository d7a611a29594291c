"""Test accounts: people whose doings count in no KPI."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import Actor
from guitaronline.admin import forms
from guitaronline.admin.command_page import Consequences, commands
from guitaronline.admin.person_commands import PersonCommand
from guitaronline.identity import service


class MarkTest(PersonCommand):
    path = "people/<uuid:id>/test-account"
    title = "Mark as test account"
    is_rare = True
    form = forms.ReasonForm
    sentence = "{} is a test account."
    is_test = True

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        counts = "left out of every KPI from then on" if self.is_test else "counted in the KPIs again"
        return Consequences(
            [
                (
                    "Numbers",
                    f"Bookings, lessons, packages and money of this person are {counts}; past days are counted anew.",
                ),
                ("Kept numbers", "What was outstanding and owed at the end of past days stays as it was."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        if record.is_test is self.is_test:
            return "It is a test account already." if self.is_test else "It is no test account."
        return super().refused_because(record)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_test(actor, record.id, is_test=self.is_test, reason=form.reason.data)


class UnmarkTest(MarkTest):
    path = "people/<uuid:id>/real-account"
    title = "No test account"
    sentence = "{} counts again."
    is_test = False


commands.add(MarkTest, UnmarkTest)
