"""People at work while machines are lost: what they wrote, what they read, and what they were told."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from bench.instance import ROOT
from guitaronline.local import users

ADMIN = "drill@school.example"
PASSWORD = "six silver strings sing"
PATIENCE_SECONDS = 15.0  # of who waits for an answer


@dataclass
class Seen:
    """What was asked and answered; moments are monotonic seconds."""

    acknowledged: list[str] = field(default_factory=list)
    written_at: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    read: list[tuple[float, str, int]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def write(seen: Seen, hand: int, hosts: Sequence[str]) -> None:
    """One person after the other registers, at the next host when one does not answer; the ids of those who are in."""
    number = hand
    while not seen.stop.is_set():
        number += 1
        body = {
            "email": f"drill-{hand}-{number}@people.example",
            "password": PASSWORD,
            "full_name": "Drill",
            "timezone": "UTC",
        }
        request = urllib.request.Request(
            f"http://{hosts[number % len(hosts)]}/api/v1/identity/auth/register",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                seen.acknowledged.append(json.load(answer)["id"])
                seen.written_at.append(time.monotonic())
        except urllib.error.HTTPError as refusal:
            seen.refused[str(refusal.code)] = seen.refused.get(str(refusal.code), 0) + 1
            time.sleep(0.1)
        except OSError as error:
            seen.refused[type(error).__name__] = seen.refused.get(type(error).__name__, 0) + 1
            time.sleep(0.1)


def read(seen: Seen, browser: urllib.request.OpenerDirector, host: str) -> None:
    """Pages that only read, one after the other."""
    while not seen.stop.is_set():
        for path in ("/api/v1/scheduling/slots/open", "/admin/", "/admin/bookings/", "/admin/kpis/"):
            seen.read.append((time.monotonic(), path, status(host, path, browser)))
        time.sleep(0.05)


def status(host: str, path: str, browser: urllib.request.OpenerDirector | None = None) -> int:
    try:
        with (browser.open if browser else urllib.request.urlopen)(
            f"http://{host}{path}", timeout=PATIENCE_SECONDS
        ) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0


def make_admin(environment: Mapping[str, str]) -> None:
    if flask(environment, "users", "create", ADMIN, "--role", "admin", "--password", PASSWORD) != 0:
        raise SystemExit("flask users create fails")


def console(host: str) -> urllib.request.OpenerDirector:
    """A browser in which the admin is signed in."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(f"http://{host}/sign-in") as page:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.read().decode())
    assert token
    form = {"csrf_token": token[1], "email": ADMIN, "password": PASSWORD, "next": "", "otp": ""}
    with browser.open(f"http://{host}/sign-in", urllib.parse.urlencode(form).encode()) as answer:
        assert "/admin" in answer.url, answer.url
    return browser


def hand_over(data: Path) -> None:
    """Root's servers run as somebody else."""
    if os.geteuid() == 0:
        user = users.some_user()
        for path in (data, *data.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)


def flask(environment: Mapping[str, str], *words: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words], cwd=ROOT, env=environment, check=False
    ).returncode


def execute(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def rows(url: str, query: str) -> list[tuple]:  # type: ignore[type-arg]
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchall()
    connection.close()
    return found


def wait_until_recovered(url: str) -> None:
    for _ in range(300):
        if rows(url, "SELECT pg_is_in_recovery()") == [(False,)]:
            return
        time.sleep(0.2)
    raise SystemExit("the server does not end its recovery")


def say(line: str) -> None:
    print(line, flush=True)
