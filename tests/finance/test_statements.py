"""What teachers get: rates from a day on, a statement a month, and corrections on a later one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.billing.refusals import ReasonRequired
from guitaronline.db import database
from guitaronline.errors import NotAllowed
from guitaronline.finance import statements
from guitaronline.finance.pay import Outcome, Taught, amount_for, rate_for
from guitaronline.finance.refusals import (
    ApproverIsTeacher,
    InvalidExtra,
    InvalidRate,
    MonthNotOver,
    NotATeacher,
    NothingToPay,
    RateLocked,
    RateMissing,
    RateOverlaps,
    StatementApproved,
    StatementChanged,
)
from guitaronline.finance.service import add_extra, approve_statement, end_rate
from guitaronline.finance.statement_models import LineKind, RateUnit, StatementLine, TeacherRate, TeacherStatement
from tests.by_hand import by_hand, refused_by
from tests.concurrency import at_once, done
from tests.finance.school import APRIL, MARCH, MAY, School
from tests.world import World, as_actor


def rates(db: Session) -> list[tuple[int, date, date | None]]:
    db.rollback()
    query = select(TeacherRate).order_by(TeacherRate.valid_from)
    return [(each.amount_minor, each.valid_from, each.valid_until) for each in db.scalars(query)]


def a_lesson(minutes: int = 60, day: date = date(2026, 3, 5)) -> Taught:
    return Taught(SYSTEM.id, "LES-1", day, minutes, Outcome.GIVEN, False, 0, Outcome.NOTHING, 0)  # type: ignore[arg-type]


# Rates


def test_a_new_rate_ends_the_one_before_and_history_stays(taught: School, db: Session) -> None:
    taught.rate(2_000)
    taught.rate(2_500, valid_from=date(2026, 4, 1))

    assert rates(db) == [(2_000, date(2026, 1, 1), date(2026, 4, 1)), (2_500, date(2026, 4, 1), None)]


def test_a_rate_set_afterwards_for_earlier_days_ends_where_the_next_begins(taught: School, db: Session) -> None:
    taught.rate(2_500, valid_from=date(2026, 4, 1))
    taught.rate(2_000, valid_from=date(2026, 2, 1))

    assert rates(db) == [(2_000, date(2026, 2, 1), date(2026, 4, 1)), (2_500, date(2026, 4, 1), None)]


def test_two_rates_cannot_begin_on_one_day(taught: School) -> None:
    taught.rate(2_000)
    taught.rate(1_000, lesson_minutes=30)

    with pytest.raises(RateOverlaps):
        taught.rate(2_100)


def test_the_database_refuses_rates_that_overlap(taught: School, db: Session) -> None:
    taught.rate(2_000)
    taught.rate(2_500, valid_from=date(2026, 4, 1))

    with refused_by("teacher_rates_no_overlap"):
        by_hand(db, "UPDATE teacher_rates SET valid_until = NULL")


def test_two_rates_at_once_are_set_one_after_the_other(app: Flask, taught: School, db: Session) -> None:
    assert taught.world.tom
    assert taught.finance

    results = at_once(app, lambda: taught.rate(2_000), lambda: taught.rate(2_100, valid_from=date(2026, 2, 1)))

    assert len(done(results)) == 2
    assert rates(db) == [(2_000, date(2026, 1, 1), date(2026, 2, 1)), (2_100, date(2026, 2, 1), None)]


def test_a_rate_for_the_length_goes_before_the_one_for_any() -> None:
    half, other = (_rate(minutes) for minutes in (30, None))

    assert rate_for([other, half], a_lesson(30)) is half
    assert rate_for([other, half], a_lesson(45)) is other
    assert rate_for([half], a_lesson(45)) is None


def test_a_rate_holds_from_its_first_day_until_the_day_before_its_end() -> None:
    rate = _rate(None, valid_from=date(2026, 3, 2), valid_until=date(2026, 3, 4))

    held = [rate_for([rate], a_lesson(day=date(2026, 3, day))) is rate for day in (1, 2, 3, 4)]

    assert held == [False, True, True, False]


@pytest.mark.parametrize(("minutes", "due"), [(60, 1_001), (30, 501), (45, 751), (20, 334), (15, 250)])
def test_an_hours_rate_counts_by_the_minute_and_half_a_unit_is_rounded_up(minutes: int, due: int) -> None:
    assert amount_for(_rate(None, unit=RateUnit.HOUR, amount_minor=1_001), minutes) == due


def _rate(minutes: int | None, **more: Any) -> TeacherRate:
    facts = {"unit": RateUnit.LESSON, "amount_minor": 1_000, "currency": "USD", "valid_from": date(2026, 1, 1), **more}
    return TeacherRate(lesson_minutes=minutes, valid_until=facts.pop("valid_until", None), **facts)


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"amount_minor": -1}, "/amount"),
        ({"amount_minor": 10**12 + 1}, "/amount"),
        ({"currency": "XXX"}, "/currency"),
        ({"valid_from": date(1999, 12, 31)}, "/valid_from"),
        ({"lesson_minutes": 14}, "/lesson_minutes"),
        ({"lesson_minutes": 241}, "/lesson_minutes"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(taught: School, facts: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidRate) as refusal:
        taught.rate(**{"amount_minor": 1, **facts})

    assert [each.pointer for each in refusal.value.reasons] == [pointer]


def test_only_teachers_have_rates(taught: School) -> None:
    with pytest.raises(NotATeacher):
        taught.rate(teacher_id=taught.world.ann.id)


def test_support_sets_no_rate_and_approves_nothing(taught: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(School, "finance", as_actor(taught.world.sue))

    with pytest.raises(NotAllowed):
        taught.rate()
    with pytest.raises(NotAllowed):
        taught.approved(MARCH)


def test_a_rate_ends_with_a_reason_and_only_earlier(taught: School, db: Session) -> None:
    rate = taught.rate()
    with pytest.raises(ReasonRequired):
        end_rate(taught.finance, rate.id, valid_until=date(2026, 6, 1), reason=" ")
    end_rate(taught.finance, rate.id, valid_until=date(2026, 6, 1), reason="leaves")

    with pytest.raises(InvalidRate):
        end_rate(taught.finance, rate.id, valid_until=date(2026, 7, 1), reason="stays")
    with pytest.raises(InvalidRate):
        end_rate(taught.finance, rate.id, valid_until=date(2026, 1, 1), reason="never came")
    assert rates(db) == [(2_000, date(2026, 1, 1), date(2026, 6, 1))]


# Statements


def test_a_statement_pays_what_was_given_missed_and_called_off_too_late(taught: School) -> None:
    taught.rate(2_000)
    given, missed = taught.given(3, 3), taught.missed(3, 4, "student")
    taught.missed(3, 5, "teacher")
    taught.missed(3, 6, "technical")
    late = taught.called_off(3, 9, hours_before=3)
    taught.called_off(3, 10, hours_before=48)
    taught.given(4, 1)

    statement = taught.approved(MARCH)

    late_lesson = _reference_of(late)
    assert taught.lines(statement) == [
        ("lesson", f"{given.reference}, 60 min, given", 2_000),
        ("lesson", f"{missed.reference}, 60 min, student no-show", 2_000),
        ("lesson", f"{late_lesson}, 60 min, late cancel", 2_000),
    ]


def _reference_of(booking: Any) -> str:
    from guitaronline.db import session
    from guitaronline.lessons.models import Lesson

    return session().scalars(select(Lesson.reference).where(Lesson.booking_id == booking.id)).one()


def test_what_the_settings_do_not_pay_stands_there_with_nothing(taught: School) -> None:
    taught.rate(2_000)
    taught.missed(3, 4, "student")
    taught.called_off(3, 9, hours_before=3)

    with policy.changed(PAY_STUDENT_NO_SHOWS=False, PAY_LATE_CANCELS=False):
        statement = taught.approved(MARCH)
    later = taught.extra(APRIL) and taught.approved(APRIL)

    assert [amount for _, _, amount in taught.lines(statement)] == [0, 0]
    assert [kind for kind, _, _ in taught.lines(later)] == ["work"]  # another setting corrects no locked month


def test_a_lesson_belongs_to_the_schools_month(taught: School) -> None:
    taught.rate(2_000)
    taught.given(3, 31, hour=22)

    with policy.changed(SCHOOL_TIMEZONE="Europe/Berlin"), pytest.raises(NothingToPay):
        taught.approved(MARCH)
    with policy.changed(SCHOOL_TIMEZONE="Europe/Berlin"):
        assert len(taught.lines(taught.approved(APRIL))) == 1


def test_other_work_and_deductions_stand_with_their_reason(taught: School, db: Session) -> None:
    taught.extra(MARCH, LineKind.WORK, 5_000)
    taught.extra(MARCH, LineKind.DEDUCTION, 1_200)
    taught.extra(APRIL)

    statement = taught.approved(MARCH)

    assert taught.lines(statement) == [("work", "open evening", 5_000), ("deduction", "open evening", -1_200)]
    assert statements.totals_of(db, [statement.id]) == {statement.id: {"USD": 3_800}}


def test_a_correction_lands_on_the_next_statement(taught: School) -> None:
    taught.rate(2_000)
    lesson = taught.given(3, 3)
    march = taught.approved(MARCH)
    taught.corrected(lesson, datetime(2026, 4, 10, tzinfo=UTC))

    april = taught.approved(APRIL)

    assert [amount for _, _, amount in taught.lines(march)] == [2_000]
    assert taught.lines(april) == [("correction", f"{lesson.reference}, 60 min, nothing, was given", -2_000)]


def test_a_correction_of_a_correction_is_versioned_too(taught: School, db: Session) -> None:
    taught.rate(2_000)
    lesson = taught.given(3, 3)
    taught.approved(MARCH)
    taught.corrected(lesson, datetime(2026, 4, 10, tzinfo=UTC))
    taught.approved(APRIL)
    taught.corrected(lesson, datetime(2026, 5, 3, tzinfo=UTC), side=None)
    with clock.standing_at(datetime(2026, 6, 2, tzinfo=UTC)):
        approve_statement(taught.finance, teacher_id=taught.world.tom.id, month=MAY)

    query = select(StatementLine.revision, StatementLine.amount_minor).where(StatementLine.lesson_id == lesson.id)
    assert [tuple(row) for row in db.execute(query.order_by(StatementLine.revision))] == [
        (1, 2_000),
        (2, -2_000),
        (3, 2_000),
    ]


def test_an_outcome_that_changes_nothing_of_the_pay_corrects_nothing_but_the_words(taught: School) -> None:
    taught.rate(2_000)
    lesson = taught.given(3, 3)
    taught.approved(MARCH)
    taught.corrected(lesson, datetime(2026, 4, 10, tzinfo=UTC), side="student")

    april = taught.approved(APRIL)

    assert taught.lines(april) == [("correction", f"{lesson.reference}, 60 min, student no-show, was given", 0)]


def test_an_outcome_recorded_late_is_paid_with_a_later_month(taught: School, db: Session) -> None:
    from guitaronline.lessons.service import complete_lesson

    taught.rate(2_000)
    taught.given(3, 3)
    forgotten = taught.lesson(3, 20)
    assert len(statements.preview(db, taught.world.tom.id, MARCH).open_lessons) == 1
    march = taught.approved(MARCH)
    with clock.standing_at(datetime(2026, 4, 12, tzinfo=UTC)):
        complete_lesson(as_actor(taught.world.tom), forgotten.id)

    april = taught.approved(APRIL)

    assert len(taught.lines(march)) == 1
    assert taught.lines(april) == [("correction", f"{forgotten.reference}, 60 min, given, was nothing", 2_000)]


def test_a_correction_keeps_the_rate_of_its_day(taught: School) -> None:
    taught.rate(2_000)
    lesson = taught.given(3, 3)
    taught.approved(MARCH)
    taught.rate(3_000, valid_from=date(2026, 4, 1))
    taught.given(4, 7)
    taught.corrected(lesson, datetime(2026, 4, 10, tzinfo=UTC))

    assert sorted(amount for _, _, amount in taught.lines(taught.approved(APRIL))) == [-2_000, 3_000]


def test_a_rate_cannot_begin_or_end_in_a_locked_month(taught: School) -> None:
    rate = taught.rate(2_000)
    taught.given(3, 3)
    taught.approved(MARCH)

    with pytest.raises(RateLocked):
        taught.rate(3_000, valid_from=date(2026, 3, 31))
    with pytest.raises(RateLocked):
        end_rate(taught.finance, rate.id, valid_until=date(2026, 3, 20), reason="x")
    assert taught.rate(3_000, valid_from=date(2026, 4, 1))


def test_a_lesson_without_a_rate_keeps_the_statement_back(taught: School) -> None:
    taught.rate(1_000, lesson_minutes=30)
    lesson = taught.given(3, 3)

    with pytest.raises(RateMissing) as refusal:
        taught.approved(MARCH)

    assert [each.facts["lesson_id"] for each in refusal.value.reasons] == [str(lesson.id)]


def test_a_month_that_runs_is_not_approved(taught: School) -> None:
    taught.extra(MARCH)

    with clock.standing_at(datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)), pytest.raises(MonthNotOver):
        approve_statement(taught.finance, teacher_id=taught.world.tom.id, month=MARCH)


def test_nothing_is_no_statement(taught: School) -> None:
    assert taught.world.tom

    with pytest.raises(NothingToPay):
        taught.approved(MARCH)


def test_nobody_approves_their_own_statement(taught: School, db: Session) -> None:
    """A finance person cannot be a teacher; the database holds it too."""
    taught.extra(MARCH)
    with pytest.raises(ApproverIsTeacher):
        approve_statement(Actor(taught.world.tom.id, Role.FINANCE), teacher_id=taught.world.tom.id, month=MARCH)
    with pytest.raises(NotAllowed):
        approve_statement(SYSTEM, teacher_id=taught.world.tom.id, month=MARCH)

    insert = (
        "INSERT INTO teacher_statements (id, teacher_id, month, approved_by, approved_at, created_at, updated_at)"
        " VALUES (gen_random_uuid(), :tom, '2026-03-01', :tom, now(), now(), now())"
    )
    with refused_by("ck_teacher_statements_four_eyes"):
        by_hand(db, insert, tom=taught.world.tom.id)


def test_what_changed_since_it_was_looked_at_is_not_approved(taught: School, db: Session) -> None:
    taught.rate(2_000)
    taught.given(3, 3)
    seen = statements.preview(db, taught.world.tom.id, MARCH).digest
    taught.extra(MARCH)

    with pytest.raises(StatementChanged):
        taught.approved(MARCH, seen=seen)
    assert taught.approved(MARCH, seen=statements.preview(db, taught.world.tom.id, MARCH).digest)


def test_the_same_person_again_gets_the_same_statement_and_another_is_told(taught: School) -> None:
    taught.extra(MARCH)
    first = taught.approved(MARCH)

    assert taught.approved(MARCH).id == first.id
    with clock.standing_at(datetime(2026, 4, 3, tzinfo=UTC)), pytest.raises(StatementApproved):
        approve_statement(as_actor(taught.world.ada), teacher_id=taught.world.tom.id, month=MARCH)


def test_two_approvals_at_once_make_one_statement(app: Flask, taught: School, db: Session) -> None:
    taught.rate(2_000)
    taught.given(3, 3)
    assert taught.finance

    results = at_once(app, lambda: taught.approved(MARCH), lambda: taught.approved(MARCH))

    db.rollback()
    assert len({each.id for each in done(results)}) == 1
    assert len(db.scalars(select(TeacherStatement)).all()) == 1
    topics = db.scalars(select(OutboxEvent.topic).where(OutboxEvent.record_type == "teacher_statements"))
    assert topics.all() == ["statement.approved"]


def test_without_the_teachers_lock_two_would_write(
    app: Flask, taught: School, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race without its guard: both find no statement, and only the constraint stops the second."""
    from threading import Barrier

    from guitaronline.finance import statements as module

    taught.rate(2_000)
    taught.given(3, 3)
    barrier, look = Barrier(2, timeout=20), module.statement_of
    monkeypatch.setattr(module, "lock_teacher", lambda work, teacher_id: None)
    monkeypatch.setattr(module, "statement_of", lambda *args: (look(*args), barrier.wait())[0])

    results = at_once(app, lambda: taught.approved(MARCH), lambda: taught.approved(MARCH))

    assert [type(each).__name__ for each in results if each not in done(results)] == ["StatementApproved"]


def test_a_locked_month_takes_no_other_work(taught: School) -> None:
    taught.extra(MARCH)
    taught.approved(MARCH)

    with pytest.raises(StatementApproved):
        taught.extra(MARCH)


@pytest.mark.parametrize(("kind", "amount"), [("lesson", 100), ("work", 0), ("deduction", -5), ("work", 10**12 + 1)])
def test_other_work_that_cannot_be_is_refused(taught: School, kind: str, amount: int) -> None:
    with pytest.raises(InvalidExtra):
        taught.extra(MARCH, kind, amount)  # type: ignore[arg-type]


def test_lines_are_never_rewritten(taught: School, db: Session) -> None:
    taught.extra(MARCH)
    taught.approved(MARCH)

    with pytest.raises(Exception, match="permission denied"):
        by_hand(db, "UPDATE statement_lines SET amount_minor = 1")


def test_the_round_of_a_month_names_everybody_once_and_page_by_page(taught: School, db: Session, world: World) -> None:
    taught.rate(2_000)
    taught.given(3, 3)
    facts = {"teacher_id": world.tina.id, "currency": "USD", "reason": "x", "kind": "work", "amount_minor": 1}
    add_extra(taught.finance, month=MARCH, **facts)  # type: ignore[arg-type]
    first = statements.round_of(db, MARCH, limit=1)
    second = statements.round_of(db, MARCH, after=(first[0].full_name, first[0].teacher_id))

    assert [each.full_name for each in (*first, *second)] == ["Tina", "Tom"]
    assert [each.totals for each in (*first, *second)] == [{"USD": 1}, {"USD": 2_000}]
    assert statements.round_of(db, MAY) == []


def test_the_round_reads_its_teachers_together(taught: School, db: Session, world: World) -> None:
    taught.extra(MARCH)
    alone = statements_run(db, lambda: statements.round_of(db, MARCH))
    for name in ("Tara", "Theo", "Toby"):
        teacher = world.person(name, Role.TEACHER)
        facts = {"teacher_id": teacher.id, "currency": "USD", "reason": "x", "kind": "work", "amount_minor": 1}
        add_extra(taught.finance, month=MARCH, **facts)

    assert statements_run(db, lambda: statements.round_of(db, MARCH)) == alone


def statements_run(db: Session, read: Callable[[], object]) -> int:
    """How many statements went to the database."""
    run: list[str] = []

    def note(*told: Any) -> None:
        run.append(told[2])

    db.rollback()
    event.listen(database.engine, "before_cursor_execute", note)
    try:
        assert read()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return len(run)


def test_the_statement_of_a_month_is_not_touched_by_the_hour_of_the_approval(taught: School) -> None:
    taught.extra(MARCH)

    with clock.standing_at(datetime(2026, 4, 1, tzinfo=UTC)):
        made = approve_statement(taught.finance, teacher_id=taught.world.tom.id, month=MARCH)

    assert made.approved_at - datetime(2026, 4, 1, tzinfo=UTC) == timedelta(0)
