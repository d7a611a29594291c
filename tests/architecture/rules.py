"""`python -m tests.architecture.rules`: decisions of the house that a line of code can break, looked for in every line.

A rule knows a sentence, the files it is about, the files that may (each with its reason), and a pattern: a function from a
node of the syntax tree to whether that breaks it. ruff, mypy and the import contracts have what they can say; this has the rest.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("guitaronline/", "jobs/")
DOORS = ("guitaronline/admin/", "guitaronline/api/", "guitaronline/portal/", "guitaronline/checkout/")
MONEY = re.compile(r"(?:^|_)(?:minor|amount|price|money)$")
WRITES = re.compile(
    r"\s*(?:WITH\b.*\)\s*)?(?:INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM\s+\w+|TRUNCATE\s+\w+)\b",
    re.IGNORECASE | re.DOTALL,
)
CLOCKS = {"now", "utcnow", "today"}
NETWORK = {"requests", "urllib.request", "smtplib", "http.client", "socket", "stripe", "ssl"}
DRAWN_BY_HAND = re.compile(
    r"""\|\s*safe\b|\sstyle=["']|\son[a-z]+=["']|<script(?![^>]*\b(?:src|nonce)=)|href=["']javascript:""", re.IGNORECASE
)

Breaks = Callable[[ast.AST], bool]


@dataclass(frozen=True)
class Rule:
    sentence: str
    about: tuple[str, ...]
    breaks: Breaks
    may: Mapping[str, str] = field(default_factory=dict)  # beginning of a path → why

    def concerns(self, path: str) -> bool:
        return path.startswith(self.about) and not path.startswith(tuple(self.may))


def commits(node: ast.AST) -> bool:
    return called(node) == "commit"


def floats_money(node: ast.AST) -> bool:
    """`float(x_minor)`, `x_minor / y`, `price: float`: minor units are whole numbers, shared out by whole division."""
    if isinstance(node, ast.Call) and name_of(node.func) == "float":
        return any(is_money(each) for each in node.args)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return is_money(node.left) or is_money(node.right)
    if isinstance(node, ast.AnnAssign | ast.arg):
        named = node.target if isinstance(node, ast.AnnAssign) else node
        return node.annotation is not None and name_of(node.annotation) == "float" and is_money(named)
    return False


def asks_the_process_for_the_time(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in CLOCKS and name_of(node.func.value) in ("datetime", "date")


def reads_the_environment(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and name_of(node.value) == "os"


def writes_sql(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(WRITES.match(node.value))


def keeps_objects(node: ast.AST) -> bool:
    """`session().add(x)`: a door that writes by itself."""
    if called(node) not in ("add", "add_all", "delete", "merge", "flush", "bulk_save_objects"):
        return False
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Attribute)
    owner = node.func.value.func if isinstance(node.func.value, ast.Call) else node.func.value
    return name_of(owner).endswith("session")


def opens_the_network(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(each.name in NETWORK for each in node.names)
    return isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "") in NETWORK


def unpickles(node: ast.AST) -> bool:
    """Whoever reaches what is unpickled runs what they like."""
    names = {"pickle", "cPickle", "dill", "shelve", "marshal"}
    if isinstance(node, ast.Import):
        return any(each.name in names for each in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in names or any(each.name == "PickleSerializer" for each in node.names)
    return False


def mocks(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(each.name.startswith("unittest") for each in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest")


def skips_without_a_reason(node: ast.AST) -> bool:
    """A test that is skipped proves nothing; `skipif` says where it could not."""
    return (
        isinstance(node, ast.Attribute) and node.attr in ("skip", "xfail") and name_of(node.value) in ("mark", "pytest")
    )


def sleeps(node: ast.AST) -> bool:
    return called(node) == "sleep"


RULES = {
    "commit": Rule(
        "The transaction commits once, in one place.",
        CODE,
        commits,
        {
            "guitaronline/unit_of_work.py": "the place",
            "guitaronline/db.py": "the other one: technical transactions",
            "guitaronline/demo/load.py": "a setting of its session, no fact",
            "guitaronline/notifications/delivery.py": "ends a reading before a channel is asked",
            "guitaronline/verdict.py": "the unit's own, told what a broken connection means",
            "guitaronline/backups/runs.py": "a lock of the session, no fact",
        },
    ),
    "float-money": Rule("Money is whole minor units.", CODE, floats_money),
    "clock": Rule(
        "The time is the database's, read once per unit.",
        CODE,
        asks_the_process_for_the_time,
        {"guitaronline/local/": "runs beside no database"},
    ),
    "environment": Rule(
        "A setting is read in config.py, once.",
        CODE,
        reads_the_environment,
        {
            "guitaronline/local/": "hands the environment to its children",
            "guitaronline/__init__.py": "whether this is a command line",
            "guitaronline/meters.py": "a library reads its folder there",
            "guitaronline/fitness.py": "whether the environment asks Flask for its debugger",
            "guitaronline/backups/": "hands the environment to the programs of PostgreSQL",
        },
    ),
    "door-sql": Rule("A door writes nothing; it calls a command.", DOORS, writes_sql),
    "door-session": Rule("A door keeps no object; it calls a command.", DOORS, keeps_objects),
    "network": Rule(
        "Who talks to the world stands in a few files, so that no transaction can.",
        CODE,
        opens_the_network,
        {
            "guitaronline/local/": "watches the processes of this machine",
            "guitaronline/notifications/channels/": "mail, text messages, Telegram",
            "guitaronline/billing/providers/": "payment providers",
            "guitaronline/billing/sandbox_post.py": "play money posts its events to ourselves",
            "guitaronline/webhooks/": "programs of partners",
            "jobs/alive.py": "the health check asks the web of its own machine",
        },
    ),
    "pickle": Rule("Nothing is unpickled.", (*CODE, "config.py", "wsgi.py"), unpickles),
    "mock": Rule("Nothing of ours is mocked.", ("tests/",), mocks),
    "skip": Rule("A test is not skipped without a reason that is checked.", ("tests/",), skips_without_a_reason),
    "sleep": Rule("A test waits for what it waits for.", ("tests/",), sleeps),
}


def called(node: ast.AST) -> str:
    """The method that is called here; empty when none is."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def name_of(node: ast.AST) -> str:
    """`b` of `a.b` and of `b`; the argument's own."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) else ""


def is_money(node: ast.AST) -> bool:
    return bool(MONEY.search(name_of(node)))


def broken(path: str, text: str) -> Iterator[str]:
    """`file:line: rule: sentence` for each line of the file that breaks a rule."""
    concerned = {name: rule for name, rule in RULES.items() if rule.concerns(path)}
    for node in ast.walk(ast.parse(text)) if concerned else ():
        for name, rule in concerned.items():
            if rule.breaks(node):
                yield f"{path}:{getattr(node, 'lineno', 0)}: {name}: {rule.sentence}"


def drawn_by_hand(path: str, text: str) -> Iterator[str]:
    """Templates: what the policy of the pages would refuse, or what would let a name become a tag."""
    for number, line in enumerate(text.splitlines(), 1):
        if DRAWN_BY_HAND.search(line):
            yield f"{path}:{number}: template: No inline script or style, and nothing is called safe."


@cache
def findings() -> tuple[str, ...]:
    """Every line of the tree that breaks a rule."""
    files = [path for folder in ("guitaronline", "jobs", "tests") for path in (ROOT / folder).rglob("*.py")]
    files += [ROOT / "config.py", ROOT / "wsgi.py"]
    found = [each for path in sorted(files) for each in broken(str(path.relative_to(ROOT)), path.read_text())]
    pages = sorted((ROOT / "templates").rglob("*.html"))
    found += [
        each
        for path in pages
        if "messages" not in path.parts
        for each in drawn_by_hand(str(path.relative_to(ROOT)), path.read_text())
    ]
    return tuple(found)


if __name__ == "__main__":
    sys.stderr.writelines(f"{each}\n" for each in findings())
    sys.exit(bool(findings()))
