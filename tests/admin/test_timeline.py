"""The one timeline: everything that happened to a record or a person, newest first, nothing twice, nothing missing."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.admin import timeline
from guitaronline.admin.history import readable
from guitaronline.audit.models import OutboxEvent, OutboxStatus
from guitaronline.booking import service as booking
from guitaronline.db import technical_transaction
from guitaronline.identity.service import create_task, edit_person, write_note
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School
from tests.world import World, as_actor

HEAD = re.compile(r'<div class="entry-head"><strong>(?:<a [^>]+>)?([^<]+)<')
OLDER = re.compile(r'<a class="btn" href="([^"]+)" rel="next">Older</a>')
CARD = re.compile(r'<section class="card" id="timeline".*?</section>', re.DOTALL)


def shown(browser: Browser, record: Any, **asked: str) -> str:
    """The timeline on the record's page, as HTML."""
    paths = {"bookings": "bookings", "users": "people", "packages": "packages", "payments": "payments"}
    query = "".join(f"&{name}={value}" for name, value in asked.items())
    page = browser.get(f"/admin/{paths[record.__tablename__]}/details/?id={record.id}{query}")
    found = CARD.search(page.text)
    assert found
    return found[0]


def titles(card: str) -> list[str]:
    return [unescape(each) for each in HEAD.findall(card)]


def pages(browser: Browser, record: Any, **asked: str) -> list[str]:
    """Every page of the timeline, by its own links."""
    found = [shown(browser, record, **asked)]
    while older := OLDER.search(found[-1]):
        page = CARD.search(browser.get(unescape(older[1])).text)
        assert page
        found.append(page[0])
    return found


@pytest.fixture
def canceled(world: World) -> Any:
    """A booking of Ann with a life: held, confirmed, talked about, called off."""
    world.package(price_minor=9000)
    made = world.booking(world.slot(hours=60))
    about = {"record_type": "bookings", "record_id": made.id}
    write_note(as_actor(world.sue), body="Prefers the blue guitar", **about)
    create_task(as_actor(world.sue), title="Ring Ann", owner_id=world.ada.id, **about)
    booking.cancel_booking(as_actor(world.sue), made.id, reason="moving house", cause="student")
    return made


def test_a_bookings_timeline_has_its_moves_lesson_ledger_notes_and_reasons(
    app: Flask, world: World, canceled: Any
) -> None:
    card = shown(signed_in(app, world.ada), canceled)
    read = words(card)

    assert titles(card) == ["Booking: cancel", "Task: create", "Note: write", "Booking: confirm", "Booking: hold"]
    assert "“moving house”" in read
    assert "booking changed confirmed → canceled" in read
    assert "lesson changed scheduled → canceled" in read
    assert "ledger entry made return · available +1 · consumed -1" in read
    assert "Prefers the blue guitar" in read
    assert "Ring Ann" in read


def test_of_an_action_on_the_record_itself_all_is_shown_that_it_changed_elsewhere(app: Flask, world: World) -> None:
    world.package(lessons=1)
    made = world.booking()
    booking.cancel_booking(as_actor(world.sue), made.id, reason="ill", cause="school")
    browser = signed_in(app, world.ada)

    whole, changes = (words(shown(browser, made, timeline=kind)) for kind in ("all", "changes"))

    assert "package changed depleted → active" in whole
    assert "package changed" not in changes


def test_who_did_it_is_said_with_their_role_and_when_with_its_age(app: Flask, world: World, canceled: Any) -> None:
    read = words(shown(signed_in(app, world.ada), canceled))

    assert "Booking: cancel by Sue (support) · " in read
    assert "Booking: confirm by Ann (student) · " in read
    assert " · just now" in read
    assert "Today, " in read


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("changes", ["Booking: cancel", "Booking: confirm", "Booking: hold"]),
        ("money", ["Booking: cancel", "Booking: confirm", "Booking: hold"]),
        ("messages", ["Booking: cancel", "Booking: confirm", "Booking: hold"]),
        ("notes", ["Task: create", "Note: write"]),
    ],
)
def test_a_chip_shows_one_kind_alone(app: Flask, world: World, canceled: Any, kind: str, expected: list[str]) -> None:
    assert titles(shown(signed_in(app, world.ada), canceled, timeline=kind)) == expected


def test_money_and_changes_and_messages_show_only_themselves(app: Flask, world: World, canceled: Any) -> None:
    browser = signed_in(app, world.ada)

    money, changes, messages = (
        words(shown(browser, canceled, timeline=kind)) for kind in ("money", "changes", "messages")
    )

    assert ("ledger entry made" in money, "booking changed" in money) == (True, False)
    assert ("ledger entry made" in changes, "booking changed" in changes) == (False, True)
    assert ("booking canceled" in messages, "booking changed" in messages) == (True, False)


def test_what_became_of_an_event_is_said(app: Flask, world: World, canceled: Any) -> None:
    with technical_transaction() as technical:
        mine = update(OutboxEvent).where(OutboxEvent.record_id == canceled.id)
        dead = {"status": OutboxStatus.DEAD, "attempts": 7, "last_error": "smtp_refused"}
        technical.execute(mine.where(OutboxEvent.topic == "booking.canceled").values(dead))
        technical.execute(mine.where(OutboxEvent.topic == "booking.confirmed").values(status=OutboxStatus.DONE))
        technical.execute(mine.where(OutboxEvent.topic == "booking.held").values(status=OutboxStatus.NO_HANDLER))

    read = words(shown(signed_in(app, world.ada), canceled, timeline="messages"))

    assert "booking canceled could not be handled, 7 attempts: smtp_refused" in read
    assert "booking confirmed handled" in read
    assert "booking held (nobody had to be told)" in read


@pytest.mark.parametrize("kind", ["all", "changes", "money", "messages", "notes"])
def test_pages_together_are_the_whole(
    app: Flask, world: World, canceled: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    browser = signed_in(app, world.ada)
    whole = titles(shown(browser, world.ann, timeline=kind))
    monkeypatch.setattr(timeline, "SHOWN", 2)

    found = pages(browser, world.ann, timeline=kind)

    assert len(found) == max(1, -(-len(whole) // 2))
    assert [title for page in found for title in titles(page)] == whole


def test_what_happens_meanwhile_moves_no_older_page(
    app: Flask, world: World, canceled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "SHOWN", 2)
    browser = signed_in(app, world.ada)
    older = OLDER.search(shown(browser, canceled))
    assert older
    before = titles(browser.get(unescape(older[1])).text)

    write_note(as_actor(world.sue), record_type="bookings", record_id=canceled.id, body="one more")

    assert titles(browser.get(unescape(older[1])).text) == before == ["Note: write", "Booking: confirm"]


def test_a_persons_timeline_has_everything_of_theirs_and_nothing_of_others(app: Flask, school: School) -> None:
    assert [school.refund, school.given]
    write_note(school.admin, record_type="payments", record_id=school.paid.id, body="paid in coins")
    world = school.world
    world.package(world.ben)
    bens = world.booking(world.slot(hours=44), world.ben)
    booking.cancel_booking(school.admin, bens.id, reason="only Ben's", cause="school")

    read = words(shown(signed_in(app, world.ada), world.ann))

    for_ann = ("Person: create", "Package: grant", "Booking: confirm", "Lesson: complete", "Refund: ask")
    assert [each for each in for_ann if each not in read] == []
    assert "paid in coins" in read
    assert "10.00 USD" in read
    assert "only Ben's" not in read


def test_of_a_sweep_a_person_sees_what_it_changed_of_theirs(app: Flask, world: World) -> None:
    world.package()
    world.package(world.ben)
    with clock.moved_by(timedelta(hours=-1)):
        world.hold(world.slot(hours=40))
        world.hold(world.slot(hours=42), world.ben)
    assert booking.expire_holds(SYSTEM) == 2

    card = shown(signed_in(app, world.ada), world.ann)

    assert "by the system" in words(card)
    assert words(card).count("booking changed hold → expired") == 1


def test_contact_data_is_not_given_away(app: Flask, world: World) -> None:
    edit_person(as_actor(world.ada), world.ann.id, changes={"phone": "+49 30 5550199", "level": "advanced"})

    read = words(shown(signed_in(app, world.finn), world.ann))

    assert "level nothing → advanced" in read
    assert "phone nothing → (not shown)" in read
    assert "5550199" not in read
    assert "ann@people.example" not in read


def test_a_repeated_fact_is_said_once(app: Flask, world: World, canceled: Any) -> None:
    read = words(shown(signed_in(app, world.ada), canceled))

    assert read.count("moving house") == 1
    assert "confirmed at" not in read
    assert "reserved 1 → 0" not in read


@pytest.mark.parametrize(
    "asked", ["before=here", "before=%00", "timeline=gossip", "timeline=%00", f"before={'9' * 100_000}"]
)
def test_a_place_that_does_not_exist_is_told_in_words(app: Flask, world: World, canceled: Any, asked: str) -> None:
    page = signed_in(app, world.ada).get(f"/admin/bookings/details/?id={canceled.id}&{asked}")

    assert page.status_code == 200
    assert "The timeline has no such part" in page.text or "That is no place in the timeline" in page.text
    assert "Booking: cancel" in page.text


def test_data_for_programs_is_not_read_out_in_a_line() -> None:
    assert readable({"school": [{"closing_minor": 1}]}) == "(stands on its page)"
    assert readable({"min": 1}) == "min 1"
