"""Staff write to people: one or many, with a preview, never to who switched it off."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from guitaronline.actor import SYSTEM, Role
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.identity.service import add_guardian
from guitaronline.notifications import letters
from guitaronline.notifications.letters import Letter
from guitaronline.notifications.models import Message, MessagePreference, Preference
from guitaronline.notifications.refusals import LetterInvalid
from guitaronline.office.bulk_models import BulkRun
from guitaronline.unit_of_work import Work, command
from tests.admin.browser import Browser, signed_in, words
from tests.admin.posted import address_failed
from tests.office.bulk import carried_out
from tests.world import World, as_actor

LETTER = Letter("Concert", "Hello {name}, come on Friday.", is_news=False)
NEWS = Letter("Concert", "Hello {name}, come on Friday.", is_news=True)
TYPED = {"subject": "Concert", "text": "Hello {name}, come on Friday.", "template": "contact"}


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


@command("test.prefer", on="users")
def switched_off(work: Work, person_id: Any, preference: Preference) -> None:
    work.add(MessagePreference(person_id=person_id, preference=preference, is_on=False))


def readers() -> set[str]:
    session().rollback()
    query = select(User.full_name).join(Message, Message.person_id == User.id).where(Message.kind == "from_staff")
    return set(session().scalars(query))


def test_a_letter_is_read_by_the_person(world: World) -> None:
    letters.write_to(as_actor(world.sue), world.ann.id, letter=LETTER)

    assert readers() == {"Ann"}


def test_what_is_written_to_a_child_without_an_address_is_read_by_who_stands_for_it(world: World) -> None:
    mia = world.person("Mia", Role.STUDENT, email=None)
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.ben.id)
    add_guardian(as_actor(world.ada), mia.id, guardian_id=world.tom.id, receives_messages=False)

    letters.write_to(as_actor(world.sue), mia.id, letter=LETTER)

    assert readers() == {"Ben"}


def test_news_do_not_go_to_who_switched_them_off_and_a_letter_does(world: World) -> None:
    switched_off(SYSTEM, world.ann.id, Preference.OFFERS)

    with pytest.raises(LetterInvalid, match="do not want news"):
        letters.write_to(as_actor(world.sue), world.ann.id, letter=NEWS)
    letters.write_to(as_actor(world.sue), world.ann.id, letter=LETTER)

    assert readers() == {"Ann"}


def test_who_switched_off_reminders_only_still_gets_news(world: World) -> None:
    switched_off(SYSTEM, world.ann.id, Preference.REMINDERS)

    letters.write_to(as_actor(world.sue), world.ann.id, letter=NEWS)

    assert readers() == {"Ann"}


def test_nothing_is_sent_where_mail_does_not_arrive(world: World) -> None:
    address_failed(world.ann)

    with pytest.raises(LetterInvalid, match="does not arrive: 550"):
        letters.write_to(as_actor(world.sue), world.ann.id, letter=LETTER)


@pytest.mark.parametrize(
    ("letter", "code"),
    [
        (Letter("", "Hello", is_news=False), "subject_empty"),
        (Letter("Concert", " \n ", is_news=False), "text_empty"),
        (Letter("Concert\r\nBcc: all@people.example", "Hello", is_news=False), "subject_not_text"),
        (Letter("x" * 201, "Hello", is_news=False), "subject_too_long"),
        (Letter("Concert", "x" * 5001, is_news=False), "text_too_long"),
    ],
)
def test_a_letter_that_cannot_be_sent_says_why(world: World, letter: Letter, code: str) -> None:
    with pytest.raises(LetterInvalid) as refused:
        letters.write_to(as_actor(world.sue), world.ann.id, letter=letter)

    assert [each.code for each in refused.value.reasons] == [code]
    assert readers() == set()


def test_a_test_never_goes_to_somebody_else(world: World) -> None:
    with pytest.raises(LetterInvalid, match="to oneself"):
        letters.send_test(
            as_actor(world.sue),
            world.ann.id,
            template="booking_confirmed",
            record_type="users",
            record_id=world.ann.id,
            language="en",
        )


def test_the_letter_is_shown_as_its_reader_will_read_it(sue: Browser, world: World) -> None:
    url = f"/admin/people/{world.ann.id}/write"

    read = words(sue.post(url, {**TYPED, "filled": "contact", "look": "1"}).text)

    assert "Hello Ann, come on Friday." in read


def test_a_template_that_is_chosen_fills_the_letter_in(sue: Browser, world: World) -> None:
    url = f"/admin/people/{world.ann.id}/write"

    read = words(sue.post(url, {**TYPED, "template": "come_back", "filled": "reach", "look": "1"}).text)

    assert "Time for another lesson?" in read
    assert "Friday" not in read


def test_a_letter_to_many_goes_to_those_of_the_list_who_want_it(sue: Browser, world: World) -> None:
    wanted = [world.ann, world.ben, world.person("Zoe", Role.STUDENT, email=None)]
    switched_off(SYSTEM, world.ben.id, Preference.OFFERS)
    url = "/admin/people/bulk/write?" + "&".join(f"id={each.id}" for each in wanted)
    shown = sue.post(
        url, {**TYPED, "filled": "contact", "reason": "concert", "look": "1"}, opened=sue.get(url).text
    ).text

    answer = sue.post("/admin/people/bulk/write", {**TYPED, "reason": "concert"}, opened=shown)

    assert "1 of 3" in words(shown)
    assert "They do not want news." in words(shown)
    assert answer.status_code == 303, words(answer.text)[:500]
    carried_out(session().scalars(select(BulkRun)).one())
    assert readers() == {"Ann"}


def test_who_may_not_write_sees_no_button_and_is_refused(app: Flask, world: World) -> None:
    finn = signed_in(app, world.finn)

    assert finn.get(f"/admin/people/{world.ann.id}/write").status_code == 403
    assert "Write to people" not in words(finn.get("/admin/people/").text)
