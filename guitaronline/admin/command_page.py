"""The one pattern of everything that changes: a page that says what will happen, and a POST that calls one command.

GET shows the consequences, computed by the rule that decides. POST carries a reason where people ask "why?", a key
(a second click changes nothing) and the record's version (a change in between is shown, not overwritten).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from guitaronline import db, step_up_page, unit_of_work
from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.changes import changes_since
from guitaronline.audit.models import IdempotencyKey
from guitaronline.db import Base
from guitaronline.errors import DomainError, NotFound, Reason
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import AlreadyAnswered, Claim, StaleVersion
from guitaronline.web import status_of

DONE_BEFORE = "This was done before; nothing was changed now."
NOT_HASHED = {"csrf_token", "key", "version", *step_up_page.FIELDS}


@dataclass(frozen=True)
class Consequences:
    """What the command will do, in words: one line a fact, and what stands in its way."""

    lines: Sequence[tuple[str, Any]] = ()
    table: Sequence[Sequence[Any]] = ()  # the first row is the heading
    blockers: Sequence[Reason] = ()


@dataclass(frozen=True)
class Done:
    sentence: str
    url: str
    shown_once: str = ""  # a secret that the page shows now and never again


@dataclass(frozen=True)
class Button:
    """An action as it stands on a record: where it leads, or why not now."""

    title: str
    url: str
    why_not: str | None
    tone: str
    is_rare: bool = False  # stands under "More actions"


class CommandPage:
    """Derive one a command; say what it needs, what it shows and which command it calls."""

    record: ClassVar[type[Base] | None] = None
    path: ClassVar[str]  # below /admin/; `<uuid:id>` stands for the record
    title: ClassVar[str]
    button: ClassVar[str] = ""
    permission: ClassVar[Permission]
    form: ClassVar[type[forms.CommandForm]] = forms.CommandForm
    parent: ClassVar[str] = "desk_today.index"  # where pages without a record belong
    targets: ClassVar[tuple[StrEnum, ...]] = ()  # states it leads to; possible when the state table has such a move
    tone: ClassVar[str] = "primary"
    is_rare: ClassVar[bool] = False  # people seldom come for it
    lead: ClassVar[str] = ""  # one sentence under the title
    looks: ClassVar[str] = ""  # a second button that shows the page again with what was typed, and does nothing
    is_secret: ClassVar[bool] = False  # the answer is shown once and must not be stored
    template: ClassVar[str] = "admin/command.html"
    once_template: ClassVar[str] = "admin/shown_once.html"
    needs_step_up: ClassVar[bool] = False  # they confirm that it is them before it is done

    # What derived pages say

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        """Call the command and return what it returns."""
        raise NotImplementedError

    def done(self, result: Any) -> Done:
        """What to say, and where to go: the record that came out of it. Also asked inside the command's transaction."""
        raise NotImplementedError

    def done_with(self, result: Any, form: Any) -> Done:
        """The same, where the command's result alone does not tell where to go."""
        return self.done(result)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences()

    def refused_because(self, record: Any) -> str | None:
        """Why the record's present state does not allow it; None when it does. Default: the state table."""
        return state_refusal(record, self.targets)

    def initial(self, record: Any) -> dict[str, Any]:
        """What stands in the form when it is opened."""
        return {}

    def concerns(self, record: Any) -> bool:
        """Whether it has anything to do with such a record; its button is not shown elsewhere, not even greyed."""
        return True

    def asks_step_up(self, record: Any, form: Any) -> bool:
        """The same, where it depends on the record or on what was typed."""
        return self.needs_step_up

    def prepare(self, form: Any, record: Any) -> None:
        """Fill choices that depend on the record."""

    # The machinery

    def __call__(self, id: UUID | None = None) -> ResponseReturnValue:  # noqa: A002  # the route's word
        record = self.find(id)
        if record is None and self.record is not None:
            return self._gone()
        form = self.form(data={**self.initial(record), **self._fresh(record), **self._asked()})
        self.prepare(form, record)
        if flask.request.method == "GET" or "look" in flask.request.form:
            return self.page(record, form), 200
        if not form.validate():
            return self.page(record, form), 422
        asking = step_up_page.unless_confirmed(self.title) if self.asks_step_up(record, form) else None
        return asking or self._submit(record, form)

    def _submit(self, record: Any, form: Any) -> ResponseReturnValue:
        actor = gate.viewer().actor
        try:
            with self._asked_of_unit(record, form):
                done = self.done_with(self.act(actor, record, form), form)
        except AlreadyAnswered as before:
            flask.flash(DONE_BEFORE, "info")
            return flask.redirect(before.answer, 303)
        except StaleVersion as stale:
            changes = changes_since(record, stale.facts["seen"])
            form.start_anew(stale.facts["now"])
            return self.page(record, form, refusal=stale, changes=changes), 409
        except DomainError as refusal:
            return self.page(record, form, refusal=forms.point_out(form, refusal)), status_of(refusal)
        if done.shown_once:
            return flask.render_template(self.once_template, page=self, done=done), 200
        flask.flash(done.sentence, "success")
        return flask.redirect(done.url, 303)

    def page(self, record: Any, form: Any, *, refusal: DomainError | None = None, changes: Sequence[Any] = ()) -> str:
        return flask.render_template(
            self.template,
            page=self,
            record=record,
            form=form,
            refusal=refusal,
            changes=changes,
            why_not=self.refused_because(record) if record is not None else None,
            consequences=self.consequences(gate.viewer().actor, record, form),
            back=self.back(record),
        )

    def heading(self, record: Any) -> str:
        return self.title if record is None else f"{self.title}: {self.back(record)[0]}"

    def find(self, record_id: UUID | None) -> Any:
        if self.record is None:
            return None
        return db.session().get(self.record, record_id)

    def _gone(self) -> ResponseReturnValue:
        """The record does not exist; where this very form removed it, a second click leads where the first one led."""
        query = select(IdempotencyKey.answer).where(
            IdempotencyKey.user_id == gate.viewer().id,
            IdempotencyKey.method == "POST",
            IdempotencyKey.path == flask.request.path,
            IdempotencyKey.key == flask.request.form.get("key", ""),
        )
        answer = db.session().scalar(query)
        if answer is None:
            raise NotFound("There is no such record.")
        flask.flash(DONE_BEFORE, "info")
        return flask.redirect(answer, 303)

    def back(self, record: Any) -> tuple[str, str]:
        """Where "Cancel" and the breadcrumb lead."""
        if record is None:
            return gate.view_of(self.parent).title, flask.url_for(self.parent)
        return show.label_of(record), show.record_url(record.__tablename__, record.id) or flask.url_for(
            "desk_today.index"
        )

    @property
    def endpoint(self) -> str:
        return f"console.{self.name}"

    @property
    def name(self) -> str:
        return type(self).__name__

    def url_for(self, record: Any = None, **query: Any) -> str:
        if record is None or query:
            return flask.url_for(self.endpoint, **({} if record is None else {"id": record.id}), **query)
        return gate.address(self.endpoint, record.id)

    def differing(self, record: Any, form: Any) -> list[tuple[str, Any, Any]]:
        """Fields of the record that say something else now than what was typed."""
        values = [(each, getattr(record, each.name)) for each in form.visible() if hasattr(record, each.name)]
        return [
            (each.label.text, show.text(now), show.text(each.data))
            for each, now in values
            if (now or None) != (each.data or None)
        ]

    def _fresh(self, record: Any) -> dict[str, Any]:
        return {"key": str(db.new_id()), "version": getattr(record, "version", None)}

    def _asked(self) -> dict[str, str]:
        """Links may fill in fields: `?new_slot_id=…`. Never the key, the version or a hidden decision."""
        given = flask.request.args if flask.request.method == "GET" else {}
        return {name: value for name, value in given.items() if name in self.form.linkable and value.isprintable()}

    @contextmanager
    def _asked_of_unit(self, record: Any, form: Any) -> Iterator[None]:
        """The unit of work knows this request's key and the version that the person saw."""
        before = unit_of_work.request.get()
        seen = (record.id, form.version.data) if record is not None and form.version.data is not None else None
        claim = None if self.is_secret else self._claim(form)
        token = unit_of_work.request.set(replace(before, claim=claim, expected=seen))
        try:
            yield
        finally:
            unit_of_work.request.reset(token)

    def _claim(self, form: Any) -> Claim:
        typed = sorted((name, value) for name, value in flask.request.form.items(multi=True) if name not in NOT_HASHED)
        digest = hashlib.sha256(repr(typed).encode()).digest()
        return Claim(
            gate.viewer().id,
            "POST",
            flask.request.path,
            form.key.data,
            digest,
            lambda result: (303, self.done_with(result, form).url),
        )


def state_refusal(record: Any, targets: Sequence[StrEnum]) -> str | None:
    """None when the state table has a move from the record's state to one of `targets`."""
    if not targets or any(record.states.events(record.status, target) for target in targets):
        return None
    return f"It is {show.word(record.status)}: {record.states.meanings.get(record.status, 'this state is final')}."


@dataclass
class Commands:
    """All command pages, by the table of their record."""

    pages: list[CommandPage] = field(default_factory=list)
    by_table: dict[str, list[CommandPage]] = field(default_factory=lambda: defaultdict(list))

    def add(self, *kinds: type[CommandPage]) -> None:
        for page in [kind() for kind in kinds]:
            self.pages.append(page)
            if page.record is not None:
                self.by_table[page.record.__tablename__].append(page)

    def of(self, table: str) -> list[CommandPage]:
        return self.by_table.get(table, [])

    def named(self, kind: type[CommandPage]) -> CommandPage:
        return next(page for page in self.pages if type(page) is kind)

    def blueprint(self) -> Blueprint:
        made = Blueprint("console", __name__, url_prefix=gate.PREFIX)
        for page in self.pages:
            made.add_url_rule(f"/{page.path}", page.name, _view_of(page), methods=("GET", "POST"))
        return made


commands = Commands()


def _view_of(page: CommandPage) -> Callable[..., ResponseReturnValue]:
    def view(**values: Any) -> ResponseReturnValue:
        return page(**values)

    view.permission = page.permission  # type: ignore[attr-defined]
    view.command_page = page  # type: ignore[attr-defined]
    return view


def buttons_of(record: Any) -> list[Button]:
    """Every action on this record: allowed now, or why not. From the permission table and the state table."""
    return [button_of(page, record) for page in commands.of(record.__tablename__) if page.concerns(record)]


def button_of(page: CommandPage, record: Any = None, **query: Any) -> Button:
    why_not = gate.why_not_allowed(page.permission) or gate.why_not_while_viewing()
    why_not = why_not or (page.refused_because(record) if record is not None else None)
    return Button(page.title, page.url_for(record, **query), why_not, page.tone, page.is_rare)
