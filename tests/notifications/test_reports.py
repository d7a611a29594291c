"""What providers report afterwards: signed, stored once, applied by a job."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.providers.signatures import signed
from guitaronline.booking.models import Booking
from guitaronline.notifications import bounces, delivery, reports
from guitaronline.notifications.bounces import Bounce
from guitaronline.notifications.delivery import deliver_due
from guitaronline.notifications.models import Channel, Message, MessageStatus
from guitaronline.notifications.report_models import MessageReport
from jobs import notifications
from tests.notifications.letters import attempts_of, letter, mailing, now_of
from tests.notifications.mail_server import mail_server
from tests.world import World

SECRET = "of-who-sends-the-mail"
PATH = "/api/v1/message-reports/email"


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def sent(world: World, booking: Booking) -> Message:
    waiting = letter(world.ann, booking)
    with mail_server() as server, mailing(server):
        deliver_due()
    return now_of(waiting)


def told(client: FlaskClient, db: Session, raw: bytes, secret: str = SECRET) -> int:
    signature = signed(raw, secret, at=clock.read(db))
    with policy.changed(MESSAGE_WEBHOOK_SECRETS=f"an-older-one,{SECRET}"):
        return client.post(PATH, data=raw, headers={reports.HEADER: signature}).status_code


def bounce(message: Message, **more: Any) -> bytes:
    facts = {"id": "ev-1", "kind": "bounce", "reference": message.reference, "code": "5.1.1", "detail": "gone: ann@x.y"}
    return json.dumps({**facts, **more}).encode()


def stored(db: Session) -> list[str]:
    db.rollback()
    return list(db.execute(select(MessageReport.status).order_by(MessageReport.id)).scalars())


def test_a_bounce_makes_the_message_dead_and_marks_the_person(
    world: World, sent: Message, client: FlaskClient, db: Session
) -> None:
    assert told(client, db, bounce(sent)) == 200
    assert now_of(sent).status is MessageStatus.SENT  # stored only

    assert notifications.take_reports() == 1

    found = now_of(sent)
    assert (found.status, found.last_error) == (MessageStatus.FAILED, "5.1.1")
    assert attempts_of(sent) == [(1, "accepted", None), (1, "bounced", "5.1.1")]
    assert world.again(world.ann).address_problem == "5.1.1"
    answer = db.execute(text("SELECT answer FROM message_attempts WHERE outcome = 'bounced'")).scalar_one()
    assert answer == "gone: …"
    assert stored(db) == ["applied"]


def test_a_bounce_that_comes_before_it_is_known_that_it_was_sent_waits(
    world: World, booking: Booking, client: FlaskClient, db: Session
) -> None:
    waiting = letter(world.ann, booking)
    early = bounce(waiting, reference=delivery.reference_of(waiting))

    told(client, db, early)
    notifications.take_reports()
    assert stored(db) == ["received"]

    with mail_server() as server, mailing(server):
        deliver_due()
    make_due(db)
    notifications.take_reports()
    assert (stored(db), now_of(waiting).status) == (["applied"], MessageStatus.FAILED)


def test_who_died_before_the_person_was_marked_is_followed_by_one_who_does_it(
    world: World, sent: Message, client: FlaskClient, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise OSError

    told(client, db, bounce(sent))
    with monkeypatch.context() as patched:
        patched.setattr(reports, "note_address_problem", die)
        notifications.take_reports()
    assert (now_of(sent).status, world.again(world.ann).address_problem) == (MessageStatus.FAILED, None)

    make_due(db)
    notifications.take_reports()

    assert (stored(db), world.again(world.ann).address_problem) == (["applied"], "5.1.1")
    assert attempts_of(sent) == [(1, "accepted", None), (1, "bounced", "5.1.1")]


def test_a_report_that_kills_its_worker_each_time_runs_out(sent: Message, client: FlaskClient, db: Session) -> None:
    told(client, db, bounce(sent))
    make_due(db, "attempts = 7")

    notifications.take_reports()

    assert (stored(db), now_of(sent).status) == (["dead"], MessageStatus.SENT)


def make_due(db: Session, more: str = "lease_until = NULL") -> None:
    db.rollback()
    db.execute(text(f"UPDATE message_reports SET available_at = now() - interval '1 second', {more}"))
    db.commit()


def test_told_twice_it_is_once(sent: Message, client: FlaskClient, db: Session) -> None:
    assert (told(client, db, bounce(sent)), told(client, db, bounce(sent))) == (200, 200)

    assert (notifications.take_reports(), notifications.take_reports()) == (1, 0)
    assert stored(db) == ["applied"]


def test_what_nobody_signed_leaves_no_row(sent: Message, client: FlaskClient, db: Session) -> None:
    assert told(client, db, bounce(sent), secret="of-somebody-else") == 400
    assert client.post(PATH, data=bounce(sent)).status_code == 400
    assert client.post(PATH.replace("email", "in_app"), data=bounce(sent)).status_code == 404
    assert stored(db) == []


def test_without_a_secret_nothing_is_taken(sent: Message, client: FlaskClient, db: Session) -> None:
    signature = signed(b"{}", "", at=clock.read(db))

    assert client.post(PATH, data=b"{}", headers={reports.HEADER: signature}).status_code == 400


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"id": "1", "kind": "delivered", "reference": "<x@y>"}', "ignored"),
        (b'{"id": "1", "kind": "bounce", "reference": "<nobody@knows>"}', "ignored"),
        (b'{"id": "1", "kind": "bounce"}', "dead"),
        (b'{"id": 1, "kind": ["bounce"], "reference": {}}', "dead"),
        (b"[" * 5000, "dead"),
        (b"\x00\xff\xfe nonsense", "dead"),
        (b"", "dead"),
        (b"Content-Type: multipart/report; boundary=x\n\nno part at all", "ignored"),
    ],
)
def test_whatever_is_told_has_an_end(client: FlaskClient, db: Session, raw: bytes, status: str) -> None:
    assert told(client, db, raw) == 200

    notifications.take_reports()

    assert stored(db) == [status]


DSN = b"""\
From: MAILER-DAEMON@mail.example
To: school@school.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example

Final-Recipient: rfc822; ann@people.example
Action: %(action)s
Status: %(status)s
Diagnostic-Code: smtp; 550 5.1.1 <ann@people.example>: no such user

--b
Content-Type: text/rfc822-headers

From: school@school.example
Message-ID: <0192@school.example>
Subject: Your lesson

--b--
"""


def dsn(action: str = "failed", status: str = "5.1.1") -> bytes:
    return DSN.replace(b"%(action)s", action.encode()).replace(b"%(status)s", status.encode())


def test_a_bounce_mail_is_understood() -> None:
    assert bounces.bounce_in(dsn()) == Bounce("<0192@school.example>", "5.1.1", "smtp; 550 5.1.1 … no such user")


def test_a_bounce_mail_with_the_whole_mail_in_it_is_understood() -> None:
    whole = dsn().replace(b"text/rfc822-headers", b"message/rfc822")

    found = bounces.bounce_in(whole)

    assert found is not None
    assert found.reference == "<0192@school.example>"


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("delivered", "2.0.0"), ("failed", "4.4.7")])
def test_a_mail_that_is_only_late_is_no_bounce(action: str, status: str) -> None:
    assert bounces.bounce_in(dsn(action, status)) is None


def test_a_text_message_that_was_not_delivered_is_a_bounce() -> None:
    form = b"AccountSid=AC1&MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005"

    assert bounces.bounce_in(form) == Bounce("SM1", "30005", "undelivered")
    assert bounces.bounce_in(form.replace(b"undelivered", b"delivered")) is None


def test_the_mail_server_of_the_same_machine_tells_by_the_command_line(app: Flask, db: Session) -> None:
    runner = app.test_cli_runner()

    result = runner.invoke(args=["messages", "report"], input=dsn())

    assert (result.exit_code, stored(db)) == (0, ["received"])


def test_a_report_is_of_its_own_channel_only(sent: Message, db: Session) -> None:
    reports.store(Channel.SMS, bounce(sent))

    notifications.take_reports()

    assert (stored(db), now_of(sent).status) == (["ignored"], MessageStatus.SENT)
