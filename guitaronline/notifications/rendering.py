"""A message in words, for its reader: in their language, with times in their zone, as text and HTML.

A template is `templates/messages/<kind>.txt`: its first line is the subject, the rest what is said. The HTML has the same
paragraphs, unless there is a `<kind>.html`. Words of others are cut and escaped: whatever somebody's name is, it breaks
neither a header nor a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.identity.models import User
from guitaronline.notifications import languages, unsubscribing
from guitaronline.notifications.account_kinds import ACCOUNT_KINDS
from guitaronline.notifications.account_words import PURPOSES, facts_for, links_for
from guitaronline.notifications.invites import calendar_of
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Message
from guitaronline.notifications.reader import Scene, name_of, plain
from guitaronline.notifications.rendered import Rendered, Untrue
from guitaronline.notifications.truth import preference_of, untrue
from guitaronline.notifications.words import plain_lines, words_about

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "messages"
SUBJECT_LENGTH = 150
GAPS = re.compile(r"\n{3,}")

# Of kinds that are about no record of the school: links that sign in (sent, never kept), and other facts.
LINKS_OF: dict[str, Callable[[Session, Message], dict[str, str]]] = dict.fromkeys(PURPOSES, links_for)
FACTS_OF: dict[str, Callable[[Session, str, Mapping[str, Any]], dict[str, Any]]] = {
    kind.name: facts_for for kind in ACCOUNT_KINDS
}


def render(session: Session, message: Message, person: User, now: datetime) -> Rendered | Untrue:
    """The message for this person as it is true now, or why it is not said any more."""
    because = untrue(session, message, person, now)
    if because is not None:
        return Untrue(because)
    if message.kind == "template_test":
        facts = message.facts
        return preview(session, facts["template"], message.record_id, person, facts.get("language", ""))
    return _rendered(session, message, person, languages.language_of(person), now)


def preview(
    session: Session,
    kind_name: str,
    record_id: UUID,
    person: User,
    language: str,
    *,
    facts: Mapping[str, Any] | None = None,
) -> Rendered:
    """The words of a kind about a real record, true or not. Raises NotFound, KeyError for an unknown kind.

    Links that would sign somebody in lead nowhere."""
    kind = KINDS[kind_name]
    message = Message(
        kind=kind.name,
        person_id=person.id,
        record_type=record_type_of(kind_name),
        record_id=record_id,
        facts=dict(facts or {}),
    )
    return _rendered(
        session, message, person, language or languages.language_of(person), clock.read(session), is_real=False
    )


def record_type_of(kind_name: str) -> str:
    """The table whose records that kind is about."""
    topic = KINDS[kind_name].topic or kind_name
    return TABLE_OF.get(topic.partition(".")[0], "users")


def _rendered(
    session: Session, message: Message, person: User, language: str, now: datetime, *, is_real: bool = True
) -> Rendered:
    kind = KINDS[message.kind]
    words = languages.words_of(language)
    scene = Scene(session, kind, message.record_id, message.facts, person, words, now)
    links = _links(session, message, is_real=is_real)
    preference = preference_of(kind, message.facts)
    unsubscribe = unsubscribing.url_of(person.id, preference) if preference else None
    told = {
        "name": name_of(person),
        "zone": scene.zone,
        "facts": message.facts,
        "links": links,
        "title": words.gettext(kind.title),
        **_letter(message.facts, person),
        **words_about(scene, message.record_type),
        **(FACTS_OF[kind.name](session, kind.name, message.facts) if kind.name in FACTS_OF else {}),
    }
    subject, body = _text(f"{kind.name}.txt", words.language, told)
    frame = {
        "subject": subject,
        "unsubscribe_url": unsubscribe,
        "language": words.language,
        "name": told["name"],
        "is_letter": kind.name == "from_staff",  # greets and signs by itself
    }
    return Rendered(
        language=words.language,
        subject=subject,
        text=environment(words.language).get_template("layout.txt").render(body=body, **frame),
        html=_html(kind.name, words.language, {**told, **frame, "paragraphs": body.split("\n\n")}),
        calendar=calendar_of(scene),
        unsubscribe_url=unsubscribe,
        secrets=tuple(links.values()) if is_real else (),
    )


def _links(session: Session, message: Message, *, is_real: bool) -> dict[str, str]:
    look = LINKS_OF.get(message.kind)
    if look is None:
        return {}
    return look(session, message) if is_real else _NoLinks()


class _NoLinks(dict[str, str]):
    """A preview shows where a link stands and gives none away."""

    def __missing__(self, name: str) -> str:
        return "https://…"


def _letter(facts: Mapping[str, Any], person: User) -> dict[str, str]:
    """What staff wrote, with the reader's name where they put `{name}`."""
    name = name_of(person)
    written = {part: str(facts.get(part, "")).replace("{name}", name) for part in ("subject", "text")}
    return {"written_subject": plain(written["subject"], SUBJECT_LENGTH), "written_text": plain_lines(written["text"])}


def _text(template: str, language: str, told: Mapping[str, Any]) -> tuple[str, str]:
    whole = environment(language).get_template(template).render(told).strip()
    subject, _, body = whole.partition("\n")
    return plain(subject, SUBJECT_LENGTH), GAPS.sub("\n\n", body).strip()


def _html(kind_name: str, language: str, told: Mapping[str, Any]) -> str:
    return environment(language).select_template([f"{kind_name}.html", "layout.html"]).render(told)


@cache
def environment(language: str) -> Environment:
    """Templates in that language. `moment`, `brief` and `day` write for the reader, whose zone the template has as `zone`."""
    words = languages.words_of(language)
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        extensions=["jinja2.ext.i18n"],
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        auto_reload=False,  # asks the disk whether each template is the same still
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters["moment"] = words.moment
    made.filters["brief"] = words.brief
    made.filters["day"] = words.day
    return made


TABLE_OF = {  # how topics begin, and the kinds that no event tells → the table
    "approval": "approvals",
    "booking": "bookings",
    "lesson": "lessons",
    "lesson_reminder": "bookings",
    "outcome_missing": "lessons",
    "package": "packages",
    "package_low": "packages",
    "payment": "payments",
    "refund": "refunds",
    "series": "lesson_series",
    "time_off": "time_off",
    "waitlist": "waitlist_entries",
}
