"""Who gets in where: every route × every role, against a table written by hand from the rules of the school."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import count
from typing import Any

import pytest
from flask import Flask

from guitaronline import clock, policy
from guitaronline.api.schemas.common import moment
from guitaronline.db import new_id, technical_transaction
from guitaronline.identity.models import User
from tests.api.conftest import Api
from tests.world import World, as_actor

CALLERS = "student other_student teacher other_teacher support finance auditor admin anonymous".split()
LATER = timedelta(hours=200)


@dataclass
class Call:
    path: str
    body: Any = None


class Scene:
    """Fresh records for each call; Ann is the student, Tom the teacher."""

    def __init__(self, world: World) -> None:
        self.world, self.hours, self.numbers = world, count(30, 2), count(1)
        self.callers: dict[str, User | None] = dict(
            zip(
                CALLERS,
                [world.ann, world.ben, world.tom, world.tina, world.sue, world.finn, world.audrey, world.ada, None],
                strict=True,
            )
        )
        self.package = world.package(lessons=100)
        self.bens = world.package(world.ben, lessons=100)

    def slot(self) -> Any:
        return self.world.slot(hours=next(self.hours))

    def hold(self) -> Any:
        return self.world.hold(self.slot(), package_id=self.package.id)

    def booking(self) -> Any:
        return self.world.booking(self.slot(), package_id=self.package.id)

    def lesson(self) -> str:
        from sqlalchemy import select

        from guitaronline.db import session
        from guitaronline.lessons.models import Lesson

        return str(session().scalars(select(Lesson.id).where(Lesson.booking_id == self.booking().id)).one())

    def payment(self, *, paid: bool = False) -> str:
        from guitaronline.billing.service import record_payment, set_payment_status

        made = record_payment(as_actor(self.world.finn), package_id=self.package.id, amount_minor=100, currency="USD")
        if paid:
            set_payment_status(as_actor(self.world.finn), made.id, status="succeeded", reason="cash")
        return str(made.id)

    def plan(self) -> str:
        from guitaronline.billing.service import create_plan

        name = f"Plan {next(self.numbers)}"
        return str(create_plan(as_actor(self.world.ada), name=name, lessons_total=5, amount_minor=4900).id)

    def bought(self) -> str:
        from uuid import UUID

        from guitaronline.billing.service import buy_plan

        return str(buy_plan(as_actor(self.world.ann), plan_id=UUID(self.plan())).payment.id)

    @cached_property
    def invoice(self) -> Any:
        """Of Ann, with a credit note."""
        from tests.invoices import office

        office.opened(self.world)
        made = office.bought(self.world)
        office.given_back(self.world, made, 100)
        return office.invoice_of(made)

    def credit_note(self) -> str:
        from guitaronline.billing.invoices.queries import credit_notes_of
        from guitaronline.db import session

        return str(credit_notes_of(session(), [self.invoice.id])[0].id)

    @cached_property
    def cancellation(self) -> str:
        """Of a credit note of Ann's, whose refund came back."""
        from sqlalchemy import select

        from guitaronline.actor import SYSTEM
        from guitaronline.billing.facts import hear
        from guitaronline.billing.invoices.models import CreditCancellation
        from guitaronline.billing.providers import FactKind
        from guitaronline.db import session
        from tests.refunds import scripted

        assert self.invoice
        payment = scripted.bought(self.world, amount_minor=11_900)
        for number, kind in enumerate((FactKind.REFUNDED, FactKind.REFUND_FAILED), 2):
            hear(SYSTEM, payment.id, facts=[scripted.told(payment, kind, number, 2_380, refund_reference="re_1")])
        return str(session().scalars(select(CreditCancellation.id)).one())

    @cached_property
    def address(self) -> dict[str, str]:
        """Ann has given hers; Ben has not."""
        from tests.invoices import office

        office.lives_in(self.world, self.world.ann, "DE")
        return {"name": "A", "street": "Road 1", "postal_code": "1", "city": "Town", "country": "DE"}

    def asked_for_address(self) -> Call:
        assert self.address
        return Call("/billing/address")

    def times(self) -> dict[str, str]:
        start = self.world.now + timedelta(hours=next(self.hours) + 500)
        return {"start_at": str(moment(start)), "end_at": str(moment(start + timedelta(hours=1)))}

    def time_off(self) -> str:
        from guitaronline.booking.absences import create_time_off

        start = self.world.now + timedelta(hours=next(self.hours) + 1000)
        times = {"start_at": start, "end_at": start + timedelta(hours=1)}
        return str(create_time_off(as_actor(self.world.tom), teacher_id=self.world.tom.id, **times).id)

    def substituted(self) -> str:
        from guitaronline.booking.substitution import substitute_booking

        why = {"teacher_id": self.world.tina.id, "reason": "ill"}
        return str(substitute_booking(as_actor(self.world.sue), self.booking().id, **why).id)

    def wait(self) -> str:
        from guitaronline.booking.waitlist import join_waitlist

        wish = {"from_at": self.world.now, "until_at": self.world.now + timedelta(days=7)}
        return str(join_waitlist(as_actor(self.world.ann), teacher_id=self.world.tom.id, **wish).id)

    def wish(self) -> dict[str, str]:
        until = self.world.now + timedelta(days=7)
        return {"teacher_id": str(self.world.tom.id), "from": str(moment(self.world.now)), "to": str(moment(until))}

    def profile(self) -> str:
        from guitaronline.db import session
        from guitaronline.teachers.queries import profile_of

        found = profile_of(session(), self.world.tom.id)
        assert found is not None
        return str(found.id)

    def device(self) -> str:
        """Another one of Ann's."""
        from guitaronline.identity.models import TokenFamily

        with technical_transaction() as current:
            now = clock.read(current)
            ends = now + timedelta(days=1)
            row = TokenFamily(id=new_id(), user_id=self.world.ann.id, created_at=now, last_used_at=now, expires_at=ends)
            current.add(row)
        return str(row.id)

    def new_teacher(self) -> str:
        from guitaronline.actor import Role

        return str(self.world.person(f"Teacher{next(self.numbers)}", Role.TEACHER).id)


Make = Callable[[Scene], Call]

# route: how to call it, then the answer to
#   student(own) other_student teacher(own) other_teacher support finance auditor admin anonymous
ROUTES: dict[str, tuple[Make, str]] = {
    "POST /identity/auth/register": (lambda s: Call("/identity/auth/register", {"email": f"new{next(s.numbers)}@people.example", "password": "a quiet evening song"}), "201 201 201 201 201 201 201 201 201"),
    "POST /identity/auth/login": (lambda s: Call("/identity/auth/login", {"email": "nobody@people.example", "password": "x"}), "401 401 401 401 401 401 401 401 401"),
    "POST /identity/auth/refresh": (lambda s: Call("/identity/auth/refresh", {"refresh_token": "gol_rt_x"}), "401 401 401 401 401 401 401 401 401"),
    "POST /identity/auth/password/forgot": (lambda s: Call("/identity/auth/password/forgot", {"email": "nobody@people.example"}), "202 202 202 202 202 202 202 202 202"),
    "POST /identity/auth/password/reset": (lambda s: Call("/identity/auth/password/reset", {"token": "gol_pw_x", "password": "a quiet evening song"}), "404 404 404 404 404 404 404 404 404"),
    "POST /identity/auth/verify-email": (lambda s: Call("/identity/auth/verify-email", {"token": "gol_ev_x"}), "404 404 404 404 404 404 404 404 404"),
    "GET /identity/users/me": (lambda s: Call("/identity/users/me"), "200 200 200 200 200 200 200 200 401"),
    "PATCH /identity/users/me": (lambda s: Call("/identity/users/me", {"full_name": "New Name"}), "200 200 200 200 200 200 200 200 401"),
    "POST /identity/users/me/password": (lambda s: Call("/identity/users/me/password", {"current_password": "no", "new_password": "a quiet evening song"}), "401 401 401 401 401 401 401 401 401"),
    "POST /identity/users/me/email": (lambda s: Call("/identity/users/me/email", {"email": "new@people.example", "current_password": "no"}), "401 401 401 401 401 401 401 401 401"),
    "GET /identity/users/me/devices": (lambda s: Call("/identity/users/me/devices"), "200 200 200 200 200 200 200 200 401"),
    "POST /identity/users/me/devices/{device_id}/sign-out": (lambda s: Call(f"/identity/users/me/devices/{s.device()}/sign-out"), "204 404 404 404 404 404 404 404 401"),
    "POST /identity/users/me/sign-out-elsewhere": (lambda s: Call("/identity/users/me/sign-out-elsewhere"), "204 204 204 204 204 204 204 204 401"),
    "GET /teachers/profiles": (lambda s: Call("/teachers/profiles"), "200 200 200 200 200 200 200 200 200"),
    "GET /teachers/profiles/{profile_id}": (lambda s: Call(f"/teachers/profiles/{s.profile()}"), "200 200 200 200 200 200 200 200 200"),
    "POST /teachers/profiles": (lambda s: Call("/teachers/profiles", {"user_id": s.new_teacher(), "display_name": "New"}), "403 403 403 403 201 403 403 201 401"),
    "PATCH /teachers/profiles/{profile_id}": (lambda s: Call(f"/teachers/profiles/{s.profile()}", {"bio": "Plays."}), "403 403 200 403 200 403 403 200 401"),
    "GET /scheduling/slots/open": (lambda s: Call("/scheduling/slots/open"), "200 200 200 200 200 200 200 200 200"),
    "POST /scheduling/slots": (lambda s: Call("/scheduling/slots", {"teacher_id": str(s.world.tom.id), **s.times()}), "403 403 201 404 201 403 403 201 401"),
    "GET /scheduling/slots/{slot_id}/explain": (lambda s: Call(f"/scheduling/slots/{s.slot().id}/explain"), "200 200 200 200 200 200 200 200 401"),
    "GET /scheduling/teachers/me/time-off": (lambda s: Call("/scheduling/teachers/me/time-off"), "403 403 200 200 403 403 403 403 401"),
    "POST /scheduling/teachers/me/time-off": (lambda s: Call("/scheduling/teachers/me/time-off", s.times()), "403 403 201 201 403 403 403 403 401"),
    "DELETE /scheduling/teachers/me/time-off/{time_off_id}": (lambda s: Call(f"/scheduling/teachers/me/time-off/{s.time_off()}"), "403 403 204 404 403 403 403 403 401"),
    "GET /scheduling/teachers/me/schedule": (lambda s: Call("/scheduling/teachers/me/schedule"), "403 403 200 200 403 403 403 403 401"),
    "PUT /scheduling/teachers/me/schedule": (lambda s: Call("/scheduling/teachers/me/schedule", {"windows": []}), "403 403 200 200 403 403 403 403 401"),
    "POST /booking/waitlist": (lambda s: Call("/booking/waitlist", s.wish()), "201 201 403 403 403 403 403 403 401"),
    "GET /booking/waitlist/my": (lambda s: Call("/booking/waitlist/my"), "200 200 403 403 403 403 403 403 401"),
    "DELETE /booking/waitlist/{entry_id}": (lambda s: Call(f"/booking/waitlist/{s.wait()}"), "204 404 403 403 204 403 403 204 401"),
    "POST /booking/hold": (lambda s: Call("/booking/hold", {"slot_id": str(s.slot().id)}), "200 200 403 403 403 403 403 403 401"),
    "POST /booking/{booking_id}/confirm": (lambda s: Call(f"/booking/{s.hold().id}/confirm"), "200 404 403 403 200 403 403 200 401"),
    "POST /booking/{booking_id}/decline": (lambda s: Call(f"/booking/{s.substituted()}/decline", {"reason": "no"}), "200 404 403 403 200 403 403 200 401"),
    "POST /booking/{booking_id}/cancel": (lambda s: Call(f"/booking/{s.booking().id}/cancel", {"reason": "ill"}), "200 404 200 404 200 403 403 200 401"),
    "GET /booking/{booking_id}/cancel/preview": (lambda s: Call(f"/booking/{s.booking().id}/cancel/preview"), "200 404 200 404 200 403 403 200 401"),
    "POST /booking/{booking_id}/reschedule": (lambda s: Call(f"/booking/{s.booking().id}/reschedule", {"new_slot_id": str(s.slot().id), "reason": "ill"}), "200 404 200 404 200 403 403 200 401"),
    "GET /booking/{booking_id}/reschedule/preview": (lambda s: Call(f"/booking/{s.booking().id}/reschedule/preview?new_slot_id={s.slot().id}"), "200 404 200 404 200 403 403 200 401"),
    "GET /booking/my": (lambda s: Call("/booking/my"), "200 200 200 200 200 200 200 200 401"),
    "GET /booking/{booking_id}": (lambda s: Call(f"/booking/{s.booking().id}"), "200 404 200 404 200 200 200 200 401"),
    "GET /booking/teacher/students": (lambda s: Call("/booking/teacher/students"), "403 403 200 200 403 403 403 403 401"),
    "POST /booking/holds/expire": (lambda s: Call("/booking/holds/expire"), "403 403 403 403 403 403 403 200 401"),
    "GET /billing/plans": (lambda s: Call("/billing/plans"), "200 200 200 200 200 200 200 200 200"),
    "POST /billing/packages": (lambda s: Call("/billing/packages", {"student_id": str(s.world.ann.id), "lessons_total": 5, "expires_at": None}), "403 403 403 403 403 201 403 201 401"),
    "GET /billing/packages/students/{student_id}": (lambda s: Call(f"/billing/packages/students/{s.world.ann.id}"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/packages/{package_id}/entries": (lambda s: Call(f"/billing/packages/{s.package.id}/entries"), "200 404 403 403 200 200 200 200 401"),
    "POST /billing/packages/purchase": (lambda s: Call("/billing/packages/purchase", {"plan_id": s.plan()}), "201 201 403 403 403 403 403 403 401"),
    "POST /billing/payments/{payment_id}/checkout": (lambda s: Call(f"/billing/payments/{s.bought()}/checkout"), "201 404 403 403 201 201 403 201 401"),
    "POST /billing/webhooks/{provider}": (lambda s: Call("/billing/webhooks/sandbox"), "400 400 400 400 400 400 400 400 400"),
    "POST /message-reports/{channel}": (lambda s: Call("/message-reports/email"), "400 400 400 400 400 400 400 400 400"),
    "POST /billing/packages/expire": (lambda s: Call("/billing/packages/expire"), "403 403 403 403 403 403 403 200 401"),
    "POST /billing/payments": (lambda s: Call("/billing/payments", {"package_id": str(s.package.id), "amount": "1.00", "currency": "USD"}), "403 403 403 403 403 201 403 201 401"),
    "PATCH /billing/payments/{payment_id}/status": (lambda s: Call(f"/billing/payments/{s.payment()}/status", {"status": "succeeded", "reason": "cash"}), "403 403 403 403 403 200 403 200 401"),
    "POST /billing/payments/{payment_id}/refunds": (lambda s: Call(f"/billing/payments/{s.payment(paid=True)}/refunds", {"amount_minor": 1, "reason": "ill"}), "403 403 403 403 403 201 403 201 401"),
    "POST /billing/payments/{payment_id}/credits": (lambda s: Call(f"/billing/payments/{s.payment(paid=True)}/credits", {"reason": "ill"}), "403 403 403 403 403 201 403 201 401"),
    "GET /billing/payments/{payment_id}": (lambda s: Call(f"/billing/payments/{s.payment()}"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/payments/{payment_id}/refunds": (lambda s: Call(f"/billing/payments/{s.payment()}/refunds"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/payments/students/{student_id}": (lambda s: Call(f"/billing/payments/students/{s.world.ann.id}"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/payments/{payment_id}/receipt.pdf": (lambda s: Call(f"/billing/payments/{s.payment(paid=True)}/receipt.pdf"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/invoices/my": (lambda s: Call("/billing/invoices/my"), "200 200 403 403 403 403 403 403 401"),
    "GET /billing/invoices/{invoice_id}": (lambda s: Call(f"/billing/invoices/{s.invoice.id}"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/invoices/{invoice_id}.pdf": (lambda s: Call(f"/billing/invoices/{s.invoice.id}.pdf"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/credit-notes/cancellations/{cancellation_id}.pdf": (lambda s: Call(f"/billing/credit-notes/cancellations/{s.cancellation}.pdf"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/credit-notes/{credit_note_id}.pdf": (lambda s: Call(f"/billing/credit-notes/{s.credit_note()}.pdf"), "200 404 403 403 200 200 200 200 401"),
    "GET /billing/address": (lambda s: s.asked_for_address(), "200 404 403 403 403 403 403 403 401"),
    "PUT /billing/address": (lambda s: Call("/billing/address", s.address), "200 200 403 403 403 403 403 403 401"),
    "GET /billing/withdrawal-notice": (lambda s: Call("/billing/withdrawal-notice"), "200 200 200 200 200 200 200 200 200"),
    "GET /lessons/my": (lambda s: Call("/lessons/my"), "200 200 200 200 403 403 403 403 401"),
    "GET /lessons/{lesson_id}": (lambda s: Call(f"/lessons/{s.lesson()}"), "200 404 200 404 200 200 200 200 401"),
    "PATCH /lessons/{lesson_id}": (lambda s: Call(f"/lessons/{s.lesson()}", {"topic": "Scales"}), "403 403 200 404 200 403 403 200 401"),
    "POST /lessons/{lesson_id}/complete": (lambda s: Call(f"/lessons/{s.lesson()}/complete"), "403 403 200 404 200 403 403 200 401"),
    "POST /lessons/{lesson_id}/no-show": (lambda s: Call(f"/lessons/{s.lesson()}/no-show", {"side": "student"}), "403 403 200 404 200 403 403 200 401"),
    "POST /calendar/secret": (lambda s: Call("/calendar/secret"), "201 201 201 201 201 201 201 201 401"),
    "GET /calendar/{secret}.ics": (lambda s: Call("/calendar/gol_cf_nothing.ics"), "404 404 404 404 404 404 404 404 404"),
    "GET /notifications/delivery/metrics": (lambda s: Call("/notifications/delivery/metrics"), "403 403 403 403 200 200 200 200 401"),
    "GET /notifications/my": (lambda s: Call("/notifications/my"), "200 200 200 200 200 200 200 200 401"),
    "GET /notifications/preferences": (lambda s: Call("/notifications/preferences"), "200 200 200 200 200 200 200 200 401"),
    "PUT /notifications/preferences": (lambda s: Call("/notifications/preferences", {"offers": False}), "200 200 200 200 200 200 200 200 401"),
    "GET /audit/logs": (lambda s: Call("/audit/logs"), "403 403 403 403 403 403 200 200 401"),
    "GET /audit/outbox/pending": (lambda s: Call("/audit/outbox/pending"), "403 403 403 403 403 403 200 200 401"),
    "GET /admin/kpi/overview": (lambda s: Call("/admin/kpi/overview"), "403 403 403 403 200 200 200 200 401"),
    "GET /admin/kpi/sales": (lambda s: Call("/admin/kpi/sales"), "403 403 403 403 200 200 200 200 401"),
    "GET /admin/ops/overview": (lambda s: Call("/admin/ops/overview"), "403 403 403 403 200 200 200 200 401"),
    "POST /identity/auth/logout": (lambda s: Call("/identity/auth/logout"), "204 204 204 204 204 204 204 204 401"),
}  # fmt: skip
AFTER_THE_LESSON = {"POST /lessons/{lesson_id}/complete", "POST /lessons/{lesson_id}/no-show"}


@pytest.mark.parametrize("route", ROUTES)
def test_who_gets_in(api: Api, world: World, route: str) -> None:
    scene = Scene(world)
    make, expected = ROUTES[route]
    method = route.partition(" ")[0]

    with ExitStack() as moved:
        moved.enter_context(policy.changed(BOOKING_MAX_LIVE_HOLDS=100, LOGIN_MAX_FAILURES=1000))
        calls = {caller: make(scene) for caller in CALLERS}
        moved.enter_context(clock.moved_by(LATER if route in AFTER_THE_LESSON else timedelta()))
        found = {
            caller: str(api.call(method, call.path, scene.callers[caller], body=call.body).status)
            for caller, call in calls.items()
        }

    assert found == dict(zip(CALLERS, expected.split(), strict=True))


def test_every_route_is_in_the_table(documented: dict[str, Any]) -> None:
    published = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in documented["paths"].items()
        for method in item
        if method in ("get", "post", "patch", "put", "delete")
    }
    assert published == set(ROUTES)


def test_a_refused_call_changes_nothing(app: Flask, api: Api, world: World) -> None:
    booking = Scene(world).booking()
    before = world.again(booking).version
    api.post(f"/booking/{booking.id}/cancel", {"reason": "not mine"}, world.ben)
    api.post(f"/booking/{booking.id}/cancel", {"reason": "not mine"}, world.finn)
    assert world.again(booking).version == before


def test_a_role_counts_from_the_very_next_request(api: Api, world: World) -> None:
    from guitaronline.identity.service import deactivate_person

    before = api.get("/identity/users/me", world.ann)
    deactivate_person(as_actor(world.ada), world.ann.id, reason="left")
    after = api.get("/identity/users/me", world.ann)
    assert (before.status, after.status, after.code) == (200, 401, "invalid_token")
