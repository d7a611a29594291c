"""`make standby`: the database's machine is lost while people work, the standby takes over, and a moment is restored from the log.

The steps of docs/runbooks/failover.md and docs/runbooks/restore.md, on servers of its own. Says what it saw, and ends with 1
when an acknowledged write is gone, a page did not answer, or a proof fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.drill import (
    Seen,
    console,
    execute,
    flask,
    hand_over,
    make_admin,
    read,
    rows,
    say,
    status,
    wait_until_recovered,
    write,
)  # the tree is not installed
from bench.instance import ROOT
from guitaronline.local import binaries, commands, postgres, process

PORT = int(os.environ.get("PORT", "18130"))
HERE = f"127.0.0.1:{PORT}"
HANDS = 4  # people who register, each as soon as the last is answered
WITHOUT_PRIMARY_SECONDS = float(os.environ.get("WITHOUT_PRIMARY", "10"))
PASSWORDS = postgres.Passwords("owner-of-the-drill", "application-of-the-drill")


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="guitaronline-standby-"))
    folder.chmod(0o711)
    children: list[process.Child] = []
    try:
        return drill(folder, children)
    finally:
        for child in reversed(children):
            child.end(until=time.monotonic())
        shutil.rmtree(folder, ignore_errors=True)


def drill(folder: Path, children: list[process.Child]) -> int:
    primary = postgres.start(folder / "primary", folder / "primary.log", PASSWORDS, durable=True)
    children.append(primary.child)
    standby = follow(primary, folder, children)
    execute(primary.url(postgres.OWNER), "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    say("a primary, and a standby that every commit waits for")
    settings = {
        "DATABASE_URL": several(postgres.APPLICATION, primary, standby, "read-write"),
        "DATABASE_OWNER_URL": several(postgres.OWNER, primary, standby, "read-write"),
        "DATABASE_READ_URL": several(postgres.APPLICATION, standby, primary, "prefer-standby"),
        "VAR_DIR": str(folder / "var"),
        "BACKUP_DIR": str(folder / "backups"),
    }
    with product(settings, folder) as environment:
        seen = Seen()
        hands = [threading.Thread(target=write, args=(seen, hand, [HERE])) for hand in range(HANDS)]
        hands.append(threading.Thread(target=read, args=(seen, console(HERE), HERE)))
        for each in hands:
            each.start()
        time.sleep(5)
        lost_at = time.monotonic()
        for pid in process.processes_in(folder / "primary"):
            process.send(pid, signal.SIGKILL)
        say(f"the primary is gone after {len(seen.acknowledged)} acknowledged writes")
        time.sleep(WITHOUT_PRIMARY_SECONDS)
        promoted_at = time.monotonic()
        execute(
            standby.url(postgres.OWNER),
            "ALTER SYSTEM SET synchronous_standby_names = ''",
            "SELECT pg_reload_conf()",
            "SELECT pg_promote()",
        )
        time.sleep(12)
        seen.stop.set()
        for each in hands:
            each.join()
        wrong = judged(seen, standby, lost_at, promoted_at)
        wrong += proved(environment)
        wrong += moment(folder, standby.url(postgres.OWNER), environment, children)
    for sentence in wrong:
        say(f"WRONG: {sentence}")
    say("nothing acknowledged is lost, everything was proved" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


def follow(primary: postgres.Postgres, folder: Path, children: list[process.Child]) -> postgres.Postgres:
    """A standby that streams from the primary, made as the runbook says."""
    data = folder / "standby"
    program = binaries.find_postgres().folder / "pg_basebackup"
    options = ["-R", "-X", "stream", "-C", "-S", "standby1", "--checkpoint=fast", "-D", str(data)]
    subprocess.run([program, "-d", primary.url(postgres.OWNER, "postgres"), *options], check=True)
    hand_over(data)
    standby = postgres.serve(data, folder / "standby.log", PASSWORDS, {})
    children.append(standby.child)
    return standby


def several(role: str, first: postgres.Postgres, second: postgres.Postgres, which: str) -> str:
    password = PASSWORDS.owner if role == postgres.OWNER else PASSWORDS.application
    hosts = f"{postgres.HOST}:{first.port},{postgres.HOST}:{second.port}"
    return f"postgresql://{role}:{password}@{hosts}/{postgres.DATABASE}?target_session_attrs={which}"


@contextmanager
def product(given: Mapping[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """The web of the product on these servers; gives the environment of its processes. Who rings workers rings nobody."""
    programs = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        **given,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(PORT),
        "LIMITS": "off",
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "64",
        "SECRET_KEY": "only-for-the-drill-" * 3,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "WEB_CONCURRENCY": "1",
    }
    if flask(environment, "db", "upgrade") != 0:
        raise SystemExit("flask db upgrade fails")
    make_admin(environment)
    web = process.start("web", process.shell(commands.WEB), cwd=ROOT, log=folder / "web.log", env=environment)
    try:
        until = time.monotonic() + 600
        while status(HERE, "/sign-in") != 200:
            if web.ended or time.monotonic() > until:
                raise SystemExit(f"the web did not start: {process.tail(folder / 'web.log')}")
            time.sleep(0.2)
        yield environment
    finally:
        web.ask_to_stop()
        web.end(until=time.monotonic() + 10)


def judged(seen: Seen, standby: postgres.Postgres, lost_at: float, promoted_at: float) -> list[str]:
    """What of the acknowledged is missing, and what did not answer in between."""
    there = {str(row[0]) for row in rows(standby.url(postgres.OWNER), "SELECT id FROM users")}
    gone = [each for each in seen.acknowledged if each not in there]
    between = [(path, code) for at, path, code in seen.read if lost_at < at < promoted_at]
    unanswered = [each for each in between if each[1] != 200]
    after = [at for at in seen.written_at if at > promoted_at]
    say(f"{len(seen.acknowledged)} acknowledged, {len(gone)} of them gone; not taken meanwhile: {seen.refused}")
    say(
        f"{len(between)} pages read while there was no primary, {len(unanswered)} did not answer: {sorted(set(unanswered))}"
    )
    say(
        f"first write {min(after, default=0) - promoted_at:.1f} s after the promotion" if after else "no write after it"
    )
    late = [code for at, _, code in seen.read if at > promoted_at + 10 and code != 200]
    return [
        sentence
        for is_wrong, sentence in (
            (bool(gone), f"{len(gone)} acknowledged writes are gone"),
            (bool(unanswered), f"{len(unanswered)} pages were not answered without a primary"),
            (not between, "nothing was read while there was no primary"),
            (not after, "nobody could write after the promotion"),
            (bool(late), "pages did not answer ten seconds after the promotion"),
        )
        if is_wrong
    ]


def proved(environment: Mapping[str, str]) -> list[str]:
    """Audit and books, as the runbook says. The invariants ask that everybody was told in time; here no worker tells anybody."""
    commands = (("audit", "verify"), ("money", "verify"))
    return [f"flask {' '.join(words)} fails" for words in commands if flask(environment, *words) != 0]


def moment(folder: Path, url: str, environment: Mapping[str, str], children: list[process.Child]) -> list[str]:
    """A base backup and the log, then somebody deletes people: the moment before it comes back, and nothing later."""
    began = time.monotonic()
    if flask(environment, "backup", "base") != 0:
        return ["flask backup base fails"]
    receiver = process.start(
        "receiver",
        [sys.executable, "-m", "flask", "--app", "wsgi", "backup", "receive-log"],
        cwd=ROOT,
        log=folder / "receiver.log",
        env=environment,
    )
    children.append(receiver)
    time.sleep(4)  # it has its slot
    execute(url, "CREATE TABLE kept (at timestamptz DEFAULT clock_timestamp())", "INSERT INTO kept DEFAULT VALUES")
    [(good,)] = rows(url, "SELECT clock_timestamp()")
    time.sleep(0.5)
    execute(
        url,
        "INSERT INTO kept SELECT clock_timestamp() FROM generate_series(1, 1000)",
        "DROP TABLE kept",
        "SELECT pg_switch_wal()",
    )
    time.sleep(2)
    receiver.end(until=time.monotonic() + 5)
    target = folder / "moment"
    if flask(environment, "restore", "cluster", str(target), "--until", good.isoformat()) != 0:
        return ["flask restore cluster fails"]
    restored = postgres.serve(target, folder / "moment.log", PASSWORDS, {})
    children.append(restored.child)
    wait_until_recovered(restored.url(postgres.OWNER))
    [(kept,)] = rows(restored.url(postgres.OWNER), "SELECT count(*) FROM kept")
    say(f"restored to the moment before a table was dropped in {time.monotonic() - began:.0f} s: it has {kept} row")
    return [] if kept == 1 else [f"the moment has {kept} rows, not 1"]


if __name__ == "__main__":
    sys.exit(main())
