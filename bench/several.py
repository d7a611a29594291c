"""`make several`: a large school on seven machines, each cut off and brought back while people work. Needs root: every machine
is a network namespace, joined by a bridge.

    web1, web2 · work1 (workers, scheduler), work2 (workers) · db1 (primary), db2 (standby) · ring (Valkey)

Says what it saw, and ends with 1 when an acknowledged write is gone, something did not come back, or a proof fails.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    write,
)  # the tree is not installed
from bench.instance import ROOT
from guitaronline.local import binaries, commands, postgres, process, users

NET = "10.231.77"
BRIDGE = "gol-drill"
MACHINES = {"web1": 11, "web2": 12, "work1": 21, "work2": 22, "db1": 31, "db2": 32, "ring": 41}
HANDS = 4
CUT_SECONDS, BACK_SECONDS = 6.0, 12.0
PASSWORDS = postgres.Passwords("owner-of-the-drill", "application-of-the-drill")
SYNCHRONOUS = "ALTER SYSTEM SET synchronous_standby_names = '{}'"


@dataclass
class Drill:
    folder: Path
    children: dict[str, process.Child] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)
            say(f"WRONG: {sentence}")


def address(machine: str) -> str:
    return f"{NET}.{MACHINES[machine]}"


def main() -> int:
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")
    folder = Path(tempfile.mkdtemp(prefix="guitaronline-several-"))
    folder.chmod(0o711)
    drill = Drill(folder)
    try:
        network()
        run(drill)
    finally:
        for child in reversed(drill.children.values()):
            child.end(until=time.monotonic())
        for data in ("db1", "db2"):
            for pid in process.processes_in(folder / data):
                process.send(pid, signal.SIGKILL)
        no_network()
        shutil.rmtree(folder, ignore_errors=True)
    say(
        "nothing acknowledged is lost, everything came back"
        if not drill.wrong
        else f"{len(drill.wrong)} things are wrong"
    )
    return 1 if drill.wrong else 0


def network() -> None:
    no_network()
    ip(f"link add {BRIDGE} type bridge")
    ip(f"addr add {NET}.1/24 dev {BRIDGE}")
    ip(f"link set {BRIDGE} up")
    for machine in MACHINES:
        ip(f"netns add gol-{machine}")
        ip(f"link add {port(machine)} type veth peer name eth0 netns gol-{machine}")
        ip(f"link set {port(machine)} master {BRIDGE} up")
        for line in (f"addr add {address(machine)}/24 dev eth0", "link set eth0 up", "link set lo up"):
            ip(f"-n gol-{machine} {line}")


def no_network() -> None:
    for machine in MACHINES:
        subprocess.run(["ip", "netns", "del", f"gol-{machine}"], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["ip", "link", "del", BRIDGE], stderr=subprocess.DEVNULL, check=False)


def port(machine: str) -> str:
    return f"gol-{machine}"


def ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True)


def start(
    drill: Drill, machine: str, name: str, command: list[object], environment: Mapping[str, str] | None = None
) -> process.Child:
    """A process on that machine."""
    inside = ["ip", "netns", "exec", f"gol-{machine}", *map(str, command)]
    child = process.start(
        name,
        inside,
        cwd=ROOT,
        log=drill.folder / f"{machine}-{name}.log",
        env=environment,
        stop_signal=signal.SIGINT if name == "postgres" else signal.SIGTERM,
    )
    drill.children[f"{machine} {name}"] = child
    return child


def database(drill: Drill, machine: str) -> None:
    """PostgreSQL on that machine, on the data that lie in the folder of its name."""
    data, programs = drill.folder / machine, binaries.find_postgres()
    user = users.server_user(data)
    settings = postgres.SETTINGS | postgres.SETTINGS_SINCE_18 | {"listen_addresses": address(machine)}
    command = [
        *users.as_user(user, reach=[data, programs.postgres], stop_signal=signal.SIGINT),
        programs.postgres,
        "-D",
        data,
        "-p",
        "5432",
    ]
    child = start(
        drill,
        machine,
        "postgres",
        [*command, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))],
    )
    until = time.monotonic() + 30
    while not postgres.pid_file_says_ready(data, child.popen.pid):
        if child.ended or time.monotonic() > until:
            raise SystemExit(
                f"PostgreSQL on {machine} did not start: {process.tail(drill.folder / f'{machine}-postgres.log')}"
            )
        time.sleep(0.1)


def databases(drill: Drill) -> None:
    """A primary on db1, and on db2 a standby that every commit waits for."""
    first = postgres.start(drill.folder / "db1", drill.folder / "making.log", PASSWORDS, durable=True)
    first.child.ask_to_stop()
    first.child.end(until=time.monotonic() + 15)
    with (drill.folder / "db1" / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {NET}.0/24 scram-sha-256\nhost replication all {NET}.0/24 scram-sha-256\n")
    database(drill, "db1")
    program = binaries.find_postgres().folder / "pg_basebackup"
    options = ["-R", "-X", "stream", "-C", "-S", "standby1", "--checkpoint=fast", "-D", str(drill.folder / "db2")]
    subprocess.run([program, "-d", url("db1", postgres.OWNER, "postgres"), *options], check=True)
    hand_over(drill.folder / "db2")
    database(drill, "db2")
    execute(url("db1"), SYNCHRONOUS.format("*"), "SELECT pg_reload_conf()")


def url(machine: str, role: str = postgres.OWNER, database: str = postgres.DATABASE) -> str:
    return several(role, machine, database=database)


def several(role: str, *machines: str, which: str = "any", database: str = postgres.DATABASE) -> str:
    password = PASSWORDS.owner if role == postgres.OWNER else PASSWORDS.application
    hosts = ",".join(f"{address(machine)}:5432" for machine in machines)
    return f"postgresql://{role}:{password}@{hosts}/{database}?target_session_attrs={which}&connect_timeout=5"


def settings(drill: Drill) -> dict[str, str]:
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": several(postgres.APPLICATION, "db1", "db2", which="read-write"),
        "DATABASE_OWNER_URL": several(postgres.OWNER, "db1", "db2", which="read-write"),
        "DATABASE_READ_URL": several(postgres.APPLICATION, "db2", "db1", which="prefer-standby"),
        "REDIS_URL": f"redis://:ring-of-the-drill@{address('ring')}:6379/0",
        "SECRET_KEY": "only-for-the-drill-" * 3,
        "PUBLIC_BASE_URL": f"http://{address('web1')}:8000",
        "TRUSTED_HOSTS": ",".join(address(machine) for machine in ("web1", "web2")),
        "LIMITS": "off",
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "64",
        "MAIL_TRANSPORT": "off",
        "WEB_CONCURRENCY": "1",
        "PORT": "8000",
    }


def product(drill: Drill) -> dict[str, str]:
    """Two web hosts, two worker hosts; gives the environment of their processes."""
    environment = settings(drill)
    start(
        drill,
        "ring",
        "valkey",
        [
            binaries.find_valkey(),
            "--bind",
            address("ring"),
            "--requirepass",
            "ring-of-the-drill",
            "--save",
            "",
            "--dir",
            drill.folder,
        ],
    )
    if flask({**environment, "VAR_DIR": str(drill.folder / "web1")}, "db", "upgrade") != 0:
        raise SystemExit("flask db upgrade fails")
    make_admin(environment)
    for machine, lines in {
        "web1": {"web": commands.WEB},
        "web2": {"web": commands.WEB},
        "work1": {"worker": commands.WORKER, "scheduler": commands.SCHEDULER},
        "work2": {"worker": commands.WORKER},
    }.items():
        own = {**environment, "VAR_DIR": str(drill.folder / machine), "WEB_HOST": address(machine)}
        for name, line in lines.items():
            start(drill, machine, name, list(process.shell(line)), own)
    for machine in ("web1", "web2"):
        wait_for(drill, machine)
    return {**environment, "VAR_DIR": str(drill.folder / "web1")}


def wait_for(drill: Drill, machine: str) -> None:
    until = time.monotonic() + 600
    while status(f"{address(machine)}:8000", "/ready") != 200:
        if time.monotonic() > until:
            raise SystemExit(f"{machine} is not ready: {process.tail(drill.folder / f'{machine}-web.log')}")
        time.sleep(0.3)


def run(drill: Drill) -> None:
    databases(drill)
    environment = product(drill)
    hosts = [f"{address(machine)}:8000" for machine in ("web1", "web2")]
    say("seven machines are up")
    seen = Seen()
    hands = [threading.Thread(target=write, args=(seen, hand * 1_000_000, hosts)) for hand in range(HANDS)]
    hands += [threading.Thread(target=read, args=(seen, console(hosts[0]), hosts[0]))]
    for each in hands:
        each.start()
    try:
        time.sleep(4)
        for machine in ("web2", "work1", "work2", "ring", "db2"):
            cut_and_back(drill, seen, machine)
        lose_the_primary(drill, seen)
    finally:
        seen.stop.set()
        for each in hands:
            each.join()
    settled(drill, seen, environment)


def cut_and_back(drill: Drill, seen: Seen, machine: str) -> None:
    """The machine hears nothing for a while; afterwards everything goes on."""
    before = len(seen.acknowledged)
    ip(f"link set {port(machine)} down")
    time.sleep(CUT_SECONDS)
    meanwhile = len(seen.acknowledged)
    ip(f"link set {port(machine)} up")
    time.sleep(BACK_SECONDS)
    after = len(seen.acknowledged)
    say(
        f"{machine} cut off for {CUT_SECONDS:.0f} s: {meanwhile - before} writes meanwhile, {after - meanwhile} in the {BACK_SECONDS:.0f} s after"
    )
    drill.expect(after > meanwhile, f"after {machine} came back nobody could write")
    drill.expect(
        meanwhile > before or machine == "db2", f"without {machine} nobody could write"
    )  # a commit waits for db2


def lose_the_primary(drill: Drill, seen: Seen) -> None:
    """db1 is cut off for good; pages are read from db2 until it is promoted, and then people write there."""
    ip(f"link set {port('db1')} down")
    cut_at = time.monotonic()
    time.sleep(35)  # connections that were waiting for an answer have given up by then
    execute(url("db2"), SYNCHRONOUS.format(""), "SELECT pg_reload_conf()", "SELECT pg_promote()")
    promoted_at = time.monotonic()
    time.sleep(20)
    between = [code for at, _, code in seen.read if cut_at < at < promoted_at]
    first = min((at for at in seen.written_at if at > promoted_at), default=0.0)
    say(
        f"db1 cut off for good: {len(between)} pages read without it, {sum(code == 200 for code in between)} answered;"
        f" first write {first - promoted_at:.1f} s after the promotion of db2"
        if first
        else "nobody wrote after the promotion"
    )
    drill.expect(bool(first), "nobody could write after the promotion")
    drill.expect(between.count(200) > len(between) / 2, "pages that only read did not answer without the primary")
    for pid in process.processes_in(drill.folder / "db1"):
        process.send(pid, signal.SIGKILL)  # it must never come back as a primary


def settled(drill: Drill, seen: Seen, environment: Mapping[str, str]) -> None:
    """Everything acknowledged is there, what happened was told, and the proofs hold."""
    there = {str(row[0]) for row in rows(url("db2"), "SELECT id FROM users")}
    gone = [each for each in seen.acknowledged if each not in there]
    say(f"{len(seen.acknowledged)} acknowledged, {len(gone)} of them gone; not taken meanwhile: {seen.refused}")
    drill.expect(not gone, f"{len(gone)} acknowledged writes are gone")
    until = time.monotonic() + 60
    waiting = 1
    while waiting and time.monotonic() < until:
        [(waiting,)] = rows(
            url("db2"), "SELECT count(*) FROM outbox_events WHERE status = 'pending' AND available_at < now()"
        )
        time.sleep(1)
    drill.expect(not waiting, f"{waiting} events still wait after a minute")
    for words in (("audit", "verify"), ("money", "verify"), ("checks", "run")):
        drill.expect(flask(environment, *words) == 0, f"flask {' '.join(words)} fails")


if __name__ == "__main__":
    sys.exit(main())
