"""E-mail by SMTP (RFC 5321): several mails a connection, and every answer told apart by what it means for the next attempt.

Who reads the answers of a server has to know at which word it said no: before the address the channel is to blame, at the
address the address, after the content the content. Only silence after the last byte of the content means that nobody knows.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from typing import Any

import config
from guitaronline.notifications.channels.base import Accepted, Outgoing, Permanent, Temporary, Unknown
from guitaronline.notifications.channels.mail import Mail, compose
from guitaronline.notifications.models import Channel

MAILS_A_CONNECTION = 100  # providers close it at some number; a new one costs a quarter of a second
IDLE_SECONDS = 20.0  # a connection that rested longer is made anew: the other side may have gone
ANSWER_LENGTH = 300
ANSWER_BYTES = 64_000  # nobody has more to say to one command
ADDRESS_CODES = frozenset({501, 510, 511, 512, 550, 551, 553})  # to RCPT: the address is the reason …
POLICY = re.compile(rb"\b5\.7\.\d+")  # … unless the enhanced code (RFC 3463) says that it is their policy
TEMPORARY_SERVICE = 421
CALM = (OSError, smtplib.SMTPException)  # a connection that is closed may be broken already


class Smtp:
    """One connection, kept between mails. `send` ends within SMTP_TIMEOUT_SECONDS."""

    channel = Channel.EMAIL

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings
        self.line: Line | None = None

    def send(self, outgoing: Outgoing) -> Accepted:
        """Raises Temporary, Permanent, Unknown."""
        settings = self.settings
        mail = compose(outgoing, sender=settings.MAIL_FROM, sender_name=settings.MAIL_FROM_NAME)
        until = time.monotonic() + settings.SMTP_TIMEOUT_SECONDS
        line = self._connected(until)
        try:
            answer = line.hand_over(mail)
        except (Temporary, Permanent) as refused:
            self._go_on_after(refused)
            raise
        except Unknown:
            self.close()
            raise
        return Accepted(outgoing.reference, answer)

    def close(self) -> None:
        """The server is told goodbye, if it still listens."""
        line, self.line = self.line, None
        if line is not None:
            line.hang_up()

    def _connected(self, until: float) -> Line:
        if self.line is not None and self.line.is_fresh():
            self.line.until = until
            return self.line
        self.close()
        self.line = connect(self.settings, until)
        return self.line

    def _go_on_after(self, refused: Temporary | Permanent) -> None:
        """After a plain no the connection is as good as before; otherwise it is made anew."""
        try:
            if self.line is None or refused.code in BROKEN or self.line.rset()[0] != 250:
                self.close()
        except CALM:
            self.close()


BROKEN = frozenset({"lost", "timeout", "garbage", str(TEMPORARY_SERVICE)})


def connect(settings: config.Settings, until: float) -> Line:
    """A server that has greeted, encrypted and signed us in. Raises Temporary: whatever it says here is not a message's fault."""
    host, port, tls = server_of(settings)
    name = settings.MAIL_FROM.rpartition("@")[2]
    line = SecureLine(until, name, _trust()) if tls == "tls" else Line(until, name)
    try:
        line.connect_to(host, port)
        if tls == "starttls":
            line.starttls(context=_trust())
            line.ehlo_or_helo_if_needed()
        if settings.SMTP_USER:
            line.login(settings.SMTP_USER, settings.SMTP_PASSWORD)
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        line.close()
        raise _no_line(error) from None
    return line


def _no_line(error: Exception) -> Temporary:
    if isinstance(error, smtplib.SMTPResponseException):
        code = str(error.smtp_code) if error.smtp_code > 0 else "garbage"
        return Temporary(code, said(error.smtp_error), is_channel=True)
    if is_timeout(error):
        return Temporary("timeout", is_channel=True)
    if isinstance(error, ssl.SSLError):
        return Temporary("tls", str(error.reason or ""), is_channel=True)
    code = "refused" if isinstance(error, ConnectionRefusedError) else "no_connection"
    return Temporary(code, type(error).__name__, is_channel=True)


def server_of(settings: config.Settings) -> tuple[str, int, str]:
    """Host, port, and how it is encrypted. Raises Temporary where the catcher of this machine has not said where it is."""
    if settings.MAIL_TRANSPORT == "catcher":
        if not settings.SMTP_PORT:
            raise Temporary("no_catcher", is_channel=True)
        return settings.SMTP_HOST or "127.0.0.1", settings.SMTP_PORT, "none"
    port = settings.SMTP_PORT or (465 if settings.SMTP_TLS == "tls" else 587)
    return settings.SMTP_HOST, port, settings.SMTP_TLS


class Line(smtplib.SMTP):
    """A connection whose every wait ends at `until` (monotonic seconds), however slowly the other side speaks."""

    def __init__(self, until: float, name: str) -> None:
        super().__init__(timeout=self.left(until), local_hostname=name)  # without a name it would ask the DNS for ours
        self.until = until
        self.handed, self.rests_since = 0, time.monotonic()

    @staticmethod
    def left(until: float) -> float:
        return max(until - time.monotonic(), 0.001)  # 0 would mean: do not wait at all

    def connect_to(self, host: str, port: int) -> None:
        self._host = host  # the name that the certificate must carry; smtplib itself learns it in its constructor only
        code, words = self.connect(host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        self.ehlo_or_helo_if_needed()

    def is_fresh(self) -> bool:
        return self.handed < MAILS_A_CONNECTION and time.monotonic() - self.rests_since < IDLE_SECONDS

    def hand_over(self, mail: Mail) -> str:
        """What the server said to the content. Raises Temporary, Permanent, Unknown."""
        self.handed += 1
        try:
            self._tell(mail)
        except smtplib.SMTPResponseException as error:
            raise Temporary("garbage", said(error.smtp_error)) from None
        except (OSError, smtplib.SMTPException) as error:
            raise Temporary("timeout" if is_timeout(error) else "lost") from None
        try:
            code, words = self.getreply()
        except (OSError, smtplib.SMTPException) as silence:
            raise Unknown("timeout" if is_timeout(silence) else "lost") from None
        self.rests_since = time.monotonic()
        if code // 100 == 2:
            return said(words)
        if code // 100 not in (4, 5):
            raise Unknown("garbage", said(words))
        raise refusal(code, words)

    def _tell(self, mail: Mail) -> None:
        """Sender, address and content, up to its last byte."""
        options = [f"SIZE={len(mail.content)}"] if self.has_extn("size") else []
        if mail.needs_utf8:
            if not self.has_extn("smtputf8"):
                raise Permanent("no_smtputf8", is_address=True)
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        sender = " ".join([f"MAIL FROM:<{mail.sender}>", *options])
        answers = self._ask(sender, f"RCPT TO:<{mail.recipient}>", "DATA")
        code, words = answers[0]
        if code != 250:  # 552: this mail is too large; any other no is about us
            raise refusal(code, words) if code == 552 else _sender_refused(code, words)
        code, words = answers[1]
        if code not in (250, 251):
            raise refusal(code, words, at_address=True)
        code, words = answers[2]
        if code != 354:
            raise refusal(code, words)
        content = smtplib._quote_periods(mail.content)  # type: ignore[attr-defined]  # noqa: SLF001  # its `data` hides where it failed
        self.send(content + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")

    def _ask(self, *commands: str) -> list[tuple[int, bytes]]:
        """The answers, up to the first no or to all. Where the server allows it (RFC 2920) the commands are sent together: one way
        there and back instead of three."""
        lines = [f"{each}\r\n".encode() for each in commands]
        if self.has_extn("pipelining"):
            self.send(b"".join(lines))
            return self._answers(len(lines))
        answers: list[tuple[int, bytes]] = []
        for line in lines:
            self.send(line)
            answers.append(self.getreply())
            if is_no(answers[-1]):
                break
        return answers

    def _answers(self, number: int) -> list[tuple[int, bytes]]:
        """Of commands that were sent together. After a no a server may hang up; or it takes the DATA that follows in spite of it,
        which is then ended without content."""
        answers = [self.getreply()]
        try:
            while len(answers) < number:
                answers.append(self.getreply())
            if answers[-1][0] == 354 and any(map(is_no, answers)):
                self.send(b".\r\n")
                self.getreply()
        except CALM:
            if not any(map(is_no, answers)):
                raise
            self.close()
        return answers

    def send(self, words: Any) -> None:
        """Nothing leaves after the end: a process that slept over it may not be the one any more whose message this is."""
        if time.monotonic() >= self.until:
            self.close()
            raise TimeoutError
        if self.sock is not None:
            self.sock.settimeout(self.left(self.until))
        super().send(words)

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None:
            self.file = self.file if isinstance(self.file, Reader) else Reader(self, self.sock)
            self.file.taken = 0
        return super().getreply()

    def hang_up(self) -> None:
        self.until = min(self.until, time.monotonic() + 1)
        try:
            self.quit()
        except CALM:
            self.close()


class SecureLine(Line):
    """Encrypted from the first byte."""

    def __init__(self, until: float, name: str, trust: ssl.SSLContext) -> None:
        super().__init__(until, name)
        self.trust = trust

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = super()._get_socket(host, port, timeout)  # type: ignore[misc]  # smtplib's own hook, as its SMTP_SSL uses it
        return self.trust.wrap_socket(plain, server_hostname=host)


class Reader:
    """Reads lines off the line's socket, never beyond its end: a server that sends a byte now and then, or never stops
    sending, is not waited for."""

    def __init__(self, line: Line, connection: socket.socket) -> None:
        self.line, self.connection = line, connection
        self.received, self.taken = b"", 0  # bytes of the present answer

    def readline(self, longest: int) -> bytes:
        while b"\n" not in self.received and len(self.received) < longest:
            if time.monotonic() >= self.line.until:
                raise TimeoutError
            self.connection.settimeout(self.line.left(self.line.until))
            some = self.connection.recv(4096)
            if not some:
                break
            self.received += some
        end = min(self.received.find(b"\n") + 1 or len(self.received), longest)
        line, self.received = self.received[:end], self.received[end:]
        self.taken += len(line)
        if self.taken > ANSWER_BYTES:
            raise ConnectionAbortedError
        return line

    def close(self) -> None:
        self.received = b""


def is_no(answer: tuple[int, bytes]) -> bool:
    return answer[0] // 100 not in (2, 3)


def is_timeout(error: BaseException | None) -> bool:
    """smtplib says `disconnected` of a time-out too; what it caught hangs on it."""
    return isinstance(error, TimeoutError) or (error is not None and isinstance(error.__context__, TimeoutError))


def refusal(code: int, words: bytes, *, at_address: bool = False) -> Temporary | Permanent:
    """A no in numbers, as what it means for the next attempt."""
    if code == TEMPORARY_SERVICE:
        return Temporary(str(code), said(words), is_channel=True)
    if code // 100 == 4:
        return Temporary(str(code), said(words))
    if code // 100 != 5:
        return Temporary("garbage", said(words))
    is_address = at_address and code in ADDRESS_CODES and not POLICY.search(words)
    return Permanent(str(code), said(words), is_address=is_address)


def _sender_refused(code: int, words: bytes) -> Temporary:
    return Temporary(str(code) if code > 0 else "garbage", said(words), is_channel=True)


def said(words: bytes | str) -> str:
    """The other side's words, on one line and cut; addresses in them are personal and become `…`."""
    line = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return re.sub(r"\S+@\S+", "…", " ".join(line.split()))[:ANSWER_LENGTH]


def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
