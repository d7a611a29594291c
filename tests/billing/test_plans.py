"""What is on sale, with prices that are never rewritten."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.billing import queries
from guitaronline.billing.models import Plan, PlanPrice
from guitaronline.billing.refusals import InvalidPlan, PlanNameTaken
from guitaronline.billing.service import create_plan, edit_plan, set_price
from tests.world import World, as_actor


def plan(world: World, name: str = "Ten lessons", **more: Any) -> Plan:
    return create_plan(
        as_actor(world.finn), name=name, **{"lessons_total": 10, "amount_minor": 49_000, "valid_days": 90, **more}
    )


def test_a_plan_is_on_sale_at_its_newest_price(world: World, db: Session) -> None:
    made = plan(world)
    set_price(as_actor(world.finn), made.id, amount_minor=52_000, reason="new year")
    plan(world, "A trial", lessons_total=1, amount_minor=0, is_trial=True)

    offers = [(each.plan.name, each.price.amount_minor, each.price.revision) for each in queries.plans_on_sale(db)]
    assert offers == [("A trial", 0, 1), ("Ten lessons", 52_000, 2)]


def test_the_same_price_again_changes_nothing(world: World, db: Session) -> None:
    made = plan(world)

    set_price(as_actor(world.finn), made.id, amount_minor=49_000)

    assert db.scalars(select(PlanPrice.revision)).all() == [1]


def test_a_plan_is_taken_off_sale(world: World, db: Session) -> None:
    edit_plan(
        as_actor(world.finn), plan(world).id, changes={"is_active": False, "name": "  Old ten  "}, reason="replaced"
    )

    assert queries.plans_on_sale(db) == []
    assert [each.plan.name for each in queries.all_plans(db)] == ["Old ten"]


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"name": "  "}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"lessons_total": 0}, "/lessons_total"),
        ({"lessons_total": 1001}, "/lessons_total"),
        ({"lesson_minutes": 14}, "/lesson_minutes"),
        ({"valid_days": 0}, "/valid_days"),
        ({"valid_days": 3661}, "/valid_days"),
        ({"amount_minor": -1}, "/amount"),
        ({"currency": "XXX"}, "/currency"),
    ],
)
def test_a_plan_that_cannot_be_says_why(world: World, facts: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidPlan) as refusal:
        plan(world, **facts)

    assert [each.pointer for each in refusal.value.reasons] == [pointer]


def test_a_plan_keeps_to_its_limits_when_edited(world: World) -> None:
    made = plan(world)

    with pytest.raises(InvalidPlan) as refusal:
        edit_plan(as_actor(world.finn), made.id, changes={"lessons_total": 0})
    assert refusal.value.reasons[0].pointer == "/lessons_total"
    with pytest.raises(InvalidPlan) as refusal:
        edit_plan(as_actor(world.finn), made.id, changes={"version": 7, "price": 1})
    assert [each.pointer for each in refusal.value.reasons] == ["/price", "/version"]
    assert world.again(made).lessons_total == 10


def test_names_of_plans_are_their_own(world: World) -> None:
    plan(world)
    other = plan(world, "Five")

    with pytest.raises(PlanNameTaken):
        plan(world)
    with pytest.raises(PlanNameTaken):
        edit_plan(as_actor(world.finn), other.id, changes={"name": "Ten lessons"})
