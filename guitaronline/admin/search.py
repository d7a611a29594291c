"""The search of the whole console: references and ids go straight there, then pages, people, plans and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import and_, literal, select, union_all

from guitaronline.admin import gate, navigation, show
from guitaronline.admin.base import ConsolePage, Desk
from guitaronline.admin.command_page import commands
from guitaronline.admin.filters import REFERENCE
from guitaronline.admin.notes import AboutCommand
from guitaronline.admin.selection import LONGEST_SEARCH
from guitaronline.billing.models import Payment, PaymentProvider, Plan
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.finding import INDEXED, escaped, people_called
from guitaronline.identity.models import Task, TaskStatus, User
from guitaronline.identity.queries import person_by_email

FEW, MORE = 6, 20  # of each kind: in the box under the field, on the page
ENOUGH = 4  # letters of another name of a page; fewer are rather the beginning of somebody's
UNTYPEABLE = "The search had characters that nobody can type."
TOO_LONG = f"Search for at most {LONGEST_SEARCH} characters."
ALSO_CALLED = {  # other words for a page
    "desk_today.index": "home start dashboard queues",
    "desk_calendar.index": "week day schedule timetable",
    "desk_people.index_view": "students parents guardians users staff contacts",
    "desk_slots.index_view": "availability free times",
    "desk_packages.index_view": "balance credits lessons left",
    "desk_plans.index_view": "prices",
    "desk_payments.index_view": "money",
    "desk_invoices.index_view": "bills",
    "desk_tax-rates.index_view": "vat",
    "desk_statements.index": "account balance",
    "desk_audit.index_view": "history who changed log",
    "desk_checks.index_view": "integrity invariants",
    "console.NewBooking": "book a lesson phone",
    "console.GrantPackage": "sell package give lessons",
    "console.CreatePerson": "add student create",
}

feed = Blueprint("search_feed", __name__, url_prefix=gate.PREFIX)


@dataclass(frozen=True)
class Hit:
    title: str
    url: str
    note: str = ""


@dataclass(frozen=True)
class Group:
    title: str
    hits: list[Hit]
    is_exact: bool = False


class Search(ConsolePage):
    path = "search"
    title = "Search"
    permission = Permission.READ_PEOPLE

    def page(self) -> Any:
        words, wrong = asked()
        groups = [] if wrong else found(words, most=MORE)
        if len(groups) == 1 and groups[0].is_exact and len(groups[0].hits) == 1:
            return flask.redirect(groups[0].hits[0].url, 303)
        if wrong:
            flask.flash(wrong, "warning")
        return self.render(
            "admin/search.html",
            words="" if wrong else words,
            groups=groups,
            lists=_lists(words) if words and not wrong else [],
            by_contact=gate.may(Permission.READ_CONTACTS),
        )


@feed.get("/search/suggest")
@gate.needs(Permission.READ_PEOPLE)
def suggest() -> ResponseReturnValue:
    """The best few hits as JSON, for the box under the search field."""
    words, wrong = asked()
    if wrong:
        return flask.jsonify(error=wrong), 422
    return flask.jsonify(groups=[asdict(group) for group in found(words, most=FEW)])


def asked() -> tuple[str, str]:
    """The words, and what is wrong with them."""
    words = " ".join(flask.request.args.get("q", "").split())
    return words, UNTYPEABLE if not words.isprintable() else TOO_LONG if len(words) > LONGEST_SEARCH else ""


def found(words: str, *, most: int) -> list[Group]:
    """What the viewer may see of it. One record that is meant exactly leaves no question, so nothing else is looked for."""
    if not words:
        return []
    exact = _exactly(words)
    if exact:
        return [Group("Exactly this", exact, is_exact=True)]
    groups = (
        Group("Pages and actions", _pages(words)[:most]),
        Group("People", _people(words, most)),
        Group("Plans", _titled(Plan, Plan.name, words, most)),
        Group("Open tasks", _titled(Task, Task.title, words, most, Task.status == TaskStatus.OPEN)),
    )
    return [group for group in groups if group.hits]


def _exactly(words: str) -> list[Hit]:
    """Records by reference, id, e-mail address or the provider's number of a payment; each is an index away."""
    records = _by_key(words)
    desks = _desks()
    if not records and "payments" in desks:
        number = and_(Payment.provider.in_(list(PaymentProvider)), Payment.external_reference == words)
        records = list(session().scalars(select(Payment).where(number).limit(MORE)))  # uq_payments_external_reference
    if not records and "@" in words and "users" in desks and gate.may(Permission.READ_CONTACTS):
        person = person_by_email(session(), words)
        records = [person] if person else []
    return [_hit(record) for record in records]


def _by_key(words: str) -> list[Any]:
    """One statement over all desks."""
    wanted: str | UUID | None = words.upper() if REFERENCE.fullmatch(words) else _id(words)
    if wanted is None:
        return []
    column = "id" if isinstance(wanted, UUID) else "reference"
    desks = [desk for desk in _desks().values() if hasattr(desk.model, column)]
    asked_of = [
        desk.scope(select(literal(table).label("table"), desk.model.id).where(getattr(desk.model, column) == wanted))
        for table, desk in _desks().items()
        if desk in desks and isinstance(desk.model.id.type, type(User.id.type))
    ]
    rows = session().execute(union_all(*asked_of)).all() if asked_of else []
    return [record for table, key in rows if (record := session().get(_desks()[table].model, key)) is not None]


def _id(words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        return None


def _desks() -> dict[str, Desk]:
    """By table: the desks on which records are shown, and which the viewer may open."""
    console = flask.current_app.extensions["admin"][0]
    return {
        desk.model.__tablename__: desk
        for desk in console.desks.values()
        if gate.may(desk.permission) and show.desk_endpoints.get(desk.model.__tablename__) == desk.endpoint_name
    }


def _hit(record: Any) -> Hit:
    table = record.__tablename__
    desk = _desks()[table]
    return Hit(str(desk.page_title(record)), show.record_url(table, record.id) or "", _note(record, desk))


def _note(record: Any, desk: Desk) -> str:
    """Enough to tell two of the same name apart."""
    if isinstance(record, User):
        parts = [
            show.word(record.role),
            record.reference,
            show.email(record) if record.email else "",
            "" if record.is_active else "deactivated",
        ]
    else:
        student = getattr(record, "student", None)
        state = getattr(record, "status", "")
        parts = [desk.one, show.word(state), student.full_name if student else ""]
    return " · ".join(str(part) for part in parts if part)


def _people(words: str, most: int) -> list[Hit]:
    if "users" not in _desks():
        return []
    people = people_called(session(), words, limit=most, by_contact=gate.may(Permission.READ_CONTACTS))
    return [_hit(person) for person in people]


def _titled(model: Any, column: Any, words: str, most: int, *conditions: Any) -> list[Hit]:
    """Records with every word in their title, the newest first."""
    if model.__tablename__ not in _desks() or max(map(len, words.split())) < INDEXED:
        return []
    every_word = [column.ilike(f"%{escaped(word)}%", escape="\\") for word in words.split()]
    query = select(model).where(*every_word, *conditions).order_by(model.id.desc()).limit(most)
    return [_hit(record) for record in session().scalars(query)]


def _pages(words: str) -> list[Hit]:
    """Pages and actions whose title has words that begin like these; then those that are also called so."""
    typed = words.lower().split()
    ranked = []
    for title, url, also in _titles():
        in_title, anywhere = title.lower().split(), f"{title} {also}".lower().split()
        by_title = all(any(word.startswith(each) for word in in_title) for each in typed)
        if by_title or (
            len(words) >= ENOUGH and all(any(word.startswith(each) for word in anywhere) for each in typed)
        ):
            ranked.append(((not title.lower().startswith(words.lower()), not by_title), Hit(title, url)))
    return [hit for _, hit in sorted(ranked, key=lambda each: each[0])]


def _titles() -> Iterator[tuple[str, str, str]]:
    """Title, address and other names of what the viewer may open without a record."""
    seen = set()
    actions = [page.endpoint for page in commands.pages if page.record is None and not isinstance(page, AboutCommand)]
    for endpoint in [*navigation.endpoints(), *actions]:
        if endpoint not in seen and navigation.may_open(endpoint):
            yield gate.view_of(endpoint).title, flask.url_for(endpoint), ALSO_CALLED.get(endpoint, "")
        seen.add(endpoint)


def _lists(words: str) -> list[Hit]:
    """The lists that can be searched for the same words."""
    searchable = [desk for desk in _desks().values() if desk.search_words]
    return [Hit(desk.title, flask.url_for(f"{desk.endpoint_name}.index_view", search=words)) for desk in searchable]
