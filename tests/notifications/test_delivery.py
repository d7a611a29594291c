"""Messages that are due go out once, by their channel, and what came of it is written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import SYSTEM, Role
from guitaronline.back_off import BACK_OFF
from guitaronline.booking.models import Booking
from guitaronline.db import new_id
from guitaronline.identity.service import edit_person
from guitaronline.notifications import queue
from guitaronline.notifications.delivery import deliver_due
from guitaronline.notifications.kinds import KINDS, Kind
from guitaronline.notifications.models import Channel, Message, MessageStatus
from guitaronline.notifications.queue import Result
from guitaronline.notifications.rendered import Rendered
from guitaronline.unit_of_work import Work, command
from tests.concurrency import at_once
from tests.notifications.letters import (
    KIND,
    attempts_of,
    body_of,
    letter,
    letters,
    mailing,
    make_due,
    moment,
    now_of,
    put,
)
from tests.notifications.mail_server import MailServer, Talk, hang, keep_and_reset, mail_server, once, reset
from tests.world import World, as_actor


@pytest.fixture
def booking(world: World) -> Booking:
    """Ann's; nothing else waits."""
    world.package()
    return world.booking()


@pytest.fixture
def server() -> Iterator[MailServer]:
    """Takes everything."""
    with mail_server() as made, mailing(made):
        yield made


@pytest.fixture
def money(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is about money."""
    monkeypatch.setitem(KINDS, KIND, replace(KINDS[KIND], is_money=True))


@command("message.requeue_in_test")
def requeue(work: Work, message: Message) -> Message:
    return queue.requeue(work, message, because="redriven")


def test_a_due_message_goes_out_once_and_its_story_is_kept(world: World, booking: Booking, server: MailServer) -> None:
    waiting = letter(world.ann, booking)

    assert (deliver_due(), deliver_due()) == (1, 0)

    found, body = now_of(waiting), body_of(waiting)
    assert (found.status, found.attempts, found.lease_token, found.last_error) == (MessageStatus.SENT, 1, None, None)
    assert found.sent_at is not None
    assert server.references == [found.reference]
    assert body is not None
    assert (body.sent_to, body.subject) == ("ann@people.example", server.subjects[0])
    assert attempts_of(waiting) == [(1, "accepted", None)]


def test_what_is_not_due_waits(world: World, booking: Booking, server: MailServer) -> None:
    letter(world.ann, booking, available_at=moment() + timedelta(minutes=1))

    assert (deliver_due(), server.got) == (0, [])


def test_the_app_shows_it_without_any_server(world: World, booking: Booking) -> None:
    waiting = letter(world.ann, booking, channel=Channel.IN_APP)

    deliver_due()

    assert now_of(waiting).status is MessageStatus.SENT
    assert body_of(waiting) is not None


def test_a_link_that_signs_in_is_sent_and_not_kept(world: World, booking: Booking, db: Session) -> None:
    waiting, token = letter(world.ann, booking), new_id()
    queue.claim(Channel.EMAIL, token, limit=1)
    words = Rendered("en", "Reset", "go to https://x/reset/abc", "<a>https://x/reset/abc</a>", secrets=("abc",))

    queue.record(waiting.id, token, Result(MessageStatus.SENT), started_at=moment(), sent_to="a@b", rendered=words)

    body = body_of(waiting)
    assert body is not None
    assert (body.text, body.html) == ("go to https://x/reset/…", "<a>https://x/reset/…</a>")


def test_a_mail_refused_for_now_is_tried_again_as_the_same_mail(world: World, booking: Booking, db: Session) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(content=once("451 4.3.0 later")) as server, mailing(server):
        deliver_due()
        found = now_of(waiting)
        assert (found.status, found.attempts, found.last_error) == (MessageStatus.QUEUED, 1, "451")
        assert timedelta(seconds=20) < found.available_at - moment() < timedelta(seconds=40)
        assert deliver_due() == 0

        make_due(db)
        deliver_due()

    assert now_of(waiting).status is MessageStatus.SENT
    assert attempts_of(waiting) == [(1, "temporary", "451"), (2, "accepted", None)]
    assert server.references == [now_of(waiting).reference]


def test_after_its_last_attempt_it_is_dead(world: World, booking: Booking) -> None:
    waiting = letter(world.ann, booking, attempts=len(BACK_OFF) - 1)
    with mail_server(RCPT="451 later") as server, mailing(server):
        deliver_due()

    assert (now_of(waiting).status, now_of(waiting).last_error) == (MessageStatus.FAILED, "451")


def test_a_message_that_killed_its_worker_each_time_runs_out(
    world: World, booking: Booking, server: MailServer
) -> None:
    waiting = letter(world.ann, booking, attempts=len(BACK_OFF))

    deliver_due()

    assert (now_of(waiting).last_error, server.got) == ("attempts_used_up", [])


def test_a_broken_address_is_found_corrected_and_the_mail_arrives(world: World, booking: Booking) -> None:
    first, second = letters(world.ann, booking, number=2)
    with mail_server(RCPT=once("550 5.1.1 no such user")) as server, mailing(server):
        # given a mailbox that does not exist: the first mail says so, the second is not even tried
        deliver_due()
        assert (now_of(first).last_error, now_of(second).last_error) == ("550", "address_problem")
        assert attempts_of(second) == []
        assert world.again(world.ann).address_problem == "550"

        # when the address is corrected, and both are sent again
        edit_person(as_actor(world.ada), world.ann.id, changes={"email": "ann.new@people.example"})
        requeue(SYSTEM, first)
        requeue(SYSTEM, second)
        deliver_due()

    # then both arrive, once
    assert world.again(world.ann).address_problem is None
    assert {now_of(first).status, now_of(second).status} == {MessageStatus.SENT}
    assert [mail["To"] for _, mail in server.got] == ["Ann <ann.new@people.example>"] * 2


def test_a_policy_of_theirs_marks_nobody(world: World, booking: Booking) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(RCPT="550 5.7.1 we do not know you") as server, mailing(server):
        deliver_due()

    assert now_of(waiting).status is MessageStatus.FAILED
    assert world.again(world.ann).address_problem is None


def test_too_late_is_not_told(world: World, booking: Booking, server: MailServer) -> None:
    waiting = letter(world.ann, booking, not_after=moment() - timedelta(seconds=1))

    deliver_due()

    found = now_of(waiting)
    assert (found.status, found.suppressed_because, server.got) == (MessageStatus.SUPPRESSED, "too_late", [])


def test_who_has_no_address_is_told_nowhere(world: World, booking: Booking, server: MailServer) -> None:
    child = world.person("Kim", Role.STUDENT, email=None)
    waiting = letter(child, booking)

    deliver_due()

    assert (now_of(waiting).suppressed_because, server.got) == ("nowhere", [])


def test_where_mail_is_off_none_waits(world: World, booking: Booking) -> None:
    waiting = letter(world.ann, booking)
    with policy.changed(MAIL_TRANSPORT="off"):
        deliver_due()

    assert now_of(waiting).suppressed_because == "channel_off"


def test_poison_is_dead_and_the_others_go(
    world: World, booking: Booking, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "no_template", Kind("no_template", None, ()))
    bad, unknown = letter(world.ann, booking, kind="no_template"), letter(world.ann, booking, kind="no_such_kind")
    good = letters(world.ann, booking, number=30)

    deliver_due()

    assert str(now_of(bad).last_error).startswith("unrenderable_")
    assert (now_of(bad).status, now_of(unknown).last_error) == (MessageStatus.FAILED, "kind_unknown")
    assert {now_of(each).status for each in good} == {MessageStatus.SENT}


def test_a_channel_that_is_down_costs_no_attempt_and_everything_arrives_after_it(
    world: World, booking: Booking, db: Session
) -> None:
    waiting = letters(world.ann, booking, number=5)
    with mail_server() as gone:
        pass
    with mailing(gone):
        assert (deliver_due(), deliver_due()) == (1, 0)  # the first found out; the others were not taken
    assert [now_of(each).attempts for each in waiting] == [0] * 5

    make_due(db)
    with mail_server() as server, mailing(server):
        assert (deliver_due(), deliver_due()) == (1, 4)  # one tries

    assert {now_of(each).status for each in waiting} == {MessageStatus.SENT}
    assert len(set(server.references)) == len(server.got) == 5


def test_a_channel_that_stays_down_is_asked_ever_less(world: World, booking: Booking, db: Session) -> None:
    letter(world.ann, booking)
    waits = []
    with mail_server() as gone:
        pass
    with mailing(gone):
        deliver_due()
        waits.append(closed_for(db))
        make_due(db)
        deliver_due()
        waits.append(closed_for(db))

    assert [round(each) for each in waits] == [2, 5]


def closed_for(db: Session) -> float:
    db.rollback()
    left = (
        "SELECT extract(epoch FROM open_until - clock_timestamp())::float8 FROM channel_states WHERE channel = 'email'"
    )
    return float(db.execute(text(left)).scalar_one())


def test_one_worker_tries_a_channel_that_was_down(app: Flask, world: World, booking: Booking, db: Session) -> None:
    letters(world.ann, booking, number=10)
    with mail_server(greeting="421 later") as server, mailing(server):
        deliver_due()
        make_due(db)
        tried = at_once(app, deliver_due, deliver_due, deliver_due)

    assert (sum(tried), server.connections) == (1, 2)


def test_mail_that_is_down_holds_up_nothing_else(world: World, booking: Booking) -> None:
    letters(world.ann, booking, number=5)
    in_app = letters(world.ann, booking, number=5, channel=Channel.IN_APP)
    with mail_server(greeting=hang) as server, mailing(server):
        deliver_due()

    assert {now_of(each).status for each in in_app} == {MessageStatus.SENT}


def test_a_slow_server_takes_no_attempts_of_those_there_was_no_time_for(world: World, booking: Booking) -> None:
    waiting = letters(world.ann, booking, number=30)
    with mail_server(RCPT=hang) as server, mailing(server, SMTP_TIMEOUT_SECONDS=1):
        assert deliver_due(seconds=1.5) == 2

    found = [now_of(each) for each in waiting]
    assert [each.attempts for each in found] == [1, 1] + [0] * 28
    assert {each.lease_token for each in found} == {None}


# --- money: better not at all than twice


@pytest.mark.parametrize("silence", [hang, keep_and_reset], ids=["no answer", "accepted, and died"])
def test_silence_about_money_is_left_to_people(
    world: World, booking: Booking, money: None, silence: Any, db: Session
) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(content=silence) as server, mailing(server, SMTP_TIMEOUT_SECONDS=1):
        deliver_due()
        make_due(db)
        assert deliver_due() == 0

    assert now_of(waiting).status is MessageStatus.UNCERTAIN
    assert len(server.got) <= 1


def test_silence_about_anything_else_is_tried_again(world: World, booking: Booking, db: Session) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(content=once(keep_and_reset)) as server, mailing(server):
        deliver_due()
        make_due(db)
        deliver_due()

    assert attempts_of(waiting) == [(1, "unknown", "lost"), (2, "accepted", None)]
    assert (
        len(set(server.references)) == 1
    )  # the one case that bare SMTP leaves: twice, and told apart by the Message-ID


def test_a_plain_no_about_money_is_known_and_tried_again(
    world: World, booking: Booking, money: None, db: Session
) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(content=once("451 later")) as server, mailing(server):
        deliver_due()
        make_due(db)
        deliver_due()

    assert (now_of(waiting).status, len(server.got)) == (MessageStatus.SENT, 1)


def test_what_was_in_the_hands_of_a_dead_worker_and_is_about_money_is_uncertain(
    world: World, booking: Booking, money: None, server: MailServer, db: Session
) -> None:
    waiting, token = letter(world.ann, booking), new_id()
    queue.claim(Channel.EMAIL, token, limit=1)
    assert queue.note_handing(waiting.id, token)
    make_due(db)

    deliver_due()

    assert (now_of(waiting).status, server.got) == (MessageStatus.UNCERTAIN, [])


# --- leases


def test_a_lease_that_ran_out_is_taken_over_and_the_first_is_fenced_out(
    world: World, booking: Booking, server: MailServer, db: Session
) -> None:
    waiting, slow = letter(world.ann, booking), new_id()
    queue.claim(Channel.EMAIL, slow, limit=1)
    assert deliver_due() == 0
    make_due(db)
    deliver_due()

    assert not queue.record(waiting.id, slow, Result(MessageStatus.FAILED, code="late"), started_at=moment())
    assert not queue.note_handing(waiting.id, slow)
    assert (now_of(waiting).status, len(server.got)) == (MessageStatus.SENT, 1)


def test_what_was_leased_to_a_dead_worker_is_claimed_alone(world: World, booking: Booking, db: Session) -> None:
    """So a message that kills its worker takes no others with it."""
    letters(world.ann, booking, number=3)
    assert len(queue.claim(Channel.EMAIL, new_id(), limit=2)) == 2
    make_due(db)

    sizes = [len(queue.claim(Channel.EMAIL, new_id(), limit=10)) for _ in range(4)]

    assert sizes == [1, 1, 1, 0]


def test_two_workers_send_each_message_once(app: Flask, world: World, booking: Booking, server: MailServer) -> None:
    letters(world.ann, booking, number=60)

    def work() -> int:
        return deliver_due(most=10) + deliver_due(most=10) + deliver_due(most=10)

    sent = at_once(app, work, work)

    assert (sum(sent), len(server.got), len(set(server.references))) == (60, 60, 60)


UNGUARDED = text(
    str(queue.CLAIM)
    .replace("FOR UPDATE SKIP LOCKED", "")
    .replace("AND (lease_until IS NULL OR lease_until < statement_timestamp())", "")
    .replace("WHERE NOT EXISTS (SELECT FROM due WHERE was_leased)", "")
    .replace("UNION ALL (SELECT id FROM due WHERE was_leased LIMIT 1)", "")
)


def test_without_lease_and_skipping_two_workers_claim_the_same(
    app: Flask, world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters(world.ann, booking, number=30)
    monkeypatch.setattr(queue, "CLAIM", UNGUARDED)

    claimed = at_once(app, *[lambda: queue.claim(Channel.EMAIL, new_id(), limit=30)] * 2)

    assert [len(each) for each in claimed] == [30, 30]


def test_the_claims_of_two_workers_share_nothing(app: Flask, world: World, booking: Booking) -> None:
    letters(world.ann, booking, number=30)

    claimed = at_once(app, *[lambda: queue.claim(Channel.EMAIL, new_id(), limit=20)] * 2)

    both = [*claimed[0], *claimed[1]]
    assert len(both) == len(set(both)) == 30


# --- what changed while it waited


def test_a_message_is_put_into_words_as_late_as_can_be(app: Flask, world: World, booking: Booking) -> None:
    """All are claimed at once; who is renamed while the first ones go is greeted by the new name."""
    ada = as_actor(world.ada)

    def rename(talk: Talk) -> None:
        if len(server.got) == 2:
            with app.app_context():
                edit_person(ada, ann_id, changes={"full_name": "Annabel"})

    ann_id = world.ann.id
    letters(world.ann, booking, number=26)
    with mail_server(content=rename) as server, mailing(server):
        deliver_due()

    assert "Annabel" in str(server.got[-1][1]["To"])


# --- again


def test_a_sent_message_is_sent_again_as_a_new_one(world: World, booking: Booking, server: MailServer) -> None:
    first = letter(world.ann, booking)
    deliver_due()

    second = requeue(SYSTEM, now_of(first))
    deliver_due()

    assert (second.id != first.id, now_of(first).status, now_of(second).status) == (True, "sent", "sent")
    assert len(set(server.references)) == 2
    assert now_of(second).facts["first_sent_as"] == str(first.id)


def test_a_dead_message_that_is_sent_again_has_all_its_attempts(
    world: World, booking: Booking, server: MailServer
) -> None:
    dead = letter(world.ann, booking)
    put(dead, status="failed", closed_at=moment(), attempts=7, last_error="451", handed_at=moment())

    requeue(SYSTEM, now_of(dead))
    deliver_due()

    assert (now_of(dead).status, now_of(dead).attempts) == (MessageStatus.SENT, 1)


# --- pace


def test_two_workers_together_keep_the_pace_of_the_provider(app: Flask, world: World, booking: Booking) -> None:
    letters(world.ann, booking, number=40)

    def work() -> int:
        done, until = 0, monotonic() + 10
        while len(server.got) < 40 and monotonic() < until:
            done += deliver_due(most=5)
        return done

    with mail_server() as server, mailing(server, MAIL_RATE_PER_SECOND=20):
        sent = at_once(app, work, work)

    moments = sorted(at for at, _ in server.got)
    busiest = max(sum(1 for each in moments if at <= each < at + 1) for at in moments)
    assert sum(sent) == len(moments) == 40
    assert busiest <= 22
    assert moments[-1] - moments[0] >= 1.8


def test_a_reset_in_the_middle_is_tried_again(world: World, booking: Booking, db: Session) -> None:
    waiting = letter(world.ann, booking)
    with mail_server(RCPT=once(reset)) as server, mailing(server):
        deliver_due()
        make_due(db)
        deliver_due()

    assert attempts_of(waiting) == [(1, "temporary", "lost"), (2, "accepted", None)]


def test_handing_over_takes_less_than_a_third_of_the_lease() -> None:
    limit = policy.current().__dataclass_fields__["SMTP_TIMEOUT_SECONDS"].metadata["le"]

    assert limit <= queue.LEASE.total_seconds() / 3
