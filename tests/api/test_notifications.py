"""/notifications: one's own messages and preferences."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.booking.service import cancel_booking
from guitaronline.db import technical_transaction
from tests.api.conftest import Api
from tests.notifications.telling import forget, tell_all
from tests.world import World, as_actor

MY, PREFERENCES = "/notifications/my", "/notifications/preferences"
ALL_ON = {"reminders": True, "packages": True, "offers": True}


def put(assignment: str, where: str = "true") -> None:
    with technical_transaction() as session:
        session.execute(text(f"UPDATE messages SET {assignment} WHERE {where}"))


def test_one_item_an_event_newest_first(api: Api, db: Session, world: World) -> None:
    world.package()
    forget(db)
    booking = world.booking()
    tell_all(db)
    cancel_booking(as_actor(world.ann), booking.id)
    tell_all(db)

    items = api.get(MY, world.ann).json["items"]

    assert [(each["event"], each["title"], each["status"], each["channels"]) for each in items] == [
        ("booking.canceled", "Lesson canceled", "queued", ["email", "in_app"]),
        ("booking.confirmed", "Lesson booked", "queued", ["email", "in_app"]),
    ]


def test_pages_are_the_whole_without_doubles(api: Api, db: Session, world: World) -> None:
    world.package()
    forget(db)
    world.booking()
    world.booking(world.slot(hours=72))
    world.booking(world.slot(hours=96))
    tell_all(db)

    first = api.get(f"{MY}?limit=2", world.ann).json
    rest = api.get(f"{MY}?limit=2&cursor={first['next_cursor']}", world.ann).json

    ids = [each["id"] for each in first["items"] + rest["items"]]
    assert (len(first["items"]), len(set(ids)), rest["next_cursor"]) == (2, 3, None)


def test_others_messages_are_not_ones_own(api: Api, db: Session, world: World) -> None:
    world.package()
    world.booking()
    tell_all(db)

    assert api.get(MY, world.ben).json["items"] == []
    assert len(api.get(MY, world.tom).json["items"]) == 1


def test_the_mail_decides_what_became_of_it(api: Api, db: Session, world: World) -> None:
    world.package()
    forget(db)
    world.booking()
    tell_all(db)
    put("status = 'sent', sent_at = now(), closed_at = now()", "channel = 'in_app'")

    assert api.get(MY, world.ann).json["items"][0]["status"] == "queued"
    put("status = 'failed', closed_at = now()", "channel = 'email'")
    assert api.get(MY, world.ann).json["items"][0]["status"] == "failed"
    put("status = 'sent', sent_at = now()", "channel = 'email'")
    item = api.get(MY, world.ann).json["items"][0]
    assert (item["status"], item["sent_at"] is not None) == ("sent", True)


def test_titles_are_in_the_readers_language(api: Api, db: Session, world: World) -> None:
    from guitaronline.identity.service import edit_person

    edit_person(as_actor(world.ada), world.ann.id, changes={"language": "German"})
    world.package(expires_at=world.now + timedelta(days=50))
    forget(db)
    world.booking()
    tell_all(db)

    assert api.get(MY, world.ann).json["items"][0]["title"] == "Unterricht gebucht"


def test_preferences_are_read_and_written(api: Api, world: World) -> None:
    assert api.get(PREFERENCES, world.ann).json == ALL_ON

    answer = api.call("PUT", PREFERENCES, world.ann, body={"offers": False})

    assert (answer.status, answer.json) == (200, {**ALL_ON, "offers": False})
    assert api.get(PREFERENCES, world.ann).json == {**ALL_ON, "offers": False}
    assert api.get(PREFERENCES, world.tom).json == ALL_ON


def test_what_is_no_preference_is_refused(api: Api, world: World) -> None:
    answers = [api.call("PUT", PREFERENCES, world.ann, body=body) for body in ({"sms": True}, {"offers": "no"})]

    assert [each.status for each in answers] == [422, 422]
    assert answers[0].reasons == [("/sms", "unknown_field")]


def test_strangers_have_none(api: Api, db: Session) -> None:
    assert [api.get(path).status for path in (MY, PREFERENCES)] == [401, 401]
