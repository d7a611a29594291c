"""`make standby`: the database's machine is lost while people work, the standby takes over, and a moment is restored from the log.

The steps of docs/runbooks/failover.md and docs/runbooks/restore.md, on servers of its own. Says what it saw, and ends with 1
when an acknowledged write is gone, a page did not answer, or a proof fails.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg2  # the tree is not installed

from bench.instance import ROOT
from guitaronline.local import binaries, postgres, process, users

PORT = int(os.environ.get("PORT", "18130"))
HANDS = 4  # people who register, each as soon as the last is answered
WITHOUT_PRIMARY_SECONDS = 6.0
DEMO_STUDENTS = "20"
PASSWORD = "six silver strings sing"
PASSWORDS = postgres.Passwords("owner-of-the-drill", "application-of-the-drill")


@dataclass
class Seen:
    """What was asked and answered; moments are monotonic seconds."""

    acknowledged: list[str] = field(default_factory=list)
    written_at: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    read: list[tuple[float, str, int]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


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
    execute(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    say("a primary, and a standby that every commit waits for")
    settings = {
        "DATABASE_URL": several(postgres.APPLICATION, primary, standby, "read-write"),
        "DATABASE_OWNER_URL": several(postgres.OWNER, primary, standby, "read-write"),
        "DATABASE_READ_URL": several(postgres.APPLICATION, standby, primary, "prefer-standby"),
        "VAR_DIR": str(folder / "var"),
        "BACKUP_DIR": str(folder / "backups"),
    }
    with product(settings) as environment:
        seen = Seen()
        hands = [threading.Thread(target=write, args=(seen, hand)) for hand in range(HANDS)]
        hands.append(threading.Thread(target=read, args=(seen, console(folder / "var"))))
        for each in hands:
            each.start()
        time.sleep(5)
        lost_at = time.monotonic()
        process.kill_session(primary.child.popen.pid)
        say(f"the primary is gone after {len(seen.acknowledged)} acknowledged writes")
        time.sleep(WITHOUT_PRIMARY_SECONDS)
        promoted_at = time.monotonic()
        execute(standby, "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()", "SELECT pg_promote()")
        time.sleep(12)
        seen.stop.set()
        for each in hands:
            each.join()
        wrong = judged(seen, standby, lost_at, promoted_at)
        wrong += proved(environment)
        wrong += moment(folder, standby, environment, children)
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
    standby = postgres.serve(data, folder / "standby.log", PASSWORDS, {}, says="standby")
    children.append(standby.child)
    return standby


def hand_over(data: Path) -> None:
    """Root's servers run as somebody else."""
    if os.geteuid() == 0:
        user = users.some_user()
        for path in (data, *data.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)


def several(role: str, first: postgres.Postgres, second: postgres.Postgres, which: str) -> str:
    password = PASSWORDS.owner if role == postgres.OWNER else PASSWORDS.application
    hosts = f"{postgres.HOST}:{first.port},{postgres.HOST}:{second.port}"
    return f"postgresql://{role}:{password}@{hosts}/{postgres.DATABASE}?target_session_attrs={which}"


@contextmanager
def product(settings: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The whole product on these servers; gives the environment of its processes."""
    given = {"PORT": str(PORT), "LIMITS": "off", "ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "64", "DEMO_STUDENTS": DEMO_STUDENTS}
    environment = {**os.environ, **given, **settings}
    child = subprocess.Popen([sys.executable, "-m", "guitaronline.local"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(900):
            if child.poll() is not None:
                raise SystemExit("the product did not start")
            if status("/ready") == 200:
                break
            time.sleep(0.2)
        lines = (Path(settings["VAR_DIR"]) / "run.env").read_text().splitlines()
        yield {**environment, **dict(line.split("=", 1) for line in lines if "=" in line)}
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def write(seen: Seen, hand: int) -> None:
    """One person after the other registers; the ids of those to whom it was said that they are in."""
    number = 0
    while not seen.stop.is_set():
        number += 1
        body = {"email": f"drill-{hand}-{number}@people.example", "password": PASSWORD, "full_name": "Drill", "timezone": "UTC"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}/api/v1/identity/auth/register",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                seen.acknowledged.append(json.load(answer)["id"])
                seen.written_at.append(time.monotonic())
        except urllib.error.HTTPError as refusal:
            seen.refused[str(refusal.code)] = seen.refused.get(str(refusal.code), 0) + 1
            time.sleep(0.1)
        except OSError as error:
            seen.refused[type(error).__name__] = seen.refused.get(type(error).__name__, 0) + 1
            time.sleep(0.1)


def read(seen: Seen, browser: urllib.request.OpenerDirector) -> None:
    """Pages that only read, one after the other."""
    while not seen.stop.is_set():
        for path in ("/api/v1/scheduling/slots/open", "/admin/", "/admin/bookings/", "/admin/kpis/"):
            seen.read.append((time.monotonic(), path, status(path, browser)))
        time.sleep(0.05)


def status(path: str, browser: urllib.request.OpenerDirector | None = None) -> int:
    try:
        with (browser.open if browser else urllib.request.urlopen)(f"http://127.0.0.1:{PORT}{path}", timeout=30) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0


def console(var: Path) -> urllib.request.OpenerDirector:
    """A browser in which an admin is signed in."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    email, password = login(var / "demo-logins.txt")
    with browser.open(f"http://127.0.0.1:{PORT}/sign-in") as page:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.read().decode())
    assert token
    form = {"csrf_token": token[1], "email": email, "password": password, "next": "", "otp": ""}
    with browser.open(f"http://127.0.0.1:{PORT}/sign-in", urllib.parse.urlencode(form).encode()) as answer:
        assert "/admin" in answer.url, answer.url
    return browser


def login(path: Path) -> tuple[str, str]:
    line = next(line for line in path.read_text().splitlines() if re.search(r"\badmin\b", line) and "@" in line)
    words = line.split()
    place = next(place for place, word in enumerate(words) if "@" in word)
    return words[place], " ".join(words[place + 1 :])


def judged(seen: Seen, standby: postgres.Postgres, lost_at: float, promoted_at: float) -> list[str]:
    """What of the acknowledged is missing, and what did not answer in between."""
    there = {str(row[0]) for row in rows(standby, "SELECT id FROM users")}
    gone = [each for each in seen.acknowledged if each not in there]
    between = [(path, code) for at, path, code in seen.read if lost_at < at < promoted_at]
    unanswered = [each for each in between if each[1] != 200]
    after = [at for at in seen.written_at if at > promoted_at]
    say(f"{len(seen.acknowledged)} acknowledged, {len(gone)} of them gone; not taken meanwhile: {seen.refused}")
    say(f"{len(between)} pages read while there was no primary, {len(unanswered)} did not answer: {sorted(set(unanswered))}")
    say(f"first write {min(after, default=0) - promoted_at:.1f} s after the promotion" if after else "no write after it")
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
    """Audit, books and invariants, as the runbook says."""
    commands = (("audit", "verify"), ("money", "verify"), ("checks", "run"))
    return [f"flask {' '.join(words)} fails" for words in commands if flask(environment, *words) != 0]


def moment(folder: Path, server: postgres.Postgres, environment: Mapping[str, str], children: list[process.Child]) -> list[str]:
    """A base backup and the log, then somebody deletes people: the moment before it comes back, and nothing later."""
    began = time.monotonic()
    if flask(environment, "backup", "base") != 0:
        return ["flask backup base fails"]
    receiver = process.start(
        "receiver", [sys.executable, "-m", "flask", "--app", "wsgi", "backup", "receive-log"], cwd=ROOT, log=folder / "receiver.log", env=environment
    )
    children.append(receiver)
    time.sleep(4)  # it has its slot
    execute(server, "CREATE TABLE kept (at timestamptz DEFAULT clock_timestamp())", "INSERT INTO kept DEFAULT VALUES")
    [(good,)] = rows(server, "SELECT clock_timestamp()")
    time.sleep(0.5)
    execute(server, "INSERT INTO kept SELECT clock_timestamp() FROM generate_series(1, 1000)", "DROP TABLE kept", "SELECT pg_switch_wal()")
    time.sleep(2)
    receiver.end(until=time.monotonic() + 5)
    target = folder / "moment"
    if flask(environment, "restore", "cluster", str(target), "--until", good.isoformat()) != 0:
        return ["flask restore cluster fails"]
    restored = postgres.serve(target, folder / "moment.log", PASSWORDS, {})
    children.append(restored.child)
    [(kept,)] = rows(restored, "SELECT count(*) FROM kept")
    say(f"restored to the moment before a table was dropped in {time.monotonic() - began:.0f} s: it has {kept} row")
    return [] if kept == 1 else [f"the moment has {kept} rows, not 1"]


def flask(environment: Mapping[str, str], *words: str) -> int:
    return subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", *words], cwd=ROOT, env=environment, check=False).returncode


def execute(server: postgres.Postgres, *statements: str) -> None:
    connection = psycopg2.connect(server.url(postgres.OWNER))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def rows(server: postgres.Postgres, query: str) -> list[tuple]:  # type: ignore[type-arg]
    connection = psycopg2.connect(server.url(postgres.OWNER))
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchall()
    connection.close()
    return found


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
