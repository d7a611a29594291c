"""A mail server that does what a test says: takes mail, or fails at any word of the dialog. Real sockets, one thread a connection."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from threading import Event, Thread
from time import monotonic
from typing import Any

import trustme

AUTHORITY = trustme.CA()  # of this run of the tests; nobody else knows it
HOLD_SECONDS = 30.0  # a server that hangs is let go at the end of the test


class Gone(Exception):
    """The connection ends."""


class MailServer:
    """`answers`: what is said instead of yes, by the word it answers (`greeting`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `content`):
    a line, or a function of the talk. `got`: what was accepted, with the moment."""

    def __init__(self, **answers: str | Callable[[Talk], str | None]) -> None:
        self.answers = answers
        self.got: list[tuple[float, EmailMessage]] = []
        self.heard: list[str] = []  # every command
        self.connections = 0
        self.release = Event()
        self.asked = Event()  # a scripted word was reached
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.extensions = ["SIZE 5000000", "8BITMIME", "SMTPUTF8"]
        self.encrypts: ssl.SSLContext | None = None
        self.thread = Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for _, mail in self.got]

    @property
    def references(self) -> list[str]:
        return [str(mail["Message-ID"]) for _, mail in self.got]

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            Thread(target=Talk(self, connection).run, daemon=True).start()

    def stop(self) -> None:
        """Nobody listens at the port any more."""
        self.release.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Talk:
    """One connection."""

    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self.server, self.connection = server, connection
        self.lines: Iterator[bytes] = iter(())
        self.has_reader = False  # whether the last address was taken
        self.closing = ExitStack()

    def run(self) -> None:
        try:
            with self.closing, self.connection:
                self.converse()
        except (Gone, OSError, StopIteration):
            return

    def converse(self) -> None:
        self.lines = iter(self.connection.makefile("rb"))
        self.say("greeting", "220 here")
        while True:
            line = next(self.lines)  # not `for`: encryption puts other lines in their place
            word = line.split()[0].decode("ascii", "replace").upper() if line.split() else ""
            self.server.heard.append(line.decode("utf-8", "replace").strip())
            if word == "QUIT":
                self.send("221 bye")
                return
            if word == "STARTTLS":
                self.encrypt()
            elif word == "AUTH":
                self.say("AUTH", "235 welcome")
            elif word == "DATA":
                self.take()
            else:
                offered = "\r\n".join(f"250-{each}" for each in self.server.extensions)
                said = self.say(word, f"250-here\r\n{offered}\r\n250 HELP" if word == "EHLO" else "250 ok")
                self.has_reader = word == "RCPT" and said.startswith("2")

    def take(self) -> None:
        if not self.say("DATA", "354 go on").startswith("354"):
            return
        content = b""
        for line in self.lines:
            if line == b".\r\n":
                break
            content += line[1:] if line.startswith(b".") else line
        else:
            raise Gone
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mail = mail
        answer = self.decide("content", "250 2.0.0 taken") if self.has_reader else "554 5.5.1 nobody to give it to"
        if answer.startswith("250"):
            self.keep()
        self.send(answer)

    def keep(self) -> None:
        self.server.got.append((monotonic(), self.mail))

    def say(self, word: str, usual: str) -> str:
        answer = self.decide(word, usual)
        self.send(answer)
        return answer

    def decide(self, word: str, usual: str) -> str:
        scripted = self.server.answers.get(word)
        if scripted is not None:
            self.server.asked.set()
            said = scripted(self) if callable(scripted) else scripted
            return usual if said is None else said
        return usual

    def send(self, words: str) -> None:
        self.connection.sendall(words.encode() + b"\r\n")

    def encrypt(self) -> None:
        self.send("220 go on")
        assert self.server.encrypts is not None
        self.connection = self.server.encrypts.wrap_socket(self.connection, server_side=True)
        self.closing.callback(self.connection.close)
        self.lines = iter(self.connection.makefile("rb"))


def hang(talk: Talk) -> None:
    """Says nothing until the test lets go."""
    talk.server.release.wait(HOLD_SECONDS)


def reset(talk: Talk) -> str:
    """The connection is torn down."""
    talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.connection.close()
    raise Gone


def keep_and_reset(talk: Talk) -> str:
    """Accepts, and dies before it says so."""
    talk.keep()
    return reset(talk)


def drip(talk: Talk) -> str:
    """A byte now and then, for ever."""
    while not talk.server.release.wait(0.2):
        talk.connection.sendall(b"2")
    raise Gone


def once(first: str | Callable[[Talk], str | None]) -> Callable[[Talk], str | None]:
    """The first time this, afterwards yes."""
    left: list[Any] = [first]

    def answer(talk: Talk) -> str | None:
        if not left:
            return None
        now = left.pop()
        return now(talk) if callable(now) else str(now)

    return answer


@contextmanager
def mail_server(**answers: str | Callable[[Talk], str | None]) -> Iterator[MailServer]:
    made = MailServer(**answers)
    try:
        yield made
    finally:
        made.stop()


def certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context
