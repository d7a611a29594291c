"""Other admin consoles on the same table: stock Flask-Admin, and Django's with its default list; each behind the same server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.instance import HERE, ROOT, VAR, Instance

PORT = 18120
PAGE_OF_STOCK, PAGE_OF_DJANGO = 20, 100  # rows of a page, as shipped
DJANGO = VAR / "django"  # its packages and its own small database; never in the product's environment


@dataclass(frozen=True)
class Rival:
    name: str
    pages: dict[str, str]  # the first and the last
    cookie: str = ""
    port: int = PORT


@contextmanager
def stock(instance: Instance) -> Iterator[Rival]:
    last = (bookings(instance) - 1) // PAGE_OF_STOCK
    with served("bench.stock:app", {**os.environ, **instance.settings}, "/admin/"):
        yield Rival("stock Flask-Admin", {"first page": "/admin/booking/", "last page": f"/admin/booking/?page={last}"})


@contextmanager
def django(instance: Instance) -> Iterator[Rival]:
    environment = {**os.environ, **instance.settings, "PYTHONPATH": str(DJANGO), "DJANGO_FOLDER": str(DJANGO)}
    install()
    cookie = subprocess.run(
        [sys.executable, "-m", "bench.django_admin"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    path, last = "/admin/bench/booking/", (bookings(instance) - 1) // PAGE_OF_DJANGO + 1
    with served("bench.django_admin:app", environment, "/admin/login/"):
        yield Rival("Django's admin, default list", {"first page": path, "last page": f"{path}?p={last}"}, cookie)


def install() -> None:
    """Django, with hashes, in a folder of the benchmark."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if not (DJANGO / "django").exists():
        command = [*pip, "--require-hashes", "--target", DJANGO, "-r", HERE / "requirements.txt"]
        subprocess.run(command, check=True)


def bookings(instance: Instance) -> int:
    return int(instance.value("SELECT count(*) FROM bookings"))


@contextmanager
def served(target: str, environment: dict[str, str], path: str) -> Iterator[None]:
    command = [Path(sys.executable).parent / "granian", "--interface", "wsgi", "--port", str(PORT), "--workers", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(
        [*command, "--blocking-threads", "4", "--no-ws", target], cwd=ROOT, env=environment, **quiet
    )
    try:
        _wait(path)
        yield
    finally:
        child.terminate()
        child.wait(30)


def _wait(path: str) -> None:
    for _ in range(200):
        if _answers(path):
            return
        time.sleep(0.1)
    raise SystemExit(f"nobody answers on port {PORT}")


def _answers(path: str) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=30).close()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path} answers {error.code}") from error
    except OSError:
        return False
    return True
