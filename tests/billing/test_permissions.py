"""The permission table holds at billing's commands: who may not is told so before anything is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.actor import ANONYMOUS, Actor, Role
from guitaronline.audit.models import AuditAction
from guitaronline.billing import service
from guitaronline.db import new_id
from guitaronline.errors import DomainError, NotAllowed
from guitaronline.identity.access import Permission, may

NOBODY = new_id()
COMMANDS: dict[str, tuple[Permission, Callable[[Actor], Any]]] = {
    "create_plan": (
        Permission.EDIT_PLANS,
        lambda who: service.create_plan(who, name="", lessons_total=0, amount_minor=0),
    ),
    "edit_plan": (Permission.EDIT_PLANS, lambda who: service.edit_plan(who, NOBODY, changes={})),
    "set_price": (Permission.EDIT_PLANS, lambda who: service.set_price(who, NOBODY, amount_minor=1)),
    "grant_package": (
        Permission.GRANT_PACKAGES,
        lambda who: service.grant_package(who, student_id=NOBODY, lessons_total=1),
    ),
    "sell_plan": (Permission.GRANT_PACKAGES, lambda who: service.sell_plan(who, student_id=NOBODY, plan_id=NOBODY)),
    "reinstate_package": (Permission.GRANT_PACKAGES, lambda who: service.reinstate_package(who, NOBODY, reason="x")),
    "revoke_package": (Permission.GRANT_PACKAGES, lambda who: service.revoke_package(who, NOBODY, reason="x")),
    "extend_package": (
        Permission.EXTEND_PACKAGES,
        lambda who: service.extend_package(who, NOBODY, expires_at=None, reason="x"),
    ),
    "freeze_package": (Permission.EXTEND_PACKAGES, lambda who: service.freeze_package(who, NOBODY, reason="x")),
    "unfreeze_package": (Permission.EXTEND_PACKAGES, lambda who: service.unfreeze_package(who, NOBODY)),
    "adjust_lessons": (
        Permission.ADJUST_LESSONS,
        lambda who: service.adjust_lessons(who, NOBODY, lessons=1, reason="x"),
    ),
    "expire_packages": (Permission.ADMINISTER, service.expire_packages),
    "warn_of_expiry": (Permission.ADMINISTER, service.warn_of_expiry),
    "record_payment": (
        Permission.EDIT_PAYMENTS,
        lambda who: service.record_payment(who, package_id=NOBODY, amount_minor=1, currency="USD"),
    ),
    "set_payment_status": (
        Permission.EDIT_PAYMENTS,
        lambda who: service.set_payment_status(who, NOBODY, status="failed"),
    ),
    "refund_payment": (Permission.EDIT_PAYMENTS, lambda who: service.refund_payment(who, NOBODY, reason="x")),
    "settle_refund": (Permission.EDIT_PAYMENTS, lambda who: service.settle_refund(who, NOBODY, succeeded=True)),
    "cancel_refund": (Permission.EDIT_PAYMENTS, lambda who: service.cancel_refund(who, NOBODY, reason="x")),
    "buy_plan": (Permission.BUY, lambda who: service.buy_plan(who, plan_id=NOBODY)),
    "ask_soon": (Permission.EDIT_PAYMENTS, lambda who: service.ask_soon(who, NOBODY)),
    "retry_event": (Permission.EDIT_PAYMENTS, lambda who: service.retry_event(who, NOBODY)),
    "resolve_exception": (Permission.EDIT_PAYMENTS, lambda who: service.resolve_exception(who, NOBODY, reason="x")),
    "look_at_refund": (Permission.EDIT_PAYMENTS, lambda who: service.look_at_refund(who, NOBODY, reason="x")),
    "credit_payment": (Permission.EDIT_PAYMENTS, lambda who: service.credit_payment(who, NOBODY, reason="x")),
    "open_dispute": (
        Permission.EDIT_PAYMENTS,
        lambda who: service.open_dispute(who, NOBODY, amount_minor=1, reason="x"),
    ),
    "decide_dispute": (
        Permission.EDIT_PAYMENTS,
        lambda who: service.decide_dispute(who, NOBODY, won=True, reason="x"),
    ),
    "assign_dispute": (Permission.EDIT_PAYMENTS, lambda who: service.assign_dispute(who, NOBODY, owner_id=None)),
    "answer_dispute": (Permission.EDIT_PAYMENTS, lambda who: service.answer_dispute(who, NOBODY, reason="x")),
    "withdraw_approval": (
        Permission.EDIT_PAYMENTS,
        lambda who: service.withdraw_approval(who, NOBODY, reason="x"),
    ),
    "decide_approval": (Permission.APPROVE, lambda who: service.decide_approval(who, NOBODY, approve=True)),
}
WHO = [
    ANONYMOUS,
    *[
        Actor(new_id(), role)
        for role in (Role.STUDENT, Role.TEACHER, Role.SUPPORT, Role.FINANCE, Role.AUDITOR, Role.ADMIN)
    ],
]


def is_let_in(call: Callable[[Actor], Any], who: Actor) -> bool:
    try:
        call(who)
    except NotAllowed:
        return False
    except DomainError:
        return True
    return True


@pytest.mark.parametrize("name", COMMANDS)
def test_each_role_is_let_in_as_the_table_says(db: Session, name: str) -> None:
    permission, call = COMMANDS[name]

    assert {who.role: is_let_in(call, who) for who in WHO} == {
        who.role: may(who, permission, own=permission is Permission.BUY) for who in WHO
    }
    assert db.scalar(select(func.count()).select_from(AuditAction)) == 0


def test_every_command_of_billing_stands_in_this_table() -> None:
    commands = {name for name in service.__all__ if hasattr(getattr(service, name), "command_name")}

    assert commands == set(COMMANDS)
