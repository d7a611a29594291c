"""Two records of one person: side by side, merged, and taken back; and pairs that look alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, Days, Person, reference_is
from guitaronline.admin.plain import moment, number, of, word, words
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.db import session
from guitaronline.errors import Invalid
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.office.merge_models import DuplicatePair, Likeness, PersonMerge
from guitaronline.office.merging import judging
from guitaronline.office.merging.finding import dismiss_pair, find_duplicates
from guitaronline.office.merging.merging import merge_people
from guitaronline.office.merging.undoing import undo_merge, what_returns

LABELS = {
    "full_name": "Name",
    "email": "E-mail",
    "phone": "Phone",
    "timezone": "Time zone",
    "language": "Language",
    "instrument": "Instrument",
    "level": "Level",
}
WHY = {Likeness.PHONE: "same name and phone number", Likeness.GUARDIAN: "same name and guardian"}
STAYS, GOES = "stays", "goes"


def _which(label: str) -> Any:
    return forms.choice(label, [(STAYS, "of the record that stays"), (GOES, "of the record that goes")])


class MergeForm(forms.CommandForm):
    linkable = frozenset({"find", "other_id"})
    find = people_picker.find("Which record is given up? Name, e-mail or USR-…")
    other_id = people_picker.chosen("Record that goes")
    seen = forms.unseen()
    use_full_name = _which("Name")
    use_email = _which("E-mail")
    use_phone = _which("Phone")
    use_timezone = _which("Time zone")
    use_language = _which("Language")
    use_instrument = _which("Instrument")
    use_level = _which("Level")
    reason = forms.reason()


class MergePerson(CommandPage):
    record = User
    path = "people/<uuid:id>/merge"
    title = "Merge another record into this one"
    button = "Merge"
    is_rare = True
    permission = Permission.ADMINISTER
    form = MergeForm
    looks = "Look at both"
    tone = "danger"
    needs_step_up = True
    lead = "For somebody who is here twice. This record stays; the other one becomes a pointer to it and can no longer sign in."

    def concerns(self, record: Any) -> bool:
        return record.role is Role.STUDENT and record.merged_into_id is None

    def refused_because(self, record: Any) -> str | None:
        if record.role is not Role.STUDENT:
            return "Only students are merged."
        return None if record.merged_into_id is None else "It was merged into another record."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.other_id, form.find.data, role=Role.STUDENT, without=record.id)
        other = _other(form)
        differing = judging.differing(record, other) if other else []
        proposed = judging.proposed(record, other) if other else set()
        for name in LABELS:
            field = form[f"use_{name}"]
            if name not in differing:
                del form[f"use_{name}"]
                continue
            field.choices = forms.choices(
                [(STAYS, f"{_value(record, name)} (stays)"), (GOES, f"{_value(other, name)} (from the other)")]
            )
            if not field.raw_data:
                field.data = GOES if name in proposed else STAYS
        if other and (not form.seen.raw_data or "look" in flask.request.form):
            form.seen.raw_data, form.seen.data = None, _mark(other)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        other = _other(form)
        if other is None:
            return Consequences([("First", "Look for the record that is given up, choose it, and look at both.")])
        heading = ("", f"Stays: {record.reference}", f"Goes: {other.reference}")
        said = [(LABELS[name], _value(record, name), _value(other, name)) for name in judging.FIELDS]
        return Consequences(
            lines=[
                ("Goes", show.link(other, f"{other.full_name} {other.reference}")),
                *_moving(record, other),
                (
                    "Sign-in",
                    "With the address and password of the record that stays. The other is signed out everywhere.",
                ),
                ("Stays as it is", "Invoices, the ledger, notes and the history: they say what was true then."),
                ("Back", f"Can be undone for {judging.UNDO_DAYS} days, as far as nothing was built on it."),
            ],
            table=[heading, *said],
            blockers=judging.merge_problems(session(), record, other),
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        other_id = people_picker.picked(form.other_id)
        seen_id, _, version = (form.seen.data or "").partition("/")
        if seen_id != str(other_id) or not version.isdigit():
            raise Invalid("Look at both first, then merge.")
        take = [name for name in LABELS if f"use_{name}" in form and form[f"use_{name}"].data == GOES]
        return merge_people(
            actor, record.id, loser_id=other_id, take=take, loser_version=int(version), reason=form.reason.data
        )

    def done(self, result: Any) -> Done:
        words = f"The two are one: {result.rows_moved} rows moved. {result.reference} says which."
        return Done(words, show.record_url("users", result.winner_id) or "")


def _mark(person: User) -> str:
    return f"{person.id}/{person.version}"


def _other(form: Any) -> User | None:
    other_id = people_picker.id_of(form.other_id)
    return session().get(User, other_id) if other_id else None


def _value(person: Any, name: str) -> Any:
    """As the viewer may see it."""
    masked = {"email": show.email, "phone": show.phone}
    return masked[name](person) if name in masked else show.text(getattr(person, name))


def _moving(record: User, other: User) -> list[tuple[str, Any]]:
    found = judging.what_moves(session(), record, other)
    moves = _counts((each.place.words, each.moves) for each in found)
    stays = _counts((each.place.words, each.stays) for each in found)
    lines: list[tuple[str, Any]] = [("Moves", moves or "nothing: the record has nothing")]
    return [*lines, ("Is there already", stays)] if stays else lines


def _counts(kinds: Iterable[tuple[str, int]]) -> str:
    return "; ".join(f"{words}: {number}" for words, number in kinds if number)


class MergesDesk(Desk):
    model_of = PersonMerge
    path = "merges"
    title = "Merged people"
    one = "Merge"
    permission = Permission.READ_PEOPLE
    intro = "Records that turned out to be one person."
    empty = "Nobody was merged yet."
    search_words = "MRG-…"
    columns = (
        Column("reference", "Merge", show.link),
        Column("loser", "Went", lambda each: show.link(each.loser, each.loser.full_name or each.loser.reference)),
        Column("winner", "Stays", lambda each: show.link(each.winner, each.winner.full_name or each.winner.reference)),
        Column("rows_moved", "Rows moved", lambda each: str(each.rows_moved), is_number=True),
        Column("id", "Merged", lambda each: show.stamp(each.created_at), sort=PersonMerge.id),
        Column("undone_at", "Undone", lambda each: show.stamp(each.undone_at)),
    )
    filters = (
        Choice(
            "stands",
            "State",
            ["stands", "undone"],
            lambda value: PersonMerge.undone_at.is_(None) if value == "stands" else PersonMerge.undone_at.is_not(None),
        ),
        Days("merged", "Merged", PersonMerge.created_at, is_past=True),
        Person("person", "Stays", PersonMerge.winner_id),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "reference": words(PersonMerge.reference),
        "loser": words(of(User.reference, PersonMerge.loser_id)),
        "winner": words(of(User.reference, PersonMerge.winner_id)),
        "rows_moved": number(PersonMerge.rows_moved),
        "id": moment(PersonMerge.created_at),
        "undone_at": moment(PersonMerge.undone_at),
    }
    default_order = (PersonMerge.id, True)
    load = (selectinload(PersonMerge.winner), selectinload(PersonMerge.loser))
    row_actions = staticmethod(buttons_of)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return reference_is(PersonMerge.reference, words) or [PersonMerge.reference == words]

    def record_page(self, merge: Any) -> dict[str, Any]:
        page = Page(
            facts(
                ("Went", show.link(merge.loser, f"{merge.loser.full_name} {merge.loser.reference}")),
                ("Stays", show.link(merge.winner, f"{merge.winner.full_name} {merge.winner.reference}")),
                ("Taken over", ", ".join(LABELS[name] for name in merge.fields)),
                ("Rows moved", str(merge.rows_moved)),
                ("Merged", show.when(merge.created_at)),
                ("Undone", show.when(merge.undone_at)),
                ("Rows that went back", None if merge.rows_back is None else str(merge.rows_back)),
            ),
            state=show.chip("undone" if merge.undone_at else "stands"),
        )
        return whole(merge, page)


class UndoMerge(CommandPage):
    record = PersonMerge
    path = "merges/<uuid:id>/undo"
    title = "Undo the merge"
    tone = "danger"
    permission = Permission.ADMINISTER
    form = forms.ReasonForm
    needs_step_up = True

    def refused_because(self, record: Any) -> str | None:
        return "It was undone already." if record.undone_at else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        found = what_returns(session(), record)
        back = _counts((each.place.words, len(each.back)) for each in found.rows)
        stays = _counts((each.place.words, each.stays) for each in found.rows)
        changed = ", ".join(LABELS[name] for name in found.fields_changed)
        lines: list[tuple[str, Any]] = [
            ("Goes back", back or "nothing"),
            ("Fields that go back", ", ".join(LABELS[name] for name in found.fields) or "none"),
            ("Sign-in", "Both may sign in as before the merge; who was signed out signs in anew."),
        ]
        if found.built_on:
            lines.append(("Stays, for something was booked or paid on it since", ", ".join(found.built_on)))
        if stays:
            lines.append(("Stays, for it changed since", stays))
        if changed:
            lines.append(("Fields that say something else since", changed))
        return Consequences(lines, blockers=judging.undo_problems(session(), record, gate.now()))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return undo_merge(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        words = f"{result.reference} is undone: {result.rows_back} of {result.rows_moved} rows went back."
        return Done(words, show.record_url("person_merges", result.id) or "")


def _merge_link(pair: DuplicatePair) -> Button:
    page = commands.named(MergePerson)
    return button_of(page, pair.first, other_id=pair.second_id, find=pair.second.reference)


class DuplicatesDesk(Desk):
    model_of = DuplicatePair
    path = "duplicates"
    title = "Possible duplicates"
    one = "Pair"
    permission = Permission.EDIT_PEOPLE
    intro = "Students who may be one person. They are looked for every night; nothing happens by itself."
    empty = "Nobody seems to be here twice."
    columns = (
        Column("first", "Older record", lambda pair: show.link(pair.first, _named(pair.first))),
        Column("second", "Newer record", lambda pair: show.link(pair.second, _named(pair.second))),
        Column("why", "Why", lambda pair: show.link_to("duplicate_pairs", pair.id, WHY[pair.why])),
        Column("id", "Found", lambda pair: show.stamp(pair.created_at), sort=DuplicatePair.id),
        Column("merge", "Merge", lambda pair: show.action_link(_merge_link(pair)) or show.NOTHING),
    )
    filters = (
        Choice("why", "Why", list(Likeness), lambda value: DuplicatePair.why == value),
        Days("found", "Found", DuplicatePair.created_at, is_past=True),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "first": words(of(User.reference, DuplicatePair.first_id)),
        "second": words(of(User.reference, DuplicatePair.second_id)),
        "why": word(DuplicatePair.why),
        "id": moment(DuplicatePair.created_at),
        "merge": moment(DuplicatePair.dismissed_at, label="Said to be two"),
    }
    default_order = (DuplicatePair.id, True)
    load = (selectinload(DuplicatePair.first), selectinload(DuplicatePair.second))
    row_actions = staticmethod(buttons_of)
    page_title = staticmethod(lambda pair: f"{_named(pair.first)} and {_named(pair.second)}")

    def scope(self, query: Any) -> Any:
        """Those that nobody has decided. ix_duplicate_pairs_open"""
        is_merged = select(User.id).where(
            User.id.in_([DuplicatePair.first_id, DuplicatePair.second_id]), User.merged_into_id.is_not(None)
        )
        return query.where(DuplicatePair.dismissed_at.is_(None), ~is_merged.exists())

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(FindDuplicates))]}

    def record_page(self, pair: Any) -> dict[str, Any]:
        page = Page(
            facts(
                ("Older record", show.link(pair.first, _named(pair.first))),
                ("Newer record", show.link(pair.second, _named(pair.second))),
                ("Why", WHY[pair.why]),
                ("Found", show.when(pair.created_at)),
            ),
            also=[_merge_link(pair)],
        )
        return whole(pair, page)


def _named(person: User) -> str:
    return f"{person.full_name} {person.reference}".strip()


class NotSamePerson(CommandPage):
    record = DuplicatePair
    path = "duplicates/<uuid:id>/dismiss"
    title = "Two people"
    button = "They are two people"
    permission = Permission.EDIT_PEOPLE
    form = forms.MaybeReasonForm

    def refused_because(self, record: Any) -> str | None:
        return "Somebody said so already." if record.dismissed_at else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Afterwards", "The pair is not shown again. Both records stay as they are.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return dismiss_pair(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("The pair is not shown again.", flask.url_for("desk_duplicates.index_view"))

    def back(self, record: Any) -> tuple[str, str]:
        return "Possible duplicates", flask.url_for("desk_duplicates.index_view")


class FindDuplicates(CommandPage):
    path = "duplicates/find"
    title = "Look for duplicates now"
    parent = "desk_duplicates.index_view"
    button = "Look now"
    permission = Permission.EDIT_PEOPLE

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Finds", "Students of the same name with the same phone number or guardian.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return find_duplicates(actor)

    def done(self, result: Any) -> Done:
        return Done(f"{result} new pairs.", flask.url_for("desk_duplicates.index_view"))


def merged_facts(person: User) -> list[tuple[str, Any]]:
    """Whose record this is in truth."""
    if person.merged_into_id is None:
        return []
    winner = session().get(User, person.merged_into_id)
    return [("Is", show.html("{}; this record is only a pointer", show.link(winner, _named(winner) if winner else "")))]


def merged_sections(person: User) -> list[Section]:
    """Records that turned out to be this person. ix_person_merges_winner"""
    query = select(PersonMerge).where(PersonMerge.winner_id == person.id, PersonMerge.undone_at.is_(None))
    found = list(session().scalars(query.options(selectinload(PersonMerge.loser)).order_by(PersonMerge.id).limit(10)))
    if not found:
        return []
    table = rows(
        found,
        lambda each: show.link(each.loser, each.loser.reference),
        lambda each: show.stamp(each.created_at),
        show.link,
    )
    return [Section("Merged into this person", ("Record", "Merged", ""), table, is_aside=True)]


commands.add(MergePerson, UndoMerge, NotSamePerson, FindDuplicates)
