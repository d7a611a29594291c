"""What is done when somebody asks for their data, or asks to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import flask

from guitaronline import policy
from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import Consequences, Done, commands
from guitaronline.admin.history import TABLES
from guitaronline.admin.person_commands import PersonCommand
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.privacy import giving
from guitaronline.privacy.erasing import Fate, Preview, erase_person, preview
from guitaronline.privacy.holding import PERSONAL, Kind

TOLD = PERSONAL | {Kind.TRAIT}
HEADINGS = ("What", "Rows", "Becomes", "Why")


class GiveData(PersonCommand):
    path = "people/<uuid:id>/data"
    title = "Export data"
    button = "Make the file"
    is_rare = True
    permission = Permission.KEEP_PRIVACY
    form = forms.ReasonForm
    needs_step_up: ClassVar[bool] = True
    lead = "For a person who asks what the school knows about them. Make sure that it is they who ask."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        days = policy.current().EXPORT_KEEP_DAYS
        return Consequences(
            [
                ("Made", "In the background: a ZIP with a page to read, and every table as CSV and JSON."),
                ("Holds", "All that is kept about this person; of other people only their ids; no passwords."),
                ("Download", f"By you alone, once, within {days} days. Then the file is gone."),
                ("Written down", "That you asked for it and took it, when, and the reason that you give."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        return "The person was erased: there is nothing left." if record.erased_at else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return giving.give_data(actor, record.id, zone=gate.viewer().timezone, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The file is being made.", flask.url_for("desk_exports.details_view", id=result.id))


class EraseForm(forms.CommandForm):
    typed = forms.line(
        "The person's reference", required=True, most=20, help="Type it, as USR-7Q4M2: there is no way back."
    )
    reason = forms.reason(help="Kept for good. Do not name the person here: write how they asked, and when.")


class ErasePerson(PersonCommand):
    path = "people/<uuid:id>/erase"
    title = "Erase"
    button = "Erase for good"
    is_rare = True
    tone = "danger"
    permission = Permission.KEEP_PRIVACY
    form = EraseForm
    needs_step_up: ClassVar[bool] = True
    sentence = "{} is erased."
    lead = "Names, contacts and words about the person go for good. What the books and the law need stays, under the reference."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        found = preview(session(), record, now=gate.now(), actor_id=actor.id)
        return Consequences(
            [
                ("Sign-in", "Ends at once, on every device; feeds and links stop working."),
                ("The audit", "Still proves what was done. Their words and clear values behind it go."),
                ("Backups", "Still have them until they are overwritten: after a restore the journal is done again."),
                ("Files taken before", f"Exports of lists are gone after {policy.current().EXPORT_KEEP_DAYS} days."),
            ],
            _table(found),
            found.reasons,
        )

    def refused_because(self, record: Any) -> str | None:
        return "The person was erased already." if record.erased_at else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return erase_person(actor, record.id, typed=form.typed.data, reason=form.reason.data)


def _table(found: Preview) -> list[Sequence[Any]]:
    rows = [
        *(_row(each, "gone", "") for each in found.going),
        *(_row(each, f"emptied: {_columns(each)}", "") for each in found.emptied),
        *(_row(each, "stays", each.holding.stays or each.holding.kept) for each in found.staying),
    ]
    return [HEADINGS, *rows] if rows else []


def _row(fate: Fate, becomes: str, why: str) -> Sequence[Any]:
    table = fate.holding.table
    return (TABLES.get(table, show.word(table)), f"{fate.rows:,}", becomes, why)


def _columns(fate: Fate) -> str:
    """What people know of it; stamps and marks go along untold."""
    told = [name for name in fate.holding.emptied if fate.holding.columns[name] in TOLD]
    return ", ".join(show.word(name) for name in told or fate.holding.emptied)


commands.add(GiveData, ErasePerson)
