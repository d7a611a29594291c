"""Statements of teachers: the round of a month, each statement with its lines and files, approval and other work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy import literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import selectinload

from guitaronline import statement_files
from guitaronline.actor import Actor
from guitaronline.admin import books, forms, gate, plain, show
from guitaronline.admin.base import Column, ConsolePage, Desk
from guitaronline.admin.command_page import Button, CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.filters import Dates, Person, people_matching, reference_is
from guitaronline.admin.record_page import Figure, Page, Section, facts, rows, whole
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.finance import months, service, statements
from guitaronline.finance.months import Month
from guitaronline.finance.pay import Line, Preview
from guitaronline.finance.statement_models import LineKind, StatementLine, TeacherStatement
from guitaronline.finance.statements import OfTeacher
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import Money
from guitaronline.teachers.models import TeacherProfile

TEACHERS_SHOWN = 50
LINES_SHOWN = 400  # more lessons than a teacher gives in a month
KINDS = {LineKind.WORK: "other work", LineKind.DEDUCTION: "deduction"}
HEADINGS = ("Kind", "Day", "What", "Amount")


def total_words(totals: Mapping[str, int]) -> Any:
    return show.joined(show.money(minor, code) for code, minor in totals.items())


# For each currency its sum, of the statement of the row. uq_statement_lines_position
TOTALS = literal_column(
    "(SELECT jsonb_object_agg(currency, total) FROM (SELECT currency, sum(amount_minor) AS total FROM statement_lines"
    " WHERE statement_id = teacher_statements.id GROUP BY currency) t)",
    JSONB,
)


def _plain_totals(totals: dict[str, int]) -> str:
    return ", ".join(str(Money(int(minor), code)) for code, minor in sorted(totals.items()))


class StatementsDesk(Desk):
    model_of = TeacherStatement
    path = "teacher-statements"
    title = "Teacher statements"
    one = "Statement"
    permission = Permission.READ_STATEMENTS
    intro = "What teachers got month by month. An approved month is locked; corrections stand on a later statement."
    empty = "No statement is approved yet. Look at the round of a month."
    search_words = "TST-… or teacher"
    columns = (
        Column("reference", "Statement", show.link),
        Column("teacher", "Teacher", lambda each: show.link(each.teacher)),
        Column("month", "Month", lambda each: Month(each.month).words(), sort=TeacherStatement.month),
        Column("total", "Total", lambda each: total_words(flask.g.statement_totals[each.id]), is_number=True),
        Column("id", "Approved", lambda each: show.stamp(each.approved_at), sort=TeacherStatement.id),
    )
    filters = (
        Person("teacher", "Teacher", TeacherStatement.teacher_id),
        Dates("month", "Month", TeacherStatement.month, is_past=True),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "reference": plain.words(TeacherStatement.reference),
        "teacher": plain.words(plain.of(User.full_name, TeacherStatement.teacher_id)),
        "month": (plain.Plain((TeacherStatement.month,)),),
        "total": (plain.Plain((TOTALS,), _plain_totals),),
        "id": plain.moment(TeacherStatement.approved_at),
    }
    default_order = (TeacherStatement.id, True)
    load = (selectinload(TeacherStatement.teacher),)

    def search_clauses(self, words: str) -> list[Any]:
        return reference_is(TeacherStatement.reference, words) or [
            TeacherStatement.teacher_id.in_(people_matching(words))
        ]

    def prepare_rows(self, rows: list[Any]) -> None:
        flask.g.statement_totals = statements.totals_of(session(), [each.id for each in rows])

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [Button("Round of a month", flask.url_for("desk_statement-round.index"), None, "primary")]}

    def record_page(self, statement: Any) -> dict[str, Any]:
        approver = session().get(User, statement.approved_by)
        totals = statements.totals_of(session(), [statement.id])[statement.id]
        found = facts(
            ("Teacher", show.link(statement.teacher)),
            ("Month", Month(statement.month).words()),
            ("Approved by", show.link(approver)),
            ("Approved", show.when(statement.approved_at)),
        )
        figures = [Figure(f"Total in {code}", show.money(minor, code)) for code, minor in totals.items()]
        page = Page(found, sections=[_lines(statement)], figures=figures, also=[_file_button(statement)])
        return whole(statement, page)


def _file_button(statement: TeacherStatement) -> Button:
    return Button("Files: CSV, PDF", flask.url_for("books.statement_page", id=statement.id), None, "primary")


def _lines(statement: TeacherStatement) -> Section:
    lines = statements.lines_of(session(), statement.id)[:LINES_SHOWN]
    table = rows(
        lines,
        lambda each: show.word(each.kind),
        lambda each: show.day(each.day),
        _what,
        lambda each: show.money(each.amount_minor, each.currency),
    )
    return Section("Lines", HEADINGS, table)


def _what(line: StatementLine | Line) -> Any:
    return show.link_to("lessons", line.lesson_id, line.words) if line.lesson_id else line.words


# Files: the page prints well, and the same page is the PDF


@books.blueprint.get("/teacher-statements/<uuid:id>/files")
@gate.needs(Permission.READ_STATEMENTS)
def statement_page(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """The statement as it prints."""
    found = statement_files.sheet_of(_statement(id))
    return flask.render_template("admin/statement_print.html", sheet=found)


@books.blueprint.post("/teacher-statements/<uuid:id>/files")
@gate.needs(Permission.READ_STATEMENTS)
def statement_file(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """CSV or PDF; who took it is written down before a byte leaves."""
    return statement_files.answer(gate.viewer().actor, _statement(id), flask.request.form.get("kind", ""))


def _statement(statement_id: UUID) -> TeacherStatement:
    desk: StatementsDesk = gate.view_of("desk_teacher-statements.index_view")
    found: TeacherStatement = desk.get_one(statement_id)
    return found


class StatementRound(ConsolePage):
    """Whom the school has to pay for a month, and who is paid already."""

    path = "statement-round"
    title = "Round of a month"
    permission = Permission.READ_STATEMENTS

    def page(self) -> Any:
        month = books.asked_month(flask.request.args.get("month"), months.month_of(gate.now()).before())
        after = _place(flask.request.args.get("name"), flask.request.args.get("after"))
        found = statements.round_of(session(), month, after=after, limit=TEACHERS_SHOWN + 1)
        shown = found[:TEACHERS_SHOWN]
        profiles = _profiles(each.teacher_id for each in shown)
        last = shown[-1] if len(found) > TEACHERS_SHOWN else None
        return self.render(
            "admin/statement_round.html",
            month=month,
            months=books.months_offered(),
            is_over=month.is_over(gate.now()),
            rows=[_row(each, profiles[each.teacher_id], month) for each in shown if each.teacher_id in profiles],
            more_url=flask.url_for(".index", month=month.written(), name=last.full_name, after=last.teacher_id)
            if last
            else None,
            zone=months.zone().key,
        )


def _row(of: OfTeacher, profile: TeacherProfile, month: Month) -> list[Any]:
    if of.statement is not None:
        state = show.chip("approved", "locked")
        return [show.link(profile), state, "", total_words(of.totals), show.link(of.statement)]
    assert of.preview is not None
    approve = button_of(commands.named(ApproveStatement), profile, month=month.written())
    extra = button_of(commands.named(AddExtra), profile, month=month.written())
    links = show.joined(each for each in (show.action_link(approve), show.action_link(extra)) if each)
    return [show.link(profile), show.chip("open"), _waits(of.preview), total_words(of.totals), links]


def _waits(found: Preview) -> str:
    said = [
        (len(found.lines), "line", "lines"),
        (len(found.open_lessons), "lesson without an outcome", "lessons without an outcome"),
        (len(found.without_rate), "lesson without a rate", "lessons without a rate"),
    ]
    return ", ".join(f"{number} {one if number == 1 else more}" for number, one, more in said if number)


def _profiles(teacher_ids: Iterable[UUID]) -> dict[UUID, TeacherProfile]:
    query = select(TeacherProfile).where(TeacherProfile.user_id.in_(list(teacher_ids)))
    return {each.user_id: each for each in session().scalars(query)}


def _place(name: str | None, after: str | None) -> tuple[str, UUID] | None:
    """Where the next page begins; the first one for what means nothing."""
    found = forms.id_or_none(after)
    return (name, found) if name is not None and name.isprintable() and found is not None else None


class OfMonth(CommandPage):
    """A command about a teacher's month, which the link names."""

    record = TeacherProfile
    permission = Permission.KEEP_BOOKS
    is_rare = True

    def prepare(self, form: Any, record: Any) -> None:
        chosen = self.month_in(form)
        offered = sorted({*books.months_offered(), chosen}, reverse=True)
        form.month.choices = forms.choices((each.written(), each.words()) for each in offered)
        form.month.data = form.month.data or chosen.written()

    def month_in(self, form: Any) -> Month:
        """The one that was chosen, or the last one that is over."""
        try:
            return months.read(form.month.data or "")
        except ValueError:
            return books.months_offered()[1]


class ApproveForm(forms.CommandForm):
    linkable = frozenset({"month"})
    month = forms.choice("Month", ())
    seen = forms.unseen()
    reason = forms.reason(required=False)


class ApproveStatement(OfMonth):
    path = "teachers/<uuid:id>/statement"
    title = "Approve a statement"
    button = "Approve, and lock the month"
    form = ApproveForm
    looks = "Show the month"
    lead = "Its lines stand from then on; what changes afterwards lands on a later statement."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """The lines as they will stand; they are approved only if they are the same then."""
        month = self.month_in(form)
        found = statements.preview(session(), record.user_id, month)
        form.seen.data = found.digest
        lines = [
            ("Month", f"{month.words()}, on the school's clock ({months.zone().key})"),
            ("Total", total_words(found.totals)),
        ]
        if found.open_lessons:
            words = f"{len(found.open_lessons)}; each stands on a later statement once its outcome is recorded."
            lines.append(("Lessons without an outcome", words))
        table = [
            (show.word(each.kind), show.day(each.day), _what(each), show.money(each.amount_minor, each.currency))
            for each in found.lines[:LINES_SHOWN]
        ]
        return Consequences(lines, table=[HEADINGS, *table] if table else (), blockers=_blockers(found, month))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.approve_statement(
            actor,
            teacher_id=record.user_id,
            month=self.month_in(form),
            seen=form.seen.data or "",
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(
            f"{result.reference} is approved; {Month(result.month).words()} is locked for this teacher.",
            show.record_url("teacher_statements", result.id) or "",
        )


def _blockers(found: Preview, month: Month) -> list[Reason]:
    blockers = []
    if not month.is_over(gate.now()):
        blockers.append(Reason("month_not_over", "The month is not over yet.", "Come back when it is."))
    blockers += [
        Reason("rate_missing", f"{each.reference} on {each.day} has no rate.", "Set a rate first.")
        for each in found.without_rate[:10]
    ]
    if not found.lines and not found.without_rate:
        blockers.append(Reason("nothing_to_pay", "There is nothing on it, or the month is locked already."))
    return blockers


class ExtraForm(forms.CommandForm):
    linkable = frozenset({"month"})
    month = forms.choice("On the statement of", ())
    kind = forms.choice("What", [(each.value, words) for each, words in KINDS.items()])
    amount = forms.amount("Amount")
    currency = forms.currency()
    reason = forms.reason(help="Stands on the statement: write what the teacher should read.")


class AddExtra(OfMonth):
    path = "teachers/<uuid:id>/extra"
    title = "Other work or deduction"
    button = "Write it down"
    form = ExtraForm
    lead = "Stands on the statement when that is approved. It stays written; a mistake is put right by its opposite."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.add_extra(
            actor,
            teacher_id=record.user_id,
            month=self.month_in(form),
            kind=form.kind.data,
            amount_minor=form.amount.minor(form.currency.data),
            currency=form.currency.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        month = Month(result.month)
        words = f"It will stand on the statement of {month.words()}."
        return Done(words, flask.url_for("desk_statement-round.index", month=month.written()))


commands.add(ApproveStatement, AddExtra)
