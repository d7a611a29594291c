"""Which days are counted anew: those that a change moved something on, each of them, and no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import checks, clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.audit.models import AuditAction
from guitaronline.billing import service as billing
from guitaronline.booking.service import cancel_booking
from guitaronline.db import new_id
from guitaronline.identity.service import set_test
from guitaronline.kpis import rollup, touching
from guitaronline.lessons.service import correct_outcome, edit_report
from tests.kpis.life import Life, counted, counted_once, until_seen
from tests.servers import Servers
from tests.world import as_actor


def touched(db: Session) -> set[date]:
    until_seen(rollup.touch)
    return touched_once(db)


def touched_once(db: Session) -> set[date]:
    rollup.touch()
    found = set(db.scalars(text("SELECT day FROM kpi_touched")))
    db.rollback()
    return found


@pytest.fixture
def old(life: Life) -> Life:
    """Ann's package of 50 days ago with a lesson 40 days ago, counted, and nothing waiting."""
    package = life.package(life.world.ann, 50, lessons=5, price_minor=5000)
    life.paid(package, 49)
    life.given(life.booked(life.world.ann, package, lesson=(40, 12), made=45), 40)
    counted()
    assert life.world.finn
    return life


def _lesson(old: Life, db: Session) -> Any:
    return db.execute(text("SELECT id FROM lessons")).scalar_one()


def test_the_first_time_every_day_that_is_over_is_counted(db: Session, life: Life) -> None:
    life.package(life.world.ann, 5)

    assert touched(db) == {life.day(ago) for ago in range(1, 6)}


def test_what_is_counted_already_is_not_counted_again(db: Session, old: Life) -> None:
    assert touched(db) == set()


def test_a_refund_touches_the_day_on_which_it_was_paid_out(db: Session, old: Life) -> None:
    payment = db.execute(text("SELECT id FROM payments")).scalar_one()
    finance = as_actor(old.world.finn)
    with old.on(20):
        refund: Any = billing.refund_payment(finance, payment, amount_minor=100, reason="goodwill")
        billing.settle_refund(finance, refund.id, succeeded=True)

    assert touched(db) == {old.day(20)}


def test_a_cancellation_touches_the_days_of_the_hold_the_call_and_the_lesson(db: Session, old: Life) -> None:
    package = db.execute(text("SELECT id FROM packages")).scalar_one()
    with old.on(12):
        slot = old.world.slot(start_at=old.at(3))
        booking = old.world.booking(slot, package_id=package)
    counted()

    with old.on(8):
        cancel_booking(as_actor(old.world.ann), booking.id)

    assert touched(db) == {old.day(12), old.day(8), *(old.day(ago) for ago in range(1, 4))}


def test_a_corrected_outcome_touches_its_day_and_those_on_which_the_student_counts_as_active(
    db: Session, old: Life
) -> None:
    correct_outcome(SYSTEM, _lesson(old, db), status="no_show", side="teacher", reason="a mistake")

    assert touched(db) == {old.day(ago) for ago in range(40 - 28, 41)}


def test_a_new_purchase_touches_the_days_of_the_students_packages(db: Session, old: Life) -> None:
    old.package(old.world.ann, 10, price_minor=100)

    assert touched(db) == {old.day(50), old.day(10)}


def test_a_test_account_touches_every_day_of_the_person(db: Session, old: Life) -> None:
    set_test(as_actor(old.world.ada), old.world.ann.id, is_test=True, reason="ours")

    spread = {old.day(ago) for ago in range(40 - 28, 41)}
    assert touched(db) == {old.day(50), old.day(49), old.day(45), *spread}


def test_today_is_not_on_the_list_until_it_is_over(db: Session, old: Life) -> None:
    old.package(old.world.ben, 0, price_minor=100)

    assert touched(db) == set()
    with clock.moved_by(timedelta(days=1)):
        assert touched(db) == {old.today}


def test_days_that_ended_while_no_job_ran_are_counted(db: Session, old: Life) -> None:
    with clock.moved_by(timedelta(days=3)):
        assert touched(db) == {old.today + timedelta(days=more) for more in range(3)}


def test_another_zone_makes_every_day_another_day(db: Session, old: Life) -> None:
    with policy.changed(SCHOOL_TIMEZONE="Asia/Tokyo"):
        assert len(touched(db)) >= 49
        assert checks.run_all(db) == []


def test_a_day_that_is_empty_in_another_zone_is_counted_too(db: Session, life: Life) -> None:
    """The school's first moment is in the evening; further east that is the next day, and nothing is left on this one."""
    with life.on(5, 20):
        life.world.package(life.world.ann, price_minor=100)
    counted()

    with policy.changed(SCHOOL_TIMEZONE="Asia/Tokyo"):
        counted()
        sold = db.execute(
            text("SELECT day, sum(value) FROM kpi_days WHERE metric = 'packages_sold' GROUP BY day")
        ).all()
        assert [tuple(row) for row in sold] == [(life.day(4), 1)]
        assert checks.run_all(db) == []


def test_a_restored_school_is_counted_anew(db: Session, old: Life, owner: Connection) -> None:
    owner.cursor().execute(
        "UPDATE kpi_progress SET cluster = 'another', seen_xid = '999999999', ceiling_xid = '999999999'"
    )

    assert len(touched(db)) == 50
    assert touching.progress(db).change_id == db.execute(text("SELECT max(id) FROM audit_changes")).scalar_one()


OPEN_CHANGE = """
INSERT INTO audit_actions (id, at, actor_kind, name) VALUES (%(id)s, now(), 'system', 'test');
SELECT set_config('app.action_id', %(id)s, true);
UPDATE payments SET paid_at = paid_at - interval '3 days', updated_at = now(), version = version + 1;
"""


@pytest.fixture
def slow_change(mine: Servers) -> Any:
    """A transaction of somebody else that has changed a payment and not committed yet."""
    other = psycopg2.connect(mine.app_url)

    def begin() -> Callable[[], None]:
        other.cursor().execute(OPEN_CHANGE, {"id": str(new_id())})
        return other.commit

    yield begin
    other.rollback()
    other.close()


def newer(life: Life) -> None:
    """Changes whose ids come after those of the slow one."""
    life.package(life.world.ben, 5, price_minor=100)


@pytest.mark.breaks_invariants
def test_a_look_after_the_last_id_misses_a_change_that_commits_late(
    db: Session, old: Life, slow_change: Callable[[], Callable[[], None]]
) -> None:
    """The race without the guard: this is what reading by id alone would do."""
    commit = slow_change()
    newer(old)
    seen = db.execute(text("SELECT max(id) FROM audit_changes")).scalar_one()
    db.rollback()
    commit()

    late = db.execute(
        text("SELECT count(*) FROM audit_changes WHERE table_name = 'payments' AND id > :seen"), {"seen": seen}
    )

    assert late.scalar_one() == 0


@pytest.mark.breaks_invariants
def test_a_change_that_commits_late_is_seen_by_the_next_look(
    db: Session, old: Life, slow_change: Callable[[], Callable[[], None]]
) -> None:
    commit = slow_change()
    newer(old)
    first, second = touched_once(db), touched_once(db)
    commit()
    third = touched(db)

    assert old.day(52) not in first | second
    assert {old.day(52), old.day(49)} <= third
    counted()
    counted()
    assert touched(db) == set()
    assert touching.progress(db).change_id >= db.execute(text("SELECT max(id) FROM audit_changes")).scalar_one()


@pytest.mark.breaks_invariants
def test_what_was_being_written_at_the_very_first_look_is_not_missed(
    db: Session, life: Life, slow_change: Callable[[], Callable[[], None]]
) -> None:
    life.paid(life.package(life.world.ann, 6, price_minor=700), 5)
    commit = slow_change()
    newer(life)
    counted_once()
    assert touching.progress(db).change_id == -1
    db.rollback()
    commit()

    counted()

    value = db.execute(
        text("SELECT value FROM kpi_days WHERE metric = 'revenue_gross' AND day = :day"), {"day": life.day(8)}
    )
    assert value.scalar_one() == 700
    assert touching.progress(db).change_id > 0


def test_a_change_that_counts_nowhere_touches_only_its_lessons_days(db: Session, old: Life) -> None:
    before = db.query(AuditAction).count()
    edit_report(SYSTEM, _lesson(old, db), changes={"topic": "Barre chords"})

    assert db.query(AuditAction).count() == before + 1
    assert touched(db) <= {old.day(ago) for ago in range(40 - 28, 41)}
