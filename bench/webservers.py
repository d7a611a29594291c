"""Which web server to keep: hold + confirm through each, alone and beside 100 slow clients. `python bench/webservers.py`"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import load
from bench.instance import ROOT, Instance, running
from bench.run import CONNECTIONS, hold_and_confirm, machine

PORT = 18110
BIN = Path(sys.executable).parent
SERVERS = {
    "granian 2×4": "granian --interface wsgi --port {port} --workers 2 --blocking-threads 4 --no-ws wsgi:app",
    "granian 2×8": "granian --interface wsgi --port {port} --workers 2 --blocking-threads 8 --no-ws wsgi:app",
    "gunicorn 2×4": "gunicorn -b 127.0.0.1:{port} -w 2 -k gthread --threads 4 wsgi:app",
    "waitress 1×8": "waitress-serve --listen=127.0.0.1:{port} --threads=8 wsgi:app",
}
SLOW = 100
SECONDS = 6


def main() -> None:
    print(f"machine: {machine()}")
    with running() as instance:
        for name, command in SERVERS.items():
            with served(instance, command):
                load.run(PORT, [hold_and_confirm(client, 4) for client in range(4)], seconds=2)
                alone = measured(instance, 0)
                with slow_clients():
                    beside = measured(instance, 1)
            for what, figures in (("alone", alone), (f"beside {SLOW} slow clients", beside)):
                print(
                    f"{name:13} {what:23} {figures.per_second():6.0f}/s  p99 {figures.percentile_ms(0.99):5.0f} ms"
                    if figures.answers
                    else f"{name:13} {what:23} no answer"
                )


def measured(instance: Instance, number: int) -> load.Figures:
    instance.psql("reset.sql")
    return load.run(PORT, [hold_and_confirm(client, number) for client in range(CONNECTIONS)], seconds=SECONDS)


@contextmanager
def served(instance: Instance, command: str) -> Iterator[None]:
    """The same application on the same database through another server."""
    program, *words = command.format(port=PORT).split()
    environment = {**os.environ, **instance.settings}
    child = subprocess.Popen(
        [BIN / program, *words], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        child.terminate()
        child.wait(30)


@contextmanager
def slow_clients() -> Iterator[None]:
    """Clients that send a header a byte at a time and never finish."""
    ending = threading.Event()
    sockets = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(SLOW)]

    def drip() -> None:
        while not ending.wait(0.5):
            for each in sockets:
                try:
                    each.sendall(b"X")
                except OSError:
                    continue  # the server had enough of it

    for each in sockets:
        each.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        for each in sockets:
            each.close()


if __name__ == "__main__":
    main()
