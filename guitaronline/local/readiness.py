"""Whether the web answers that everything is ready."""

from __future__ import annotations

import http.client

from guitaronline.local.ports import HOST

ANSWER_WITHIN_SECONDS = 5.0


def is_ready(port: int) -> bool:
    return ask(port)[0] == 200


def why_not(port: int) -> str:
    status, body = ask(port)
    return f"/ready answers {status} {body}" if status else "the web does not answer"


def ask(port: int) -> tuple[int, str]:
    """Status and body of GET /ready; status 0 when nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        return answer.status, answer.read(2000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
