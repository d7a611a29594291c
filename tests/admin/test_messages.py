"""Messages in the console: as they were sent, each attempt, dead letters by cause, and what is done about them."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from guitaronline.actor import Role
from guitaronline.booking.service import cancel_booking
from guitaronline.db import session
from guitaronline.identity.service import edit_person
from guitaronline.notifications import rendering
from guitaronline.notifications.models import Channel, Message, MessageStatus
from guitaronline.office.bulk_models import RowStatus
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School, actions
from tests.admin.posted import SUBJECT, WORDS, again, posted
from tests.office.bulk import ask, carried_out, rows
from tests.world import World, as_actor

HEAD = re.compile(r'<span class="muted">([\d,]+)</span>')


@pytest.fixture
def sue(app: Flask, world: World) -> Browser:
    return signed_in(app, world.sue)


def page_of(browser: Browser, message: Message) -> str:
    return browser.get(f"/admin/messages/details/?id={message.id}").text


def number_of_messages() -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(Message)) or 0


def test_a_message_is_shown_as_it_was_sent_with_every_attempt(sue: Browser, school: School) -> None:
    read = words(page_of(sue, school.sent_message))

    assert SUBJECT in read
    assert WORDS in read
    assert "ann@people.example" in read
    assert "accepted 250 queued as 7" in read


def test_the_address_is_masked_for_who_may_not_see_contacts(app: Flask, school: School) -> None:
    read = words(page_of(signed_in(app, school.world.finn), school.sent_message))

    assert "a•••@p•••.example" in read
    assert "ann@people.example" not in read


def test_a_message_that_was_not_sent_shows_what_it_would_say_now(sue: Browser, school: School) -> None:
    read = words(page_of(sue, school.dead_message))

    assert "As it would be sent now" in read
    assert school.told_of.reference in read


def test_a_message_that_cannot_be_put_into_words_is_still_shown(
    sue: Browser, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = school.dead_message
    monkeypatch.setattr(rendering, "render", _broken)

    read = words(page_of(sue, message))

    assert "It cannot be put into words: ZeroDivisionError." in read


def _broken(*_: object) -> None:
    raise ZeroDivisionError


def test_the_html_of_a_mail_is_a_document_that_may_run_and_load_nothing(sue: Browser, school: School) -> None:
    answer = sue.get(f"/admin/messages/{school.sent_message.id}/html")

    policy = answer.headers["Content-Security-Policy"]
    assert f"<p>{WORDS}</p>" in answer.text
    assert "default-src 'none'" in policy
    assert "sandbox" in policy.split("; ")
    assert "script-src" not in policy
    assert answer.headers.getlist("Content-Security-Policy") == [policy]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("state=failed", True),
        ("state=sent", False),
        ("waiting=dead", True),
        ("kind=booking_confirmed", True),
        ("channel=email", True),
        ("channel=sms", False),
        ("why=550", True),
        ("why=421", False),
        ("day=today", True),
        ("day=yesterday", False),
        ("person=Ann", True),
        ("person=Ben", False),
        ("search=Ann", True),
        ("search=nobody", False),
    ],
)
def test_messages_are_found_by_what_is_known_of_them(sue: Browser, school: School, query: str, is_found: bool) -> None:
    message = school.dead_message

    page = sue.get(f"/admin/messages/?{query}").text

    assert (f"/admin/messages/details/?id={message.id}" in page) is is_found


def test_a_dead_message_is_driven_again_with_all_its_attempts_before_it(sue: Browser, school: School) -> None:
    message = school.dead_message

    answer = sue.post(f"/admin/messages/{message.id}/redrive", {"reason": "address corrected"})

    assert answer.status_code == 303
    now = again(message)
    assert (now.status, now.attempts, now.closed_at) == (MessageStatus.QUEUED, 0, None)


def test_what_is_not_true_any_more_is_not_driven_again(sue: Browser, school: School) -> None:
    message = school.dead_message
    cancel_booking(as_actor(school.world.sue), school.told_of.id, reason="ill", cause="school")
    url = f"/admin/messages/{message.id}/redrive"

    shown, answer = words(sue.get(url).text), sue.post(url, {})

    assert "It is not true any more: canceled." in shown
    assert answer.status_code == 409
    assert again(message).status is MessageStatus.FAILED
    assert actions("message.redrive") == 0


def test_a_message_for_nobody_s_address_is_not_driven_again(sue: Browser, world: World) -> None:
    child = world.person("Mia", Role.STUDENT, email=None)
    world.package(child)
    message = posted(world.booking(world.slot(), child), child, MessageStatus.FAILED)

    answer = sue.post(f"/admin/messages/{message.id}/redrive", {})

    assert answer.status_code == 409
    assert "There is no address to send it to." in words(answer.text)


@pytest.mark.parametrize("status", [MessageStatus.QUEUED, MessageStatus.SENT])
def test_what_waits_or_was_sent_is_not_driven_again(sue: Browser, school: School, status: MessageStatus) -> None:
    message = posted(school.told_of, school.world.ann, status)

    answer = sue.post(f"/admin/messages/{message.id}/redrive", {})

    assert answer.status_code == 409
    assert again(message).status is status


def test_what_was_sent_goes_once_more_as_a_message_of_its_own(sue: Browser, school: School) -> None:
    message = school.sent_message

    answer = sue.post(f"/admin/messages/{message.id}/resend", {"reason": "asked for it"})

    assert answer.status_code == 303
    assert number_of_messages() == 2
    assert again(message).status is MessageStatus.SENT


def test_of_what_nobody_knows_it_is_said_that_it_may_arrive_twice(sue: Browser, school: School) -> None:
    message = posted(school.told_of, school.world.ann, MessageStatus.UNCERTAIN)

    assert "then it arrives twice" in words(sue.get(f"/admin/messages/{message.id}/redrive").text)


def test_dead_letters_stand_by_their_cause_with_the_way_to_drive_all_again(sue: Browser, school: School) -> None:
    first, second = (posted(school.told_of, school.world.ann, MessageStatus.FAILED) for _ in range(2))
    posted(school.told_of, school.world.tom, MessageStatus.UNCERTAIN)

    page = sue.get("/admin/dead-letters/").text
    bulk = next(url for url in links(page) if url.startswith("/admin/messages/bulk/redrive") and "failed" in url)
    listed = next(url for url in links(page) if "state=failed" in url)

    assert HEAD.findall(page)[0] == "3"
    assert "Re-drive all 2" in words(page)
    preview = words(sue.get(bulk).text)
    assert "2 of 2" in preview
    assert preview.count("Still true: it goes now.") == 2
    assert [str(each.id) in sue.get(listed).text for each in (first, second)] == [True, True]


def test_all_of_a_cause_are_driven_again_by_the_worker_and_what_is_not_true_any_more_stays(school: School) -> None:
    kept = school.dead_message
    canceled = posted(school["booked"], school.world.ann, MessageStatus.FAILED)
    run = ask(as_actor(school.world.sue), "messages.redrive", [kept, canceled])
    cancel_booking(as_actor(school.world.sue), school["booked"].id, reason="ill", cause="school")

    carried_out(run)

    assert (again(kept).status, again(canceled).status) == (MessageStatus.QUEUED, MessageStatus.FAILED)
    assert [row.status for row in rows(run)] == [RowStatus.DONE, RowStatus.REFUSED]
    assert rows(run)[1].code == "not_true_any_more"


def test_the_preview_of_many_says_of_each_whether_it_is_still_true(sue: Browser, school: School) -> None:
    message = school.dead_message
    cancel_booking(as_actor(school.world.sue), school.told_of.id, reason="ill", cause="school")

    read = words(sue.get(f"/admin/messages/bulk/redrive?id={message.id}").text)

    assert "0 of 1" in read
    assert "not true any more: canceled" in read


def test_the_whole_story_of_a_mail_stands_on_the_persons_timeline(sue: Browser, school: School) -> None:
    message, ann = school.dead_message, school.world.ann
    edit_person(as_actor(school.world.sue), ann.id, changes={"email": "ann@new.example"}, reason="told on the phone")
    sue.post(f"/admin/messages/{message.id}/redrive", {"reason": "corrected"})

    read = words(sue.get(f"/admin/people/details/?id={ann.id}").text)

    assert "Message: Lesson booked" in read
    assert "attempt 1 permanent: 550 no such mailbox" in read
    assert "“told on the phone”" in read
    assert "Message: redrive by Sue (support)" in read
    assert "“corrected”" in read


@pytest.mark.parametrize("path", ["bookings", "people"])
def test_messages_stand_on_the_page_of_what_and_whom_they_are_about(sue: Browser, school: School, path: str) -> None:
    message = school.sent_message
    record = {"bookings": school.told_of, "people": school.world.ann}[path]

    page = sue.get(f"/admin/{path}/details/?id={record.id}").text
    section = page[page.index('aria-label="Messages"') :]

    assert f"/admin/messages/details/?id={message.id}" in section
    more = re.search(r'<a href="([^"]+)">Show all', section)
    assert more
    assert str(message.id) in sue.get(unescape(more[1])).text


def test_a_message_to_somebody_else_about_the_record_is_on_its_timeline(sue: Browser, school: School) -> None:
    posted(school.told_of, school.world.tom, MessageStatus.SENT)

    read = words(sue.get(f"/admin/bookings/details/?id={school.told_of.id}&timeline=messages").text)

    assert "to Tom by e-mail" in read


def test_today_tells_how_delivery_is(sue: Browser, school: School) -> None:
    assert [school.sent_message, school.dead_message]

    read = words(sue.get("/admin/").text)

    assert "Sent in 24 hours 1" in read
    assert "Dead 1" in read
    assert "Last sweep never" in read


def test_a_channel_in_trouble_is_named_on_today(sue: Browser, school: School) -> None:
    assert school.world.ann
    session().execute(
        text(
            "INSERT INTO channel_states (channel, failures, open_until, last_error) VALUES ('sms', 7, now() + interval '1 minute', 'timeout')"
        )
    )
    session().commit()

    assert "paused text message : 7 failures in a row: timeout" in words(sue.get("/admin/").text)


def test_a_template_is_read_with_real_data_in_either_language(sue: Browser, school: School) -> None:
    url = f"/admin/templates/?kind=booking_confirmed&about={school['booked'].reference}&language=de"

    read = words(sue.get(url).text)

    assert school["booked"].reference in read
    assert "as Sue reads it" in read


def test_without_a_record_the_newest_message_of_the_kind_is_shown(sue: Browser, school: School) -> None:
    assert "Name a record" in words(sue.get("/admin/templates/?kind=booking_confirmed").text)
    assert school.sent_message

    assert "as Ann reads it" in words(sue.get("/admin/templates/?kind=booking_confirmed").text)


def test_a_template_that_does_not_fit_the_record_is_told_in_words(sue: Browser, school: School) -> None:
    answer = sue.get("/admin/templates/?kind=booking_confirmed&about=BK-0000")

    assert answer.status_code == 200
    assert "Name a record" in words(answer.text)


def test_a_test_goes_to_oneself(app: Flask, school: School) -> None:
    browser = signed_in(app, school.world.sue)
    typed = {"kind": "booking_confirmed", "about": school["booked"].reference, "language": "en"}

    answer = browser.post("/admin/templates/test", typed)

    assert answer.status_code == 303
    message = session().scalars(select(Message).where(Message.kind == "template_test")).one()
    assert (message.person_id, message.channel) == (school.world.sue.id, Channel.EMAIL)
