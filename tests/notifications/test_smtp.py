"""What each answer of a mail server means, and what a mail looks like."""

from __future__ import annotations

import base64
from contextlib import closing
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest

import config
from guitaronline.notifications.channels.base import Accepted, NotSent, Outgoing, Permanent, Temporary, Unknown
from guitaronline.notifications.channels.mail import MAX_BYTES, compose
from guitaronline.notifications.channels.smtp import Smtp
from guitaronline.notifications.rendered import Rendered
from tests.notifications.mail_server import (
    AUTHORITY,
    MailServer,
    Talk,
    certificate,
    drip,
    hang,
    keep_and_reset,
    mail_server,
    once,
    reset,
)

WORDS = Rendered("en", "Your lesson is booked", "Hello Ann,\n.\n.. see you on Monday.\n", "<p>Hello Ann</p>")
CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def outgoing(**more: Any) -> Outgoing:
    number = uuid4()
    facts = {"address": "ann@people.example", "name": "Ann", "rendered": WORDS, **more}
    return Outgoing(number, f"<{number}@school.example>", **facts)


def way_to(server: MailServer, **more: Any) -> Smtp:
    usual = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": server.port, "SMTP_TLS": "none"}
    return Smtp(replace(config.Settings(), **{**usual, "SMTP_TIMEOUT_SECONDS": 1, **more}))


def send(server: MailServer, mail: Outgoing, **more: Any) -> Accepted:
    with closing(way_to(server, **more)) as way:
        return way.send(mail)


def failure(server: MailServer, **more: Any) -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(server, outgoing(), **more)
    return caught.value


def words_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body([kind])
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_mail_arrives_whole() -> None:
    with mail_server() as server:
        sent = outgoing(rendered=replace(WORDS, calendar=CALENDAR, unsubscribe_url="https://school.example/u/1"))

        accepted = send(server, sent)

    [(_, mail)] = server.got
    assert (accepted.reference, accepted.answer) == (sent.reference, "2.0.0 taken")
    assert (mail["Message-ID"], mail["To"], mail["Subject"]) == (
        sent.reference,
        "Ann <ann@people.example>",
        WORDS.subject,
    )
    assert (mail["Auto-Submitted"], mail["List-Unsubscribe"]) == ("auto-generated", "<https://school.example/u/1>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (words_of(mail), words_of(mail, "html").strip()) == (WORDS.text, WORDS.html)
    [attached] = mail.iter_attachments()
    assert isinstance(attached, EmailMessage)
    assert (attached.get_content_type(), attached.get_param("method")) == ("text/calendar", "REQUEST")


@pytest.mark.parametrize("more", [[], ["PIPELINING"]], ids=["one by one", "together"])
def test_several_mails_go_by_one_connection_also_after_a_refusal(more: list[str]) -> None:
    with mail_server(RCPT=once("550 5.1.1 no such user")) as server:
        server.extensions += more
        way = way_to(server)
        with pytest.raises(Permanent):
            way.send(outgoing())
        way.send(outgoing())
        way.send(outgoing())
        way.close()

        assert (server.connections, len(server.got), server.heard[-1]) == (1, 2, "quit")


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure_for_long() -> None:
    with mail_server(MAIL=once(reset)) as server:
        way = way_to(server)
        with pytest.raises(Temporary):
            way.send(outgoing())
        way.send(outgoing())
        way.close()

    assert (server.connections, len(server.got)) == (2, 1)


# what the server does: kind, code, whether the channel is to blame, whether the address is
ANSWERS: dict[str, tuple[dict[str, Any], type[NotSent], str, bool, bool]] = {
    "greets with no": ({"greeting": "554 go away"}, Temporary, "554", True, False),
    "is busy": ({"greeting": "421 try later"}, Temporary, "421", True, False),
    "greets with garbage": ({"greeting": "\x00\xff nonsense"}, Temporary, "garbage", True, False),
    "never greets": ({"greeting": hang}, Temporary, "timeout", True, False),
    "drips": ({"greeting": drip}, Temporary, "timeout", True, False),
    "tears down at once": ({"greeting": reset}, Temporary, "no_connection", True, False),
    "does not want the sender": ({"MAIL": "550 5.7.1 not you"}, Temporary, "550", True, False),
    "has had enough of the sender": ({"MAIL": "451 4.7.1 too fast"}, Temporary, "451", True, False),
    "finds it too large": ({"MAIL": "552 5.3.4 too large"}, Permanent, "552", False, False),
    "has no such mailbox": ({"RCPT": "550 5.1.1 no such user"}, Permanent, "550", False, True),
    "has a policy": ({"RCPT": "550 5.7.26 not authenticated"}, Permanent, "550", False, False),
    "has a full mailbox": ({"RCPT": "452 4.2.2 full"}, Temporary, "452", False, False),
    "has a grey list": ({"RCPT": "450 4.7.1 later"}, Temporary, "450", False, False),
    "goes away at the address": ({"RCPT": "421 4.3.2 shutting down"}, Temporary, "421", True, False),
    "is silent at the address": ({"RCPT": hang}, Temporary, "timeout", False, False),
    "tears down at the address": ({"RCPT": reset}, Temporary, "lost", False, False),
    "talks garbage at the address": ({"RCPT": "what?"}, Temporary, "garbage", False, False),
    "takes no content": ({"DATA": "554 5.7.1 spam"}, Permanent, "554", False, False),
    "does not like the content": ({"content": "554 5.7.1 spam"}, Permanent, "554", False, False),
    "takes the content later": ({"content": "451 4.3.0 disk"}, Temporary, "451", False, False),
    "takes the content and is silent": ({"content": hang}, Unknown, "timeout", False, False),
    "takes the content and dies": ({"content": keep_and_reset}, Unknown, "lost", False, False),
    "takes the content and talks garbage": ({"content": "hm"}, Unknown, "garbage", False, False),
}


@pytest.mark.parametrize("does", ANSWERS)
@pytest.mark.parametrize("more", [[], ["PIPELINING"]], ids=["one by one", "together"])
def test_every_answer_is_told_apart(does: str, more: list[str]) -> None:
    answers, kind, code, is_channel, is_address = ANSWERS[does]
    with mail_server(**answers) as server:
        server.extensions += more
        began = monotonic()
        error = failure(server)

    assert (type(error), error.code) == (kind, code)
    assert getattr(error, "is_channel", False) is is_channel
    assert getattr(error, "is_address", False) is is_address
    assert monotonic() - began < 2.5


def test_nobody_there_is_the_channels_fault() -> None:
    with mail_server() as server:
        pass

    error = failure(server)

    assert isinstance(error, Temporary)
    assert (error.code, error.is_channel) == ("refused", True)


def test_a_catcher_that_has_not_said_where_it_is_is_waited_for() -> None:
    with pytest.raises(Temporary) as caught:
        Smtp(replace(config.Settings(), MAIL_TRANSPORT="catcher", SMTP_PORT=0)).send(outgoing())

    assert (caught.value.code, caught.value.is_channel) == ("no_catcher", True)


def test_what_the_server_says_is_kept_without_the_address() -> None:
    with mail_server(RCPT="550 5.1.1 <ann@people.example>: no such user") as server:
        assert failure(server).answer == "5.1.1 … no such user"


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests' authority is one that everybody knows."""
    known = tmp_path / "authorities.pem"
    AUTHORITY.cert_pem.write_to_path(str(known))
    monkeypatch.setenv("SSL_CERT_FILE", str(known))


def secure(server: MailServer) -> MailServer:
    server.encrypts = certificate()
    server.extensions += ["STARTTLS", "AUTH PLAIN"]
    return server


def test_mail_goes_encrypted_and_signed_in(trusted: None) -> None:
    with mail_server() as server:
        secure(server)
        send(server, outgoing(), SMTP_TLS="starttls", SMTP_USER="school", SMTP_PASSWORD="strings")

    given = next(each for each in server.heard if each.startswith("AUTH PLAIN"))
    assert base64.b64decode(given.split()[2]) == b"\0school\0strings"
    assert len(server.got) == 1


def test_a_certificate_of_nobody_known_is_refused_and_nothing_is_told() -> None:
    with mail_server() as server:
        error = failure(
            secure(server), SMTP_TLS="starttls", SMTP_USER="school", SMTP_PASSWORD="strings", SMTP_TIMEOUT_SECONDS=20
        )

    assert (error.code, getattr(error, "is_channel", False)) == ("tls", True)
    assert not any(each.startswith(("AUTH", "MAIL")) for each in server.heard)


def test_without_encryption_where_it_is_demanded_nothing_is_told() -> None:
    with mail_server() as server:
        error = failure(server, SMTP_TLS="starttls")

    assert (type(error), getattr(error, "is_channel", False)) == (Temporary, True)
    assert not any(each.startswith("MAIL") for each in server.heard)


def test_a_wrong_password_is_the_channels_fault(trusted: None) -> None:
    with mail_server(AUTH="535 5.7.8 wrong") as server:
        error = failure(secure(server), SMTP_TLS="starttls", SMTP_USER="school", SMTP_PASSWORD="x")

    assert (error.code, getattr(error, "is_channel", False)) == ("535", True)


INJECTED = "Ann\r\nBcc: eve@evil.example\r\n\r\nBuy\x00\u2028!"


def composed(**more: Any) -> bytes:
    return compose(outgoing(**more), sender="school@school.example", sender_name="School").content


def test_a_name_makes_no_header() -> None:
    content = composed(
        name=INJECTED, rendered=replace(WORDS, subject=INJECTED, unsubscribe_url=f"https://x/{INJECTED}")
    )

    head = content.partition(b"\r\n\r\n")[0]
    assert not any(line.lower().startswith(b"bcc") for line in head.splitlines())
    assert b"eve@evil.example" in head.replace(b"\r\n ", b"")  # harmless words of the name


def test_a_name_of_a_megabyte_is_cut() -> None:
    content = composed(name="A" * 1_000_000, rendered=replace(WORDS, subject="S" * 1_000_000))

    assert len(content) < 3000


def test_letters_of_the_world_arrive_as_they_are() -> None:
    name, subject = "Zoë Łukasiewicz 李小龍 " * 2, "Unterricht um 10 Uhr – bestätigt ✓ " * 5
    with mail_server() as server:
        send(server, outgoing(name=name, rendered=replace(WORDS, subject=subject, text="Grüße 🎸\n", html=None)))

    [(_, mail)] = server.got
    assert (words_of(mail), mail["Subject"]) == ("Grüße 🎸\n", subject.strip())
    raw = dict(mail.raw_items())["To"]  # read as mail programs do: the library's own reader of names adds spaces
    assert str(make_header(decode_header(raw))) == f"{name.strip()} <ann@people.example>"


def test_lines_without_end_arrive_whole() -> None:
    with mail_server() as server:
        send(server, outgoing(rendered=replace(WORDS, text="x" * 5000)))

    assert words_of(server.got[0][1]).strip() == "x" * 5000


def test_a_name_with_quotes_is_a_name() -> None:
    with mail_server() as server:
        send(server, outgoing(name='Ann "Slash\\" <B>, C'))

    [found] = server.got[0][1]["To"].addresses
    assert (found.display_name, found.addr_spec) == ('Ann "Slash\\" <B>, C', "ann@people.example")


def test_a_text_of_megabytes_is_refused_for_good() -> None:
    with pytest.raises(Permanent, match="too_long"):
        composed(rendered=replace(WORDS, text="A" * (MAX_BYTES + 1)))


def test_words_that_cannot_be_sent_become_question_marks() -> None:
    assert b"Hello ?" in composed(rendered=replace(WORDS, text="Hello \ud800\n", html=None))


@pytest.mark.parametrize(
    "address",
    ["", "ann", "@people.example", "ann@", "ann@x\r\nBcc: eve@evil.example", "a b@x.example", "a@" + "x" * 300],
)
def test_what_is_no_address_is_refused_for_good(address: str) -> None:
    with pytest.raises(Permanent) as caught:
        composed(address=address)

    assert (caught.value.code, caught.value.is_address) == ("bad_address", True)


def test_addresses_of_the_world_are_told_in_their_own_letters() -> None:
    with mail_server() as server:
        send(server, outgoing(address="jörg@bücher.example"))

    assert "RCPT TO:<jörg@xn--bcher-kva.example>" in server.heard
    assert "SMTPUTF8" in next(each for each in server.heard if each.startswith("MAIL"))


def test_a_server_that_knows_no_other_letters_is_not_asked() -> None:
    with mail_server() as server:
        server.extensions = []
        error = failure_of(server, "jörg@people.example")

    assert (error.code, getattr(error, "is_address", False)) == ("no_smtputf8", True)


def failure_of(server: MailServer, address: str) -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(server, outgoing(address=address))
    return caught.value


def test_a_process_that_slept_over_its_time_sends_no_content() -> None:
    def sleepy(talk: Talk) -> str | None:
        way.line.until = 0.0  # as if it had been stopped just now, for long
        return None

    with mail_server(DATA=sleepy) as server:
        way: Any = way_to(server)
        with pytest.raises(Temporary) as caught:
            way.send(outgoing())
        way.close()

    assert (caught.value.code, server.got) == ("timeout", [])
