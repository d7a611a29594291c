"""One episode of the random walk: the product's commands and the model do the same, and are compared after each.

`python -m bench.faults.walk SEED OPERATIONS`, with DATABASE_URL and DATABASE_OWNER_URL of an empty, migrated database. The
clock stands, and moves between the operations. Everything is drawn from the seed, so that a seed is a repeat. Prints one
line of JSON; `wrong` says where the two parted and what was done before.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import config
from bench.faults.looks import Parted, look_at_everything, look_at_invariants, same, told
from bench.faults.model import Model
from bench.faults.records import Booking, Package, Payment, Refund, Refused, Slot
from guitaronline import clock, create_core, policy
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.billing import service as billing
from guitaronline.booking import service as booking
from guitaronline.db import database, session
from guitaronline.errors import DomainError
from guitaronline.identity.service import create_person
from guitaronline.scheduling.service import create_slot

STUDENTS, TEACHERS, SLOTS_AT_START = 5, 3, 60
LOOK_EVERY = 1000  # operations between two looks at every package, payment and booking
TOLD = 30  # operations that are told when something is wrong
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEIGHTS = {
    "hold": 26,
    "confirm": 18,
    "cancel": 14,
    "reschedule": 12,
    "offer": 9,
    "expire_holds": 4,
    "grant": 5,
    "refund": 5,
    "close_refund": 4,
    "expire_packages": 2,
    "wait": 1,
}


@dataclass
class Result:
    seed: int
    operations: int = 0
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Walk:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        today = clock.read(session()).replace(hour=0, minute=0, second=0, microsecond=0)
        self.model = Model(today + 2 * DAY)  # the same time of day in every run of this seed
        session().rollback()
        self.admin = self.person("Ada", Role.ADMIN)
        self.students = [self.person(f"Student {n}", Role.STUDENT) for n in range(STUDENTS)]
        self.teachers = [self.person(f"Teacher {n}", Role.TEACHER) for n in range(TEACHERS)]
        self.ended: deque[Booking] = deque(maxlen=60)
        self.said: deque[str] = deque(maxlen=TOLD)
        self.result = Result(seed)

    def person(self, name: str, role: Role) -> Actor:
        made = create_person(SYSTEM, role=role, full_name=name, email=f"{name.replace(' ', '').lower()}@walk.example")
        return Actor(made.id, role)

    def run(self, operations: int) -> Result:
        began = time.monotonic()
        steps: dict[str, Callable[[], None]] = {name: getattr(self, name) for name in WEIGHTS}
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        try:
            for _ in range(SLOTS_AT_START):
                self.offer()
            for _ in range(STUDENTS * 2):
                self.grant()
            for number in range(operations):
                self.result.operations = number + 1
                self.model.now += timedelta(seconds=int(self.draw.expovariate(1 / 90)))
                steps[self.draw.choices(names, weights)[0]]()
                if number % LOOK_EVERY == LOOK_EVERY - 1:
                    look_at_everything(self.model)
            look_at_everything(self.model)
            look_at_invariants()
        except Parted as parted:
            self.result.wrong = [str(parted), *self.said]
        self.result.seconds = round(time.monotonic() - began, 1)
        return self.result

    # The operations

    def hold(self) -> None:
        student, slot = self.draw.randrange(STUDENTS), self.slot()
        if slot is not None:
            actor, said = self.students[student], f"student {student} holds {slot.start}"
            self.compare(
                "hold",
                said,
                lambda: booking.hold_slot(actor, slot.id),
                lambda made: self.model.hold(student, slot, made),
            )

    def confirm(self) -> None:
        which = self.booking(first=lambda each: each.status == "hold")
        if which is not None:
            actor = self.students[which.student]
            self.compare(
                "confirm",
                told(which),
                lambda: booking.confirm_booking(actor, which.id),
                lambda _: self.confirmed(which),
            )

    def confirmed(self, which: Booking) -> Booking:
        self.model.confirm(which)
        return which

    def cancel(self) -> None:
        which = self.booking()
        if which is None:
            return
        by_student, waived = self.draw.random() < 0.7, self.draw.random() < 0.1
        by_staff = waived or not by_student
        more = (
            {"reason": "somebody is ill", "cause": "student" if by_student else "school", "waive": waived}
            if by_staff
            else {}
        )
        actor = self.admin if by_staff else self.students[which.student]

        def in_model(_: UUID) -> Booking:
            self.model.cancel(which, by_student=by_student, waived=waived)
            self.ended.append(which)
            return which

        said = f"{told(which)} by {actor.role}, student's: {by_student}, waived: {waived}"
        self.compare("cancel", said, lambda: booking.cancel_booking(actor, which.id, **more), in_model)

    def reschedule(self) -> None:
        which, slot = self.booking(first=lambda each: each.status == "confirmed"), self.slot()
        if which is None or slot is None:
            return
        if which.successor is not None and self.draw.random() < 0.5:
            slot = which.successor.slot
        by_student = self.draw.random() < 0.7
        actor = self.students[which.student] if by_student else self.admin
        more = {} if by_student else {"reason": "the teacher is away"}

        def in_model(made: UUID) -> Booking:
            self.ended.append(which)
            return self.model.reschedule(which, slot, made, by_student=by_student)

        said = f"{told(which)} to {slot.start} by {actor.role}"
        self.compare(
            "reschedule",
            said,
            lambda: booking.reschedule_booking(actor, which.id, new_slot_id=slot.id, **more),
            in_model,
        )

    def offer(self) -> None:
        teacher = self.draw.randrange(TEACHERS)
        ahead = self.draw.choice((self.draw.uniform(0.2, 30), self.draw.uniform(24, 24 * 60)))
        start = (self.model.now + ahead * HOUR).replace(
            minute=self.draw.choice((0, 30)), second=0, microsecond=0
        ) + HOUR
        self.model.slots = [each for each in self.model.slots if each.end > self.model.now - 3 * HOUR]

        def in_model(made: UUID) -> Slot:
            slot = Slot(made, teacher, start, start + HOUR)
            self.model.offer(slot)
            return slot

        owner = self.teachers[teacher]
        make = lambda: create_slot(owner, teacher_id=owner.id, start_at=start, end_at=start + HOUR)  # noqa: E731
        self.compare("offer", f"teacher {teacher} at {start}", make, in_model)

    def grant(self) -> None:
        student, lessons = self.draw.randrange(STUDENTS), self.draw.randint(1, 8)
        ends = self.draw.choice((None, self.model.now + self.draw.uniform(1, 60) * DAY))
        price = self.draw.choice((0, self.draw.randint(1000, 40_000)))

        def product() -> Any:
            made = billing.grant_package(
                self.admin,
                student_id=self.students[student].id,
                lessons_total=lessons,
                expires_at=ends,
                price_minor=price,
            )
            return made if price == 0 else self.paid(made)

        def in_model(made: UUID) -> Package:
            package = Package(made, len(self.model.packages), student, lessons, ends, price, lessons)
            self.model.packages.append(package)
            if price:
                self.model.payments.append(Payment(self.payment_id, package, price))
            return package

        self.compare("grant", f"student {student}: {lessons} lessons until {ends} for {price}", product, in_model)

    def paid(self, package: Any) -> Any:
        said = {"amount_minor": package.price_minor, "currency": "USD", "external_reference": str(package.id)}
        payment = billing.record_payment(self.admin, package_id=package.id, **said)
        self.payment_id = payment.id
        billing.set_payment_status(self.admin, payment.id, status="succeeded", reason="it came by bank")
        return package

    def refund(self) -> None:
        if self.model.payments:
            payment = self.draw.choice(self.model.payments[-40:])
            amount = self.draw.choice((None, self.draw.randint(1, payment.amount), payment.amount))
            ask = lambda: billing.refund_payment(self.admin, payment.id, amount_minor=amount, reason="goodwill")  # noqa: E731
            said = f"{amount} of payment {payment.package.number}"
            self.compare("refund", said, ask, lambda made: self.model.refund(payment, amount, made))

    def close_refund(self) -> None:
        asked = [(payment, refund) for payment in self.model.payments[-40:] for refund in payment.refunds]
        if not asked:
            return
        payment, refund = self.draw.choice(asked)
        status = self.draw.choice(("succeeded", "failed", "canceled"))

        def product() -> Any:
            if status == "canceled":
                return billing.cancel_refund(self.admin, refund.id, reason="a mistake")
            return billing.settle_refund(self.admin, refund.id, succeeded=status == "succeeded", reason="as told")

        def in_model(_: UUID) -> Refund:
            self.model.close_refund(payment, refund, status)
            return refund

        self.compare(
            "close_refund", f"{refund.amount} of payment {payment.package.number}: {status}", product, in_model
        )

    def expire_holds(self) -> None:
        self.compare_counts("expire_holds", lambda: booking.expire_holds(SYSTEM, limit=500), self.model.expire_holds)

    def expire_packages(self) -> None:
        self.compare_counts(
            "expire_packages", lambda: billing.expire_packages(SYSTEM, limit=500), self.model.expire_packages
        )

    def wait(self) -> None:
        """Hours pass, and what is long over is not chosen any more."""
        self.model.now += timedelta(seconds=int(self.draw.uniform(0, 12 * 3600)))
        over = [
            each
            for each in self.model.active.values()
            if each.status == "confirmed" and each.slot.end < self.model.now - DAY
        ]
        for each in over:
            del self.model.active[each.id]

    # What is drawn

    def slot(self) -> Slot | None:
        """Soon ones rather than late ones, so that there is a rush for them."""
        ordered = sorted(self.model.slots, key=lambda each: (each.start, each.teacher))
        if not ordered:
            return None
        return ordered[min(len(ordered) - 1, int(abs(self.draw.gauss(0, 0.35)) * len(ordered)))]

    def booking(self, first: Callable[[Booking], bool] = lambda each: True) -> Booking | None:
        """Mostly one that stands, and of those mostly one that fits; now and then one that is over."""
        standing = list(self.model.active.values())
        chance = self.draw.random()
        fitting = [each for each in standing if first(each)] if chance < 0.7 else []
        pool = list(self.ended) if chance > 0.88 else fitting or standing
        return self.draw.choice(pool) if pool else None

    # How both are compared

    def compare(self, name: str, said: str, product: Callable[[], Any], in_model: Callable[[UUID], Any]) -> None:
        self.said.append(f"{self.model.now:%Y-%m-%d %H:%M:%S} {name}: {said}")
        with clock.standing_at(self.model.now):
            try:
                made = product()
                codes: frozenset[str] = frozenset()
            except DomainError as refusal:
                made, codes = None, frozenset({each.code for each in refusal.reasons} or {refusal.code})
        try:
            meant = in_model(made.id if made is not None else uuid4())
            expected: frozenset[str] = frozenset()
        except Refused as refusal:
            meant, expected = None, refusal.codes
        if codes != expected:
            raise Parted(f"{name}: the product says {sorted(codes) or 'yes'}, the model {sorted(expected) or 'yes'}")
        self.count(name, codes)
        if isinstance(meant, Booking):
            same(
                name,
                (made.status, made.package_id, made.refund_returned),
                (meant.status, meant.package.id, meant.returned),
            )
            same(name, made.id, meant.id)
        elif isinstance(meant, Refund):
            same(
                name,
                (made.status, made.amount_minor, made.lessons_revoked),
                (meant.status, meant.amount, meant.lessons),
            )

    def compare_counts(self, name: str, product: Callable[[], int], in_model: Callable[[], int]) -> None:
        self.said.append(f"{self.model.now:%Y-%m-%d %H:%M:%S} {name}")
        with clock.standing_at(self.model.now):
            done = product()
        same(name, done, in_model())
        self.count(name, frozenset())

    def count(self, name: str, codes: frozenset[str]) -> None:
        self.result.done[name] += not codes
        self.result.refused.update(codes)


def main(seed: int, operations: int) -> int:
    app = create_core(config.load({**os.environ, "ENVIRONMENT": "test", "LOG_LEVEL": "error"}))
    with app.app_context(), policy.changed(STATEMENT_TIMEOUT_MS=600_000):
        if sabotage := os.environ.get("FAULTS_SABOTAGE"):
            from bench.faults import sabotages

            sabotages.SABOTAGES[sabotage]()
        result = Walk(seed).run(operations)
        database.session.remove()
    print(json.dumps(vars(result)))
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
