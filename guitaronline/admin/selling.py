"""Selling a plan to somebody who writes or calls: the package waits for its money, or can be used before it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, people_picker, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.billing import queries, service
from guitaronline.billing.models import PackageOrigin
from guitaronline.db import session
from guitaronline.errors import Invalid
from guitaronline.identity.access import Permission

HOW = (
    (PackageOrigin.PURCHASE, "when the money is there"),
    (PackageOrigin.ON_ACCOUNT, "now, and the money comes later"),
    (PackageOrigin.GRANTED, "now, as a gift of the school"),
)
THEN = {
    PackageOrigin.PURCHASE: "Waits for its money: record the payment on the package's page. Its days count from then.",
    PackageOrigin.ON_ACCOUNT: "Active at once; it stands among the lessons in use but unpaid until the money is recorded.",
    PackageOrigin.GRANTED: "Active at once, for nothing.",
}


class SellForm(forms.CommandForm):
    linkable = frozenset({"find", "student_id", "plan_id"})
    find = people_picker.find("Student: name, e-mail or USR-…")
    student_id = people_picker.chosen("Student")
    plan_id = forms.choice("Plan", ())
    origin = forms.choice("The lessons can be used", [(str(kind), words) for kind, words in HOW])
    override = forms.BooleanField("A second trial, although one a person is the rule")
    reason = forms.reason(required=False, help="Needed for a second trial.")


class SellPlan(CommandPage):
    path = "packages/sell"
    title = "Sell a plan"
    parent = "desk_packages.index_view"
    permission = Permission.GRANT_PACKAGES
    form = SellForm
    looks = "Look for the student, show what will happen"

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.student_id, form.find.data, role=Role.STUDENT)
        offers = queries.plans_on_sale(session())
        form.plan_id.choices = forms.choices((str(each.plan.id), offer_in_words(each)) for each in offers)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if not form.plan_id.choices:
            return Consequences([("Plans", "None is on sale. Make one first.")])
        return Consequences([("The package", THEN.get(form.origin.data, "Choose when the lessons can be used."))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.sell_plan(
            actor,
            student_id=people_picker.picked(form.student_id),
            plan_id=_id(form.plan_id.data),
            origin=form.origin.data,
            override=form.override.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        words = f"{result.reference} is {show.word(result.status)}."
        return Done(words, show.record_url("packages", result.id) or "")


def offer_in_words(offer: queries.Offer) -> str:
    plan = offer.plan
    days = f", {plan.valid_days} days" if plan.valid_days else ""
    return f"{plan.name}: {plan.lessons_total} {'lesson' if plan.lessons_total == 1 else 'lessons'}{days}, {show.money(offer.price.amount_minor, offer.price.currency).striptags()}"


def _id(given: Any) -> UUID:
    try:
        return UUID(given)
    except (TypeError, ValueError):
        raise Invalid("Choose a plan from the list.") from None


commands.add(SellPlan)
