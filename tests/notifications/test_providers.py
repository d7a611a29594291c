"""Text messages and Telegram: what is sent, and what each answer means. A real server on loopback answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

import config
from guitaronline.notifications.channels.base import NotSent, Outgoing, Permanent, Temporary, Unknown
from guitaronline.notifications.channels.sms import Sms
from guitaronline.notifications.channels.telegram import Telegram
from guitaronline.notifications.rendered import Rendered

GONE = 0  # instead of a status: the connection ends without an answer


class Provider(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        if self.server.status == GONE:
            self.close_connection = True
            return
        answer = json.dumps(self.server.says).encode() if not isinstance(self.server.says, bytes) else self.server.says
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def provider(status: int, says: Any) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.status, server.says, server.asked = status, says, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def outgoing(address: str) -> Outgoing:
    return Outgoing(uuid4(), "<1@school.example>", address, "Ann", Rendered("en", "Moved", "Your lesson is at 10.\n"))


def sms(url: str) -> Sms:
    return Sms(
        replace(config.Settings(), SMS_API_BASE=url, SMS_ACCOUNT="AC1", SMS_TOKEN="secret", SMS_FROM="+15550001")
    )


def telegram(url: str) -> Telegram:
    return Telegram(replace(config.Settings(), TELEGRAM_API_BASE=url, TELEGRAM_TOKEN="1:abc"))


def test_a_text_message_is_short_and_carries_its_key() -> None:
    with provider(201, {"sid": "SM1", "status": "queued"}) as there:
        accepted = sms(there.url).send(outgoing("+15550002"))

    [(path, headers, body)] = there.asked
    assert (accepted.reference, accepted.answer) == ("SM1", "queued")
    assert path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert headers["Idempotency-Key"] == "<1@school.example>"
    assert parse_qs(body.decode()) == {
        "To": ["+15550002"],
        "From": ["+15550001"],
        "Body": ["Moved. Your lesson is at 10."],
    }


SMS_ANSWERS: dict[str, tuple[int, Any, type[NotSent], bool]] = {
    "no such number": (400, {"code": 21211, "message": "invalid"}, Permanent, True),
    "not wanted": (400, {"code": 21610, "message": "unsubscribed"}, Permanent, True),
    "a text they refuse": (400, {"code": 21602, "message": "no body"}, Permanent, False),
    "who are we": (401, {"code": 20003, "message": "authenticate"}, Temporary, True),
    "too often": (429, {"code": 20429, "message": "too many"}, Temporary, True),
    "not now": (503, b"<html>", Temporary, True),
    "broken": (500, {"message": "oops"}, Unknown, False),
    "no answer": (GONE, None, Unknown, False),
}


@pytest.mark.parametrize("says", SMS_ANSWERS)
def test_answers_to_text_messages_are_told_apart(says: str) -> None:
    status, answer, kind, is_to_blame = SMS_ANSWERS[says]
    with provider(status, answer) as there, pytest.raises(NotSent) as caught:
        sms(there.url).send(outgoing("+15550002"))

    error: Any = caught.value
    assert type(error) is kind
    assert getattr(error, "is_address", getattr(error, "is_channel", False)) is is_to_blame


def test_telegram_is_told_the_chat() -> None:
    with provider(200, {"ok": True, "result": {"message_id": 7}}) as there:
        accepted = telegram(there.url).send(outgoing("4711"))

    [(path, _, body)] = there.asked
    assert (accepted.reference, path) == ("7", "/bot1:abc/sendMessage")
    assert json.loads(body) == {"chat_id": "4711", "text": "Moved\n\nYour lesson is at 10.\n"}


TELEGRAM_ANSWERS: dict[str, tuple[int, Any, type[NotSent], bool]] = {
    "no such chat": (400, {"ok": False, "description": "Bad Request: chat not found"}, Permanent, True),
    "blocked": (403, {"ok": False, "description": "Forbidden: bot was blocked by the user"}, Permanent, True),
    "too long": (400, {"ok": False, "description": "Bad Request: message is too long"}, Permanent, False),
    "too often": (429, {"ok": False, "description": "Too Many Requests"}, Temporary, True),
    "who are we": (401, {"ok": False, "description": "Unauthorized"}, Temporary, True),
    "broken": (502, b"", Unknown, False),
}


@pytest.mark.parametrize("says", TELEGRAM_ANSWERS)
def test_answers_of_telegram_are_told_apart(says: str) -> None:
    status, answer, kind, is_to_blame = TELEGRAM_ANSWERS[says]
    with provider(status, answer) as there, pytest.raises(NotSent) as caught:
        telegram(there.url).send(outgoing("4711"))

    error: Any = caught.value
    assert type(error) is kind
    assert getattr(error, "is_address", getattr(error, "is_channel", False)) is is_to_blame


@pytest.mark.parametrize("way", [sms, telegram])
def test_nobody_there_is_the_channels_fault(way: Any) -> None:
    with provider(200, {}) as there:
        pass

    with pytest.raises(Temporary) as caught:
        way(there.url).send(outgoing("1"))

    assert caught.value.is_channel
