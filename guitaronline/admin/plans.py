"""Plans: what can be bought, and for how much from when on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, contains
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing import queries, service
from guitaronline.billing.models import Plan, PlanPrice
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.money import Money

FIELDS = ("name", "lessons_total", "lesson_minutes", "valid_days", "is_trial", "books_breakage")


def plan_state(plan: Plan) -> Any:
    return show.chip("active", "on sale") if plan.is_active else show.chip("withdrawn", "not on sale")


PRICES = Ahead[UUID, PlanPrice]("prices", lambda ids: queries.prices_of(session(), ids))


def plan_price(plan: Plan) -> Any:
    price = PRICES.of(plan.id)
    return show.money(price.amount_minor, price.currency) if price else show.NOTHING


class PlansDesk(Desk):
    model_of = Plan
    path = "plans"
    title = "Plans"
    one = "Plan"
    permission = Permission.READ_SETTINGS
    empty = "Nothing can be bought yet. Create the first plan."
    search_words = "Name"
    columns = (
        Column("name", "Plan", show.link, sort=Plan.name),
        Column("lessons_total", "Lessons", lambda plan: plan.lessons_total, is_number=True),
        Column("lesson_minutes", "Minutes", lambda plan: plan.lesson_minutes or "any", is_number=True),
        Column("valid_days", "Valid for", lambda plan: f"{plan.valid_days} days" if plan.valid_days else "ever"),
        Column("price", "Price", plan_price, is_number=True),
        Column("is_trial", "Trial", lambda plan: show.yes(plan.is_trial), is_default=False),
        Column("books_breakage", "Breakage", lambda plan: show.yes(plan.books_breakage), is_default=False),
        Column("is_active", "State", plan_state),
    )
    filters = (
        Choice("active", "On sale", ["yes", "no"], lambda value: Plan.is_active.is_(value == "yes")),
        Choice("trial", "Trial", ["yes", "no"], lambda value: Plan.is_trial.is_(value == "yes")),
        Choice("breakage", "Breakage", ["yes", "no"], lambda value: Plan.books_breakage.is_(value == "yes")),
    )
    exported = exported.PLANS
    default_order = (Plan.name, False)
    row_actions = staticmethod(buttons_of)

    def prepare_rows(self, rows: list[Any]) -> None:
        PRICES.look(each.id for each in rows)

    def search_clauses(self, words: str) -> list[Any]:
        return [contains(Plan.name, words)]

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(CreatePlan))]}

    def record_page(self, plan: Any) -> dict[str, Any]:
        prices = session().scalars(
            select(PlanPrice).where(PlanPrice.plan_id == plan.id).order_by(PlanPrice.revision.desc()).limit(20)
        )
        table = rows(
            prices, lambda each: show.when(each.created_at), lambda each: show.money(each.amount_minor, each.currency)
        )
        found = facts(
            ("Lessons", plan.lessons_total),
            ("Lesson length", f"{plan.lesson_minutes} min" if plan.lesson_minutes else "any"),
            ("Valid for", f"{plan.valid_days} days" if plan.valid_days else "ever"),
            ("Trial", show.yes(plan.is_trial)),
            ("What expires", "is booked as breakage" if plan.books_breakage else "is shown apart, and not booked"),
            ("Price now", plan_price(plan)),
        )
        return whole(plan, Page(found, state=plan_state(plan), sections=[Section("Prices", ("From", "Price"), table)]))


class PlanForm(forms.CommandForm):
    name = forms.line("Name", required=True, most=100)
    lessons_total = forms.number("Lessons", least=1, most=1000)
    lesson_minutes = forms.number(
        "Lesson length, minutes", least=15, most=240, required=False, help="Empty: any length."
    )
    valid_days = forms.number(
        "Valid for, days", least=1, most=3660, required=False, help="From the payment. Empty: for ever."
    )
    is_trial = forms.BooleanField("Trial: one a person")
    books_breakage = forms.BooleanField(
        "Breakage: what expires unused is the school's",
        description="Ask your tax adviser. Holds for packages made from now on.",
    )


class NewPlanForm(PlanForm):
    amount = forms.amount("Price")
    currency = forms.currency()


class CreatePlan(CommandPage):
    path = "plans/new"
    title = "New plan"
    parent = "desk_plans.index_view"
    button = "Create"
    permission = Permission.EDIT_PLANS
    form = NewPlanForm

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        typed = {name: form[name].data for name in FIELDS}
        return service.create_plan(
            actor, amount_minor=form.amount.minor(form.currency.data), currency=form.currency.data, **typed
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.name} is on sale.", show.record_url("plans", result.id) or "")


class EditPlanForm(PlanForm):
    is_active = forms.BooleanField("On sale")
    reason = forms.reason(required=False)


class EditPlan(CommandPage):
    record = Plan
    path = "plans/<uuid:id>/edit"
    title = "Edit"
    button = "Save"
    permission = Permission.EDIT_PLANS
    form = EditPlanForm
    lead = "Packages that exist stay as they are."

    def initial(self, record: Any) -> dict[str, Any]:
        return {name: getattr(record, name) for name in (*FIELDS, "is_active")}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        changes = {name: form[name].data for name in (*FIELDS, "is_active")}
        return service.edit_plan(actor, record.id, changes=changes, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.name} is saved.", show.record_url("plans", result.id) or "")


class PriceForm(forms.CommandForm):
    amount = forms.amount("New price")
    currency = forms.currency()
    reason = forms.reason(required=False)


class SetPrice(CommandPage):
    record = Plan
    path = "plans/<uuid:id>/price"
    title = "Set the price"
    permission = Permission.EDIT_PLANS
    form = PriceForm
    lead = "Holds for what is bought from now on; earlier prices stay written."

    def initial(self, record: Any) -> dict[str, Any]:
        price = queries.price_of(session(), record.id)
        return (
            {"amount": str(Money(price.amount_minor, price.currency)).partition(" ")[0], "currency": price.currency}
            if price
            else {}
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_price(
            actor,
            record.id,
            amount_minor=form.amount.minor(form.currency.data),
            currency=form.currency.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(
            f"The price is {Money(result.amount_minor, result.currency)}.",
            show.record_url("plans", result.plan_id) or "",
        )


commands.add(CreatePlan, EditPlan, SetPrice)
