"""Rates of teachers, from a day on, with their history."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import selectinload
from wtforms.validators import InputRequired

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, plain, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.filters import Choice, Dates, Person, people_matching
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.db import session
from guitaronline.finance import months, rates, service
from guitaronline.finance.statement_models import RateUnit, TeacherRate
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.teachers.models import TeacherProfile

UNITS = {RateUnit.LESSON: "a lesson", RateUnit.HOUR: "an hour, by the minute"}


def rate_words(rate: TeacherRate) -> Any:
    return show.html(
        "{} {}", show.money(rate.amount_minor, rate.currency), "a lesson" if rate.unit is RateUnit.LESSON else "an hour"
    )


def length_words(rate: TeacherRate) -> str:
    return f"{rate.lesson_minutes} min" if rate.lesson_minutes else "any other"


def is_held(rate: TeacherRate) -> bool:
    """Whether it holds today or later."""
    return rate.valid_until is None or rate.valid_until > months.day_of(gate.now())


class RatesDesk(Desk):
    model_of = TeacherRate
    path = "rates"
    title = "Rates"
    one = "Rate of"
    permission = Permission.READ_STATEMENTS
    empty = "No teacher has a rate yet. Set one from a teacher's page."
    search_words = "Teacher"
    columns = (
        Column("teacher", "Teacher", lambda each: show.link(each, each.teacher.full_name)),
        Column("lesson_minutes", "Lessons of", length_words, is_number=True),
        Column("amount_minor", "Rate", rate_words, is_number=True),
        Column("valid_from", "From", lambda each: show.day(each.valid_from), sort=TeacherRate.valid_from),
        Column("valid_until", "Until before", lambda each: show.day(each.valid_until)),
        Column("id", "Set", lambda each: show.stamp(each.created_at), sort=TeacherRate.id, is_default=False),
    )
    filters = (
        Person("teacher", "Teacher", TeacherRate.teacher_id),
        Choice(
            "open",
            "Without an end",
            ["yes", "no"],
            lambda value: TeacherRate.valid_until.is_(None) if value == "yes" else TeacherRate.valid_until.is_not(None),
        ),
        Dates("from", "From", TeacherRate.valid_from),
    )
    exported = {  # noqa: RUF012  # as of every desk
        "teacher": plain.words(plain.of(User.full_name, TeacherRate.teacher_id)),
        "lesson_minutes": plain.number(TeacherRate.lesson_minutes),
        "amount_minor": (
            *plain.amount(TeacherRate.amount_minor, TeacherRate.currency, label="Rate"),
            *plain.word(TeacherRate.unit, label="For"),
        ),
        "valid_from": (plain.Plain((TeacherRate.valid_from,)),),
        "valid_until": (plain.Plain((TeacherRate.valid_until,)),),
        "id": plain.moment(TeacherRate.created_at),
    }
    default_order = (TeacherRate.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(TeacherRate.teacher),)
    page_title = staticmethod(lambda each: each.teacher.full_name)

    def search_clauses(self, words: str) -> list[Any]:
        return [TeacherRate.teacher_id.in_(people_matching(words))]

    def record_page(self, rate: Any) -> dict[str, Any]:
        found = facts(
            ("Teacher", show.link(rate.teacher)),
            ("Lessons of", length_words(rate)),
            ("Rate", rate_words(rate)),
            ("From", show.day(rate.valid_from)),
            ("Until before", show.day(rate.valid_until)),
        )
        return whole(rate, Page(found))


class RateForm(forms.CommandForm):
    amount = forms.amount("Rate")
    currency = forms.currency()
    unit = forms.choice("For", [(each.value, words) for each, words in UNITS.items()])
    lesson_minutes = forms.number(
        "Lessons of, minutes",
        least=15,
        most=240,
        required=False,
        help="Empty: of any length without a rate of its own.",
    )
    valid_from = forms.DateField(
        "From", validators=[InputRequired("Say from which day on.")], description="A day of the school's calendar."
    )
    reason = forms.reason(required=False)


class SetRate(CommandPage):
    record = TeacherProfile
    path = "teachers/<uuid:id>/rate"
    title = "Set a rate"
    button = "Save"
    permission = Permission.KEEP_BOOKS
    form = RateForm
    is_rare = True
    lead = "The rate before ends on that day; lessons before it keep it."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        found = rates.rates_of(session(), record.user_id)
        table = [
            (length_words(each), rate_words(each), show.day(each.valid_from), show.day(each.valid_until))
            for each in found
        ]
        return Consequences(table=[("Lessons of", "Rate", "From", "Until before"), *table] if table else ())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_rate(
            actor,
            teacher_id=record.user_id,
            amount_minor=form.amount.minor(form.currency.data),
            currency=form.currency.data,
            unit=form.unit.data,
            lesson_minutes=form.lesson_minutes.data,
            valid_from=form.valid_from.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(
            f"The rate holds from {result.valid_from.isoformat()} on.",
            show.record_url("teacher_rates", result.id) or "",
        )


class EndForm(forms.CommandForm):
    valid_until = forms.DateField("Holds no more from", validators=[InputRequired("Say from which day on.")])
    reason = forms.reason()


class EndRate(CommandPage):
    record = TeacherRate
    path = "rates/<uuid:id>/end"
    title = "End the rate"
    tone = "danger"
    permission = Permission.KEEP_BOOKS
    form = EndForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Holds from", show.day(record.valid_from)),
                ("Until before", show.day(record.valid_until)),
                ("Lessons after that", "Have no rate, until another one is set; a statement with such lessons waits."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        return None if is_held(record) else "It has ended already."

    def back(self, record: Any) -> tuple[str, str]:
        return f"Rate of {record.teacher.full_name}", show.record_url("teacher_rates", record.id) or ""

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.end_rate(actor, record.id, valid_until=form.valid_until.data, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(
            f"The rate ends before {result.valid_until.isoformat()}.",
            show.record_url("teacher_rates", result.id) or "",
        )


commands.add(SetRate, EndRate)
