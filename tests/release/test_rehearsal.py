"""The rehearsal of a release sees what a person would have seen: an answer, a refusal, or a request that broke."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from bench import release
from bench.traffic import Student, Web
from guitaronline.local.ports import free_port

REFUSAL = b'{"code": "slot_taken"}'


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """Answers every connection with these bytes, whatever is asked, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            try:
                while True:
                    connection, _ = listening.accept()
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()
            except OSError:
                return

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def http(status: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_web_that_refuses_is_passed_over() -> None:
    with server(http("200 OK", b"{}")) as port:
        web = Web([free_port(), port])

        answer = web.call("GET", "/")

    assert answer is not None
    assert answer.status == 200
    assert (dict(web.seen), web.failed) == ({"200": 1}, [])


@pytest.mark.parametrize(
    ("bytes_sent", "word"),
    [
        (b"", "broken RemoteDisconnected"),
        (http("200 OK", b"{}")[:-1], "broken IncompleteRead"),
        (http("502 Bad"), "502"),
    ],
)
def test_a_request_that_breaks_is_a_failure_and_is_not_sent_again(bytes_sent: bytes, word: str) -> None:
    with server(bytes_sent) as port:
        web = Web([port, port])
        web.call("POST", "/")

    assert dict(web.seen) == {word: 1}
    assert len(web.failed) == 1


def test_a_refusal_is_told_and_is_no_failure() -> None:
    with server(http("409 Conflict", REFUSAL, "application/problem+json")) as port:
        web = Web([port])
        assert Student(web, "", 0).ask("/booking/hold", {}, "hold") is None

    assert (dict(web.seen), web.failed) == ({"409 slot_taken": 1}, [])


def test_a_migration_that_forbids_the_way_back_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = tmp_path / release.VERSIONS
    versions.mkdir(parents=True)
    (versions / "0098_a.py").write_text('revision = "0098"\n')
    (versions / "0099_b.py").write_text(
        'revision = "0099"\nFORBIDS_ROLLBACK = "the old code reads a column that is gone"\n'
    )
    monkeypatch.setattr(release, "ROOT", tmp_path)

    assert release.forbids_rollback(["0098_a.py"]) == ""
    assert release.forbids_rollback(["0098_a.py", "0099_b.py"]) == "0099_b.py: the old code reads a column that is gone"


def test_what_was_acknowledged_and_is_not_so_is_found() -> None:
    body = b'{"status": "hold"}'
    with server(http("200 OK", body)) as port:
        found = untrue(Web([port]), {"b1": "confirmed", "b2": "hold"})

    assert found == ["booking b1: confirmed was acknowledged, now it is hold"]


def untrue(web: Web, told: dict[str, str]) -> list[str]:
    return Student(web, "", 0, told).untrue()
