"""The spine keeps its promises: time, money, states, one transaction, and an audit that nobody can forget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import config
from guitaronline import clock, errors, money
from guitaronline.actor import SYSTEM, Role
from guitaronline.audit.models import AuditAction, AuditChange, OutboxEvent
from guitaronline.db import new_id
from guitaronline.identity.models import Task, TaskStatus, User
from guitaronline.states import IllegalMove
from guitaronline.unit_of_work import Claim, Request, StaleVersion, Work, command, request
from tests.concurrency import at_once, refused


@command("test.make_person", creates="users")
def make_person(work: Work, name: str, *, reason: str | None = None) -> User:
    user = User(
        id=work.record_id, email=f"{name}@x.example", email_key=f"{name}@x.example", full_name=name, role=Role.STUDENT
    )
    work.add(user)
    return user


@command("test.rename", on="users")
def rename(work: Work, user_id: object, *, name: str, reason: str | None = None) -> User:
    user = work.lock(User, user_id)  # type: ignore[arg-type]
    user.full_name = name
    return user


@command("test.fail")
def make_person_and_fail(work: Work, name: str) -> None:
    work.add(User(id=work.record_id, full_name=name, role=Role.STUDENT))
    work.session.flush()
    raise errors.Conflict()


@command("test.keep")
def make_person_and_refuse(work: Work, name: str) -> None:
    work.add(User(id=work.record_id, full_name=name, role=Role.STUDENT))
    raise work.refuse_but_keep(errors.Conflict())


@command("test.sweep", quiet=True)
def sweep(work: Work) -> int:
    return 0


@command("test.nest")
def nest(work: Work) -> None:
    sweep(SYSTEM)


@command("test.make_task", creates="tasks")
def make_task(work: Work, owner: User) -> Task:
    task = Task(
        id=work.record_id,
        record_type="users",
        record_id=owner.id,
        title="call",
        owner_id=owner.id,
        status=TaskStatus.OPEN,
    )
    work.create(task)
    return task


@command("test.close_task", on="tasks")
def close_task(work: Work, task_id: object, *, status: TaskStatus) -> Task:
    task = work.lock(Task, task_id)  # type: ignore[arg-type]
    work.move(task, status)
    return task


def changes_of(db: Session, row: User) -> list[AuditChange]:
    return list(db.scalars(select(AuditChange).where(AuditChange.row_id == row.id).order_by(AuditChange.id)))


def test_a_change_stands_in_the_audit_with_its_actor_and_reason(db: Session) -> None:
    user = make_person(SYSTEM, "ann", reason="she asked")
    rename(SYSTEM, user.id, name="Anna", reason="typo")

    actions = list(db.scalars(select(AuditAction).order_by(AuditAction.id)))
    assert [(each.name, each.reason, each.record_id) for each in actions] == [
        ("test.make_person", "she asked", user.id),
        ("test.rename", "typo", user.id),
    ]
    created, renamed = changes_of(db, user)
    assert created.before is None
    assert created.after is not None
    assert created.after["role"] == "student"
    assert renamed.after is not None
    assert set(renamed.after) == {"full_name", "updated_at", "version"}


def test_personal_values_are_digests_and_lie_apart(db: Session) -> None:
    user = make_person(SYSTEM, "ann")

    (created,) = changes_of(db, user)
    assert created.after is not None
    assert created.after["full_name"].startswith("sha256:")
    clear = db.execute(text("SELECT after FROM audit_personal WHERE change_id = :id"), {"id": created.id}).scalar_one()
    assert clear["full_name"] == "ann"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET level = 'x'",
        "UPDATE users SET level = 'x' WHERE false",
        "INSERT INTO users (id, role, created_at, updated_at) VALUES (gen_random_uuid(), 'student', now(), now())",
    ],
)
def test_a_write_without_an_action_is_refused_to_both_roles(db: Session, owner: Connection, statement: str) -> None:
    make_person(SYSTEM, "ann")

    with pytest.raises(DBAPIError, match="needs an audit action"):
        db.execute(text(statement))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="needs an audit action"):
        owner.cursor().execute(statement)


def test_an_action_of_another_transaction_does_not_help(db: Session, owner: Connection) -> None:
    make_person(SYSTEM, "ann")
    old = db.scalars(select(AuditAction.id)).one()

    cursor = owner.cursor()
    cursor.execute("SELECT set_config('app.action_id', %s, false)", (str(old),))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute("UPDATE users SET level = 'x'")
    cursor.execute("SELECT set_config('app.action_id', '', false)")


@pytest.mark.parametrize(
    "table",
    [
        "audit_actions",
        "audit_changes",
        "audit_seals",
        "audit_checkpoints",
        "credit_entries",
        "payment_transitions",
        "plan_prices",
        "notes",
    ],
)
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_cannot_be_changed_even_by_the_owner(owner: Connection, table: str, statement: str) -> None:
    column = {"audit_changes": "row_id", "audit_seals": "hash"}.get(table, "id")
    wrong = statement.format(table).replace("id = id", f"{column} = {column}")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        owner.cursor().execute(wrong)


def test_the_application_cannot_write_the_audit(db: Session) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        db.execute(
            text(
                "INSERT INTO audit_changes (action_id, table_name, row_id) VALUES (gen_random_uuid(), 'users', gen_random_uuid())"
            )
        )


def test_a_refusal_leaves_nothing(db: Session) -> None:
    with pytest.raises(errors.Conflict):
        make_person_and_fail(SYSTEM, "ann")

    assert db.scalars(select(User)).all() == []
    assert db.scalars(select(AuditAction)).all() == []


def test_a_refusal_that_keeps_commits_first(db: Session) -> None:
    with pytest.raises(errors.Conflict):
        make_person_and_refuse(SYSTEM, "ann")

    assert len(db.scalars(select(User)).all()) == 1


def test_a_sweep_that_found_nothing_leaves_no_action(db: Session) -> None:
    sweep(SYSTEM)

    assert db.scalars(select(AuditAction)).all() == []


def test_units_do_not_nest(db: Session) -> None:
    with pytest.raises(RuntimeError, match="do not nest"):
        nest(SYSTEM)


def test_a_status_moves_along_the_table_and_emits_its_event(db: Session) -> None:
    task = make_task(SYSTEM, make_person(SYSTEM, "ann"))
    close_task(SYSTEM, task.id, status=TaskStatus.DONE)

    assert db.scalars(select(OutboxEvent.topic).order_by(OutboxEvent.id)).all() == ["task.created", "task.done"]
    with pytest.raises(IllegalMove):
        close_task(SYSTEM, task.id, status=TaskStatus.CANCELED)


def test_a_status_set_by_hand_raises(db: Session) -> None:
    task = make_task(SYSTEM, make_person(SYSTEM, "ann"))

    with pytest.raises(RuntimeError, match="never set"):
        task.status = TaskStatus.DONE


def test_a_stale_version_is_told(db: Session) -> None:
    user = make_person(SYSTEM, "ann")
    rename(SYSTEM, user.id, name="Anna")
    token = request.set(Request(expected=(user.id, 1)))
    try:
        with pytest.raises(StaleVersion):
            rename(SYSTEM, user.id, name="Anne")
    finally:
        request.reset(token)


def test_the_clock_seam_moves_commands_but_not_the_audits_real_time(db: Session) -> None:
    then = datetime(2026, 1, 5, 12, tzinfo=UTC)
    with clock.standing_at(then):
        user = make_person(SYSTEM, "ann")

    action = db.scalars(select(AuditAction)).one()
    assert (user.created_at, action.at) == (then, then)
    assert action.recorded_at - clock.read(db) < timedelta(minutes=1)
    assert action.recorded_at > then


def claimed(key: str, body: bytes, name: str) -> object:
    claim = Claim(
        user_id=OWNER, method="POST", path="/people", key=key, body_hash=body, render=lambda user: (201, user.full_name)
    )
    token = request.set(Request(claim=claim))
    try:
        return make_person(SYSTEM, name)
    finally:
        request.reset(token)


OWNER = new_id()


def test_one_key_does_its_work_once_however_many_ask_at_once(app: Flask, db: Session) -> None:
    from guitaronline.unit_of_work import AlreadyAnswered

    def ask() -> object:
        try:
            return claimed("k1", b"same", "ann")
        except AlreadyAnswered as answered:
            return answered.answer

    at_once(app, *[ask] * 6)

    assert len(db.scalars(select(User)).all()) == 1
    with pytest.raises(AlreadyAnswered) as answered:
        claimed("k1", b"same", "ann")
    assert (answered.value.status, answered.value.answer) == (201, "ann")
    with pytest.raises(errors.Invalid):
        claimed("k1", b"other", "ann")


def test_two_who_lock_crosswise_both_get_through(app: Flask, db: Session) -> None:
    ann, ben = make_person(SYSTEM, "ann"), make_person(SYSTEM, "ben")

    @command("test.crosswise")
    def crosswise(work: Work, first: User, second: User) -> bool:
        for each in (first, second):
            work.lock(User, each.id).level = "x"
            work.session.flush()
        return True

    results = at_once(app, *[lambda: crosswise(SYSTEM, ann, ben), lambda: crosswise(SYSTEM, ben, ann)] * 2)

    assert refused(results) == []


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("49.00", "USD", 4900), ("49", "USD", 4900), ("0.5", "EUR", 50), ("4900", "JPY", 4900), ("1.234", "KWD", 1234)],
)
def test_an_amount_is_read_to_the_minor_unit(amount: str, currency: str, minor: int) -> None:
    assert money.parse_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("NaN", "USD"),
        ("-1", "USD"),
        ("1e3", "USD"),
        ("1.005", "USD"),
        ("1.0", "JPY"),
        ("٣", "USD"),
        ("", "USD"),
        ("1,00", "EUR"),
    ],
)
def test_an_amount_that_is_none_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="an amount in"):
        money.parse_minor(amount, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(4900, "USD", "49.00"), (5, "USD", "0.05"), (-5, "USD", "-0.05"), (4900, "JPY", "4900"), (1, "KWD", "0.001")],
)
def test_an_amount_is_written_with_its_places(minor: int, currency: str, shown: str) -> None:
    assert money.decimal_string(minor, currency) == shown


def test_a_bad_setting_stops_the_start_and_all_are_named() -> None:
    with pytest.raises(config.BadConfig) as bad:
        config.load({"PORT": "99999", "DEMO": "maybe", "BOOKING_HOLD_MINUTES": "ten"})
    assert all(name in str(bad.value) for name in ("PORT", "DEMO", "BOOKING_HOLD_MINUTES"))


def test_production_refuses_what_is_fine_on_a_laptop() -> None:
    with pytest.raises(config.BadConfig) as bad:
        config.load({"ENVIRONMENT": "production", "LIMITS": "off"})
    assert all(
        name in str(bad.value) for name in ("SECRET_KEY", "DATABASE_URL", "COOKIE_SECURE", "STAFF_TOTP", "LIMITS")
    )
