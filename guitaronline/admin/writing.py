"""Staff write to people: to one from their page, to many from the list; and many dead letters are driven again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import flask
from wtforms import HiddenField
from wtforms.validators import Length, Optional

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.bulk import BulkForm, BulkPage, Chosen, agree_on, shown
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import letters, rendering
from guitaronline.notifications.letter_texts import LETTER_TEXTS
from guitaronline.notifications.letters import SUBJECT_LENGTH, TEXT_LENGTH, Letter
from guitaronline.notifications.rendered import Rendered

EMPTY_SHEET = "empty"
FIRST = "contact"
CHOICES = [*((name, each.title) for name, each in LETTER_TEXTS.items()), (EMPTY_SHEET, "An empty sheet")]
NAME_HELP = "{name} stands for the reader's name."
LOOK = "Fill in the template, show the letter"


class LetterForm(forms.CommandForm):
    template = forms.choice("Template", CHOICES, default=FIRST)
    filled = HiddenField(validators=[Optional(), Length(max=20)])  # the template that the text below came from
    subject = forms.line("Subject", most=SUBJECT_LENGTH, required=True)
    text = forms.paragraph("Text", most=TEXT_LENGTH, required=True, help=NAME_HELP, render_kw={"rows": 10})
    reason = forms.reason(required=False)


class BulkLetterForm(BulkForm):
    template = forms.choice("Template", CHOICES, default=FIRST)
    filled = HiddenField(validators=[Optional(), Length(max=20)])
    subject = forms.line("Subject", most=SUBJECT_LENGTH, required=True)
    text = forms.paragraph("Text", most=TEXT_LENGTH, required=True, help=NAME_HELP, render_kw={"rows": 10})
    reason = forms.reason()


def fill_in(form: Any) -> None:
    """A template that was just chosen stands in the fields; what was typed into them stays otherwise."""
    is_opened, is_look = flask.request.method == "GET", "look" in flask.request.form
    if not is_opened and not (is_look and form.template.data != form.filled.data):
        return
    chosen = LETTER_TEXTS.get(form.template.data)
    form.subject.data, form.text.data = (chosen.subject, chosen.text) if chosen else ("", "")
    form.filled.data = form.template.data


def letter_of(form: Any, *, is_news: bool) -> Letter:
    return Letter(form.subject.data or "", form.text.data or "", is_news)


def preview(person: User, letter: Letter) -> list[tuple[str, Any]]:
    """The letter as this person would read it."""
    words = rendering.render(session(), letters.unsent(person, letter), person, gate.now())
    if not isinstance(words, Rendered):
        return []
    return [("Subject", words.subject), ("Text", show.html('<div class="prose">{}</div>', words.text))]


class WriteToPerson(CommandPage):
    record = User
    path = "people/<uuid:id>/write"
    title = "Write a message"
    button = "Send it"
    permission = Permission.SEND_MESSAGES
    form = LetterForm
    looks = LOOK

    def initial(self, record: Any) -> dict[str, Any]:
        return {"template": "reach"}

    def prepare(self, form: Any, record: Any) -> None:
        fill_in(form)

    def refused_because(self, record: Any) -> str | None:
        return None if record.is_active else "The person is deactivated."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        letter = letter_of(form, is_news=False)
        readers = letters.readers_of(session(), [record], letter)[record.id]
        people = [session().get_one(User, each) for each in readers.ids]
        problems = letters.letter_problems(letter)
        words = preview(people[0], letter) if people and not problems else []
        to = show.joined(show.link(each) for each in people)
        return Consequences([("To", to), *words], blockers=[*problems, *readers.reasons])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return letters.write_to(actor, record.id, letter=letter_of(form, is_news=False), reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The message is on its way.", show.record_url("users", result.id) or "")


class WriteToMany(BulkPage):
    action = "people.write"
    desk = "people"
    path = "people/bulk/write"
    title = "Write to people"
    button = "Send it to them"
    looks = LOOK
    permission = Permission.SEND_MESSAGES
    form = BulkLetterForm
    lead = "One letter to each. Who switched off offers and news is left out, and every letter says how to do that."

    def arguments(self, form: Any) -> dict[str, Any]:
        return {"subject": (form.subject.data or "").strip(), "text": (form.text.data or "").strip()}

    def prepare(self, form: Any, record: Any) -> None:
        super().prepare(form, record)
        fill_in(form)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """Also of a letter that says nothing yet: who would get it does not depend on its words."""
        chosen: Chosen = form.records
        if chosen.problem is not None:
            return Consequences(blockers=[chosen.problem])
        arguments, letter = self.arguments(form), letter_of(form, is_news=True)
        forecasts = self.bulk.foresee(session(), actor, chosen.ids, arguments, gate.now())
        agree_on(form, self.bulk, arguments, forecasts)
        found = shown(self.bulk, forecasts, left_out=chosen.left_out)
        problems = letters.letter_problems(letter)
        first = next((each for each in forecasts if each.is_possible), None)
        person = session().get(User, first.record_id) if first else None
        words = preview(person, letter) if person and not problems else []
        return replace(found, lines=[*words, *found.lines], blockers=[*problems, *found.blockers])


class BulkRedrive(BulkPage):
    action = "messages.redrive"
    desk = "messages"
    path = "messages/bulk/redrive"
    title = "Re-drive"
    button = "Re-drive them"
    permission = Permission.SEND_MESSAGES
    lead = "Each goes now, with all its attempts before it, if what it says is still true."


commands.add(WriteToPerson, WriteToMany, BulkRedrive)
