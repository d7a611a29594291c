"""Values in the database that are sealed with keys made of SECRET_KEY, and what changing that secret means for them.

`SEALED` is the table: whatever code seals under a purpose stands here with its column, or a test fails. So nothing can be left
behind with a secret that is about to go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, db, secret_keys
from guitaronline.actor import SYSTEM
from guitaronline.identity import links
from guitaronline.identity.models import SignInLink
from guitaronline.unit_of_work import Work, command

AT_ONCE = 200  # rows of one transaction
NO_ID = UUID(int=0)
SHAPE = re.compile(r"([0-9a-f]{8})\.[A-Za-z0-9_=-]+", re.ASCII)


class Key(StrEnum):
    """What opens a value."""

    NEWEST = "newest"
    EARLIER = "earlier"  # made of one of SECRET_KEY_FALLBACKS
    UNKNOWN = "unknown"  # made of a secret that is not believed any more
    NONE = "none"  # it is not sealed


@dataclass(frozen=True)
class Column:
    """A column of sealed text; `purpose` as its code gives it to `secret_keys.seal`. `may_be_clear`: from before it was sealed
    there are values in clear, which its code reads too; they are sealed with the others."""

    table: str
    name: str
    purpose: str
    may_be_clear: bool = False

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


SEALED: tuple[Column, ...] = (
    Column("users", "totp_secret", "totp", may_be_clear=True),
    Column("webhook_endpoints", "secret_sealed", "webhooks"),
    Column("webhook_endpoints", "former_secret_sealed", "webhooks"),
)


def key_of(value: str, purpose: str) -> Key:
    found = SHAPE.fullmatch(value)
    if found is None:
        return Key.NONE
    newest, *earlier = map(secret_keys.key_id, secret_keys.accepted(purpose))
    return Key.NEWEST if found[1] == newest else Key.EARLIER if found[1] in earlier else Key.UNKNOWN


def values_of(session: Session, column: Column) -> Iterator[tuple[UUID, str]]:
    """Every value that is there, with its row's id; read along the primary key, so much at once."""
    page = text(
        f"SELECT id, {column.name} AS value FROM {column.table}"  # noqa: S608  # constants of SEALED
        f" WHERE id > :after AND {column.name} IS NOT NULL ORDER BY id LIMIT :most"
    )
    after = NO_ID
    while rows := session.execute(page, {"after": after, "most": AT_ONCE}).all():
        yield from ((row.id, row.value) for row in rows)
        after = rows[-1].id


def keys_of(session: Session, column: Column) -> Counter[Key]:
    """How many values of the column open with which key."""
    return Counter(key_of(value, column.purpose) for _, value in values_of(session, column))


def open_links(session: Session) -> list[SignInLink]:
    """Links in mails that would do something, if they were followed now."""
    now = clock.read(session)
    good = select(SignInLink).where(SignInLink.used_at.is_(None), SignInLink.expires_at > now)
    return list(session.scalars(good))


def key_of_link(link: SignInLink, newest: str) -> Key:
    """With what its mail can be written again. Following it needs no secret at all."""
    secret = links.secret_of(link)
    return Key.UNKNOWN if secret is None else Key.NEWEST if secret == newest else Key.EARLIER


def is_to_be_sealed(column: Column, value: str) -> bool:
    key = key_of(value, column.purpose)
    return key is Key.EARLIER or (key is Key.NONE and column.may_be_clear)


def reseal(session: Session) -> int:
    """Everything that a known key opens opens with the newest now; how many values were sealed again.

    May be run again, and by several at once."""
    return sum(_reseal_column(session, column) for column in SEALED)


def _reseal_column(session: Session, column: Column) -> int:
    old = [row_id for row_id, value in values_of(session, column) if is_to_be_sealed(column, value)]
    batches = (old[place : place + AT_ONCE] for place in range(0, len(old), AT_ONCE))
    return sum(_reseal_rows(SYSTEM, column=column, ids=ids) for ids in batches)


@command("secrets.reseal", quiet=True)
def _reseal_rows(work: Work, *, column: Column, ids: Sequence[UUID]) -> int:
    """Those of the rows that still need it, for somebody may have changed them meanwhile. Locks them in the order of their ids."""
    locked = text(
        f"SELECT id, {column.name} AS value FROM {column.table}"  # noqa: S608  # constants of SEALED
        " WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
    )
    written = text(f"UPDATE {column.table} SET {column.name} = :value WHERE id = :id")  # noqa: S608  # the same
    done = 0
    for row in work.session.execute(locked, {"ids": db.array(ids)}).all():
        if row.value is not None and is_to_be_sealed(column, row.value):
            is_clear = key_of(row.value, column.purpose) is Key.NONE
            plain = row.value if is_clear else secret_keys.unseal(row.value, column.purpose)
            work.session.execute(written, {"id": row.id, "value": secret_keys.seal(plain, column.purpose)})
            done += 1
    return done
