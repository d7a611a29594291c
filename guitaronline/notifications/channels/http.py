"""One HTTP request to a provider of messages, and what its failure means: nothing was sent, or nobody knows."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from guitaronline.notifications.channels.base import Temporary, Unknown

TIMEOUT_SECONDS = 8.0  # twice (connecting, answering) stays below a third of the lease
ANSWER_BYTES = 64_000


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Raises Temporary where it was never sent, Unknown where no answer came."""
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        try:
            connection.connect()
        except TimeoutError:
            raise Temporary("timeout", is_channel=True) from None
        except (OSError, UnicodeError) as error:
            code = "tls" if isinstance(error, ssl.SSLError) else "no_connection"
            raise Temporary(code, type(error).__name__, is_channel=True) from None
        try:
            connection.request("POST", parts.path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(ANSWER_BYTES))
        except TimeoutError:
            raise Unknown("timeout") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unknown("lost", type(error).__name__) from None
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=TIMEOUT_SECONDS)


def refuse_by_status(answer: Answer, words: str) -> None:
    """Raises what is the same with every provider; a 4xx that is left is about this message."""
    status = answer.status
    if status in (401, 403, 404, 429, 503):  # who we are, where they are, how often
        raise Temporary(str(status), words, is_channel=True)
    if status >= 500 or status < 200:
        raise Unknown(str(status), words)
