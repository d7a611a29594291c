"""One call to a partner's endpoint: to the address that was looked at, no redirects, within a time that nothing stretches."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from guitaronline.webhooks.addresses import AddressRefused, resolve

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 15.0  # from connecting to the answer, however slowly it drips; below a third of the lease
AGENT = "GuitarOnline-Webhooks/1"


@dataclass(frozen=True)
class Outcome:
    """`answer` is an HTTP number or the kind of failure; both are all that is kept."""

    answer: str
    milliseconds: int

    @property
    def is_delivered(self) -> bool:
        return len(self.answer) == 3 and self.answer.startswith("2")

    @property
    def is_gone(self) -> bool:
        """The standard's word of an endpoint that wants nothing any more."""
        return self.answer == "410"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """What came of it. Never raises for what the other side or the network does."""
    began = time.monotonic()
    try:
        answer = _post(url, body, headers)
    except AddressRefused:
        answer = "address_refused"
    except TimeoutError:
        answer = "timeout"
    except ssl.SSLError:
        answer = "tls"
    except (OSError, UnicodeError):
        answer = "no_connection"
    except http.client.HTTPException:
        answer = "no_answer"
    spent = time.monotonic() - began
    if spent >= WHOLE_SECONDS:
        answer = "timeout"  # the connection was cut, which reads like any failure, or like the end of an answer
    return Outcome(answer, int(spent * 1000))


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port)
    connection.sock = sock = _connected(host, port, is_encrypted=parts.scheme == "https")
    with _cut_after(sock, WHOLE_SECONDS):
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            sent = {"Host": parts.netloc, "Content-Type": "application/json", "User-Agent": AGENT, **headers}
            connection.request("POST", path, body, sent)
            return str(connection.getresponse().status)
        finally:
            connection.close()


def _connected(host: str, port: int, *, is_encrypted: bool) -> socket.socket:
    """Raises AddressRefused, OSError."""
    plain = socket.create_connection((resolve(host, port), port), CONNECT_SECONDS)
    if not is_encrypted:
        return plain
    context = ssl.create_default_context()
    return context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)


@contextlib.contextmanager
def _cut_after(sock: socket.socket, seconds: float) -> Iterator[None]:
    """A time-out of the socket is one for each byte; this one is for all of it."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # of an encrypted one too; its own way disturbs who reads

    sock.settimeout(seconds)
    watch = threading.Timer(seconds, cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
