"""The school that the load works on, made by the product's own commands. `python -m bench.faults.school`, with the settings
of a running stack in the environment; prints it as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import date, time, timedelta
from hashlib import sha256

from sqlalchemy import text

from guitaronline import clock, create_core
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.billing import service as billing
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity.service import create_person
from guitaronline.scheduling.service import create_slots

STUDENTS, PAYMENTS = 12, 24
ADD_FAMILY = text(
    "INSERT INTO token_families (id, user_id, created_at, last_used_at, expires_at) VALUES (:id, :user, now(), now(), now() + interval '30 days')"
)
ADD_TOKEN = text(
    "INSERT INTO api_tokens (id, family_id, access_hash, refresh_hash, created_at, access_expires_at, refresh_expires_at)"
    " VALUES (:id, :family, :access, :refresh, now(), now() + interval '30 days', now() + interval '30 days')"
)


@dataclass(frozen=True)
class School:
    students: list[str]  # ids; the token of each is `token(id)`
    staff: str
    slots: list[str]
    payments: list[str]
    teachers: list[str]


def token(person: str) -> str:
    return f"gol_at_faults-{person}"


def make(teachers: int, days: int) -> School:
    admin = _person("Ada", Role.ADMIN)
    teaching = [_person(f"Teacher {n}", Role.TEACHER) for n in range(teachers)]
    learning = [_person(f"Student {n}", Role.STUDENT) for n in range(STUDENTS)]
    paying = [_person(f"Payer {n}", Role.STUDENT) for n in range(PAYMENTS)]
    first = clock.read(session()).date() + timedelta(days=3)
    slots = [each for teacher in teaching for each in _slots(teacher, first, days)]
    for student in learning:
        for _ in range(4):
            billing.grant_package(admin, student_id=student.id, lessons_total=1000)
    payments = [_payment(admin, payer) for payer in paying]
    for person in (admin, *learning):
        _let_in(str(person.id))
    return School(
        [str(each.id) for each in learning], str(admin.id), slots, payments, [str(each.id) for each in teaching]
    )


def _person(name: str, role: Role) -> Actor:
    made = create_person(SYSTEM, role=role, full_name=name, email=f"{name.replace(' ', '').lower()}@faults.example")
    return Actor(made.id, role)


def _slots(teacher: Actor, first: date, days: int) -> list[str]:
    made = create_slots(
        teacher,
        teacher_id=teacher.id,
        first_day=first,
        last_day=first + timedelta(days=days - 1),
        weekdays=set(range(7)),
        start_local=time(6),
        end_local=time(22),
        lesson_minutes=60,
    )
    return [str(each.id) for each in made.made]


def _payment(admin: Actor, payer: Actor) -> str:
    package = billing.grant_package(admin, student_id=payer.id, lessons_total=10, price_minor=40_000)
    said = {"amount_minor": 40_000, "currency": "USD", "external_reference": str(package.id)}
    payment = billing.record_payment(admin, package_id=package.id, **said)
    billing.set_payment_status(admin, payment.id, status="succeeded", reason="it came by bank")
    return str(payment.id)


def _let_in(person: str) -> None:
    """A token as sign-in would make it, for longer than the run takes."""
    family = new_id()
    with technical_transaction() as within:
        within.execute(ADD_FAMILY, {"id": family, "user": person})
        hashes = {
            "access": sha256(token(person).encode()).digest(),
            "refresh": sha256(b"r" + token(person).encode()).digest(),
        }
        within.execute(ADD_TOKEN, {"id": new_id(), "family": family, **hashes})


if __name__ == "__main__":
    with create_core().app_context():
        print(json.dumps(asdict(make(int(sys.argv[1]), int(sys.argv[2])))))
