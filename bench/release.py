"""`make release-check`: from the release before to this one and back, with people at work all the time.

1. The code of the release before (the last tag; without one, the commit before the newest migration) makes a school and serves it.
2. With traffic running, this code migrates the database; the old code goes on serving.
3. Worker and scheduler are replaced, then the web: the new one takes over when it is ready, the old one ends what it has begun.
4. Roll back: the old code takes over again, on the new schema. Only where no migration says `FORBIDS_ROLLBACK = "why"`.
5. What was acknowledged is there, every invariant holds, the audit chain is whole.

Goes red when a request broke or was answered by a 5xx; refusals are counted and told. STUDENTS=4 PAUSE=5 FROM=v1.2 are heard.
"""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import config  # noqa: E402
from bench.traffic import Traffic, Web  # noqa: E402
from guitaronline.local import commands, ending, ports, process, readiness, schema, supervisor, throwaway  # noqa: E402
from guitaronline.local.errors import StartFailed, Stopped  # noqa: E402

STUDENTS = int(os.environ.get("STUDENTS", "4"))
PAUSE_SECONDS = float(os.environ.get("PAUSE", "5"))  # of traffic after each step
READY_WITHIN_SECONDS = 120.0
DRAIN_SECONDS = 120.0
TOLD_WITHIN_SECONDS = 300.0
DUE = "SELECT 1 FROM outbox_events WHERE status = 'pending' AND available_at <= clock_timestamp() LIMIT 1"
OUT_OF_SERVICE_SECONDS = 1.0  # a proxy's time to see that a web server is not to be used any more
VERSIONS = Path("migrations") / "versions"


@dataclass
class Release:
    """The processes of one release, from one tree."""

    name: str
    tree: Path
    environment: Mapping[str, str]
    place: Path
    port: int = field(default_factory=ports.free_port)
    running: dict[str, process.Child] = field(default_factory=dict)

    def start(self, name: str) -> None:
        line = commands.PROCESSES[name]
        log = self.place / f"{self.name}-{name}.log"
        self.running[name] = process.start(
            name, process.shell(line), cwd=self.tree, log=log, env=self.environment_of(name)
        )

    def environment_of(self, name: str) -> dict[str, str]:
        return {**self.environment, "PORT": str(self.port), "VAR_DIR": str(self.place / self.name)}

    def serve(self) -> None:
        """The web answers that it is ready. Code of before 0030 says that it is not, once the schema is a later one: it serves,
        but a proxy that asks it would send nobody there."""
        self.start("web")
        until = time.monotonic() + READY_WITHIN_SECONDS
        while not readiness.is_ready(self.port):
            if "at migration" in readiness.why_not(self.port):
                say(f"note: {self.name}: {readiness.why_not(self.port)}")
                return
            if time.monotonic() > until:
                raise SystemExit(f"{self.name} is not ready: {readiness.why_not(self.port)}; logs in {self.place}")
            ending.pause(0.1)

    def stop(self, *names: str) -> None:
        """They end in order, with what they have begun."""
        children = [self.running.pop(name) for name in names if name in self.running]
        process.end_all(children, patience=DRAIN_SECONDS)
        for each in children:
            if each.popen.returncode not in (0, -each.stop_signal):
                raise SystemExit(
                    f"{each.name} of {self.name} did not end well: {process.exit_in_words(each.popen.returncode)}"
                )

    def flask(self, *words: str) -> None:
        log = self.place / f"{self.name}-flask.log"
        line = " ".join(("flask --app wsgi", *words))
        process.run(line, process.shell(line), cwd=self.tree, log=log, env=self.environment_of("flask"))


def main() -> int:
    ending.listen()
    before = revision_before()
    kept = Path(tempfile.mkdtemp(prefix="guitaronline-release-"))
    try:
        with tree_of(before) as tree, throwaway.running(settings()) as (complete, _):
            environment = supervisor.environment_of(complete)
            old, new = (Release(name, each, environment, kept) for name, each in (("before", tree), ("this", ROOT)))
            try:
                return rehearse(old, new, before)
            finally:
                process.end_all([child for each in (old, new) for child in each.running.values()], patience=10)
    except Stopped:
        return 130
    finally:
        shutil.rmtree(kept, ignore_errors=True)


def settings() -> config.Settings:
    """Fast, local, without limits: it is the change that is tried, not the counters."""
    wanted = {
        "ENVIRONMENT": "embedded",
        "LIMITS": "off",
        "MAIL_TRANSPORT": "off",
        "DEMO_STUDENTS": "20",
        "WEB_CONCURRENCY": "1",
    }
    return config.load(wanted)


def rehearse(old: Release, new: Release, before: str) -> int:
    newer = migrations_since(old.tree)
    say(f"from {before} to this tree; migrations on the way: {', '.join(newer) or 'none'}")
    old.flask("db upgrade")
    old.flask("demo load --students 20")
    old.serve()
    old.start("worker")
    old.start("scheduler")
    web = Web([old.port])
    with Traffic(web, STUDENTS) as traffic:
        step(web, "the old code serves", lambda: None)
        step(web, "migrated below it", lambda: new.flask("db upgrade"))
        step(web, "new worker and scheduler", lambda: replace_workers(old, new))
        step(web, "new web", lambda: replace_web(web, old, new))
        if forbidden := forbids_rollback(newer):
            say(f"no way back: {forbidden}")
        else:
            step(web, "old web again", lambda: replace_web(web, new, old))
            step(web, "old worker and scheduler again", lambda: replace_workers(new, old))
            say(what_migrating_says(old))
    wrong = [*web.failed, *traffic.untrue()]
    told = sum(len(each.told) for each in traffic.students)
    wait_until_told((new if forbidden else old).environment["DATABASE_OWNER_URL"])
    (new if forbidden else old).stop("worker", "scheduler")
    for words in ("checks run", "audit verify", "money verify"):
        new.flask(words)
    say(f"{told} acknowledged bookings are as they were told; invariants, audit chain and books hold")
    say("answers: " + ", ".join(f"{count} × {word}" for word, count in sorted(web.seen.items())))
    for each in wrong[:50]:
        say(f"FAILED {each}")
    say(f"{len(wrong)} failed" if wrong else "no request failed")
    return 1 if wrong else 0


def step(web: Web, name: str, what: Callable[[], None]) -> None:
    """`what` is done, and people go on for a while; said with the number of answers meanwhile."""
    seen, failed, began = web.seen.total(), len(web.failed), time.monotonic()
    what()
    took = time.monotonic() - began
    ending.pause(PAUSE_SECONDS)
    say(f"{name}: {took:.1f} s; {web.seen.total() - seen} answers, {len(web.failed) - failed} failed")


def wait_until_told(owner_url: str) -> None:
    """No event is due any more: a slow machine gets its time, and what is left after that the invariants find."""
    until = time.monotonic() + TOLD_WITHIN_SECONDS
    while schema.scalar(owner_url, "outbox_events", DUE) and time.monotonic() < until:
        ending.pause(1.0)


def replace_web(web: Web, leaving: Release, coming: Release) -> None:
    """The new one is ready before the old one leaves; nobody is sent there any more when it ends."""
    coming.serve()
    web.ports[:] = [coming.port]
    ending.pause(OUT_OF_SERVICE_SECONDS)
    leaving.stop("web")


def replace_workers(leaving: Release, coming: Release) -> None:
    """The old ones have ended before the new ones begin: an event of a new kind is never closed by code that does not know it."""
    leaving.stop("scheduler", "worker")
    coming.start("worker")
    coming.start("scheduler")


def what_migrating_says(old: Release) -> str:
    """Platforms migrate at every start: code that is put back must leave a later schema alone. That of before 0030 stops."""
    try:
        old.flask("db upgrade")
    except StartFailed:
        return f"note: {old.name} does not start its migration on a later schema; on the way back it must be left out"
    return f"{old.name} leaves the later schema alone"


def revision_before() -> str:
    """FROM, else the last tag, else the last commit on this line without the newest migration."""
    if wanted := os.environ.get("FROM"):
        return wanted
    tag = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tag.returncode == 0:
        return tag.stdout.strip()
    newest = next((ROOT / VERSIONS).glob(f"{schema.head_of(ROOT / VERSIONS)}_*.py"))
    for commit in git("rev-list", "--first-parent", "HEAD").split():
        if not git("ls-tree", commit, str(VERSIONS / newest.name)):
            return commit[:12]
    raise SystemExit("there is no release before this one")


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """The files of that revision, in a folder of their own; gone afterwards. They run on the libraries of this one."""
    with tempfile.TemporaryDirectory(prefix="guitaronline-before-") as folder:
        packed = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


def migrations_since(tree: Path) -> list[str]:
    there = {file.name for file in (tree / VERSIONS).glob("*.py")}
    return sorted(file.name for file in (ROOT / VERSIONS).glob("[0-9]*.py") if file.name not in there)


def forbids_rollback(names: list[str]) -> str:
    """What a migration on the way says against going back; empty when none does."""
    said = [f"{name}: {words}" for name in names if (words := constant(ROOT / VERSIONS / name, "FORBIDS_ROLLBACK"))]
    return "; ".join(said)


def constant(path: Path, name: str) -> str:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in node.targets
        ):
            return str(ast.literal_eval(node.value))
    return ""


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
