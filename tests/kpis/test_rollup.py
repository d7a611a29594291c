"""Stored numbers are what counting gives: after a random life, after a kill, and K1 says so when they are not."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import checks, clock, policy
from guitaronline.billing import service as billing
from guitaronline.booking.restoring import restore_booking
from guitaronline.booking.service import cancel_booking, reschedule_booking
from guitaronline.booking.slots import block_slot, withdraw_slot
from guitaronline.errors import DomainError
from guitaronline.identity.models import User
from guitaronline.identity.service import set_test
from guitaronline.kpis import days, proof, queries, rollup
from guitaronline.kpis.days import Span
from guitaronline.lessons.service import complete_lesson, correct_outcome, mark_no_show
from tests.concurrency import at_once
from tests.kpis.life import Life, counted, counted_once
from tests.world import as_actor


class RandomLife(Life):
    """Somebody does something on some day of the last three weeks, again and again, with the job coming by in between."""

    def __init__(self, world: Any, seed: int) -> None:
        super().__init__(world)
        self.random = random.Random(seed)
        self.packages = [self.package(who, 30, lessons=50, price_minor=9999) for who in (world.ann, world.ben)]
        self.bookings: list[Any] = []
        self.payments: list[Any] = []
        self.refused = 0

    def step(self) -> None:
        what = self.random.choice(
            [
                *(
                    self.book,
                    self.book,
                    self.outcome,
                    self.cancel,
                    self.pay,
                    self.refund,
                    self.correct,
                    self.mark,
                    counted,
                ),
                *(self.move, self.restore, self.buy, self.adjust, self.hold, self.close, self.mark_teacher),
            ]
        )
        try:
            what()
        except (DomainError, IndexError):
            self.refused += 1

    def book(self) -> None:
        package = self.random.choice(self.packages)
        student = self.world.ann if package.student_id == self.world.ann.id else self.world.ben
        lesson = (self.random.randint(-3, 20), self.random.randint(8, 19))
        self.bookings.append(self.booked(student, package, lesson=lesson, made=lesson[0] + self.random.randint(1, 6)))

    def outcome(self) -> None:
        booking = self.random.choice(self.bookings)
        with clock.standing_at(booking.end_at):
            lesson = self.lesson_of(booking)
            side = self.random.choice(["", "student", "teacher"])
            who = as_actor(self.world.tom)
            mark_no_show(who, lesson.id, side=side) if side else complete_lesson(who, lesson.id)

    def cancel(self) -> None:
        booking = self.random.choice(self.bookings)
        with clock.standing_at(booking.start_at - timedelta(hours=self.random.randint(1, 50))):
            cancel_booking(as_actor(self.world.ada), booking.id, cause="student", reason="ill")

    def correct(self) -> None:
        lesson = self.lesson_of(self.random.choice(self.bookings))
        correct_outcome(as_actor(self.world.ada), lesson.id, status="no_show", side="student", reason="seen")

    def pay(self) -> None:
        self.payments.append(self.paid(self.random.choice(self.packages), self.random.randint(1, 20)))

    def refund(self) -> None:
        self._refunded(self.random.choice(self.payments), self.random.randint(1, 20))

    def move(self) -> None:
        booking = self.random.choice(self.bookings)
        with clock.standing_at(booking.start_at - timedelta(hours=self.random.randint(1, 50))):
            start_at = booking.start_at + timedelta(days=self.random.randint(1, 5), minutes=30)
            slot = self.world.slot(start_at=start_at)
            who = as_actor(self.world.ada)
            self.bookings.append(
                reschedule_booking(who, booking.id, new_slot_id=slot.id, reason="asked", override=True)
            )

    def restore(self) -> None:
        booking = self.random.choice([each for each in self.bookings if self.world.again(each).status == "canceled"])
        with clock.standing_at(booking.start_at - timedelta(minutes=30)):
            self.bookings.append(restore_booking(as_actor(self.world.ada), booking.id, reason="a mistake"))

    def buy(self) -> None:
        student = self.random.choice([self.world.ann, self.world.ben])
        more = self.random.choice([{"is_trial": True, "lessons": 1}, {"price_minor": 700}, {"price_minor": 0}])
        self.packages.append(self.package(student, self.random.randint(1, 25), **more))

    def adjust(self) -> None:
        package = self.random.choice(self.packages)
        billing.adjust_lessons(as_actor(self.world.ada), package.id, lessons=self.random.choice([-1, 3]), reason="seen")

    def hold(self) -> None:
        ago = self.random.randint(1, 20)
        with self.on(ago):
            slot = self.world.slot(start_at=self.at(ago - 2, self.random.randint(8, 19)))
            self.world.hold(slot, self.world.ann, package_id=self.packages[0].id)

    def close(self) -> None:
        ago = self.random.randint(1, 20)
        with self.on(ago):
            slot = self.world.slot(self.world.tina, start_at=self.at(ago - 2, self.random.randint(8, 19)))
            self.random.choice([block_slot, withdraw_slot])(as_actor(self.world.ada), slot.id, reason="ill")

    def mark_teacher(self, *, is_test: bool | None = None) -> None:
        self._mark(self.world.tom, is_test)

    def mark(self, *, is_test: bool | None = None) -> None:
        self._mark(self.world.ben, is_test)

    def _mark(self, person: User, is_test: bool | None) -> None:
        chosen = self.random.random() < 0.5 if is_test is None else is_test
        set_test(as_actor(self.world.ada), person.id, is_test=chosen, reason="tried")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_a_random_life_the_rollup_is_the_recomputation(db: Session, world: Any, seed: int) -> None:
    life = RandomLife(world, seed)
    [life.step() for _ in range(100)]
    life.mark(is_test=False)
    life.mark_teacher(is_test=False)
    counted()

    now = clock.read(db)
    every_day = [life.day(ago) for ago in range(1, 31)]

    assert life.refused < 75
    assert rollup.settled_days(db, now) == every_day
    assert rollup.unequal(db, every_day, now) == []
    assert db.execute(text("SELECT count(*) FROM kpi_days WHERE metric = 'delivered'")).scalar_one() > 0


def test_a_life_without_counting_in_between_comes_to_the_same(db: Session, life: Life) -> None:
    life.whole()
    counted()
    stored = _stored(db)
    db.rollback()

    for_good = {day: value for day, value in stored.items() if value}
    assert for_good
    assert proof.findings(db, everything=True) == []


def test_k1_finds_a_number_that_somebody_changed(db: Session, life: Life, owner: Connection) -> None:
    life.whole()
    counted()
    owner.cursor().execute("UPDATE kpi_days SET value = value + 1 WHERE metric = 'refunds'")

    found = [each for each in checks.run_all(db) if each.check == "K1 rollup"]
    owner.cursor().execute("UPDATE kpi_days SET value = value - 1 WHERE metric = 'refunds'")

    assert [(each.facts["metric"], each.facts["stored"], each.facts["counted"]) for each in found] == [
        ("refunds", "1001", "1000")
    ]


def test_k1_says_nothing_of_days_that_something_has_just_moved_on(db: Session, life: Life) -> None:
    life.whole()
    counted()
    life.paid(life.package(life.world.ann, 4, price_minor=300), 4)

    assert life.day(4) not in rollup.settled_days(db, clock.read(db))
    assert checks.run_all(db) == []


@pytest.mark.breaks_invariants
def test_k1_waits_while_it_is_not_known_who_was_writing_at_the_first_look(
    db: Session, life: Life, owner: Connection
) -> None:
    """Until everything is touched once more, a day may be stored that was written in between."""
    life.whole()
    counted()
    owner.cursor().execute("UPDATE kpi_progress SET change_id = -1, ceiling_xid = '999999999999'")
    life.paid(life.package(life.world.ann, 4, price_minor=300), 4)
    counted_once()

    assert proof.findings(db, everything=True) == []


def test_a_killed_counting_leaves_the_day_on_the_list(db: Session, life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    life.whole()
    rollup.touch()
    waiting = _waiting(db)

    with monkeypatch.context() as patched:
        patched.setattr(rollup, "WRITE_AGAIN", text("SELECT pg_terminate_backend(pg_backend_pid())"))
        with pytest.raises(Exception, match="terminat"):
            rollup.count_one()
    db.rollback()

    assert _waiting(db) == waiting
    counted()
    assert _waiting(db) == set()
    assert proof.findings(db, everything=True) == []


def test_two_countings_at_once_take_different_days(app: Flask, db: Session, life: Life) -> None:
    life.whole()
    rollup.touch()

    taken = at_once(app, rollup.count_one, rollup.count_one)

    assert len(set(taken)) == 2


def test_kept_numbers_stay_as_they_were_at_the_days_end(db: Session, life: Life) -> None:
    package = life.package(life.world.ann, 3, lessons=5, price_minor=500)
    counted()
    set_test(as_actor(life.world.ada), life.world.ann.id, is_test=True, reason="ours")
    counted()

    kept = queries.read(db, life.span(3, 1), clock.read(db)).values
    now = queries.read(db, life.span(0), clock.read(db)).values

    assert package
    assert (kept["outstanding", "", ""], kept["liability", "", "USD"]) == (5, 500)
    assert now["outstanding", "", ""] == 0


def test_a_late_refund_changes_its_day_only(db: Session, life: Life) -> None:
    life.whole()
    counted()
    before = _stored(db)
    payment = db.execute(text("SELECT id FROM payments WHERE currency = 'EUR'")).scalar_one()
    finance = as_actor(life.world.finn)
    with life.on(3):
        refund: Any = billing.refund_payment(finance, payment, amount_minor=10, reason="late")
        billing.settle_refund(finance, refund.id, succeeded=True)
    counted()

    after = _stored(db)

    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == {
        (life.day(3), "refunds", "", "EUR")
    }


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_is_as_long_as_the_clock_makes_it(day: date, hours: int) -> None:
    with policy.changed(SCHOOL_TIMEZONE="Europe/Berlin"):
        told: Any = days.moments(Span(day, day), days.starts(day))

        assert (told["end"].timestamp() - told["start"].timestamp()) == hours * 3600


def _stored(db: Session) -> dict[tuple[Any, ...], int]:
    rows = db.execute(text("SELECT day, metric, dimension, currency, value FROM kpi_days"))
    found = {tuple(row[:4]): row[4] for row in rows}
    db.rollback()
    return found


def _waiting(db: Session) -> set[date]:
    found = set(db.scalars(text("SELECT day FROM kpi_touched")))
    db.rollback()
    return found
