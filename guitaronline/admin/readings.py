"""Who read whose contact data in clear, and who was erased: two lists for whoever has to answer for it."""

from __future__ import annotations

from typing import Any

import flask
from flask import Flask
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import gate, plain, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.filters import Days, Person, people_matching
from guitaronline.admin.history import TABLES
from guitaronline.admin.record_page import Section, facts
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.privacy_models import ContactReading, Erasure
from guitaronline.privacy.readings import note_readings

READ_BY_VIEWER = "contacts_read"  # of flask.g; see show.read_by_viewer


def init_readings(app: Flask) -> None:
    app.after_request(write_down)


def write_down(answer: flask.Response) -> flask.Response:
    """What this page showed in clear is in the list of readings before it leaves."""
    people = flask.g.pop(READ_BY_VIEWER, None)
    if people and answer.status_code < 400:
        note_readings(gate.viewer().id, people)
    return answer


class ReadingsDesk(Desk):
    model_of = ContactReading
    path = "contact-readings"
    title = "Contact data read"
    one = "Reading"
    permission = Permission.READ_AUDIT
    intro = "Who saw a person's e-mail address or phone number in clear, a line a day. Lists that left as files stand under Exports."
    empty = "Nobody has looked at anybody's contact data."
    search_words = "Whose: a name, e-mail or USR-…"
    columns = (
        Column("person", "Whose", lambda each: show.link(each.person)),
        Column("reader", "Read by", lambda each: show.link(each.reader)),
        Column(
            "times",
            "Pages",
            lambda each: show.link_to("contact_readings", each.id, f"{each.times:,}"),
            is_number=True,
        ),
        Column("first_at", "First", lambda each: show.stamp(each.first_at)),
        Column("last_at", "Last", lambda each: show.stamp(each.last_at), sort=ContactReading.last_at),
    )
    filters = (
        Days("day", "Day", ContactReading.last_at, is_past=True),
        Person("person", "Whose", ContactReading.person_id),
        Person("reader", "Read by", ContactReading.reader_id),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "person": plain.words(plain.of(User.full_name, ContactReading.person_id)),
        "reader": plain.words(plain.of(User.full_name, ContactReading.reader_id)),
        "times": plain.number(ContactReading.times),
        "first_at": plain.moment(ContactReading.first_at),
        "last_at": plain.moment(ContactReading.last_at),
    }
    default_order = (ContactReading.last_at, True)  # ix_contact_readings_last
    load = (selectinload(ContactReading.person), selectinload(ContactReading.reader))
    page_title = staticmethod(lambda each: f"of {show.label_of(each.person)} by {show.label_of(each.reader)}")

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return [ContactReading.person_id.in_(people_matching(words))]

    def record_page(self, reading: Any) -> dict[str, Any]:
        found = facts(
            ("Whose", show.link(reading.person)),
            ("Read by", show.link(reading.reader)),
            ("As", show.word(reading.reader.role)),
            ("First", show.when(reading.first_at)),
            ("Last", show.when(reading.last_at)),
            ("Pages", f"{reading.times:,}"),
        )
        return {"facts": found}


class ErasuresDesk(Desk):
    model_of = Erasure
    path = "erasures"
    title = "Erasures"
    one = "Erasure"
    permission = Permission.READ_AUDIT
    intro = "The journal: who was erased, when, by whom. Keep a copy off this machine (flask privacy journal)."
    empty = "Nobody was erased."
    columns = (
        Column("person", "Reference", lambda each: show.link_to("erasures", each.id, each.person.reference)),
        Column("at", "Erased", lambda each: show.stamp(each.at), sort=Erasure.at),
        Column("erased_by", "By", lambda each: show.link(_by(each)) if each.erased_by else "the system"),
        Column("counts", "Rows", lambda each: f"{sum(each.counts.values()):,}", is_number=True),
    )
    filters = (Days("day", "Erased", Erasure.at, is_past=True),)
    exported = {  # noqa: RUF012  # as of every desk
        "person": plain.words(plain.of(User.reference, Erasure.person_id)),
        "at": plain.moment(Erasure.at),
        "erased_by": plain.words(plain.of(User.full_name, Erasure.erased_by)),
        "counts": plain.words(cast(Erasure.counts, Text)),
    }
    default_order = (Erasure.at, True)  # ix_erasures_at
    load = (selectinload(Erasure.person),)
    page_title = staticmethod(lambda each: f"of {each.person.reference}")

    def prepare_rows(self, rows: list[Any]) -> None:
        """Those who did it, in the session by one statement."""
        ids = {each.erased_by for each in rows if each.erased_by}
        flask.g.erased_by = {each.id: each for each in session().scalars(select(User).where(User.id.in_(ids)))}

    def record_page(self, erasure: Any) -> dict[str, Any]:
        self.prepare_rows([erasure])
        found = facts(
            ("Reference", show.link(erasure.person)),
            ("Erased", show.when(erasure.at)),
            ("By", show.link(_by(erasure)) if erasure.erased_by else "the system"),
            ("Digest", erasure.digest),
        )
        table = [[TABLES.get(name, show.word(name)), f"{count:,}"] for name, count in sorted(erasure.counts.items())]
        return {"facts": found, "sections": [Section("What was done", ("Kind", "Rows"), table)]}


def _by(erasure: Erasure) -> User | None:
    found: User | None = flask.g.erased_by.get(erasure.erased_by)
    return found
