"""Templates: every kind of message there is, what it says with real data, and a test of it to one's own address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import flask
from babel import Locale
from jinja2 import TemplateError
from sqlalchemy import select

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.audit_filters import TABLE_OF
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.filters import REFERENCE
from guitaronline.admin.message_words import channel_words, kind_words
from guitaronline.admin.notes import MODELS
from guitaronline.db import session
from guitaronline.errors import DomainError, Invalid
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import desk, languages, letters, rendering
from guitaronline.notifications.kinds import KINDS, Kind
from guitaronline.notifications.rendered import Rendered

LANGUAGES = tuple((each, Locale.parse(each).english_name or each) for each in languages.LANGUAGES)
FIRST_OF_ALL = "booking_confirmed"


@dataclass(frozen=True)
class Sample:
    """The real record with which a template is filled in, and who would read it."""

    record_type: str
    record_id: UUID
    person: User


@dataclass(frozen=True)
class Shown:
    """A template as it reads with a sample, or why it cannot be shown."""

    kind: Kind
    about: str
    language: str
    sample: Sample | None
    rendered: Rendered | None
    problem: str


class Templates(ConsolePage):
    path = "templates"
    title = "Templates"
    permission = Permission.READ_MESSAGES

    def page(self) -> Any:
        found = asked()
        return self.render(
            "admin/templates.html",
            shown=found,
            html_url=_html_url(found) if found and found.rendered and found.rendered.html else "",
            test=_test(found) if found and found.rendered else None,
            title=kind_words(found.kind.name) if found else "",
            about_record=show.link_to(found.sample.record_type, found.sample.record_id, "this record")
            if found and found.sample
            else "",
            reader=show.link(found.sample.person) if found and found.sample else "",
            languages=LANGUAGES,
            kinds=[_row(kind) for kind in sorted(KINDS.values(), key=lambda each: each.name)],
        )


def _row(kind: Kind) -> list[Any]:
    url = flask.url_for("desk_templates.index", kind=kind.name)
    return [
        show.html('<a href="{}">{}</a>', url, kind_words(kind.name)),
        kind.topic or "found by the clock, or written by staff",
        show.joined(show.word(each) for each in kind.audience),
        show.joined(channel_words(each) for each in kind.channels),
        _length(kind),
        show.word(kind.preference) if kind.preference else "always told",
        show.joined(
            words
            for words, holds in (("waits for the morning", kind.is_quiet), ("about money", kind.is_money))
            if holds
        ),
    ]


def _length(kind: Kind) -> str:
    if kind.makes_sense_for is None:
        return "always"
    hours = kind.makes_sense_for.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} h"


def _html_url(found: Shown) -> str:
    return flask.url_for("mail_html.template", kind=found.kind.name, about=found.about, language=found.language)


def _test(found: Shown) -> Any:
    query = {"kind": found.kind.name, "about": found.about, "language": found.language}
    return button_of(commands.named(SendTest), **query)


def asked() -> Shown | None:
    """What the address asks to see; None when it names no template."""
    args = flask.request.args
    kind = KINDS.get(args.get("kind", ""))
    if kind is None:
        return None
    return show_template(kind, args.get("about", "").strip()[:40], args.get("language"))


def show_template(kind: Kind, about: str, language: str | None) -> Shown:
    language = language if language in dict(LANGUAGES) else "en"
    sample = sample_of(kind.name, about)
    bare = Shown(kind, about, language, sample, None, "")
    if sample is None:
        return _with(bare, "No message of this kind was made lately. Name a record that it could be about.")
    try:
        words = rendering.preview(session(), kind.name, sample.record_id, sample.person, language)
    except (DomainError, TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
        return _with(bare, f"It cannot be filled in from this record: {type(error).__name__}.")
    return Shown(kind, about, language, sample, words, "")


def _with(bare: Shown, problem: str) -> Shown:
    return Shown(bare.kind, bare.about, bare.language, bare.sample, None, problem)


def sample_of(kind: str, about: str) -> Sample | None:
    """The record of that reference, read by the viewer; without one the newest message of the kind, read by whoever got it."""
    if about:
        table = TABLE_OF.get(about.upper().partition("-")[0]) if REFERENCE.fullmatch(about) else None
        model = MODELS[table] if table else None
        record_id = session().scalar(select(model.id).where(model.reference == about.upper())) if model else None
        return Sample(str(table), record_id, session().get_one(User, gate.viewer().id)) if record_id else None
    newest = desk.newest_of_kind(session(), kind)
    return Sample(newest.record_type, newest.record_id, newest.person) if newest else None


class SendTestForm(forms.CommandForm):
    linkable = frozenset({"kind", "about", "language"})
    kind = forms.choice("Template", [(name, kind_words(name)) for name in sorted(KINDS)], default=FIRST_OF_ALL)
    about = forms.line("Record", most=40, help="Such as BK-…; empty: of the newest message of this kind.")
    language = forms.choice("Language", LANGUAGES, default="en")


class SendTest(CommandPage):
    path = "templates/test"
    title = "Send a test to yourself"
    parent = "desk_messages.index_view"
    button = "Send it to me"
    permission = Permission.SEND_MESSAGES
    form = SendTestForm
    looks = "Show it"

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        kind = KINDS.get(form.kind.data)
        if kind is None:
            return Consequences()
        found = show_template(kind, form.about.data or "", form.language.data)
        lines: list[tuple[str, Any]] = [("To", gate.viewer().email)]
        if found.rendered is None:
            return Consequences([*lines, ("As things stand", found.problem)])
        text = show.html('<div class="prose">{}</div>', found.rendered.text)
        return Consequences([*lines, ("Subject", found.rendered.subject), ("Text", text)])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        sample = sample_of(form.kind.data, form.about.data or "")
        if sample is None:
            raise Invalid("There is nothing to fill the template in from. Name a record that it could be about.")
        return letters.send_test(
            actor,
            gate.viewer().id,
            template=form.kind.data,
            record_type=sample.record_type,
            record_id=sample.record_id,
            language=form.language.data,
        )

    def done(self, result: Any) -> Done:
        return Done("The test is on its way to you.", flask.url_for("desk_messages.index_view", person=result.id))


commands.add(SendTest)
