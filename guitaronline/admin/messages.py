"""Messages: what was sent to whom, as it was sent, every attempt with its answer, and what is still to go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import exported, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk, ListFilter
from guitaronline.admin.command_page import Button, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, Days, Person, State, people_matching, reference_is
from guitaronline.admin.history import TABLES
from guitaronline.admin.message_words import channel_words, link, message_state, title_of, why
from guitaronline.admin.plain import LABELS
from guitaronline.admin.record_page import Page, Section, actions_of, facts, rows, whole
from guitaronline.admin.waiting import Waiting
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications import desk, redriving
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Channel, Message, MessageAttempt, MessageBody, MessageStatus

SHOWN = 10
WAITING: Mapping[str, Any] = {"dead": lambda now: Message.status.in_(desk.DEAD_STATES)}
NO_CAUSE = "-"


def _labels(keys: Collection[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], str]:
    """What people call these records, one statement a table."""
    by_table: dict[str, list[UUID]] = defaultdict(list)
    for table, record_id in keys:
        by_table[table].append(record_id)
    found: dict[tuple[str, UUID], str] = {}
    for table, ids in by_table.items():
        if table in LABELS:
            model = LABELS[table].class_
            found |= {
                (table, row[0]): row[1]
                for row in session().execute(select(model.id, LABELS[table]).where(model.id.in_(ids)))
            }
    return found


ABOUT: Ahead[tuple[str, UUID], str] = Ahead("message_about", _labels)


def about(message: Message) -> Any:
    label = ABOUT.of((message.record_type, message.record_id))
    noun = TABLES.get(message.record_type, show.word(message.record_type))
    return show.link_to(message.record_type, message.record_id, label or f"{noun} …{str(message.record_id)[-6:]}")


class Why(ListFilter):
    """The code of the last error, or of what kept it from being sent; `-`: none."""

    def clause(self, value: str) -> ColumnElement[bool]:
        if value == NO_CAUSE:
            return Message.last_error.is_(None)
        return (Message.last_error == value) | (Message.suppressed_because == value)


class About(ListFilter):
    """Messages about one record, `table/id`; set by links from that record's page."""

    def parse(self, value: str) -> tuple[str, UUID]:
        table, _, record_id = value.partition("/")
        return table, UUID(record_id)

    def clause(self, value: tuple[str, UUID]) -> ColumnElement[bool]:
        """ix_messages_record"""
        return (Message.record_type == value[0]) & (Message.record_id == value[1])

    def shown(self, value: str) -> str:
        table, record_id = self.parse(value)
        return ABOUT.of((table, record_id)) or TABLES.get(table, show.word(table))


class MessagesDesk(Desk):
    model_of = Message
    path = "messages"
    title = "Messages"
    one = "Message:"
    permission = Permission.READ_MESSAGES
    intro = (
        "What people were told, by which channel, and whether it arrived. One row for each event, person and channel."
    )
    empty = "Nobody was told anything yet. Book a lesson: its confirmation stands here within a second."
    search_words = "Name, e-mail, USR-… or Message-ID"
    details_template = "admin/message.html"
    columns = (
        Column("id", "When", lambda each: show.stamp(each.happened_at), sort=Message.id),
        Column("kind", "What", link),
        Column("person", "To", lambda each: show.link(each.person)),
        Column("channel", "By", lambda each: channel_words(each.channel)),
        Column("record", "About", about),
        Column("status", "State", message_state),
        Column("attempts", "Attempts", lambda each: each.attempts, is_number=True),
        Column("why", "Why", why),
        Column("sent_at", "Sent", lambda each: show.stamp(each.sent_at)),
        Column("available_at", "Not before", lambda each: show.stamp(each.available_at), is_default=False),
        Column("reference", "Message-ID", lambda each: show.text(each.reference), is_default=False),
    )
    filters = (
        State(Message.status, MessageStatus),
        Waiting(WAITING),
        Choice("kind", "What", sorted(KINDS), lambda value: Message.kind == value),
        Choice("channel", "By", list(Channel), lambda value: Message.channel == value),
        Days("day", "Day", Message.happened_at, is_past=True),
        Person("person", "To", Message.person_id),
        Why("why", "Why"),
        About("about", "About", widget="hidden"),
    )
    exported = exported.MESSAGES
    default_order = (Message.id, True)
    load = (selectinload(Message.person),)
    row_actions = staticmethod(buttons_of)
    page_title = staticmethod(title_of)

    def prepare_rows(self, rows: list[Any]) -> None:
        ABOUT.look((each.record_type, each.record_id) for each in rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        if exact := reference_is(User.reference, words):
            return [Message.person_id.in_(select(User.id).where(*exact))]
        return [Message.reference == words, Message.person_id.in_(people_matching(words))]

    def list_extras(self) -> dict[str, Any]:
        from guitaronline.admin.message_templates import SendTest

        return {"buttons": [button_of(commands.named(SendTest))]}

    def record_page(self, message: Any) -> dict[str, Any]:
        body = desk.body_of(session(), message.id)
        attempts = desk.attempts_of(session(), [message.id])[message.id]
        page = Page(_facts(message, body), state=message_state(message), sections=[_attempts(attempts)])
        kept = {name: value for name, value in whole(message, page).items() if name not in ("notes", "tasks")}
        actions = actions_of([*buttons_of(message), *_correction(message)])
        return kept | {"actions": actions, "body": body, "outlook": None if body else _outlook(message)}


def _facts(message: Message, body: MessageBody | None) -> list[show.Fact]:
    said = (
        ("To", show.link(message.person)),
        ("Address", _sent_to(message, body)),
        ("By", channel_words(message.channel)),
        ("About", about(message)),
        ("Happened", show.when(message.happened_at)),
        ("Sent", show.when(message.sent_at) if message.sent_at else None),
        ("Goes", show.when(message.available_at) if message.status is MessageStatus.QUEUED else None),
        ("Not after", show.when(message.not_after) if message.not_after else None),
        ("Attempts", message.attempts),
        ("Why", why(message) if message.suppressed_because or message.last_error else None),
        ("Language", body.language if body else None),
        ("Message-ID", message.reference),
    )
    return facts(*(pair for pair in said if pair[1] is not None))


def _sent_to(message: Message, body: MessageBody | None) -> str | None:
    if body is None:
        return None
    if gate.may(Permission.READ_CONTACTS):
        return show.read_by_viewer(message.person_id, body.sent_to)
    return show.masked_email(body.sent_to) if "@" in body.sent_to else show.masked_phone(body.sent_to)


def _attempts(found: Collection[MessageAttempt]) -> Section:
    table = rows(
        found,
        lambda each: each.number,
        lambda each: show.when(each.started_at),
        lambda each: took(each.finished_at - each.started_at),
        lambda each: show.chip(each.outcome),
        lambda each: show.text(each.code),
        lambda each: show.text(each.answer),
    )
    return Section("Attempts", ("No.", "Begun", "Took", "Outcome", "Code", "Answer"), table, "None so far.")


def took(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _outlook(message: Message) -> redriving.Outlook | None:
    """What it would say now; of one that was sent and whose words are gone nothing is made up."""
    return None if message.status is MessageStatus.SENT else redriving.outlook(session(), message, gate.now())


def _correction(message: Message) -> list[Button]:
    """Of a dead one: the address is corrected where people are edited."""
    from guitaronline.admin.person_commands import EditPerson

    if message.status not in desk.DEAD_STATES:
        return []
    return [replace(button_of(commands.named(EditPerson), message.person), title="Correct the address")]


def messages_section(found: Collection[Message], *, more: str) -> list[Section]:
    """For the page of a record or a person; nothing for a role that does not read messages."""
    if not gate.may(Permission.READ_MESSAGES):
        return []
    table = rows(
        found,
        lambda each: show.stamp(each.happened_at),
        link,
        lambda each: show.link(each.person),
        lambda each: channel_words(each.channel),
        message_state,
        why,
    )
    headings = ("When", "What", "To", "By", "State", "Why")
    return [Section("Messages", headings, table, "Nobody was told anything.", more if found else "")]


def of_record(record: Any) -> list[Section]:
    """What was told about the record."""
    table = record.__tablename__
    found = desk.of_record(session(), table, record.id, limit=SHOWN)
    return messages_section(found, more=flask.url_for("desk_messages.index_view", about=f"{table}/{record.id}"))


def to_person(person: User) -> list[Section]:
    """What the person was told."""
    found = desk.to_person(session(), person.id, limit=SHOWN)
    return messages_section(found, more=flask.url_for("desk_messages.index_view", person=person.id))
