"""Child processes that never outlive the process that started them."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from guitaronline.local.errors import StartFailed

PR_SET_PDEATHSIG = 1
CAPABILITY_BITS = {"dac_override": 1, "dac_read_search": 2}  # linux/capability.h
LOG_KEPT_BYTES = 10_000_000

ON_LINUX = sys.platform.startswith("linux")


@dataclass
class Child:
    """A running process, the leader of its own session, and the signal that ends it in order."""

    name: str
    popen: subprocess.Popen[bytes]
    stop_signal: int = signal.SIGTERM
    hard_signal: int = signal.SIGKILL

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    def ask_to_stop(self) -> None:
        if not self.ended:
            self.popen.send_signal(self.stop_signal)

    def wait_or_kill(self, until: float) -> None:
        """Gone, with everything it started, at the latest a moment after `until` (monotonic seconds)."""
        for signal_number, patience in ((None, until - time.monotonic()), (self.hard_signal, 5.0), (signal.SIGKILL, 5.0)):
            if signal_number is not None:
                self.popen.send_signal(signal_number)
            try:
                self.popen.wait(max(patience, 0.0))
                break
            except subprocess.TimeoutExpired:
                continue
        kill_group(self.popen.pid)


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    stop_signal: int = signal.SIGTERM,
    hard_signal: int = signal.SIGKILL,
    user: pwd.struct_passwd | None = None,
    reach: Sequence[Path] = (),
) -> Child:
    """Start `command` in a session of its own, with its output appended to `log` (None: our own output).

    `user`: whom to run as, when we are root; `reach`: the paths which that user must be able to enter."""
    line = [*(as_user(user, reach, stop_signal) if user else ()), *map(str, command)]
    with open_log(log) as output:
        popen = subprocess.Popen(
            line,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
            preexec_fn=end_with_parent(stop_signal),
        )
    return Child(name, popen, stop_signal, hard_signal)


def run(name: str, command: Sequence[str | Path], *, log: Path, **options: Any) -> None:
    """Run `command` to its end. Raises StartFailed with the end of its output when it fails."""
    began = log.stat().st_size if log.exists() else 0
    child = start(name, command, log=log, **options)
    try:
        code = child.popen.wait()
    except BaseException:  # a signal while waiting: the child goes with us
        child.ask_to_stop()
        child.wait_or_kill(time.monotonic() + 5)
        raise
    if code != 0:
        raise StartFailed(f"{name} failed ({exit_in_words(code)}); the end of {log}:\n{tail(log, began)}")


def end_with_parent(signal_number: int) -> Callable[[], None] | None:
    """For a child before exec: have the kernel send it `signal_number` when its parent dies (Linux only)."""
    if not ON_LINUX:
        return None
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind


def end_with_my_parent() -> None:
    """The same towards our own parent: a killed `make` takes the whole stack with it."""
    if not ON_LINUX:
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise StartFailed("the process that started this one is gone")


def server_user(data: Path) -> pwd.struct_passwd | None:
    """As whom the servers run: we, but PostgreSQL refuses to be root. Then the owner of the data, else `postgres` or `nobody`.

    Raises StartFailed when the data belongs to somebody we cannot become."""
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise StartFailed(f"{data} belongs to another user: start as that user, or set VAR_DIR to another folder")
        return None
    if owner:
        return pwd.getpwuid(owner)
    known = {each.pw_name: each for each in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return known[name]
    raise StartFailed("PostgreSQL must not run as root and there is no user `postgres` or `nobody`: start as an ordinary user")


def as_user(user: pwd.struct_passwd, reach: Sequence[Path], stop_signal: int) -> list[str]:
    """The prefix of a command line that makes it run as `user`.

    Folders above `reach` may be closed to that user (a clone in a private temporary folder). They are never opened;
    the process is given the right to read and search instead, and no other right."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StartFailed("as root, `setpriv` is needed (package util-linux); or start as an ordinary user")
    rights = "-all"
    if any(not open_to_others(path) for path in reach):
        rights = f"-all,+{reading_right()}"
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--inh-caps={rights}",
        f"--ambient-caps={rights}",
        f"--bounding-set={rights}",
        "--no-new-privs",
        f"--pdeathsig={signal.Signals(stop_signal).name[3:]}",  # a change of user clears the one set before
    ]


def open_to_others(path: Path) -> bool:
    """Whether any user may pass through every folder above `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


@cache
def reading_right() -> str:
    """The smallest capability we hold that lets another user into a closed folder."""
    status = Path("/proc/self/status").read_text()
    held = int(status.split("CapEff:")[1].split()[0], 16)
    for name in ("dac_read_search", "dac_override"):  # containers usually hold only the second
        if held >> CAPABILITY_BITS[name] & 1:
            return name
    raise StartFailed("this folder is closed to the user that PostgreSQL runs as: start as an ordinary user or elsewhere")


def kill_group(leader: int) -> None:
    """Nothing is left of the session that `leader` led."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # all gone; on macOS a zombie answers with the second
        return


def processes_in(folder: Path) -> list[int]:
    """The processes whose working directory is `folder`: servers stand in their data. Empty where /proc is missing."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is not ours
            continue
    return found


def end_leftovers(folder: Path, signal_number: int) -> None:
    """No process stands in `folder` any more. The caller holds the lock of the stack, so whatever is there was left behind.

    After a kill -9 they are usually on their way out already: they get time before they get a signal."""
    for step in (None, signal_number, signal.SIGKILL):
        until = time.monotonic() + 5
        for pid in processes_in(folder) if step is not None else ():
            os.kill(pid, step)
        while processes_in(folder) and time.monotonic() < until:
            time.sleep(0.02)
    if left := processes_in(folder):
        raise StartFailed(f"processes {left} still use {folder}")


def open_log(path: Path | None) -> IO[bytes]:
    """The log file, appended to; one earlier file is kept once it has grown large."""
    if path is None:
        return open(os.dup(1), "wb")
    if path.exists() and path.stat().st_size > LOG_KEPT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def tail(log: Path, began: int = 0, lines: int = 20) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return "\n".join("  " + line for line in file.read().decode(errors="replace").splitlines()[-lines:])


def exit_in_words(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
