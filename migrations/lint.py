"""`python migrations/lint.py`: what the migrations of this release do to a database is safe beside running code.

Takes the database of DATABASE_OWNER_URL back to BASELINE and up again, listens to every statement, and lets squawk judge them,
migration by migration. Objects that a migration makes itself it may treat as it likes: nobody uses them yet. What squawk finds
must be undone, or the migration says why it does no harm:

    SAFE_BECAUSE = {"require-concurrent-index-creation": "a few hundred rows: the lock is held for milliseconds"}

docs/runbooks/release.md has the rules in words. Needs a database of its own: `make check` starts one.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSIONS = Path(__file__).resolve().parent / "versions"
BASELINE = "0029"  # the newest migration of the last release; what every database has had since is not judged again
STAMP = re.compile(r"UPDATE alembic_version SET version_num='([^']+)'")
NOT_DDL = re.compile(r"\s*(?:SELECT|SHOW)\b", re.IGNORECASE)  # functions of ours; nothing that locks a table for long
CHANGES_ROWS = re.compile(
    r"\b(?:UPDATE\s+(?:ONLY\s+)?\"?(\w+)\"?\s+(?:\w+\s+)?SET|DELETE\s+FROM\s+\"?(\w+))\b", re.IGNORECASE
)
LOCKS = re.compile(r"\bLOCK\s+TABLE\b", re.IGNORECASE)
DOES_AT_ONCE = re.compile(r"\s*DO\b", re.IGNORECASE)
BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
OFF = (  # taste; and env.py sets both time-outs for every migration
    "prefer-text-field prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-robust-stmts prefer-timestamp-tz"
    " require-lock-timeout require-statement-timeout"
).split()


@dataclass(frozen=True)
class Finding:
    """Something in a migration that may hold up, or break, code that runs beside it."""

    revision: str
    rule: str
    words: str

    def __str__(self) -> str:
        return f"{self.revision}: {self.rule}: {self.words}"


def statements_since(revision: str) -> dict[str, list[str]]:
    """What each migration after `revision` says to the database, as it was said. The database is at its newest again."""
    import flask_migrate
    from sqlalchemy import Engine, event

    from guitaronline import create_app

    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append(cursor.mogrify(statement, parameters or None).decode())

    with create_app().app_context():
        flask_migrate.downgrade(revision=revision)
        event.listen(Engine, "before_cursor_execute", note)
        flask_migrate.upgrade()
        event.remove(Engine, "before_cursor_execute", note)
    found = by_migration(said)
    if missed := {file.name[:4] for file in VERSIONS.glob("[0-9]*.py") if file.name[:4] > revision} - set(found):
        raise SystemExit(f"nothing was heard of the migrations {', '.join(sorted(missed))}")
    return found


def by_migration(said: list[str]) -> dict[str, list[str]]:
    """The statements before each stamp belong to the migration that it names."""
    found: dict[str, list[str]] = {}
    own: list[str] = []
    for statement in said:
        stamp = STAMP.match(statement.strip())
        if stamp is None:
            own.append(statement)
        else:
            found[stamp.group(1)], own = own, []
    return found


def findings(revision: str, statements: list[str]) -> list[Finding]:
    """What squawk says, and what it does not know: rows changed in bulk, tables locked by name."""
    return [*_of_squawk(revision, statements), *_of_ours(revision, statements)]


def _of_squawk(revision: str, statements: list[str]) -> Iterator[Finding]:
    script = ";\n".join(each.strip().rstrip(";") for each in statements if not NOT_DDL.match(each)) + ";\n"
    squawk = Path(sys.executable).parent / "squawk"
    run = subprocess.run(  # noqa: S603  # our own statements, to a program of our own requirements
        [squawk, "--reporter", "json", "--assume-in-transaction", "--pg-version", "17", "--exclude", ",".join(OFF)],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    if not run.stdout.strip() and run.returncode:
        raise SystemExit(f"squawk did not run: {run.stderr.strip()}")
    lines = script.splitlines()
    for each in json.loads(run.stdout or "[]"):
        yield Finding(
            revision,
            each["rule_name"],
            f"{each['message']} — {lines[each['line']].strip()[:120]}",
        )


def _of_ours(revision: str, statements: list[str]) -> Iterator[Finding]:
    made = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?\"?(\w+)", "\n".join(statements)))
    for each in map(without_bodies, statements):
        changed = {one or other for one, other in CHANGES_ROWS.findall(each)} - made
        if changed:
            yield Finding(revision, "rows-changed", f"of {', '.join(sorted(changed))}; locked until the migration ends")
        if LOCKS.search(each):
            yield Finding(revision, "table-locked", f"nobody passes until the migration ends — {each.strip()[:120]}")


def without_bodies(statement: str) -> str:
    """A function that is only made does nothing yet; what stands in a DO is done at once."""
    return statement if DOES_AT_ONCE.match(statement) else BODY.sub("''", statement)


def excuses(path: Path) -> dict[str, str]:
    """`SAFE_BECAUSE` of a migration: rule → reason, in words."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "SAFE_BECAUSE" for t in node.targets
        ):
            value: dict[str, str] = ast.literal_eval(node.value)
            return value
    return {}


def unexcused(found: list[Finding], excused: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Findings without a reason, and reasons without a finding."""
    left = [str(each) for each in found if not excused.get(each.revision, {}).get(each.rule, "").strip()]
    there = {(each.revision, each.rule) for each in found}
    idle = [
        f"{revision}: {rule}: nothing of the kind is found any more; take the reason away"
        for revision, reasons in excused.items()
        for rule in reasons
        if (revision, rule) not in there
    ]
    return left + idle


@contextmanager
def at_the_root() -> Iterator[None]:
    """The application finds its files from anywhere; started as a script it has to find itself."""
    os.environ.setdefault("FLASK_RUN_FROM_CLI", "true")  # `flask db` needs Alembic, and so do we
    sys.path.insert(0, str(VERSIONS.parents[1]))
    try:
        yield
    finally:
        sys.path.pop(0)


def main() -> int:
    with at_the_root():
        said = statements_since(BASELINE)
    found = [each for revision, statements in said.items() for each in findings(revision, statements)]
    excused = {revision: excuses(next(VERSIONS.glob(f"{revision}_*.py"))) for revision in said}
    wrong = unexcused(found, excused)
    sys.stderr.writelines(f"{each}\n" for each in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
