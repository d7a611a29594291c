"""The seal over the audit: a chain of SHA-256 over committed actions with all their changes, and its proof.

`seal` takes actions that have no seal, in the order of their ids. An action that is visible is committed, and its changes
were committed with it (the database refuses a change whose action is of another transaction), so one link an action is
enough, and what belongs to open transactions is held back by not being visible. Nothing is looked for "after the last id
seen": ids commit out of order. Nothing depends on transaction ids either, so sealing goes on after a restore.

    link n = SHA-256(link n−1 ‖ SHA-256(canonical text of action n and its changes))

The canonical text is jsonb's own (sorted keys, fixed spacing) with times in UTC, made by PostgreSQL for sealing and for
proving alike. Clear personal values lie apart (`audit_personal`) and may be erased without breaking a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.db import new_id, technical_transaction

AT_ONCE = 1000  # links in one transaction
LOOK_BACK = timedelta(
    hours=1
)  # before the last checkpoint, for what committed late; anything older is found once a day
READ_AT_ONCE = 2000
TELL_AT_MOST = 50
NOTHING = b""  # before the first link
EVERYTHING = UUID(int=0)  # smaller than any id
CHECKPOINT = re.compile(r"(\S+) (\d{1,18}) (\d{1,18}) ([0-9a-f]{64})", re.ASCII)

_UTC = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
_DIGEST = f"""
SELECT count(c.id) AS changes,
       sha256(convert_to(jsonb_build_array(
         a.id, {_UTC.format("a.at")}, {_UTC.format("a.recorded_at")}, a.actor_id, a.actor_kind, a.name, a.reason,
         a.record_type, a.record_id, a.request_id, a.address, a.facts::text, a.xid::text,
         jsonb_agg(jsonb_build_array(c.id, c.table_name, c.row_id, c.before::text, c.after::text) ORDER BY c.id)
       )::text, 'UTF8')) AS digest
  FROM audit_changes c WHERE c.action_id = a.id
"""  # noqa: S608  # constants of this file
_AS_SEALED = (
    "coalesce((SELECT r.whole FROM audit_redactions r WHERE r.action_id = a.id AND r.step = 1), d.digest) AS digest"
)
UNSEALED = text(f"""
SELECT a.id, {_AS_SEALED}, d.changes
  FROM (SELECT a.* FROM audit_actions a LEFT JOIN audit_seals s ON s.action_id = a.id
         WHERE s.action_id IS NULL AND a.id >= :first ORDER BY a.id LIMIT :limit) a
 CROSS JOIN LATERAL ({_DIGEST}) d
 ORDER BY a.id
""")  # noqa: S608  # constants of this file
SEALED = text(f"""
SELECT s.sequence, s.hash, s.action_id, a.recorded_at, {_AS_SEALED}, d.changes
  FROM audit_seals s LEFT JOIN audit_actions a ON a.id = s.action_id LEFT JOIN LATERAL ({_DIGEST}) d ON a.id IS NOT NULL
 ORDER BY s.sequence
""")  # noqa: S608  # constants of this file
LONG = text("SET LOCAL statement_timeout = '30min'")  # for what reads the whole history
LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('guitaronline audit seal'))")
HEAD = text("SELECT sequence, hash FROM audit_seals ORDER BY sequence DESC LIMIT 1")
AT = text("SELECT hash FROM audit_seals WHERE sequence = :sequence")
ADD_SEALS = text("""
INSERT INTO audit_seals (sequence, action_id, hash)
SELECT :after + place, action_id, hash
  FROM unnest(CAST(:actions AS uuid[]), CAST(:links AS bytea[])) WITH ORDINALITY AS made(action_id, hash, place)
""")
ADD_CHECKPOINT = text(
    "INSERT INTO audit_checkpoints (id, at, sequence, changes, head) VALUES (:id, clock_timestamp(), :sequence, :changes, :head)"
)
CHECKPOINTS = text("SELECT sequence, changes, head, at FROM audit_checkpoints ORDER BY sequence")
NEWEST_CHECKPOINT = text("SELECT sequence, changes, head, at FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1")
WITHOUT_SEAL = text("""
SELECT count(*) AS unsealed, (array_agg(a.id ORDER BY a.id) FILTER (WHERE a.recorded_at < :late))[1:50] AS late
  FROM audit_actions a WHERE NOT EXISTS (SELECT FROM audit_seals s WHERE s.action_id = a.id)
""")
UNSEALED_LATELY = text("""
SELECT count(*) FROM (SELECT FROM audit_actions a WHERE a.id >= :first
   AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.action_id = a.id) LIMIT :limit) tail
""")
WITHOUT_ACTION = text(
    "SELECT c.id FROM audit_changes c WHERE NOT EXISTS (SELECT FROM audit_actions a WHERE a.id = c.action_id) ORDER BY c.id LIMIT :limit"
)
FORGED_PERSONAL = text("""
SELECT p.change_id FROM audit_personal p LEFT JOIN audit_changes c ON c.id = p.change_id
 WHERE c.id IS NULL
    OR EXISTS (SELECT FROM jsonb_each(p.before) v WHERE audit_digest(p.salt, v.value) IS DISTINCT FROM c.before -> v.key)
    OR EXISTS (SELECT FROM jsonb_each(p.after) v WHERE audit_digest(p.salt, v.value) IS DISTINCT FROM c.after -> v.key)
 ORDER BY p.change_id LIMIT :limit
""")
# What an erasure took out of an action (uq_audit_redactions_step): the rest of it is as it was then, and the redaction is what its
# own sealed change says.
FORGED_REDACTIONS = text(f"""
SELECT r.action_id FROM audit_redactions r JOIN audit_actions a ON a.id = r.action_id CROSS JOIN LATERAL ({_DIGEST}) d
 WHERE (d.digest <> r.rest AND NOT EXISTS (SELECT FROM audit_redactions l WHERE l.action_id = r.action_id AND l.step > r.step))
    OR NOT EXISTS (SELECT FROM audit_changes t WHERE t.table_name = 'audit_redactions' AND t.row_id = r.id
                      AND t.before IS NULL AND t.after = to_jsonb(r))
 ORDER BY r.action_id LIMIT :limit
""")  # noqa: S608  # constants of this file


class ChainBroken(Exception):
    """The last checkpoint does not fit the chain: sealing stops until somebody has looked (`flask audit verify`)."""


@dataclass(frozen=True)
class Checkpoint:
    """How many links and changes the chain had, and its head."""

    sequence: int
    changes: int
    head: bytes
    at: datetime

    def __str__(self) -> str:
        return (
            f"{self.at.astimezone(UTC).isoformat(timespec='seconds')} {self.sequence} {self.changes} {self.head.hex()}"
        )


@dataclass
class Verdict:
    """What `verify` saw. `broken` says in words what is wrong, at most TELL_AT_MOST of it; empty: nothing."""

    sealed: int = 0
    changes: int = 0
    unsealed: int = 0
    newest: datetime | None = None  # when the newest sealed action was recorded
    broken: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.broken

    def tell(self, sentence: str) -> None:
        if len(self.broken) < TELL_AT_MOST:
            self.broken.append(sentence)


def seal(*, everything: bool = False) -> int:
    """What is committed and unsealed is sealed, a batch a transaction; returns the number of links made.

    Looks only at what is younger than the last checkpoint by LOOK_BACK, unless `everything`. Two at once do no harm: one
    of them does nothing. Raises ChainBroken."""
    batch = _seal_some(EVERYTHING if everything else None)
    total = batch.made
    while batch.made == AT_ONCE:
        batch = _seal_some(batch.last)
        total += batch.made
    return total


@dataclass(frozen=True)
class _Batch:
    made: int = 0
    last: UUID | None = None  # id of the last action sealed


def _seal_some(first: UUID | None) -> _Batch:
    """One batch of what has an id from `first` on; None: from a while before the last checkpoint."""
    with technical_transaction() as session:
        if not session.execute(LOCK).scalar_one():
            return _Batch()
        if first is not None:
            session.execute(LONG)
        before = newest_checkpoint(session)
        _expect_unbroken(session, before)
        first = first or (_first_id(before.at - LOOK_BACK) if before else EVERYTHING)
        rows = session.execute(UNSEALED, {"first": first, "limit": AT_ONCE}).all()
        if not rows:
            return _Batch()
        sequence, link = session.execute(HEAD).one_or_none() or (0, NOTHING)
        links = []
        for row in rows:
            link = _next_link(link, row.digest)
            links.append(link)
        changes = (before.changes if before else 0) + sum(row.changes for row in rows)
        session.execute(ADD_SEALS, {"after": sequence, "actions": [row.id for row in rows], "links": links})
        head = {"id": new_id(), "sequence": sequence + len(links), "changes": changes, "head": link}
        session.execute(ADD_CHECKPOINT, head)
        return _Batch(len(links), rows[-1].id)


def _expect_unbroken(session: Session, checkpoint: Checkpoint | None) -> None:
    if checkpoint is None:
        return
    link = session.execute(AT, {"sequence": checkpoint.sequence}).scalar_one_or_none()
    if link is None or bytes(link) != checkpoint.head:
        raise ChainBroken(checkpoint.sequence)


def _next_link(link: bytes, digest: bytes) -> bytes:
    return sha256(bytes(link) + bytes(digest)).digest()


def _first_id(moment: datetime) -> UUID:
    """The smallest UUID version 7 of that millisecond."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def newest_checkpoint(session: Session) -> Checkpoint | None:
    row = session.execute(NEWEST_CHECKPOINT).one_or_none()
    return Checkpoint(row.sequence, row.changes, bytes(row.head), row.at) if row else None


def unsealed_lately(session: Session, checkpoint: Checkpoint | None, *, limit: int) -> int:
    """How many of the newest actions wait for the sealer, up to `limit`: those it looks at, from LOOK_BACK before the
    last checkpoint on (primary key)."""
    first = _first_id(checkpoint.at - LOOK_BACK) if checkpoint else EVERYTHING
    return int(session.execute(UNSEALED_LATELY, {"first": first, "limit": limit}).scalar_one())


def append_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """One more line in the file that is to be kept off the machine."""
    with path.open("a", encoding="ascii") as file:
        file.write(f"{checkpoint}\n")


def read_checkpoints(lines: Iterable[str]) -> list[Checkpoint]:
    """The lines that `append_checkpoint` wrote. Raises ValueError for any other."""
    return [_parsed(line.strip()) for line in lines if line.strip()]


def _parsed(line: str) -> Checkpoint:
    found = CHECKPOINT.fullmatch(line)
    if found is None:
        raise ValueError(f"not a checkpoint: {line[:100]!r}")
    return Checkpoint(int(found[2]), int(found[3]), bytes.fromhex(found[4]), datetime.fromisoformat(found[1]))


def verify(session: Session, kept: Iterable[Checkpoint] = ()) -> Verdict:
    """Proves the chain: no edit, no deletion, no insertion, no reordering since it was sealed.

    `kept`: checkpoints that were kept elsewhere; without them somebody who owns the database could cut off the chain's
    end together with the checkpoints in it. Unsealed actions and erased personal values are fine. Reads the checkpoints
    first: what is sealed meanwhile only makes the chain longer."""
    verdict = Verdict()
    session.execute(LONG)
    checkpoints = [
        Checkpoint(row.sequence, row.changes, bytes(row.head), row.at) for row in session.execute(CHECKPOINTS)
    ]
    expected: dict[int, list[Checkpoint]] = {}
    for checkpoint in [*checkpoints, *kept]:
        expected.setdefault(checkpoint.sequence, []).append(checkpoint)
    for sequence, link, changes in _walk(session, verdict):
        for checkpoint in expected.pop(sequence, []):
            if (checkpoint.head, checkpoint.changes) != (link, changes):
                verdict.tell(f"link {sequence} is not what the checkpoint of {checkpoint.at:%Y-%m-%d %H:%M} says")
    for sequence in sorted(expected):
        verdict.tell(f"the chain ends at link {verdict.sealed}, but a checkpoint says that link {sequence} existed")
    for change_id in session.scalars(WITHOUT_ACTION, {"limit": TELL_AT_MOST}):
        verdict.tell(f"change {change_id} belongs to no action")
    for change_id in session.scalars(FORGED_PERSONAL, {"limit": TELL_AT_MOST}):
        verdict.tell(f"the clear values of change {change_id} are not those that were digested")
    for action_id in session.scalars(FORGED_REDACTIONS, {"limit": TELL_AT_MOST}):
        verdict.tell(f"action {action_id} is not what an erasure left of it")
    _look_at_the_unsealed(session, verdict)
    return verdict


def _walk(session: Session, verdict: Verdict) -> Iterator[tuple[int, bytes, int]]:
    """(sequence, link, changes so far) of every link, after comparing it with what it seals."""
    before = NOTHING
    for row in session.execute(SEALED, execution_options={"yield_per": READ_AT_ONCE}):
        link = bytes(row.hash)
        if row.sequence != verdict.sealed + 1:
            verdict.tell(f"between link {verdict.sealed} and link {row.sequence} something is missing")
        if row.digest is None:
            verdict.tell(f"link {row.sequence}: its action {row.action_id} is gone")
        elif _next_link(before, row.digest) != link:
            verdict.tell(f"link {row.sequence}: action {row.action_id} or its changes are not what was sealed")
        elif verdict.newest is not None and row.recorded_at < verdict.newest - LOOK_BACK:
            verdict.tell(
                f"link {row.sequence}: action {row.action_id} claims to be older than what was sealed before it"
            )
        if row.recorded_at is not None:
            verdict.newest = max(verdict.newest or row.recorded_at, row.recorded_at)
        before, verdict.sealed = link, row.sequence
        verdict.changes += row.changes or 0
        yield row.sequence, link, verdict.changes


def _look_at_the_unsealed(session: Session, verdict: Verdict) -> None:
    """They are fine, unless later ones were sealed long before: then somebody put them in."""
    late = verdict.newest - LOOK_BACK if verdict.newest else None
    row = session.execute(WITHOUT_SEAL, {"late": late}).one()
    verdict.unsealed = row.unsealed
    for action_id in row.late or []:
        verdict.tell(f"action {action_id} is not sealed, but claims to be older than what is")
