from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.serving import make_server

from guitaronline import policy
from tests.api.conftest import api, components, documented

__all__ = ["api", "components", "documented"]


@pytest.fixture
def live(app: Flask) -> Iterator[str]:
    """The application behind a real port, which is its public address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        with policy.changed(PUBLIC_BASE_URL=base):
            yield base
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
