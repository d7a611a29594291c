"""Outcome and report of a lesson, and the lessons taught, month by month."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from wtforms import SubmitField

from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.errors import DomainError, NotFound
from guitaronline.identity.access import Permission
from guitaronline.lessons import rules, service
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide
from guitaronline.portal import fields, queries, times
from guitaronline.portal.bookings import booking_page
from guitaronline.portal.doing import carry_out
from guitaronline.portal.gate import page
from guitaronline.portal.today import cards_of
from guitaronline.signed_in import now, viewer

A_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
SIDES = (
    (NoShowSide.STUDENT, "The student did not come"),
    (NoShowSide.TECHNICAL, "A technical failure"),
    (NoShowSide.TEACHER, "I could not give it"),
)


def _with_lesson(booking_id: UUID) -> tuple[Booking, Lesson]:
    found = queries.own_booking(session(), viewer().id, booking_id)
    if found.lesson is None:
        raise NotFound()
    return found, found.lesson


@page("/bookings/<uuid:id>/taken", Permission.RECORD_OUTCOME, "POST")
def taken(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    """The first of two clicks; the report, which may be left empty, is the second."""
    found, lesson = _with_lesson(id)
    form = fields.CommandForm()
    return carry_out(
        form,
        lambda: service.complete_lesson(viewer().actor, lesson.id),
        record=lesson,
        to=lambda _: flask.url_for("portal.report", id=id, then="today"),
        say=lambda _: f"Taken: {found.student.full_name}. Was it a mistake? The school can correct it.",
        again=lambda refusal: booking_page(found, refusal),
    )


class NotTakenForm(fields.CommandForm):
    reason = fields.reason(required=False, help="For the school; may stay empty.")
    side = SubmitField()  # which of the buttons was pressed


@page("/bookings/<uuid:id>/not-taken", Permission.RECORD_OUTCOME, "GET", "POST")
def not_taken(id: UUID) -> ResponseReturnValue:  # noqa: A002
    found, lesson = _with_lesson(id)
    form = NotTakenForm.about(lesson)

    def again(refusal: DomainError | None = None) -> str:
        costs = [(side, words, rules.costs_a_lesson(LessonStatus.NO_SHOW, side)) for side, words in SIDES]
        return flask.render_template(
            "portal/not_taken.html",
            booking=found,
            when=times.stretch(found.start_at, found.end_at),
            form=form,
            refusal=refusal,
            sides=costs,
            problems=rules.outcome_problems(lesson, now()),
        )

    if flask.request.method == "GET":
        return again()
    side = flask.request.form.get("side", "")
    return carry_out(
        form,
        lambda: service.mark_no_show(viewer().actor, lesson.id, side=side, reason=form.reason.data),
        record=lesson,
        to=lambda _: flask.url_for("portal.today"),
        say=lambda _: f"Recorded for {found.student.full_name}. Was it a mistake? The school can correct it.",
        again=again,
    )


class ReportForm(fields.CommandForm):
    topic = fields.line("Topic")
    notes = fields.paragraph("Notes for the student")
    homework = fields.paragraph("Homework", rows=2)
    private_note = fields.paragraph("Private note", help="For you and the school only.", rows=2)
    links = fields.paragraph("Links", help="One a line, beginning with https://.", rows=2)


@page("/bookings/<uuid:id>/report", Permission.RECORD_OUTCOME, "GET", "POST")
def report(id: UUID) -> ResponseReturnValue:  # noqa: A002
    found, lesson = _with_lesson(id)
    texts = {name: getattr(lesson, name) for name in rules.TEXTS}
    form = ReportForm.about(lesson, **texts, links="\n".join(lesson.links))
    then = flask.request.args.get("then") == "today"

    def again(refusal: DomainError | None = None) -> str:
        return flask.render_template(
            "portal/report.html",
            booking=found,
            when=times.stretch(found.start_at, found.end_at),
            form=form,
            refusal=refusal,
            back=flask.url_for("portal.today") if then else flask.url_for("portal.booking", id=id),
        )

    if flask.request.method == "GET":
        return again()
    changes = {name: form[name].data for name in rules.TEXTS} | {"links": (form.links.data or "").split()}
    return carry_out(
        form,
        lambda: service.edit_report(viewer().actor, lesson.id, changes=changes),
        record=lesson,
        to=_after_report(id, then),
        say=lambda _: f"The report for {found.student.full_name} is saved.",
        again=again,
    )


def _after_report(booking_id: UUID, then: bool) -> Callable[[Any], str]:
    return lambda _: flask.url_for("portal.today") if then else flask.url_for("portal.booking", id=booking_id)


@page("/lessons", Permission.READ_BOOKINGS)
def lessons() -> ResponseReturnValue:
    first = _asked_month(flask.request.args.get("month"))
    after = (first + 31 * times.DAY).replace(day=1)
    found = queries.lessons_between(session(), viewer().id, times.midnight(first), min(times.midnight(after), now()))
    return flask.render_template(
        "portal/lessons.html",
        month=first,
        months=queries.months_taught(session(), viewer().id, zone=viewer().timezone, now=now()),
        cards=cards_of(found[::-1]),
    )


def _asked_month(given: str | None) -> date:
    if given and A_MONTH.fullmatch(given):
        return date(int(given[:4]), int(given[5:]), 1)
    return times.today().replace(day=1)
