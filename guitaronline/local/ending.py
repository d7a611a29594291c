"""How the end is asked for: a signal leaves a mark, and every wait of ours looks at it.

Raising out of the signal handler was tried: it can hit the inside of subprocess.Popen, whose lock then stays taken."""

from __future__ import annotations

import signal
import time

from guitaronline.local.errors import Stopped

_asked: list[int] = []


def listen() -> None:
    """From here on Ctrl-C, SIGTERM and a closed terminal end the next `pause`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: _asked.append(number))


def pause(seconds: float) -> None:
    """Wait a moment. Raises Stopped when the end was asked for."""
    time.sleep(seconds)
    if _asked:
        raise Stopped
