"""Lines on their way into the table: copied in one stream, compared with what is there, and taken over in one statement.

An import stands alone (an advisory lock): of two files with the same line one brings it, the other finds it there, and the
staging table belongs to one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg2
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.audit.integrity import LONG
from guitaronline.billing.settlements.models import LATER, STAGED
from guitaronline.billing.settlements.reading.lines import Line
from guitaronline.errors import Busy

AT_ONCE = 2000  # lines that are written out together
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
ALONE = text("SELECT pg_try_advisory_xact_lock(hashtext('guitaronline settlement staging'))")
COPY = f"COPY settlement_staging ({', '.join(STAGED)}) FROM STDIN (FORMAT text, NULL '')"
CLEAR = text("TRUNCATE settlement_staging")
# The same line has the same id, whatever file brought it. What must not change: when, what, how much.
ID = "md5(s.account || chr(10) || s.external_id)::uuid"
DIGEST = "md5(concat_ws(',', s.kind, s.booked_on - date '2000-01-01', s.amount_minor, s.fee_minor, s.currency))::uuid"
TAKE_OVER = text(f"""
INSERT INTO settlement_lines (id, file_id, digest, {", ".join(STAGED)})
SELECT {ID}, :file_id, {DIGEST}, {", ".join(f"s.{name}" for name in STAGED)} FROM settlement_staging s
    ON CONFLICT (external_id, account) DO NOTHING
""")  # noqa: S608  # our own words
SAME = "settlement_staging s JOIN settlement_lines l ON l.external_id = s.external_id AND l.account = s.account"
# A payment that one file calls by our id and another by its reference is no other payment.
ALIKE = "(left(l.{0}, 4) IN ('PAY-', 'RFD-')) = (left(s.{0}, 4) IN ('PAY-', 'RFD-'))"
OURS = ("payment_reference", "refund_reference")
OTHER_ID = [f"l.{name} <> s.{name}{f' AND {ALIKE.format(name)}' if name in OURS else ''}" for name in LATER]
DIFFERS = " OR ".join([f"l.digest <> {DIGEST}", *OTHER_ID])
IS_CHANGED = f"coalesce({DIFFERS}, false)"  # what only one of the two says is no difference
COMPARED = ("kind", "booked_on", "amount_minor", "fee_minor", "currency", *LATER)
NOTE_CHANGED = text(f"""
INSERT INTO settlement_problems (id, kind, file_id, line_id, line_no, before, after, created_at)
SELECT DISTINCT ON (l.id) md5(:file_id || l.id::text)::uuid, 'line_changed', CAST(:file_id AS uuid), l.id, s.line_no, b.facts, a.facts, :now
  FROM {SAME},
       LATERAL (SELECT jsonb_object_agg(key, value) AS facts FROM jsonb_each(to_jsonb(l)) o
                 WHERE key = ANY(:compared) AND value <> 'null' AND value IS DISTINCT FROM to_jsonb(s) -> key AND to_jsonb(s) -> key <> 'null') b,
       LATERAL (SELECT jsonb_object_agg(key, value) AS facts FROM jsonb_each(to_jsonb(s)) n WHERE b.facts ? key) a
 WHERE l.file_id <> CAST(:file_id AS uuid) AND {IS_CHANGED}
 ORDER BY l.id, s.line_no
""")  # noqa: S608
TELLS_MORE = " OR ".join(f"(l.{name} IS NULL AND s.{name} IS NOT NULL)" for name in LATER)
COMPLETE = text(f"""
UPDATE settlement_lines t SET {", ".join(f"{name} = coalesce(t.{name}, s.{name})" for name in LATER)}
  FROM {SAME}
 WHERE t.id = l.id AND ({TELLS_MORE}) AND NOT {IS_CHANGED}
""")  # noqa: S608
COUNT = text(f"""
SELECT count(DISTINCT {ID}) AS different, count(DISTINCT l.id) AS known, count(DISTINCT l.id) FILTER (WHERE {IS_CHANGED}) AS changed
  FROM settlement_staging s LEFT JOIN settlement_lines l ON l.external_id = s.external_id AND l.account = s.account
""")  # noqa: S608
LONGEST_ID = 255  # characters; theirs have up to 35, and an index takes no more than some thousand
TOO_LONG = text(f"""
SELECT line_no FROM settlement_staging
 WHERE greatest({", ".join(f"length({name})" for name in ("external_id", "source_id", "intent_id", "payout_id"))}) > {LONGEST_ID} ORDER BY line_no LIMIT 1000
""")  # noqa: S608
CONTENTS = f"greatest({', '.join([f'count(DISTINCT {DIGEST})', *(f'count(DISTINCT s.{name})' for name in LATER)])})"
TWICE = text(f"""
SELECT s.external_id, min(s.line_no) AS first, max(s.line_no) AS last, {CONTENTS} AS contents
  FROM settlement_staging s GROUP BY s.account, s.external_id HAVING count(*) > 1 ORDER BY contents DESC, first LIMIT 1000
""")  # noqa: S608


@dataclass(frozen=True)
class Twice:
    """A line that the file has several times."""

    external_id: str
    first: int
    last: int
    is_same: bool


def stand_alone(session: Session) -> None:
    """Until the commit nobody else stages lines. Raises Busy."""
    session.execute(LONG)
    if not session.execute(ALONE).scalar_one():
        raise Busy("Another file is being imported.")


def copy_in(session: Session, lines: Iterator[Line]) -> None:
    """The lines are staged; what their reading raises comes out as it is."""
    stream = _Stream(lines)
    with session.connection().connection.cursor() as cursor:  # type: ignore[attr-defined]  # the driver's
        try:
            cursor.copy_expert(COPY, stream)
        except psycopg2.Error:
            if stream.error is not None:
                raise stream.error from None
            raise


class _Stream:
    """Lines as the driver reads a file."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self.lines = lines
        self.error: Exception | None = None

    def read(self, size: int) -> str:
        try:
            return "".join([written(line) for line in islice(self.lines, AT_ONCE)])
        except Exception as error:
            self.error = error  # the driver would make a cancellation of it
            raise


def written(line: Line) -> str:
    """As COPY reads it: tabs between the columns, nothing for what is not known. (The csv module took six times as long.)"""
    line_no, side, account, kind, at, booked_on, value_on, amount, fee, net, *texts = line
    cells = [
        str(line_no), side, account, kind, at.isoformat(), booked_on.isoformat(), value_on.isoformat() if value_on else "",
        str(amount), str(fee), str(net), *[each or "" for each in texts],
    ]  # fmt: skip
    row = "\t".join(cells)
    if "\\" in row or "\n" in row or "\r" in row or row.count("\t") != len(STAGED) - 1:
        row = "\t".join(each.translate(ESCAPED) for each in cells)
    return row + "\n"


def take_over(session: Session, file_id: UUID) -> int:
    """New lines are in the table; returns how many. Those that are there stay as they are."""
    return int(session.execute(TAKE_OVER, {"file_id": file_id}).rowcount)  # type: ignore[attr-defined]


def note_known(session: Session, file_id: UUID, now: Any) -> int:
    """What other files brought: ids that they did not know are known now, and what this file says differently is written
    down; returns how many lines that are."""
    session.execute(COMPLETE)
    noted = session.execute(NOTE_CHANGED, {"file_id": str(file_id), "now": now, "compared": list(COMPARED)})
    return int(noted.rowcount)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Counts:
    """Of the staged lines: how many different ones there are, how many another file brought, how many of these differ."""

    different: int
    known: int
    changed: int


def counts(session: Session) -> Counts:
    row = session.execute(COUNT).one()
    return Counts(row.different, row.known, row.changed)


def too_long(session: Session) -> list[int]:
    """Lines with an id that no index takes: the first thousand."""
    return list(session.scalars(TOO_LONG))


def twice(session: Session) -> list[Twice]:
    """Lines that are several times in the file; of those that say different things each time the first ones."""
    found = session.execute(TWICE)
    return [Twice(row.external_id, row.first, row.last, row.contents <= 1) for row in found]


def clear(session: Session) -> None:
    session.execute(CLEAR)
