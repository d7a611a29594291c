"""People who use the school all the time, and remember what they were told: for trials in which something is changed below them.

Each is a student with a thread of their own who looks for a time, holds it, confirms, moves and cancels over the API, as fast
as the answers come; one more reads the console. They come through a proxy's eyes: the web servers are tried in order, a
connection that is refused goes to the next one, and whatever happens after it stood is the visitor's.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import threading
import time
import uuid
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

HOST = "127.0.0.1"
API = "/api/v1"
PATIENCE_SECONDS = 30.0
AGAIN_SECONDS = 0.05
PASSWORD = "six silver strings sing"
FINANCE = ("finance@school.example", "demo finance counts every cent")
SUPPORT = ("support@school.example", "demo support answers the phone")
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
SIGN_IN = "/sign-in"
PAGES = ("/admin/", "/admin/bookings/", "/admin/people/", "/admin/lessons/")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Web:
    """The web servers that are in service now, in the order in which they are tried."""

    ports: list[int]
    seen: Counter[str] = field(default_factory=Counter)  # "200", "409 slot_taken", "broken ConnectionResetError", …
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer | None:
        """The answer; None when there was none, which is noted."""
        until = time.monotonic() + PATIENCE_SECONDS
        try:
            while (connection := self.connected()) is None:
                if time.monotonic() > until:
                    raise ConnectionRefusedError
                time.sleep(AGAIN_SECONDS)
            with closing(connection):
                connection.request(method, path, body, headers or {})
                got = connection.getresponse()
                answer = Answer(got.status, got.read(), got.headers)
        except (OSError, http.client.HTTPException) as error:
            self.note(f"broken {type(error).__name__}", f"{method} {path}: {type(error).__name__}")
            return None
        self.note(
            word_of(answer), f"{method} {path}: {answer.status} {answer.body[:200]!r}" if answer.status >= 500 else ""
        )
        return answer

    def connected(self) -> http.client.HTTPConnection | None:
        for port in tuple(self.ports):
            connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
            try:
                connection.connect()
            except ConnectionRefusedError:
                continue
            return connection
        return None

    def note(self, word: str, failure: str) -> None:
        with self.lock:
            self.seen[word] += 1
            if failure:
                self.failed.append(failure)


def word_of(answer: Answer) -> str:
    """The number, and of a refusal its code."""
    if answer.status < 400 or not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return str(answer.status)
    return f"{answer.status} {answer.json.get('code', '')}"


def api(web: Web, method: str, path: str, token: str = "", *, body: Any = None, key: str = "") -> Answer | None:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Idempotency-Key": key} if key else {}
    return web.call(method, API + path, json.dumps(body).encode() if body is not None else None, headers)


def expected(answer: Answer | None) -> Any:
    """What must work for the trial to begin."""
    if answer is None or answer.status >= 300:
        raise SystemExit(f"the trial could not be prepared: {answer}")
    return answer.json


def login(web: Web, email: str, password: str) -> str:
    return str(
        expected(api(web, "POST", "/identity/auth/login", body={"email": email, "password": password}))["access_token"]
    )


@dataclass
class Student:
    """Books, moves and cancels. `told` is what the last 2xx said of each booking: it must be true for ever."""

    web: Web
    token: str
    number: int
    told: dict[str, str] = field(default_factory=dict)

    def live(self, stop: threading.Event) -> None:
        for turn in itertools.count():
            if stop.is_set():
                return
            self.turn(turn)

    def turn(self, turn: int) -> None:
        slots = api(
            self.web, "GET", f"/scheduling/slots/open?limit=50&from={days_ahead(2 + (self.number + turn) % 20)}"
        )
        found = slots.json["items"] if slots is not None and slots.status == 200 else []
        if not found:
            return
        mine = found[(self.number * 7 + turn) % len(found)]["id"]
        held = self.ask("/booking/hold", {"slot_id": mine}, "hold")
        if held is None:
            return
        if self.ask(f"/booking/{held}/confirm", None, "confirmed") and turn % 3 == 0:
            self.ask(f"/booking/{held}/reschedule", {"new_slot_id": found[-1]["id"]}, "confirmed", moved=held)
        api(self.web, "GET", "/booking/my?limit=20", self.token)
        for each in [each for each, status in self.told.items() if status == "confirmed"][:1]:
            self.ask(f"/booking/{each}/cancel", {"reason": "trial"}, "canceled")

    def ask(self, path: str, body: Any, told: str, moved: str = "") -> str | None:
        """The id of the booking, when the answer was a yes."""
        answer = api(self.web, "POST", path, self.token, body=body, key=uuid.uuid4().hex)
        if answer is None or answer.status >= 300:
            return None
        booking = str(answer.json["id"])
        self.told[booking] = told
        if moved:
            self.told[moved] = "canceled"
        return booking

    def untrue(self) -> list[str]:
        """Bookings that are not what this student was told. A hold lapses, and a yes to its confirmation may not have arrived."""
        wrong = []
        for booking, told in self.told.items():
            now = str(expected(api(self.web, "GET", f"/booking/{booking}", self.token))["status"])
            if now != told != "hold":
                wrong.append(f"booking {booking}: {told} was acknowledged, now it is {now}")
        return wrong


@dataclass
class Reader:
    """A member of staff who opens one page of the console after the other."""

    web: Web
    cookie: str

    def live(self, stop: threading.Event) -> None:
        for page in itertools.cycle(PAGES):
            if stop.is_set():
                return
            answer = self.web.call("GET", page, headers={"Cookie": self.cookie})
            if answer is not None and answer.status != 200:
                self.web.note("signed out", f"{page}: {answer.status} for somebody who is signed in")


class Traffic:
    """Everybody at once, until they are stopped."""

    def __init__(self, web: Web, students: int) -> None:
        self.web = web
        finance = login(web, *FINANCE)
        self.students = [Student(web, new_student(web, finance), number) for number in range(students)]
        self.people: list[Student | Reader] = [*self.students, Reader(web, signed_in(web, *SUPPORT))]
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> Traffic:
        self.threads = [threading.Thread(target=each.live, args=(self.stop,), daemon=True) for each in self.people]
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for each in self.threads:
            each.join(PATIENCE_SECONDS * 2)

    def untrue(self) -> list[str]:
        return [each for student in self.students for each in student.untrue()]


def new_student(web: Web, finance: str) -> str:
    """The token of a student with lessons for the whole trial."""
    email = f"trial-{uuid.uuid4().hex}@people.example"
    body = {"email": email, "password": PASSWORD, "full_name": "Trial Person", "timezone": "Europe/Berlin"}
    person = expected(api(web, "POST", "/identity/auth/register", body=body))["id"]
    price = {"amount_minor": 24500, "currency": "USD"}
    package = {"student_id": person, "lessons_total": 200, "expires_at": None, "price": price}
    expected(api(web, "POST", "/billing/packages", finance, body=package))
    return login(web, email, PASSWORD)


def signed_in(web: Web, email: str, password: str) -> str:
    """The cookies of somebody who has signed in to the console."""
    form = web.call("GET", SIGN_IN)
    if form is None or not (token := TOKEN.search(form.body.decode())):
        raise SystemExit("the sign-in page has no form")
    jar = cookies(form)
    fields = urlencode({"email": email, "password": password, "csrf_token": token.group(1)}).encode()
    headers = {"Cookie": jar, "Content-Type": "application/x-www-form-urlencoded"}
    answer = web.call("POST", SIGN_IN, fields, headers)
    if answer is None or answer.status != 303:
        raise SystemExit(f"nobody could sign in to the console: {answer and answer.status}")
    return f"{jar}; {cookies(answer)}"


def cookies(answer: Answer) -> str:
    return "; ".join(each.split(";", 1)[0] for each in answer.headers.get_all("Set-Cookie") or [])


def days_ahead(days: int) -> str:
    return time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() + days * 86400))
