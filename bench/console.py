"""How fast the console's pages are, beside stock Flask-Admin and Django's admin on the same table in the same run.

`make bench CONSOLE=1`. The school is that of `instance.py`; BENCH_TEACHERS, BENCH_STUDENTS and BENCH_PER_STUDENT make a
smaller one in another BENCH_VAR_DIR. Times are the client's, on loopback over one connection.
"""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import load, rivals  # the tree is not installed
from bench.instance import ROOT, Instance, running
from bench.run import machine
from guitaronline.admin import DESKS

EMAIL, PASSWORD = "bench.admin@school.example", "bench admin measures all day"
TIMES = 60  # of each page; p95 is then the fourth slowest
WARM_UP = 6  # both web processes have made their plans
PAGE_MS = 100
OURS_TO_STOCK, OURS_TO_DJANGO = 10, 2
BOOKINGS = "/admin/bookings/"


@dataclass(frozen=True)
class Timing:
    name: str
    p50: float
    p95: float

    def __str__(self) -> str:
        return f"{self.name:44} p50 {self.p50:7.1f} ms   p95 {self.p95:7.1f} ms"


def main() -> None:
    print(f"machine: {machine()}")
    with running() as instance:
        instance.psql("audit.sql")
        counts = {table: instance.value(f"SELECT count(*) FROM {table}") for table in ("bookings", "audit_changes")}
        print(f"bookings: {counts['bookings']}, changes in the audit: {counts['audit_changes']}")
        cookie = signed_in(instance)
        ours = [timing(instance.port, name, path, cookie) for name, path in pages(instance, cookie)]
        print(f"the console (target: p95 < {PAGE_MS} ms)")
        print("\n".join(f"  {each}" for each in ours))
        first, deep = first_and_deep(ours)
        for rival, factor in ((rivals.stock, OURS_TO_STOCK), (rivals.django, OURS_TO_DJANGO)):
            with rival(instance) as other:
                shown = [timing(other.port, name, path, other.cookie) for name, path in other.pages.items()]
            print(other.name)
            for each, own in zip(shown, (first, deep), strict=True):
                print(f"  {each}   ours is {each.p50 / own.p50:.1f} times as fast (target ≥ {factor})")


def signed_in(instance: Instance) -> str:
    """The cookie of an admin of this school, who is made when there is none."""
    if instance.value(f"SELECT count(*) FROM users WHERE email = '{EMAIL}'") == "0":
        words = ["users", "create", EMAIL, "--role", "admin", "--password", PASSWORD]
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
        subprocess.run(command, cwd=ROOT, env=instance.settings, check=True, stdout=subprocess.DEVNULL)
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    url = f"http://127.0.0.1:{instance.port}/sign-in"
    token = re.search(r'name="csrf_token"[^>]*value="([^"]*)"', opener.open(url).read().decode())
    typed = {"email": EMAIL, "password": PASSWORD, "csrf_token": token[1] if token else ""}
    opener.open(url, urllib.parse.urlencode(typed).encode()).close()
    return "; ".join(f"{each.name}={each.value}" for each in jar)


def pages(instance: Instance, cookie: str) -> Iterator[tuple[str, str]]:
    """Today, each desk's first page and a record of it, and bookings narrowed down, searched, and as deep as they go."""
    yield "Today", "/admin/"
    for desk in DESKS:
        path = f"/admin/{desk.path}/"
        yield f"{desk.title}, first page", path
        record = re.search(rf'href="({path}details/\?id=[^"]+)"', body(instance.port, path, cookie))
        if record:
            yield f"{desk.title}, a record", unescape(record[1])
    yield "Bookings, confirmed in one month", f"{BOOKINGS}?state=confirmed&day=2020-02-01..2020-02-29"
    yield "Bookings, one student's by name", f"{BOOKINGS}?search=Student+77"
    yield "Bookings, the last page that is offered", f"{BOOKINGS}?page=200"


def first_and_deep(ours: list[Timing]) -> tuple[Timing, Timing]:
    named = {each.name: each for each in ours}
    return named["Bookings, first page"], named["Bookings, the last page that is offered"]


def timing(port: int, name: str, path: str, cookie: str) -> Timing:
    """Raises SystemExit when an answer was not 2xx."""

    def again() -> Iterator[load.Request]:
        for number in range(WARM_UP + TIMES):
            yield "warm-up" if number < WARM_UP else name, request(path, cookie)

    figures = load.run(port, [again()], seconds=300)
    if figures.wrong:
        raise SystemExit(f"{name} {path}: {figures.wrong[0]}")
    return Timing(name, figures.percentile_ms(0.5, name), figures.percentile_ms(0.95, name))


def body(port: int, path: str, cookie: str) -> str:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": cookie})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return str(answer.read().decode())


def request(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()


if __name__ == "__main__":
    main()
