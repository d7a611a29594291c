"""The invariants of the domain after each test: those of `checks.run_all`, planned once a process. Planning takes most of their time."""

from __future__ import annotations

import re

from psycopg2.extensions import connection as Connection
from sqlalchemy.orm import Session

from guitaronline.audit import integrity
from guitaronline.checks import CHAIN, CHECKS, ROLLUP, TELL_AT_MOST, Check, Finding
from guitaronline.kpis import proof

VALUE = re.compile(r"(?<!:):([a-z_]+)")
# Plans are made for whatever number of rows comes: tables were empty when they were.
PLANS = "SET plan_cache_mode = force_generic_plan; SET enable_nestloop = off"


class Invariants:
    """On a connection of its own, which is told of nothing that is not committed."""

    def __init__(self, connection: Connection) -> None:
        self.cursor = connection.cursor()
        self.cursor.execute(PLANS)
        self.prepared = [(check, self._prepare(number, check)) for number, check in enumerate(CHECKS)]

    def broken(self, session: Session) -> list[Finding]:
        """What `checks.run_all` finds; empty is the good news."""
        return [
            *(finding for check, statement in self.prepared for finding in self._run(check, statement)),
            *(Finding(ROLLUP.name, ROLLUP.sentence, facts) for facts in proof.findings(session)),
            *(Finding(CHAIN.name, CHAIN.sentence, {"what": what}) for what in integrity.verify(session).broken),
        ]

    def _prepare(self, number: int, check: Check) -> str:
        """The statement that runs it; its values come by name, and are numbered in the order of the names."""
        names = sorted(check.values())
        sql = VALUE.sub(lambda found: f"${names.index(found[1]) + 1}", check.sql)
        self.cursor.execute(f"PREPARE check_{number} AS SELECT * FROM ({sql}) found LIMIT {TELL_AT_MOST}")
        given = ", ".join(f"%({name})s" for name in names)
        return f"EXECUTE check_{number}" + (f"({given})" if given else "")

    def _run(self, check: Check, statement: str) -> list[Finding]:
        self.cursor.execute(statement, check.values())
        columns = [column.name for column in self.cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in self.cursor]
        return [Finding(check.name, check.sentence, row) for row in rows]
