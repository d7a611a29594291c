"""The one way to the database: the declarative base, column types that say what they hold, and the session."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import psycopg2
import uuid_utils.compat
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as OneEngineSession
from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Engine,
    Enum,
    MetaData,
    String,
    Text,
    TypeDecorator,
    any_,
    cast,
    event,
    literal,
    text,
)
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): sorts by the time it was made."""
    return uuid_utils.compat.uuid7()


class UtcDateTime(TypeDecorator[datetime]):
    """timestamptz; aware in, UTC out. A naive time is a mistake and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive time was given")
        return value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None


class Base(DeclarativeBase):
    registry = registry(
        metadata=MetaData(naming_convention=NAMES),
        type_annotation_map={datetime: UtcDateTime(), UUID: SqlUuid(), str: Text(), dict[str, Any]: JSONB()},
    )


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
Minor = Annotated[int, mapped_column(BigInteger)]  # minor units of the row's currency
Currency = Annotated[str, mapped_column(String(3))]


class Timestamps:
    """When the row was made and last changed, by the clock of the unit of work."""

    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Versioned:
    """`version` grows by one with each change; command pages and If-Match compare it."""

    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))


def choice(kind: type[StrEnum], name: str) -> Enum:
    """A text column that holds one of `kind`'s values, with a CHECK of that name."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        name=name,
        length=20,
        values_callable=lambda members: [member.value for member in members],
    )


STANDBY = "standby"  # the bind of DATABASE_READ_URL
_reads_standby: ContextVar[bool] = ContextVar("reads_standby", default=False)


def read_from_standby(wanted: bool) -> None:  # the value of one switch
    """From here on this request reads from the standby, or not any more. Nothing can be written there."""
    _reads_standby.set(wanted)


def reads_standby() -> bool:
    return _reads_standby.get()


class RoutedSession(OneEngineSession):
    """Asks the primary, unless the request reads from the standby."""

    def get_bind(self, *args: Any, **more: Any) -> Any:
        return self._db.engines[STANDBY] if _reads_standby.get() else super().get_bind(*args, **more)


database = SQLAlchemy(
    model_class=Base,
    session_options={"expire_on_commit": False, "class_": RoutedSession},
    disable_autonaming=True,
)


def session() -> Session:
    """The session of the present request, job or command line."""
    return database.session()


def is_inside_work() -> bool:
    """Whether a unit of work is running here. Makes no session to find that out."""
    return database.session.registry.has() and "work" in database.session().info


def array(ids: Iterable[UUID]) -> str:
    """As an array literal for `CAST(:ids AS uuid[])`: the driver takes five times as long over a list of ids."""
    return "{" + ",".join(map(str, ids)) + "}"


def any_of(ids: Iterable[UUID]) -> Any:
    """`id = any_of(ids)`: one value, because a list of hundreds takes longer to write and plan than to run."""
    return any_(cast(literal(array(ids), Text), ARRAY(SqlUuid)))


class Quick:
    """A connection without ORM and session, for the two or three hottest statements."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.cursor = connection, connection.cursor()

    def one(self, statement: Prepared, *values: Any) -> tuple[Any, ...] | None:
        """The first row, as the driver gives it."""
        if statement.name not in self.connection.info:  # of the connection to the server, not of this use of it
            self.cursor.execute(statement.prepare)
            self.connection.info[statement.name] = True
        self.cursor.execute(statement.run, values)
        row: tuple[Any, ...] | None = self.cursor.fetchone()
        return row

    def run(self, sql: str, values: tuple[Any, ...]) -> None:
        self.cursor.execute(sql, values)


@contextmanager
def quick(*, alone: bool) -> Iterator[Quick]:
    """`alone`: each statement is a transaction of its own, with no BEGIN and no COMMIT to wait for. Otherwise all are one,
    committed at the end. Raises the driver's errors, and then nothing has happened."""
    connection = (database.engines[STANDBY] if _reads_standby.get() else database.engine).raw_connection()
    try:
        assert connection.dbapi_connection is not None
        connection.dbapi_connection.autocommit = alone
        yield Quick(connection)
        if not alone:
            connection.commit()
    finally:
        connection.close()  # the pool rolls back what was not committed


AWAY = (
    OperationalError,
    InterfaceError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
)  # `quick` raises the driver's


def is_away(error: BaseException) -> bool:
    """The database does not answer, or cannot just now."""
    return isinstance(error, AWAY)


IDLE_SECONDS = (
    2.0  # a connection that rested longer is asked whether it still lives; asking each time cost a tenth of a hold
)


def watch_connections(engine: Engine) -> None:
    """Wire the pool: connections that a restart of the server broke are replaced before anybody uses them, and none keeps
    what `quick` made of it."""

    @event.listens_for(engine, "checkin")
    def rests(connection: Any, record: Any) -> None:
        if connection is not None:
            connection.autocommit = False
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wakes(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as broken:
            raise DisconnectionError() from broken


class Prepared:
    """A hot statement whose plan every connection keeps; psycopg2 has the others planned anew each time, which costs more
    than running them. `sql` numbers its parameters $1, $2 …; `types` are theirs. Does not go through a pooler that
    shares connections between transactions."""

    def __init__(self, name: str, types: str, sql: str) -> None:
        self.name = name
        self.prepare = f"PREPARE {name} ({types}) AS {sql}"
        self.run = f"EXECUTE {name} ({', '.join(['%s'] * len(types.split(',')))})"


@contextmanager
def technical_transaction() -> Iterator[Session]:
    """A short transaction over technical tables (sign-ins, tokens, counters), which no audit watches.

    Commits at the end, so a refusal that must leave something behind is raised after it. Business tables refuse to be
    written here. Raises RuntimeError inside a unit of work: that has its own transaction."""
    current = session()
    if is_inside_work():
        raise RuntimeError("a technical transaction does not stand inside a unit of work")
    current.rollback()  # nothing read before may be acted on
    try:
        yield current
        current.commit()
    except BaseException:
        current.rollback()
        raise


def database_url(url: str) -> str:
    """`postgres://` and `postgresql://` both mean psycopg2 here; several hosts, as libpq writes them, are several `host=`."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg2"):
        return url
    place, slash, database = rest.partition("/")
    who, at, hosts = place.rpartition("@")
    if "," in hosts:
        name, _, options = database.partition("?")
        several = "&".join([f"host={host}" for host in hosts.split(",")] + ([options] if options else []))
        return f"postgresql+psycopg2://{who}{at}/{name}?{several}"
    return f"postgresql+psycopg2://{place}{slash}{database}"
