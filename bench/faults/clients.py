"""The load: students who hold, confirm, cancel and move, and an office that refunds, over HTTP as an app of a phone does it.

`python -m bench.faults.clients PORT SCHOOL JOURNAL`. Every call carries an Idempotency-Key and is sent again with it until
there is an answer that says yes or no. Each yes is written into the journal before the next call. SIGTERM: calls under way
are brought to their end, then it ends.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.faults.school import School, token

ANSWER_WITHIN_SECONDS = float(os.environ.get("FAULTS_PATIENCE", "5"))
UNSURE = frozenset({500, 502, 503, 504})
NOTHING_WAS_CHANGED = {"503 unavailable", "409 busy", "409 still_running"}  # what says so, or was no attempt
MOST_OWN = 12  # bookings of one student; then rather canceled than held
AGAIN_SECONDS = (0.02, 0.3)


class Unresolved(Exception):
    """The end came before the answer."""


@dataclass(frozen=True)
class Call:
    person: str
    path: str
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Said:
    status: int
    body: Any
    text: str
    tries: int
    replayed: bool

    @property
    def is_yes(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        return self.body.get("code", "") if isinstance(self.body, dict) else ""


class Journal:
    """One line a fact, written before anything else happens."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", buffering=1)
        self.lock = threading.Lock()

    def write(self, **facts: Any) -> None:
        line = json.dumps(facts) + "\n"
        with self.lock:
            self.file.write(line)


class Client:
    def __init__(self, port: int, journal: Journal, stop: threading.Event, seed: int) -> None:
        self.port, self.journal, self.stop = port, journal, stop
        self.draw = random.Random(seed)
        self.connection: http.client.HTTPConnection | None = None
        self.tries: dict[str, int] = {}

    def ask(self, op: str, call: Call, **facts: Any) -> Said:
        """The definite answer to a call. Raises Unresolved when there was none a minute after the end of the run."""
        tries, sent, give_up_at, heard = 0, time.time(), None, set[str]()
        while True:
            tries += 1
            said = self.once(call, tries)
            if (
                said is not None
                and said.status not in UNSURE
                and not (said.status == 409 and said.code in ("still_running", "busy"))
            ):
                break
            heard.add(f"{said.status} {said.code}" if said else "no answer")
            self.count(f"{said.status} {said.code}" if said else "no answer")
            if self.stop.is_set():
                give_up_at = give_up_at or time.monotonic() + 60
                if time.monotonic() > give_up_at:
                    self.journal.write(unresolved=op, key=call.key, person=call.person, **facts)
                    raise Unresolved
            time.sleep(self.draw.uniform(*AGAIN_SECONDS))
        if said.replayed and op != "repeat" and "503 unavailable" in heard and heard <= NOTHING_WAS_CHANGED:
            self.journal.write(
                wrong="told that nothing was changed, and it was done", key=call.key, heard=sorted(heard)
            )
        if said.is_yes:
            self.journal.write(
                op=op, key=call.key, person=call.person, path=call.path, status=said.status, text=said.text, sent=sent,
                at=time.time(), tries=said.tries, replayed=said.replayed, **facts,
            )  # fmt: skip
        else:
            self.count(f"{said.status} {said.code}")
        return said

    def once(self, call: Call, tries: int) -> Said | None:
        """One attempt; None when nobody answered."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_WITHIN_SECONDS)
            headers = {
                "Authorization": f"Bearer {token(call.person)}",
                "Content-Type": "application/json",
                "Idempotency-Key": call.key,
            }
            self.connection.request("POST", f"/api/v1{call.path}", json.dumps(call.body), headers)
            answer = self.connection.getresponse()
            text = answer.read().decode()
            return Said(
                answer.status, json.loads(text), text, tries, answer.headers.get("Idempotency-Replayed") == "true"
            )
        except (OSError, http.client.HTTPException, ValueError):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return None

    def count(self, what: str) -> None:
        self.tries[what] = self.tries.get(what, 0) + 1

    def repeat(self, call: Call, said: Said) -> None:
        """The same call once more has the same answer, word for word."""
        again = self.ask("repeat", call)
        if again.text != said.text or again.status != said.status:
            self.journal.write(
                wrong="a repeated call has another answer", key=call.key, first=said.text, second=again.text
            )


class Student(Client):
    def __init__(self, person: str, school: School, *about: Any) -> None:
        super().__init__(*about)
        self.person, self.school = person, school
        self.held: list[str] = []
        self.confirmed: list[str] = []

    def live(self) -> None:
        try:
            while not self.stop.is_set():
                self.one()
        except Unresolved:
            return

    def one(self) -> None:
        own, chance = len(self.held) + len(self.confirmed), self.draw.random()
        if self.held and chance < 0.5:
            self.confirm()
        elif own and (own > MOST_OWN or chance < 0.65):
            self.cancel()
        elif self.confirmed and chance < 0.78:
            self.move()
        else:
            self.hold()

    def hold(self) -> None:
        slot = self.draw.choice(self.school.slots)
        call = Call(self.person, "/booking/hold", {"slot_id": slot})
        said = self.ask("hold", call, slot=slot)
        if said.is_yes:
            self.held.append(said.body["id"])
            self.now_and_then(call, said)

    def confirm(self) -> None:
        booking = self.held.pop(self.draw.randrange(len(self.held)))
        call = Call(self.person, f"/booking/{booking}/confirm", {})
        said = self.ask("confirm", call, booking=booking)
        if said.is_yes:
            self.confirmed.append(booking)
            self.now_and_then(call, said)

    def cancel(self) -> None:
        pool = self.confirmed or self.held
        booking = pool.pop(self.draw.randrange(len(pool)))
        call = Call(self.person, f"/booking/{booking}/cancel", {})
        said = self.ask("cancel", call, booking=booking)
        if said.is_yes:
            self.now_and_then(call, said)

    def move(self) -> None:
        booking, slot = self.draw.choice(self.confirmed), self.draw.choice(self.school.slots)
        said = self.ask(
            "reschedule",
            Call(self.person, f"/booking/{booking}/reschedule", {"new_slot_id": slot}),
            booking=booking,
            slot=slot,
        )
        if said.is_yes:
            self.confirmed.remove(booking)
            self.confirmed.append(said.body["id"])

    def now_and_then(self, call: Call, said: Said) -> None:
        if self.draw.random() < 0.05:
            self.repeat(call, said)


class Office(Client):
    def __init__(self, school: School, *about: Any) -> None:
        super().__init__(*about)
        self.school = school

    def live(self) -> None:
        try:
            while not self.stop.is_set():
                payment, amount = self.draw.choice(self.school.payments), self.draw.randint(1, 20)
                body = {"amount_minor": amount, "reason": "goodwill"}
                self.ask(
                    "refund",
                    Call(self.school.staff, f"/billing/payments/{payment}/refunds", body),
                    payment=payment,
                    amount=amount,
                )
                self.stop.wait(0.2)
        except Unresolved:
            return


def main(port: int, school_file: Path, journal_file: Path, seed: int) -> None:
    school, journal, stop = School(**json.loads(school_file.read_text())), Journal(journal_file), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    everybody: list[Student | Office] = [
        Student(person, school, port, journal, stop, seed + n) for n, person in enumerate(school.students)
    ]
    everybody.append(Office(school, port, journal, stop, seed - 1))
    threads = [threading.Thread(target=each.live) for each in everybody]
    for thread in threads:
        thread.start()
    while not stop.is_set():
        stop.wait(1)
    for thread in threads:
        thread.join()
    refusals: dict[str, int] = {}
    for each in everybody:
        for what, number in each.tries.items():
            refusals[what] = refusals.get(what, 0) + number
    journal.write(ended=True, refusals=refusals)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
