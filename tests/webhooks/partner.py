"""A partner's program: takes what is posted to it on loopback, and answers as it was told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from trustme import LeafCert

DRIP_SECONDS = 0.05  # between two bytes of an answer that never ends


@dataclass
class Partner:
    port: int
    scheme: str = "http"
    answers: list[int] = field(default_factory=list)  # taken one after the other; then 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    location: str = ""
    drips: bool = False

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?for=school"


@contextmanager
def partner(certificate: LeafCert | None = None) -> Iterator[Partner]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the other side hung up, or did not like our certificate
                super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if told.drips:
                return self.drip()
            self.send_response(told.answers.pop(0) if told.answers else 200)
            self.send_header("Content-Length", "0")
            self.send_header("Location", told.location)
            self.end_headers()
            return None

        def drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            with suppress(OSError):
                while not over.wait(DRIP_SECONDS):
                    self.wfile.write(b"x")

        def log_message(self, *_: Any) -> None:
            pass

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Partner(server.server_address[1])
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        told.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
