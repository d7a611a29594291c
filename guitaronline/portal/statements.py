"""The teacher's own statements: what the school pays for each month."""

from __future__ import annotations

from uuid import UUID

import flask
from flask.typing import ResponseReturnValue

from guitaronline import statement_files
from guitaronline.db import session
from guitaronline.finance import statements as books
from guitaronline.finance.statement_models import TeacherStatement
from guitaronline.identity.access import Permission
from guitaronline.money import Money
from guitaronline.portal import queries
from guitaronline.portal.gate import page
from guitaronline.signed_in import viewer


@page("/statements", Permission.READ_STATEMENTS)
def statements() -> ResponseReturnValue:
    found = books.statements_of(session(), viewer().id)
    totals = books.totals_of(session(), [each.id for each in found])
    told = [(each, [Money(minor, code) for code, minor in totals[each.id].items()]) for each in found]
    return flask.render_template("portal/statements.html", statements=told)


@page("/statements/<uuid:id>", Permission.READ_STATEMENTS)
def statement(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    return flask.render_template("portal/statement.html", sheet=statement_files.sheet_of(_own(id)))


@page("/statements/<uuid:id>", Permission.READ_STATEMENTS, "POST")
def statement_file(id: UUID) -> ResponseReturnValue:  # noqa: A002
    """CSV or PDF; that it was taken is written down."""
    return statement_files.answer(viewer().actor, _own(id), flask.request.form.get("kind", ""))


def _own(statement_id: UUID) -> TeacherStatement:
    return queries.own_statement(session(), viewer().id, statement_id)
