"""The embedded Valkey: the doorbell of the worker and the counters of the limits. It holds no fact."""

from __future__ import annotations

import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from guitaronline.local import binaries, process, users
from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed
from guitaronline.local.ports import HOST, free_port

READY_WITHIN_SECONDS = 20.0


@dataclass(frozen=True)
class Valkey:
    """A running server."""

    child: process.Child
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"


def start(data: Path, log: Path, password: str, *, durable: bool) -> Valkey:
    """A server on `data` answers. It asks for a password, since whoever reaches it can ring jobs."""
    program = binaries.find_valkey()
    user = users.server_user(data)
    data.mkdir(exist_ok=True)
    users.give(data, user)
    process.end_leftovers(data, signal.SIGTERM)
    port = free_port()
    config = data / "valkey.conf"
    config.write_text(config_text(data, port, password, durable=durable))  # a file: a command line is seen by everybody
    users.give(config, user)
    prefix = users.as_user(user, reach=[config, program])
    child = process.start("valkey", [*prefix, program, config], cwd=data, log=log)
    with process.until_ready(child):
        wait_until_ready(child, port, password, log)
    return Valkey(child, port, password)


def wait_until_ready(child: process.Child, port: int, password: str, log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_SECONDS
    while not answers(port, password):
        if child.ended or time.monotonic() > until:
            raise StartFailed(f"Valkey did not start; the end of {log}:\n{process.tail(log)}")
        pause(0.01)


def config_text(data: Path, port: int, password: str, *, durable: bool) -> str:
    return "\n".join(
        (
            f"bind {HOST}",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{data}"',
            f"appendonly {'yes' if durable else 'no'}",
            'save ""',
            "databases 64",
            "",
        )
    )


def answers(port: int, password: str) -> bool:
    """Whether the server has read its data and takes commands."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            return b"+PONG" in connection.makefile("rb").read()
    except OSError:
        return False
