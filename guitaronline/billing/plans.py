"""What can be bought, and for how much. Packages copy what they need: a changed plan changes no package."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from guitaronline import money
from guitaronline.billing import queries, rules
from guitaronline.billing.models import Plan, PlanPrice
from guitaronline.billing.refusals import InvalidPlan
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

NAME_LENGTH = 100
EDITABLE = frozenset(
    {"name", "lessons_total", "lesson_minutes", "valid_days", "is_trial", "books_breakage", "is_active"}
)


@command("plan.create", creates="plans")
def create_plan(
    work: Work,
    *,
    name: str,
    lessons_total: int,
    amount_minor: int,
    currency: str = "USD",
    lesson_minutes: int | None = None,
    valid_days: int | None = None,
    is_trial: bool = False,
    books_breakage: bool = False,
    reason: str | None = None,
) -> Plan:
    """The plan is on sale at that price. Raises InvalidPlan with every reason, PlanNameTaken."""
    access.require(work.actor, Permission.EDIT_PLANS)
    plan = Plan(
        id=work.record_id,
        name=name.strip(),
        lessons_total=lessons_total,
        lesson_minutes=lesson_minutes,
        valid_days=valid_days,
        is_trial=is_trial,
        books_breakage=books_breakage,
        is_active=True,
    )
    _refuse(_plan_problems(plan) + _price_problems(amount_minor, currency))
    work.add(plan)
    work.session.flush()
    _add_price(work, plan, revision=1, amount_minor=amount_minor, currency=currency)
    return plan


@command("plan.edit", on="plans")
def edit_plan(work: Work, plan_id: UUID, *, changes: dict[str, Any], reason: str | None = None) -> Plan:
    """The plan has these values (EDITABLE); packages stay.

    Locks the plan. Raises InvalidPlan with every reason, PlanNameTaken."""
    access.require(work.actor, Permission.EDIT_PLANS)
    plan = work.lock(Plan, plan_id)
    unknown = sorted(set(changes) - EDITABLE)
    _refuse([Reason("unknown_field", f"A plan has no {field} to edit.", pointer=f"/{field}") for field in unknown])
    with work.session.no_autoflush:
        for field, value in changes.items():
            setattr(plan, field, value.strip() if field == "name" else value)
        _refuse(_plan_problems(plan))
    return plan


@command("plan.set_price", on="plans")
def set_price(
    work: Work, plan_id: UUID, *, amount_minor: int, currency: str = "USD", reason: str | None = None
) -> PlanPrice:
    """The plan costs this from now on; the prices before stay written. The same price again changes nothing.

    Locks the plan. Raises InvalidPlan."""
    access.require(work.actor, Permission.EDIT_PLANS)
    _refuse(_price_problems(amount_minor, currency))
    plan = work.lock(Plan, plan_id)
    last = queries.price_of(work.session, plan.id)
    if last is not None and (last.amount_minor, last.currency) == (amount_minor, currency):
        return last
    revision = last.revision + 1 if last else 1
    return _add_price(work, plan, revision=revision, amount_minor=amount_minor, currency=currency)


def _add_price(work: Work, plan: Plan, *, revision: int, amount_minor: int, currency: str) -> PlanPrice:
    price = PlanPrice(plan_id=plan.id, revision=revision, amount_minor=amount_minor, currency=currency)
    work.add(price)
    return price


def _plan_problems(plan: Plan) -> list[Reason]:
    minutes, days = plan.lesson_minutes, plan.valid_days
    found = [
        (
            not 1 <= len(plan.name) <= NAME_LENGTH or not plan.name.isprintable(),
            "name",
            "A plan needs a name, at most 100 characters.",
        ),
        (not 1 <= plan.lessons_total <= rules.LESSONS_MOST, "lessons_total", "A plan has 1 to 1000 lessons."),
        (
            minutes is not None and minutes not in rules.LESSON_MINUTES,
            "lesson_minutes",
            "A lesson takes 15 to 240 minutes.",
        ),
        (days is not None and not 1 <= days <= 3660, "valid_days", "A plan is valid for 1 to 3660 days."),
    ]
    return [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]


def _price_problems(amount_minor: int, currency: str) -> list[Reason]:
    found = [
        (not 0 <= amount_minor <= money.LARGEST_MINOR, "amount", "The price is out of range."),
        (currency not in money.CURRENCIES, "currency", "This is not a currency that is taken."),
    ]
    return [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]


def _refuse(problems: list[Reason]) -> None:
    if problems:
        raise InvalidPlan(reasons=problems)
