"""docs/api-tour.md does what it says: its lines run, in order, against a started instance."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from guitaronline.actor import Role
from guitaronline.billing.service import create_plan
from tests.world import World, as_actor

TOUR = Path(__file__).resolve().parents[2] / "docs" / "api-tour.md"


@pytest.fixture
def started(app: Flask) -> Iterator[str]:
    """The app, listening on a port of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_tour_runs(world: World, started: str) -> None:
    world.person("Finance", Role.FINANCE, email="finance@school.example", password="demo finance counts every cent")
    world.person("Clara", Role.TEACHER, email="clara.weber@teachers.example", password="demo teacher tunes the guitar")
    create_plan(as_actor(world.ada), name="Ten lessons", lessons_total=10, amount_minor=49_000)
    world.slot(hours=80)
    world.slot(hours=90)
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", TOUR.read_text(), re.DOTALL))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        env={**os.environ, "BASE_URL": started},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "idempotency-replayed: true" in done.stdout.lower()
    assert "/sandbox/checkout/" in done.stdout
    assert '"outcome":"returned"' in done.stdout
