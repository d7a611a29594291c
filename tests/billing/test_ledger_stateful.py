"""Whatever happens to a package in whatever order, its ledger adds up and agrees with a plain model of the rules."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing import ledger
from guitaronline.billing.models import Package
from guitaronline.billing.service import (
    adjust_lessons,
    expire_packages,
    extend_package,
    freeze_package,
    reinstate_package,
    revoke_package,
    unfreeze_package,
)
from guitaronline.db import new_id
from guitaronline.errors import DomainError
from tests.billing.books import BUCKETS, ledger_holds, post
from tests.world import World, as_actor

DAY = timedelta(days=1)
START = datetime(2026, 11, 2, 12, tzinfo=UTC)
LESSONS = 6


class Model:
    """The rules of domain.md in plain Python: five numbers, a status, a clock."""

    def __init__(self) -> None:
        self.now, self.expires_at, self.frozen_at = START, START + 5 * DAY, None
        self.b = dict.fromkeys(BUCKETS, 0) | {"available": LESSONS}
        self.status = "active"

    def lapsed(self) -> bool:
        return self.status in ("active", "depleted") and self.frozen_at is None and self.expires_at <= self.now

    def living(self) -> bool:
        return self.status in ("active", "depleted") and not self.lapsed()

    def shift(self, source: str, target: str, n: int = 1) -> None:
        self.b[source] -= n
        self.b[target] += n
        if self.status in ("active", "depleted"):
            self.status = "active" if self.b["available"] + self.b["reserved"] else "depleted"

    def home(self) -> str:
        if self.status == "revoked":
            return "revoked"
        return "available" if self.living() else "expired"

    def expire(self) -> None:
        if self.lapsed():
            self.status = "expired"
            self.shift("available", "expired", self.b["available"])

    def returned(self, students_fault: bool) -> None:
        self.expire()
        target = self.home()
        if not students_fault and target != "revoked":
            target, self.expires_at = "available", max(self.expires_at, (self.frozen_at or self.now) + 30 * DAY)
            self.status = "active" if self.status == "expired" else self.status
        self.shift("consumed", target)


class Lessons(RuleBasedStateMachine):
    """Runs every operation on the database and on the model, and compares."""

    held = Bundle("held")
    used = Bundle("used")
    returned = Bundle("returned")
    refunds = Bundle("refunds")

    def __init__(self, world: World, db: Session) -> None:
        super().__init__()
        self.world, self.db, self.model = world, db, Model()
        self.ada = as_actor(world.ada)
        self.clock = ExitStack()
        self.stand()
        self.package: Package = world.package(lessons=LESSONS, expires_at=self.model.expires_at)

    def stand(self) -> None:
        self.clock.close()
        self.clock.enter_context(clock.standing_at(self.model.now))

    def teardown(self) -> None:
        self.clock.close()
        with clock.standing_at(START + 9999 * DAY):  # no package is left for the next machine's sweep to find
            expire_packages(self.ada)

    def does(self, call: Callable[[], Any], possible: bool) -> bool:
        """The call goes through exactly when the model says so."""
        try:
            call()
        except DomainError:
            assert not possible
            return False
        assert possible
        return True

    @rule(target=held)
    def reserve(self) -> Any:
        booking, model = new_id(), self.model
        possible = model.living() and model.frozen_at is None and model.b["available"] > 0
        if self.does(lambda: post(self.package, ledger.reserve, booking), possible):
            model.shift("available", "reserved")
            return booking
        return multiple()

    @rule(booking=consumes(held))
    def release(self, booking: UUID) -> None:
        self.does(lambda: post(self.package, ledger.release, booking), possible=True)
        self.model.shift("reserved", self.model.home())

    @rule(target=used, booking=consumes(held))
    def use(self, booking: UUID) -> tuple[UUID, int]:
        self.does(lambda: post(self.package, ledger.consume, booking), possible=True)
        self.model.shift("reserved", "consumed")
        return booking, 1

    @rule(target=returned, lesson=consumes(used), students_fault=st.booleans())
    def give_back(self, lesson: tuple[UUID, int], students_fault: bool) -> tuple[UUID, int]:
        self.does(lambda: post(self.package, ledger.give_back, *lesson, students_fault=students_fault), possible=True)
        self.model.returned(students_fault)
        return lesson

    @rule(lesson=returned)
    def give_back_again(self, lesson: tuple[UUID, int]) -> None:
        self.does(lambda: post(self.package, ledger.give_back, *lesson, students_fault=True), possible=False)

    @rule(target=used, lesson=consumes(returned))
    def use_again(self, lesson: tuple[UUID, int]) -> Any:
        booking, n = lesson
        source = "available" if self.model.b["available"] else "expired"
        if self.does(lambda: post(self.package, ledger.consume_again, booking, n + 1), self.model.b[source] > 0):
            self.model.shift(source, "consumed")
            return booking, n + 1
        return multiple()

    @rule(days=st.integers(1, 4))
    def time_passes(self, days: int) -> None:
        self.model.now += days * DAY
        self.stand()

    @rule()
    def expire(self) -> None:
        assert expire_packages(self.ada) == int(self.model.lapsed())
        self.model.expire()

    @rule(days=st.integers(1, 20))
    def extend(self, days: int) -> None:
        until = self.model.now + days * DAY
        possible = self.model.living() and until >= self.model.expires_at
        if self.does(lambda: extend_package(self.ada, self.package.id, expires_at=until, reason="illness"), possible):
            self.model.expires_at = until

    @rule(days=st.integers(1, 9))
    def reinstate(self, days: int) -> None:
        model, until = self.model, self.model.now + days * DAY
        expired = model.b["expired"] + (model.b["available"] if model.lapsed() else 0)
        possible = (model.lapsed() or model.status == "expired") and expired > 0
        if self.does(
            lambda: reinstate_package(self.ada, self.package.id, expires_at=until, reason="goodwill"), possible
        ):
            model.expire()
            model.expires_at, model.status = until, "active"
            model.shift("expired", "available", expired)

    @rule(n=st.integers(-3, 3))
    def adjust(self, n: int) -> None:
        b = self.model.b
        possible = (
            self.model.living() and n != 0 and (b["available"] >= -n if n < 0 else b["revoked"] + b["expired"] >= n)
        )
        if self.does(lambda: adjust_lessons(self.ada, self.package.id, lessons=n, reason="counted wrong"), possible):
            back = min(max(n, 0), b["revoked"])
            self.model.shift("revoked", "available", back if n > 0 else n)
            self.model.shift("expired", "available", max(n, 0) - back)

    @rule()
    def freeze(self) -> None:
        if self.does(lambda: freeze_package(self.ada, self.package.id, reason="illness"), self.model.living()):
            self.model.frozen_at = self.model.frozen_at or self.model.now

    @rule()
    def unfreeze(self) -> None:
        unfreeze_package(self.ada, self.package.id)
        if self.model.frozen_at:
            self.model.expires_at += self.model.now - self.model.frozen_at
            self.model.frozen_at = None

    @rule(target=refunds, data=st.data())
    def refund(self, data: st.DataObject) -> Any:
        if self.model.status == "revoked" or not self.model.b["available"]:
            return multiple()
        n, refund = data.draw(st.integers(1, self.model.b["available"])), new_id()
        post(self.package, ledger.revoke, n, f"revoke:{refund}")
        self.model.shift("available", "revoked", n)
        return refund, n

    @rule(refund=consumes(refunds))
    def refund_fails(self, refund: tuple[UUID, int]) -> None:
        n = min(refund[1], self.model.b["revoked"])
        post(self.package, ledger.unrevoke, refund[1], f"unrevoke:{refund[0]}")
        if self.model.home() != "revoked":
            self.model.shift("revoked", self.model.home(), n)

    @rule(sure=st.integers(0, 9))
    def revoke(self, sure: int) -> None:
        model = self.model
        if sure or model.status == "revoked":
            return
        if self.does(
            lambda: revoke_package(self.ada, self.package.id, reason="fraud"),
            model.living() and not model.b["reserved"],
        ):
            model.status = "revoked"
            model.shift("available", "revoked", model.b["available"])

    @invariant()
    def the_package_is_as_the_model_says(self) -> None:
        fresh = self.world.again(self.package)
        assert {name: getattr(fresh, name) for name in BUCKETS} == self.model.b
        assert fresh.status.value == self.model.status
        assert fresh.expires_at == self.model.expires_at
        assert fresh.frozen_at == self.model.frozen_at

    @invariant()
    def the_ledger_adds_up(self) -> None:
        assert ledger_holds(self.db)


@pytest.mark.breaks_invariants  # these lessons belong to no booking; I1 is an invariant of the machine
def test_any_life_of_a_package_adds_up(world: World, db: Session) -> None:
    run_state_machine_as_test(
        lambda: Lessons(world, db),
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
