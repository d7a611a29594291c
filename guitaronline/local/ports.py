"""Ports of 127.0.0.1."""

from __future__ import annotations

import socket
import time

from guitaronline.local.ending import pause
from guitaronline.local.errors import StartFailed

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def expect_free(port: int, *, patience: float = 3.0) -> None:
    """`port` is ours to use. Waits a little: the web of a killed run may be on its way out. Raises StartFailed."""
    until = time.monotonic() + patience
    while not is_free(port):
        if time.monotonic() > until:
            raise StartFailed(
                f"port {port} is taken by another program: choose another with PORT=… (for example PORT={port + 1} make run)"
            )
        pause(0.05)
