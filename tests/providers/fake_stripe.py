"""A small Stripe for what the stateful stand-in cannot do: Checkout, idempotency, and answers that never come.

`faults` holds what goes wrong with the next requests, in order: `drop` does what was asked and hangs up without a word,
`hang` does it and never answers, `error` does it and answers 500, `refuse` does nothing and answers 400, `locked` does nothing
because our key is not taken, `other` because the key of idempotency was used for something else.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

REFUSAL = {"error": {"type": "invalid_request_error", "code": "amount_too_small", "message": "too small"}}
LOCKED = {"error": {"type": "invalid_request_error", "code": "api_key_expired", "message": "expired"}}
OTHER = {"error": {"type": "idempotency_error", "message": "used with other parameters"}}
NOTHING_DONE = {"refuse": (400, REFUSAL), "locked": (401, LOCKED), "other": (400, OTHER)}
BROKEN = {"error": {"type": "api_error", "message": "broken"}}
MISSING = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "no such"}}


@dataclass
class FakeStripe:
    base: str = ""
    faults: list[str] = field(default_factory=list)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)  # object by id
    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)  # first answer by idempotency key
    asked: list[str] = field(default_factory=list)
    reports: dict[str, bytes] = field(default_factory=dict)  # content by report type
    run_ends: list[str] = field(
        default_factory=list
    )  # how the next runs stand when they are looked at; then they succeed
    released: threading.Event = field(default_factory=threading.Event)

    def do(self, method: str, path: str, form: dict[str, str], key: str | None) -> dict[str, Any] | None:
        """What was asked has happened; None: there is no such thing."""
        if method == "POST" and key in self.by_key:
            return self.by_key[key]
        found = self.create(path, form) if method == "POST" else self.read(path, form)
        if method == "POST" and key and found:
            self.by_key[key] = found
        return found

    def create(self, path: str, form: dict[str, str]) -> dict[str, Any] | None:
        metadata = {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}
        number = len(self.made) + 1
        if path == "/v1/checkout/sessions":
            made = {
                "id": f"cs_{number}",
                "object": "checkout.session",
                "url": f"https://checkout.example/cs_{number}",
                "status": "open",
                "payment_status": "unpaid",
                "payment_intent": None,
                "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
                "currency": form["line_items[0][price_data][currency]"],
            }
        elif path == "/v1/refunds":
            made = {"id": f"re_{number}", "object": "refund", "status": "succeeded", "currency": "usd"}
            made |= {"amount": int(form["amount"]), "payment_intent": form["payment_intent"]}
        elif path == "/v1/reporting/report_runs":
            made = {"id": f"frr_{number}", "object": "reporting.report_run", "status": "pending"}
            made |= {"report_type": form["report_type"], "asked": form}
        else:
            return None
        now = int(time.time())
        self.made[made["id"]] = {**made, "metadata": metadata, "created": now, "expires_at": now + 86_400}
        return self.made[made["id"]]

    def read(self, path: str, form: dict[str, str]) -> dict[str, Any] | None:
        if path in ("/v1/refunds", "/v1/disputes"):
            kind = {"/v1/refunds": "refund", "/v1/disputes": "dispute"}[path]
            about = form["payment_intent"]
            listed = [each for each in self.made.values() if each["object"] == kind and each["payment_intent"] == about]
            return {"object": "list", "data": listed, "has_more": False, "url": path}
        if path == "/v1/payment_intents/search":
            listed = [
                each
                for each in self.made.values()
                if each["object"] == "payment_intent" and each["metadata"].get("payment_id", "-") in form["query"]
            ]
            return {"object": "search_result", "data": listed, "has_more": False, "url": path}
        found = self.made.get(path.rpartition("/")[2])
        return self.run_end(found) if found and found["object"] == "reporting.report_run" else found

    def run_end(self, run: dict[str, Any]) -> dict[str, Any]:
        status = self.run_ends.pop(0) if self.run_ends else "succeeded"
        made = {"id": f"file_{run['id']}", "object": "file", "size": len(self.reports[run["report_type"]])}
        return {**run, "status": status, "result": made if status == "succeeded" else None, "error": "no data"}

    def content_of(self, path: str) -> bytes | None:
        """Of `/v1/files/file_frr_1/contents`."""
        parts = path.split("/")
        run = self.made.get(parts[3].removeprefix("file_")) if parts[-1] == "contents" else None
        return self.reports[run["report_type"]] if run else None

    def pay(self, session_id: str, *, disputed: bool = False) -> str:
        """Somebody pays on the page; the payment intent's id."""
        page = self.made[session_id]
        intent_id = f"pi_{len(self.made) + 1}"
        charge = {"id": "ch_1", "object": "charge", "disputed": disputed}
        intent = {"id": intent_id, "object": "payment_intent", "status": "succeeded", "latest_charge": charge}
        intent |= {
            "amount": page["amount_total"],
            "amount_received": page["amount_total"],
            "currency": page["currency"],
        }
        self.made[intent_id] = {**intent, "metadata": page["metadata"], "created": int(time.time())}
        page |= {"status": "complete", "payment_status": "paid", "payment_intent": intent_id}
        return intent_id


@contextmanager
def running() -> Iterator[FakeStripe]:
    fake = FakeStripe()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(fake))
    server.daemon_threads = True
    fake.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def handler_of(fake: FakeStripe) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(raw)

        def answer_bytes(self, content: bytes, *, promised: int | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(promised or len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def handle_call(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            form = dict(parse_qsl(self.rfile.read(length).decode() or parts.query))
            fake.asked.append(f"{self.command} {parts.path}")
            fault = fake.faults.pop(0) if fake.faults else ""
            if fault in NOTHING_DONE:
                self.answer(*NOTHING_DONE[fault])
                return
            content = fake.content_of(parts.path)
            if content is not None and not fault:
                self.answer_bytes(content)
                return
            if content is not None and fault == "cut":
                self.answer_bytes(content[:-20], promised=len(content))
                return
            found = fake.do(self.command, parts.path, form, self.headers.get("Idempotency-Key"))
            if fault == "drop":
                self.close_connection = True
            elif fault == "hang":
                fake.released.wait(20)
                self.close_connection = True
            elif fault == "error":
                self.answer(500, BROKEN)
            else:
                self.answer(200 if found else 404, found or MISSING)

        do_GET = do_POST = handle_call

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
