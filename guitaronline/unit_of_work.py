"""THE transaction. A command is a function decorated with `@command`; nothing else may write business rows.

The decorator opens the one transaction, records the action for the audit, runs the body, stores the answer of a
request that carried an Idempotency-Key, commits once, and only then lets the result out. Deadlocks and serialization
failures start the body again (3 times, with jitter). Known constraint names become domain errors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property, partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast
from uuid import UUID

import psycopg2
import sqlalchemy.event
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from guitaronline import clock, db, verdict, watching
from guitaronline.actor import Actor
from guitaronline.audit.models import OutboxEvent
from guitaronline.errors import Busy, Conflict, DomainError, Invalid, NotFound
from guitaronline.states import StateTable, moving
from guitaronline.verdict import OutcomeUnknown, StartAgain

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=db.Base)

RETRIES = 3

BEGIN_ACTION = text(
    "SELECT now_at, claim, answer_status, answer FROM begin_action("
    ":id, :actor_id, :actor_kind, :name, :reason, :record_type, :record_id, :request_id, :address, :at, :shift,"
    " :key_user, :key_method, :key_path, :key, :key_hash)"
)
KEEP_ANSWER = (
    "INSERT INTO idempotency_keys (id, user_id, method, path, key, body_hash, http_status, answer, created_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


class Record(Protocol):
    """A stored record with a state table."""

    id: Any
    status: Any
    states: StateTable


@dataclass(frozen=True)
class Claim:
    """A request's Idempotency-Key: its scope, the hash of its body, and how the command's result becomes an answer."""

    user_id: UUID
    method: str
    path: str
    key: str
    body_hash: bytes
    render: Callable[[Any], tuple[int, str]]


@dataclass(frozen=True)
class Request:
    """What the door knows about the request that led here; stands on the audit action."""

    request_id: str | None = None
    address: str | None = None
    claim: Claim | None = None
    expected: tuple[UUID, int] | None = None  # record and version that the person saw (If-Match, command pages)
    at_end: Callable[[Any], None] | None = None  # told the result before the commit; what it raises undoes everything


request: ContextVar[Request] = ContextVar("request", default=Request())  # noqa: B039  # frozen
doorbell: list[Callable[[set[str]], None]] = []  # called after commit with the topics emitted; never raises
command_names: set[str] = set()  # of all commands that are loaded; the audit desk puts each into a group
constraint_errors: dict[str, type[DomainError]] = {}  # constraint name → refusal; each domain adds its own


class AlreadyAnswered(watching.AnsweredBefore):
    """This key had this answer before; nothing was done now."""

    def __init__(self, status: int, answer: str) -> None:
        self.status, self.answer = status, answer
        super().__init__("answered before")


class IdempotencyKeyReused(Invalid):
    detail = "This Idempotency-Key was used with another request body."


class StillRunning(Busy):
    detail = "The first request with this Idempotency-Key is still running."


class StaleVersion(Conflict):
    detail = "Somebody changed this record after you opened it."


class Work:
    """One running unit: its actor, its moment, its session. Steps take it as their first parameter."""

    def __init__(self, actor: Actor, name: str, reason: str | None, record_id: UUID | None) -> None:
        self.actor, self.name, self.reason = actor, name, reason
        self.action_id = db.new_id()
        self.record_id = record_id or db.new_id()  # the subject; a command that creates gives it to the new record
        self.now: datetime
        self.topics: set[str] = set()
        self.refusal: DomainError | None = None
        self.last_steps: list[Callable[[], object]] = []

    @cached_property
    def session(self) -> Session:
        return db.session()

    def find(self, model: type[M], record_id: UUID) -> M:
        """The record, unlocked, with fresh values. Raises NotFound."""
        found = self.session.get(model, record_id, populate_existing=True)
        if found is None:
            raise NotFound(record=model.__tablename__, id=str(record_id))
        return found

    def lock(self, model: type[M], record_id: UUID) -> M:
        """The record, locked until commit, with the values it has now. Raises NotFound."""
        found = self.lock_all(model, [record_id])
        if not found:
            raise NotFound(record=model.__tablename__, id=str(record_id))
        return found[0]

    def lock_all(self, model: type[M], record_ids: Iterable[UUID]) -> list[M]:
        """Those of the records that exist, locked in the order of their ids, fresh."""
        ids = sorted(set(record_ids))
        if not ids:
            return []
        key = cast(Any, model).id
        query = select(model).where(key.in_(ids)).order_by(key).with_for_update(key_share=True)
        found = list(self.session.scalars(query, execution_options={"populate_existing": True}))
        for record in found:
            _refuse_stale(record)
        return found

    def create(self, record: Any, *, event: str | None = None, **payload: Any) -> None:
        """Add a record that has a state table; its first state must be a legal one."""
        topic = record.states.event(None, record.status, event)
        self.add(record)
        self.emit(topic, record, **payload)

    def add(self, record: Any) -> None:
        """Add a record; `created_at` and `updated_at` are this unit's moment."""
        if record.id is None:
            record.id = db.new_id()
        for column in ("created_at", "updated_at"):
            if hasattr(type(record), column) and getattr(record, column) is None:
                setattr(record, column, self.now)
        self.session.add(record)

    def move(self, record: Any, target: StrEnum, *, event: str | None = None, **payload: Any) -> None:
        """Move the locked record to `target` and emit the move's event. Raises IllegalMove."""
        topic = record.states.event(record.status, target, event)
        with moving():
            record.status = target
        self.emit(topic, record, **payload)

    def move_all(self, model: type[M], ids: Iterable[UUID], source: StrEnum, target: StrEnum, **values: Any) -> None:
        """Move those of the locked records that are in `source` to `target`, in one statement. Emits nothing: the caller
        tells of them as a whole. Raises IllegalMove."""
        columns = cast(Any, model)
        columns.states.event(source, target)
        moved = update(model).where(columns.id == db.any_of(ids), columns.status == source)
        moved = moved.values(status=target, version=columns.version + 1, updated_at=self.now, **values)
        self.session.execute(moved, execution_options={"synchronize_session": False})

    def emit(self, topic: str, record: Any, **payload: Any) -> None:
        """Put an event into the outbox; ids and plain facts only, no personal data."""
        self.topics.add(topic)
        self.session.add(
            OutboxEvent(
                id=db.new_id(),
                topic=topic,
                record_type=record.__tablename__,
                record_id=record.id,
                payload=payload,
                action_id=self.action_id,
                created_at=self.now,
                available_at=self.now,
                attempts=0,
            )
        )

    def at_end(self, step: Callable[[], object]) -> None:
        """`step()` runs when everything else of this unit is written: what it locks is held for little more than the commit."""
        self.last_steps.append(step)

    def refuse_but_keep(self, refusal: DomainError) -> DomainError:
        """`raise work.refuse_but_keep(HoldExpired())`: commit what was written so far, then answer no."""
        self.refusal = refusal
        return refusal


def command(
    name: str,
    *,
    on: str | None = None,
    creates: str | None = None,
    quiet: bool = False,
    shortcut: Callable[..., Any] | None = None,
) -> Callable[[Callable[Concatenate[Work, P], R]], Callable[Concatenate[Actor, P], R]]:
    """Make `body(work, …)` the command `(actor, …)`.

    `on`: table of the record whose id is the first argument; `creates`: table of the record it makes with the id
    `work.record_id`; a keyword argument `reason` is recorded. `quiet`: a falsy result means that nothing was to be
    done, and leaves no action (sweeps). `shortcut(work, connection, …)` may do the plain case in one statement that begins the
    action itself (see `begin_arguments`); where it answers None or the database says no, nothing has happened and
    the body does it.
    """

    def decorate(body: Callable[Concatenate[Work, P], R]) -> Callable[Concatenate[Actor, P], R]:
        @wraps(body)
        def run(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            subject = cast(UUID, args[0]) if on and args else None
            reason = cast("str | None", kwargs.get("reason"))
            cut_off = False
            if shortcut is not None and request.get().expected is None and request.get().at_end is None:
                work = Work(actor, name, reason, subject)
                try:
                    done = _try_shortcut(work, lambda connection: shortcut(work, connection, *args, **kwargs))
                except OutcomeUnknown:
                    if request.get().claim is None:
                        raise
                    done, cut_off = None, True  # the key knows what came of it: the command asks
                if done is not None:
                    return cast(R, done)
            for attempt in range(RETRIES + 1):
                work = Work(actor, name, reason, subject)
                try:
                    return _run_once(work, on or creates, quiet, partial(body, work, *args, **kwargs))
                except StartAgain as again:
                    if attempt == RETRIES:
                        raise Busy() from again.__cause__
                    watching.tell(name, watching.Ending.AGAIN)
                    time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311  # jitter, no secret
                except DBAPIError as error:
                    if cut_off:  # the key could not be asked either
                        raise OutcomeUnknown() from error
                    raise
            raise AssertionError("unreachable")

        run.command_name = name  # type: ignore[attr-defined]
        command_names.add(name)
        return cast(Callable[Concatenate[Actor, P], R], watching.watched(name, run))

    return decorate


def _try_shortcut(work: Work, shortcut: Callable[[db.Quick], Any]) -> Any:
    """What the shortcut did, committed; None when it declined or met anything unusual, and then nothing has happened.

    Raises OutcomeUnknown."""
    _refuse_nesting()
    try:
        with db.quick(alone=request.get().claim is None) as connection:
            result = shortcut(connection)
            if result is None:
                return None
            if answer := _answer(work, result):
                connection.run(KEEP_ANSWER, answer)
    except psycopg2.Error as error:
        if verdict.is_cut_off(error):
            raise OutcomeUnknown() from error
        return None
    _ring(work)
    return result


def _run_once(work: Work, record_type: str | None, quiet: bool, body: Callable[[], R]) -> R:
    _refuse_nesting()
    session = work.session
    session.rollback()  # nothing read before may be acted on
    session.info["work"] = work
    try:
        _begin(work, record_type)
        result = body()
        session.flush()
        if quiet and not result:
            session.rollback()
            return result
        if answer := _answer(work, result):
            session.connection().exec_driver_sql(KEEP_ANSWER, answer)
        if at_end := request.get().at_end:
            at_end(result)
        for step in work.last_steps:
            step()
        verdict.commit(session)
    except DomainError as refusal:
        if work.refusal is not refusal:
            session.rollback()
            raise
        for step in work.last_steps:
            step()
        verdict.commit(session)
        _ring(work)
        raise
    except DBAPIError as error:
        session.rollback()
        translated = verdict.translated(error, constraint_errors)
        if translated is error:  # `raise error from error` would make it its own cause, without end
            raise
        raise translated from error
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("work", None)
    _ring(work)
    return result


def _refuse_nesting() -> None:
    if db.is_inside_work():
        raise RuntimeError("units of work do not nest: call a step, not a command")


def begin_arguments(work: Work, record_type: str | None) -> dict[str, Any]:
    """What the database function `begin_action` is told."""
    facts = request.get()
    at, shift = clock.seam()
    return {
        "id": work.action_id,
        "actor_id": work.actor.id,
        "actor_kind": work.actor.role.value,
        "name": work.name,
        "reason": work.reason,
        "record_type": record_type,
        "record_id": work.record_id if record_type else None,
        "request_id": facts.request_id,
        "address": facts.address,
        "at": at,
        "shift": shift,
        **_scope(facts.claim),
    }


def _begin(work: Work, record_type: str | None) -> None:
    row = work.session.execute(BEGIN_ACTION, begin_arguments(work, record_type)).one()
    work.now = row.now_at.astimezone(UTC)
    if row.claim == "answered":
        raise AlreadyAnswered(row.answer_status, row.answer)
    if row.claim == "reused":
        raise IdempotencyKeyReused()
    if row.claim == "running":
        raise StillRunning()


def _refuse_stale(record: Any) -> None:
    expected = request.get().expected
    if expected and record.id == expected[0] and record.version != expected[1]:
        raise StaleVersion(seen=expected[1], now=record.version)


def _answer(work: Work, result: Any) -> tuple[Any, ...] | None:
    """The row for `idempotency_keys`, when the request carries a key."""
    claim = request.get().claim
    if claim is None:
        return None
    status, answer = claim.render(result)
    return (db.new_id(), *_scope(claim).values(), status, answer, work.now)


def _scope(claim: Claim | None) -> dict[str, Any]:
    values = (claim.user_id, claim.method, claim.path, claim.key, claim.body_hash) if claim else (None,) * 5
    return dict(zip(("key_user", "key_method", "key_path", "key", "key_hash"), values, strict=True))


def _ring(work: Work) -> None:
    for ring in doorbell:
        ring(work.topics)


@sqlalchemy.event.listens_for(Session, "before_flush")
def _stamp_changes(session: Session, *_: Any) -> None:
    """`updated_at` and `version` of changed records follow by themselves; they cannot be forgotten."""
    work: Work | None = session.info.get("work")
    for record in session.dirty if work else ():
        if session.is_modified(record, include_collections=False):
            if hasattr(type(record), "updated_at"):
                record.updated_at = work.now  # type: ignore[union-attr]
            if hasattr(type(record), "version"):
                record.version += 1
