"""Child processes that never outlive the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed

PR_SET_PDEATHSIG = 1
LOG_KEPT_BYTES = 10_000_000


@dataclass
class Child:
    """A running process, the leader of its own session, and the two signals that end it: in order, and at once."""

    name: str
    popen: subprocess.Popen[bytes]
    stop_signal: int
    hard_signal: int

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    def ask_to_stop(self) -> None:
        if not self.ended:
            self.popen.send_signal(self.stop_signal)

    def end(self, until: float) -> None:
        """Gone, with everything it started; it has until then (monotonic seconds) to go by itself."""
        for patience, next_signal in ((until - time.monotonic(), self.hard_signal), (3.0, signal.SIGKILL), (3.0, None)):
            try:
                self.popen.wait(max(patience, 0.0))
                break
            except subprocess.TimeoutExpired:
                if next_signal is not None:
                    self.popen.send_signal(next_signal)
        kill_session(self.popen.pid)


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path | None,
    env: Mapping[str, str] | None = None,
    stop_signal: int = signal.SIGTERM,
    hard_signal: int = signal.SIGKILL,
) -> Child:
    """Start `command` in a session of its own, so that Ctrl-C reaches only us. `log` None: it writes where we write."""
    output = open_log(log) if log else None
    popen = subprocess.Popen(
        [str(each) for each in command],
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
        preexec_fn=bind_to_parent(stop_signal),  # noqa: PLW1509 - this process has one thread
    )
    if output:
        output.close()
    return Child(name, popen, stop_signal, hard_signal)


def run(
    name: str, command: Sequence[str | Path], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> None:
    """Run `command` to its end. Raises StartFailed with the end of its output when it fails."""
    began = log.stat().st_size if log.exists() else 0
    child = start(name, command, cwd=cwd, log=log, env=env)
    try:
        code = wait(child)
    finally:  # also when a signal tells us to stop while waiting
        end_all([child], patience=5)
    if code != 0:
        raise StartFailed(f"{name} failed ({exit_in_words(code)}); the end of {log}:\n{tail(log, began)}")


def wait(child: Child) -> int:
    """The exit code of `child`. Raises Stopped when the end is asked for meanwhile."""
    while (code := child.popen.poll()) is None:
        pause(0.02)
    return code


def end_all(children: Sequence[Child], *, patience: float) -> None:
    """All of them are told at once, and all are gone within `patience` seconds or soon after."""
    for child in children:
        child.ask_to_stop()
    until = time.monotonic() + patience
    for child in children:
        child.end(until)


@contextmanager
def until_ready(child: Child) -> Iterator[None]:
    """Around the wait for `child` to answer: whatever ends the wait early, Ctrl-C too, ends the child."""
    try:
        yield
    except BaseException:
        end_all([child], patience=10)
        raise


def shell(line: str) -> list[str]:
    """The command for a shell line, without a shell staying in between."""
    return ["/bin/sh", "-c", f"exec {line}"]


def bind_to_parent(signal_number: int) -> Callable[[], None] | None:
    """For a child before exec: the kernel shall send it `signal_number` when its parent dies (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind


def bind_to_my_parent() -> None:
    """The same towards our own parent: a killed `make` takes the whole stack with it."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise StartFailed("the process that started this one is gone")


def kill_session(leader: int) -> None:
    """Nothing is left of the session that `leader` led: children may have groups of their own (a worker's job has)."""
    for pid in processes_where(lambda pid: os.getsid(pid) == leader):
        send(pid, signal.SIGKILL)


def processes_in(folder: Path) -> list[int]:
    """The processes whose working directory is `folder`; a server stands in its data."""
    return processes_where(lambda pid: Path(f"/proc/{pid}/cwd").readlink() == folder)


def processes_where(is_meant: Callable[[int], bool]) -> list[int]:
    """Process ids for which `is_meant` holds. Empty on a system without /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if is_meant(int(entry.name)):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is not ours to look at
            continue
    return found


def end_leftovers(folder: Path, signal_number: int) -> None:
    """No process stands in `folder` any more. The caller holds the lock of the stack: whoever is there was left behind.

    After a kill -9 they are on their way out already, so they get time before they get a signal."""
    for next_signal in (signal_number, signal.SIGKILL, None):
        until = time.monotonic() + 5
        while (left := processes_in(folder)) and time.monotonic() < until:
            pause(0.02)
        if next_signal is not None:
            for pid in left:
                send(pid, next_signal)
    if left:
        raise StartFailed(f"processes {left} still use {folder}")


def send(pid: int, signal_number: int) -> None:
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return


def open_log(path: Path) -> IO[bytes]:
    """The log file, appended to; one earlier file is kept once it has grown large."""
    if path.exists() and path.stat().st_size > LOG_KEPT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def tail(log: Path, began: int = 0, lines: int = 20) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return "\n".join("  " + line for line in file.read().decode(errors="replace").splitlines()[-lines:])


def exit_in_words(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
