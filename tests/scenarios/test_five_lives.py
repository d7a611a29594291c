"""Five lives of a booking and its money, told over HTTP to a started instance."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.conftest import Person, School, in_hours, rfc3339


@pytest.fixture(scope="module")
def staff(school: School) -> dict[str, Person]:
    return {
        name: school.staff(name, role)
        for name, role in (
            ("ada", "admin"),
            ("finn", "finance"),
            ("fay", "finance"),
            ("tom", "teacher"),
            ("sue", "support"),
        )
    }


def lessons(staff: dict[str, Person], student: Person, number: int = 3) -> dict[str, Any]:
    """Finance grants a package."""
    given = staff["finn"].post(
        "/billing/packages",
        {"student_id": student.id, "lessons_total": number, "expires_at": rfc3339(in_hours(24 * 60))},
    )
    assert given.status == 201, given.json
    return dict(given.json)


def offer(staff: dict[str, Person], hours: float) -> str:
    start = in_hours(hours)
    end = in_hours(hours + 1)
    made = staff["tom"].post(
        "/scheduling/slots", {"teacher_id": staff["tom"].id, "start_at": rfc3339(start), "end_at": rfc3339(end)}
    )
    assert made.status == 201, made.json
    return str(made.json["id"])


def balance(student: Person) -> tuple[int, int]:
    """(left, of them reserved) of the student's one package."""
    (package,) = student.get(f"/billing/packages/students/{student.id}").json["items"]
    return package["lessons_left"], package["lessons_reserved"]


def test_a_lesson_is_booked_given_and_found_in_the_history(school: School, staff: dict[str, Person]) -> None:
    ann = school.student("ann")
    lessons(staff, ann)
    place = offer(staff, 30)

    held = ann.post("/booking/hold", {"slot_id": place}, **{"Idempotency-Key": "ann-1"})
    again = ann.post("/booking/hold", {"slot_id": place}, **{"Idempotency-Key": "ann-1"})
    assert (held.status, held.json["status"], balance(ann)) == (200, "hold", (3, 1))
    assert (again.json["id"], again.headers["Idempotency-Replayed"]) == (held.json["id"], "true")
    confirmed = ann.post(f"/booking/{held.json['id']}/confirm")
    assert (confirmed.json["status"], balance(ann)) == ("confirmed", (2, 0))

    (lesson,) = ann.get("/lessons/my").json["items"]
    assert staff["tom"].post(f"/lessons/{lesson['id']}/complete").status == 409
    school.time_passes(
        "UPDATE lessons SET scheduled_start_at = now() - interval '2 hours', scheduled_end_at = now() - interval '1 hour'"
    )
    given = staff["tom"].post(f"/lessons/{lesson['id']}/complete")
    assert (given.status, given.json["status"]) == (200, "completed")

    actions = staff["ada"].get(f"/audit/logs?record_id={held.json['id']}").json["items"]
    assert [each["action"] for each in actions] == ["booking.confirm", "booking.hold"]


def test_a_hold_that_lapses_gives_slot_and_lesson_to_others(school: School, staff: dict[str, Person]) -> None:
    ben, eve = school.student("ben"), school.student("eve")
    lessons(staff, ben)
    lessons(staff, eve)
    place = offer(staff, 34)

    held = ben.post("/booking/hold", {"slot_id": place}).json
    assert eve.post("/booking/hold", {"slot_id": place}).json["code"] == "slot_taken"
    school.time_passes("UPDATE bookings SET hold_expires_at = now() - interval '1 second' WHERE id = %s", held["id"])

    late = ben.post(f"/booking/{held['id']}/confirm")
    assert (late.status, late.json["code"], balance(ben)) == (409, "hold_expired", (3, 0))
    taken = eve.post("/booking/hold", {"slot_id": place})
    assert (taken.status, balance(eve)) == (200, (3, 1))


def test_notice_decides_what_becomes_of_the_lesson(school: School, staff: dict[str, Person]) -> None:
    cleo = school.student("cleo")
    lessons(staff, cleo)
    early = cleo.post("/booking/hold", {"slot_id": offer(staff, 40)}).json["id"]
    late = cleo.post("/booking/hold", {"slot_id": offer(staff, 20)}).json["id"]
    for booking in (early, late):
        assert cleo.post(f"/booking/{booking}/confirm").status == 200
    assert balance(cleo) == (1, 0)

    preview = cleo.get(f"/booking/{late}/cancel/preview")
    assert preview.status == 200
    kept = cleo.post(f"/booking/{early}/cancel", {"reason": "exam"})
    assert (kept.status, kept.json["refund_returned"], balance(cleo)) == (200, True, (2, 0))
    lost = cleo.post(f"/booking/{late}/cancel")
    assert (lost.status, lost.json["refund_returned"], balance(cleo)) == (200, False, (2, 0))
    assert cleo.post(f"/booking/{late}/cancel").json["decision"] == lost.json["decision"]
    assert cleo.post(f"/booking/{late}/cancel", {"cause": "school"}).status == 422


def test_a_lesson_is_moved_and_a_repeat_changes_nothing(school: School, staff: dict[str, Person]) -> None:
    dan, kim = school.student("dan"), school.student("kim")
    lessons(staff, dan)
    lessons(staff, kim)
    old, new = offer(staff, 50), offer(staff, 52)
    booking = dan.post("/booking/hold", {"slot_id": old}).json["id"]
    dan.post(f"/booking/{booking}/confirm")

    moved = dan.post(f"/booking/{booking}/reschedule", {"new_slot_id": new})
    again = dan.post(f"/booking/{booking}/reschedule", {"new_slot_id": new})
    assert (moved.status, moved.json["status"], moved.json["rescheduled_from_booking_id"]) == (
        200,
        "confirmed",
        booking,
    )
    assert (again.json["id"], balance(dan)) == (moved.json["id"], (2, 0))
    assert dan.get(f"/booking/{booking}").json["status"] == "canceled"
    assert kim.post("/booking/hold", {"slot_id": old}).status == 200
    assert kim.get(f"/booking/{booking}").status == 404


def test_money_comes_and_goes_with_a_second_pair_of_eyes(school: School, staff: dict[str, Person]) -> None:
    finn, fay = staff["finn"], staff["fay"]
    gil = school.student("gil")
    package = lessons(staff, gil, 10)
    made = finn.post(
        "/billing/payments",
        {"package_id": package["id"], "amount": "900.00", "currency": "USD", "external_reference": "wire 77"},
    )
    assert (made.status, made.json["status"], made.json["amount_minor"]) == (201, "pending", 90_000)
    payment = made.json["id"]

    asked = finn.patch(f"/billing/payments/{payment}/status", {"status": "succeeded", "reason": "seen on the account"})
    assert (asked.status, asked.json["status"]) == (202, "awaiting_approval")
    assert (
        staff["sue"].patch(f"/billing/payments/{payment}/status", {"status": "succeeded", "reason": "x"}).status == 403
    )
    assert gil.get(f"/billing/payments/students/{gil.id}").json["items"][0]["status"] == "pending"

    made = finn.post("/billing/payments", {"package_id": package["id"], "amount": "400.00", "currency": "USD"})
    paid = finn.patch(
        f"/billing/payments/{made.json['id']}/status", {"status": "succeeded", "reason": "cash, receipt 12"}
    )
    assert (paid.status, paid.json["status"], paid.json["paid_at"] is None) == (200, "succeeded", False)
    again = finn.patch(
        f"/billing/payments/{made.json['id']}/status", {"status": "succeeded", "reason": "cash, receipt 12"}
    )
    assert (again.status, again.json["paid_at"]) == (200, paid.json["paid_at"])

    part = fay.post(f"/billing/payments/{made.json['id']}/refunds", {"amount_minor": 30_000, "reason": "moved away"})
    assert (part.status, part.json["amount_minor"]) == (201, 30_000)
    too_much = fay.post(f"/billing/payments/{made.json['id']}/refunds", {"amount_minor": 10_001, "reason": "more"})
    assert (too_much.status, too_much.json["code"]) == (422, "refund_exceeds_payment")
