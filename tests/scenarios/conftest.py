"""A started GuitarOnline, as `make run` starts it, and people who talk to it over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.local.project import ROOT, started

STAFF_PASSWORD = "eleven brass frets hum softly"
STUDENT_PASSWORD = "six silver strings"


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any


@dataclass
class Person:
    """Somebody with an app: signed in, or a stranger."""

    school: School
    id: str = ""
    token: str = ""

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Answer:
        return self.call("POST", path, body or {}, headers)

    def patch(self, path: str, body: dict[str, Any]) -> Answer:
        return self.call("PATCH", path, body)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        request = urllib.request.Request(f"{self.school.url}/api/v1{path}", method=method, headers=headers or {})
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, json.loads(answer.read() or b"null"), answer.headers)
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, json.loads(refusal.read()), refusal.headers)


@dataclass
class School:
    """The instance: its address, and what its operator can do."""

    url: str
    settings: dict[str, str]
    people: dict[str, Person] = field(default_factory=dict)

    def flask(self, *words: str) -> str:
        """`env $(cat run.env) flask --app wsgi …`, from anywhere."""
        run = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **self.settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def staff(self, name: str, role: str) -> Person:
        """A member of the school, made on the command line."""
        email = f"{name}@school.example"
        self.flask("users", "create", email, "--role", role, "--password", STAFF_PASSWORD)
        return self.signed_in(email, STAFF_PASSWORD)

    def student(self, name: str) -> Person:
        """Somebody who registers."""
        email = f"{name}@people.example"
        made = Person(self).post(
            "/identity/auth/register", {"email": email, "password": STUDENT_PASSWORD, "full_name": name.title()}
        )
        assert made.status == 201, made.json
        return self.signed_in(email, STUDENT_PASSWORD)

    def signed_in(self, email: str, password: str) -> Person:
        given = Person(self).post("/identity/auth/login", {"email": email, "password": password})
        assert given.status == 200, given.json
        person = Person(self, token=given.json["access_token"])
        person.id = person.get("/identity/users/me").json["id"]
        return person

    def time_passes(self, statement: str, *values: Any) -> None:
        """The owner breaks the glass: rows are shifted as if time had gone by. No command can do this."""
        with psycopg2.connect(self.settings["DATABASE_OWNER_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(statement, values)


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    folder = tmp_path_factory.mktemp("instance")
    said = os.path.relpath(folder / "output.txt", ROOT)
    with started(ROOT, var=folder / "var", output=said, DEMO="0", LIMITS="off", ARGON2_MEMORY_KIB="64") as run:
        run.wait_for("ready ", seconds=90)
        lines = Path(run.var, "run.env").read_text().splitlines()
        yield School(f"http://127.0.0.1:{run.port}", dict(line.split("=", 1) for line in lines))


def in_hours(hours: float) -> datetime:
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0)


def rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
