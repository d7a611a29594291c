"""Pages and static files travel compressed to browsers that say they can read it."""

from __future__ import annotations

import gzip
import io
import secrets
from functools import lru_cache

import flask
from flask import Flask

SMALLEST = 1000  # bytes; below, it saves no packet
TEXTS = ("text/html", "text/css", "text/javascript", "application/json", "image/svg+xml")
QUICK, BEST = 4, 9  # for pages, each time; for files, once a process
NAME_LENGTH = 64  # at most, of the nonsense that hides a page's true size


def init_compression(app: Flask) -> None:
    app.after_request(compress)


def compress(answer: flask.Response) -> flask.Response:
    """The same answer, smaller. The API is left alone: its answers are small and its clients many."""
    if not _can_be(answer):
        return answer
    answer.vary.add("Accept-Encoding")
    if not flask.request.accept_encodings.quality("gzip"):
        return answer
    answer.direct_passthrough = False
    data = answer.get_data()
    smaller = _file(data) if flask.request.endpoint == "static" else _page(data)
    answer.response = [smaller]
    answer.headers["Content-Encoding"] = "gzip"
    answer.content_length = len(smaller)
    tag, _ = answer.get_etag()
    if tag:
        answer.set_etag(tag, weak=True)  # the same in meaning, not in bytes
    return answer


def _can_be(answer: flask.Response) -> bool:
    is_file = flask.request.endpoint == "static"
    return (
        flask.request.method in ("GET", "POST")
        and answer.status_code not in (204, 206, 304)
        and "Content-Encoding" not in answer.headers
        and answer.mimetype in TEXTS
        and (is_file or not answer.is_streamed)
        and (answer.content_length or 0) >= SMALLEST
        and not flask.request.path.startswith("/api/")
    )


def _page(data: bytes) -> bytes:
    """Pages hold a token beside words from the address; a name of random length in the archive's head keeps anybody who
    only sees sizes from guessing the token letter by letter (BREACH)."""
    out = io.BytesIO()
    name = secrets.token_urlsafe(NAME_LENGTH)[: secrets.randbelow(NAME_LENGTH) + 1]
    with gzip.GzipFile(filename=name, mode="wb", compresslevel=QUICK, fileobj=out, mtime=0) as archive:
        archive.write(data)
    return out.getvalue()


@lru_cache(maxsize=100)
def _file(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=BEST, mtime=0)
