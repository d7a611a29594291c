"""A small closed-loop HTTP client: keep-alive connections on one thread, one request in flight on each.

It reads and parses just enough to be honest (status, length, body), so that it leaves the cores to what is measured.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Request = tuple[str, bytes]  # a name for the figures, and the bytes to send
Script = Callable[[int], "Iterator[Request]"]


@dataclass
class Figures:
    """What was seen: seconds of each answer by name, and the answers that were not 2xx."""

    took: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def answers(self) -> int:
        return sum(len(each) for each in self.took.values())

    def per_second(self) -> float:
        return self.answers / self.seconds

    def percentile_ms(self, share: float, name: str | None = None) -> float:
        all_of_them = sorted(t for key, each in self.took.items() if name in (None, key) for t in each)
        return all_of_them[min(len(all_of_them) - 1, int(len(all_of_them) * share))] * 1000


class Connection:
    def __init__(self, host: str, port: int, script: Iterator[Request]) -> None:
        self.script = script
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.name = ""
        self.sent_at = 0.0

    def send_next(self, answer: bytes) -> bool:
        try:
            self.name, raw = self.script.send(answer) if answer else next(self.script)  # type: ignore[attr-defined]
        except StopIteration:
            return False
        self.sent_at = time.perf_counter()
        self.socket.sendall(raw)
        return True

    def answer(self) -> bytes | None:
        """The whole answer when it has arrived."""
        self.received += self.socket.recv(65536)
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        if len(body) < length:
            return None
        whole, self.received = self.received, b""
        return whole


def run(port: int, scripts: list[Iterator[Request]], *, seconds: float, host: str = "127.0.0.1") -> Figures:
    """Drives one connection a script until the time is over or the scripts end."""
    figures = Figures()
    selector = selectors.DefaultSelector()
    connections = [Connection(host, port, script) for script in scripts]
    began = time.perf_counter()
    for each in connections:
        if each.send_next(b""):
            selector.register(each.socket, selectors.EVENT_READ, each)
    while selector.get_map() and time.perf_counter() - began < seconds:
        for key, _ in selector.select(timeout=1):
            connection: Connection = key.data
            answer = connection.answer()
            if answer is None:
                continue
            figures.took.setdefault(connection.name, []).append(time.perf_counter() - connection.sent_at)
            if answer[9:10] != b"2" and len(figures.wrong) < 1000:
                figures.wrong.append(
                    f"{connection.name}: {answer[:12].decode()} {answer.partition(bytes([13, 10, 13, 10]))[2][:200].decode()}"
                )
            if not connection.send_next(answer):
                selector.unregister(connection.socket)
    figures.seconds = time.perf_counter() - began
    for each in connections:
        each.socket.close()
    return figures
