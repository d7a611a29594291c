"""A lesson's way through the API, and what is refused on it."""

from __future__ import annotations

from datetime import timedelta

from guitaronline import clock
from guitaronline.api.schemas.common import moment
from guitaronline.booking.substitution import substitute_booking
from tests.api.conftest import Api
from tests.world import World, as_actor


def test_a_student_holds_confirms_moves_and_cancels(api: Api, world: World) -> None:
    slot, other = world.slot(hours=48), world.slot(hours=72)
    package = world.package(lessons=2)

    held = api.post("/booking/hold", {"slot_id": str(slot.id)}, world.ann)
    confirmed = api.post(f"/booking/{held.json['id']}/confirm", who=world.ann)
    moved = api.post(f"/booking/{held.json['id']}/reschedule", {"new_slot_id": str(other.id)}, world.ann)
    canceled = api.post(f"/booking/{moved.json['id']}/cancel", {"reason": "a cold"}, world.ann)

    assert [each.status for each in (held, confirmed, moved, canceled)] == [200] * 4
    assert (held.json["status"], held.json["package_id"]) == ("hold", str(package.id))
    assert held.json["start_at"] == moment(slot.start_at)
    assert (confirmed.json["status"], confirmed.json["hold_expires_at"] is None) == ("confirmed", False)
    assert moved.json["rescheduled_from_booking_id"] == held.json["id"]
    assert (moved.json["status"], moved.json["slot_id"]) == ("confirmed", str(other.id))
    assert (canceled.json["status"], canceled.json["refund_returned"]) == ("canceled", True)
    assert canceled.json["decision"]["outcome"] == "returned"
    assert canceled.json["cancellation_reason"] == "a cold"
    left = api.get(f"/billing/packages/students/{world.ann.id}", world.ann).json["items"][0]["lessons_left"]
    assert left == 2


def test_a_hold_that_is_refused_lists_every_reason(api: Api, world: World) -> None:
    slot = world.slot(hours=0.5)

    refused = api.post("/booking/hold", {"slot_id": str(slot.id)}, world.ann)

    assert (refused.status, refused.code) == (409, "too_short_notice")
    assert [code for _, code in refused.reasons] == ["too_short_notice", "no_lessons_left"]


def test_a_slot_that_is_taken_is_refused_to_the_next(api: Api, booked: World) -> None:
    slot = booked.slot()
    booked.package(booked.ben)
    api.post("/booking/hold", {"slot_id": str(slot.id)}, booked.ann)

    refused = api.post("/booking/hold", {"slot_id": str(slot.id)}, booked.ben)

    assert (refused.status, refused.code) == (409, "slot_taken")


def test_somebody_elses_package_looks_as_if_it_did_not_exist(api: Api, booked: World) -> None:
    package = booked.package(booked.ben)
    asked = {"slot_id": str(booked.slot().id), "package_id": str(package.id)}
    assert api.post("/booking/hold", asked, booked.ann).status == 404


def test_a_lapsed_hold_reads_expired_and_cannot_be_confirmed(api: Api, booked: World) -> None:
    held = booked.hold()

    with clock.moved_by(timedelta(minutes=11)):
        seen = api.get(f"/booking/{held.id}", booked.ann)
        mine = api.get("/booking/my", booked.ann)
        refused = api.post(f"/booking/{held.id}/confirm", who=booked.ann)

    assert seen.json["status"] == mine.json["items"][0]["status"] == "expired"
    assert (refused.status, refused.code) == (409, "hold_expired")


def test_a_student_cannot_name_a_cause_nor_waive(api: Api, booked: World) -> None:
    booking = booked.booking()

    refused = api.post(f"/booking/{booking.id}/cancel", {"cause": "goodwill", "waive": True}, booked.ann)

    assert refused.status == 422
    assert refused.reasons == [("/cause", "cause_not_allowed"), ("/waive", "waive_not_allowed")]


def test_a_teacher_cannot_waive_but_may_name_their_cause(api: Api, booked: World) -> None:
    booking = booked.booking()

    refused = api.post(f"/booking/{booking.id}/cancel", {"waive": True}, booked.tom)
    done = api.post(f"/booking/{booking.id}/cancel", {"cause": "technical", "reason": "no power"}, booked.tom)

    assert (refused.status, done.status) == (422, 200)
    assert done.json["decision"]["cause"] == "technical"


def test_previews_say_what_the_command_then_does(api: Api, booked: World) -> None:
    booking, other = booked.booking(booked.slot(hours=3)), booked.slot(hours=50)

    cancel = api.get(f"/booking/{booking.id}/cancel/preview", booked.ann)
    waived = api.get(f"/booking/{booking.id}/cancel/preview?waive=true", booked.sue)
    move = api.get(f"/booking/{booking.id}/reschedule/preview?new_slot_id={other.id}", booked.ann)
    nowhere = api.get(f"/booking/{booking.id}/reschedule/preview?new_slot_id={booking.slot_id}", booked.ann)
    done = api.post(f"/booking/{booking.id}/cancel", who=booked.ann)

    assert (cancel.json["possible"], cancel.json["refund_returned"]) == (True, False)
    assert waived.json["refund_returned"] is True
    assert (move.json["possible"], move.json["package_id"]) == (True, str(booking.package_id))
    assert (nowhere.json["possible"], nowhere.json["reasons"][0]["code"]) == (False, "same_slot")
    assert done.json["decision"]["sentence"] == cancel.json["decision"]["sentence"]


def test_explain_says_why_not(api: Api, booked: World) -> None:
    slot = booked.slot()

    free = api.get(f"/scheduling/slots/{slot.id}/explain", booked.ann)
    booked.booking(slot)
    taken = api.get(f"/scheduling/slots/{slot.id}/explain", booked.ben)
    teacher = api.get(f"/scheduling/slots/{slot.id}/explain", booked.tom)

    assert free.json == {"bookable": True, "reasons": []}
    assert [each["code"] for each in taken.json["reasons"]] == ["slot_taken", "no_lessons_left"]
    assert teacher.json["reasons"][-1]["code"] == "not_allowed"


def test_offered_slots_are_listed_soonest_first_within_the_asked_time(api: Api, booked: World) -> None:
    late, soon = booked.slot(hours=60), booked.slot(hours=30)
    booked.booking(booked.slot(hours=40))
    booked.slot(booked.tina, hours=35)

    found = api.get(f"/scheduling/slots/open?teacher_id={booked.tom.id}")
    window = api.get(f"/scheduling/slots/open?from={moment(late.start_at)}&teacher_id={booked.tom.id}")
    before = api.get(f"/scheduling/slots/open?to={moment(late.start_at)}&teacher_id={booked.tom.id}")

    assert [each["id"] for each in found.json["items"]] == [str(soon.id), str(late.id)]
    assert found.json["items"][0]["teacher_name"] == "Tom"
    assert [each["id"] for each in window.json["items"]] == [str(late.id)]
    assert [each["id"] for each in before.json["items"]] == [str(soon.id)]


def test_an_admin_expires_lapsed_holds_and_gets_a_bare_number(api: Api, booked: World) -> None:
    booked.hold()
    with clock.moved_by(timedelta(minutes=11)):
        done = api.post("/booking/holds/expire", who=booked.ada)
        again = api.post("/booking/holds/expire", who=booked.ada)
    assert (done.text, again.text) == ("1", "0")


def test_a_teacher_sees_own_students_without_contact_data(api: Api, booked: World) -> None:
    booking = booked.booking()
    found = api.get("/booking/teacher/students", booked.tom)
    expected = {
        "id": str(booked.ann.id),
        "full_name": "Ann",
        "lessons": 1,
        "next_start_at": moment(booking.start_at),
    }
    assert found.json["items"] == [expected]


def test_a_student_sees_who_stands_in_and_may_decline(api: Api, booked: World) -> None:
    booking = booked.booking(booked.slot(hours=2))
    early = api.post(f"/booking/{booking.id}/decline", {}, booked.ann)
    substitute_booking(as_actor(booked.sue), booking.id, teacher_id=booked.tina.id, reason="Tom is ill")

    seen = api.get(f"/booking/{booking.id}", booked.ann)
    strange = api.post(f"/booking/{booking.id}/decline", {}, booked.ben)
    declined = api.post(f"/booking/{booking.id}/decline", {"reason": "I wait for Tom"}, booked.ann)

    assert (early.status, early.code) == (409, "not_substituted")
    assert (seen.json["teacher_id"], seen.json["original_teacher_id"]) == (str(booked.tina.id), str(booked.tom.id))
    assert (seen.json["revision"], strange.status) == (2, 404)
    assert (declined.status, declined.json["status"], declined.json["refund_returned"]) == (200, "canceled", True)
    assert declined.json["decision"]["sentence"].startswith("The substitute was declined")
