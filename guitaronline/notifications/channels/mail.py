"""A rendered message as a mail (RFC 5322): text, HTML beside it, the calendar file as an attachment.

Whatever people typed into names cannot make headers: line breaks become spaces, and what is too long is cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from guitaronline.notifications.channels.base import Outgoing, Permanent

NAME_LENGTH, SUBJECT_LENGTH = 100, 200
MAX_BYTES = 1_000_000  # of the whole mail; ours have a few thousand
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
METHOD = re.compile(r"^METHOD:([A-Z]+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """What the server is told, and what it is given. `needs_utf8`: the part before the @ is not ASCII (RFC 6531)."""

    sender: str
    recipient: str
    needs_utf8: bool
    content: bytes


def compose(outgoing: Outgoing, *, sender: str, sender_name: str) -> Mail:
    """Raises Permanent when the address is none, or the mail is too long."""
    recipient, needs_utf8 = wire_address(outgoing.address)
    rendered = outgoing.rendered
    mail = EmailMessage(policy=SMTP.clone(utf8=needs_utf8))
    mail["From"] = _named(sender_name, sender)
    mail["To"] = _named(outgoing.name, recipient)
    mail["Subject"] = plain(rendered.subject, SUBJECT_LENGTH)
    mail["Date"] = formatdate()
    mail["Message-ID"] = outgoing.reference
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice shall answer
    mail["Content-Language"] = plain(rendered.language, 20)
    if rendered.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{plain(rendered.unsubscribe_url, 900)}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    _fill(mail, outgoing)
    content = mail.as_bytes()
    if len(content) > MAX_BYTES:
        raise Permanent("too_long")
    return Mail(sender, recipient, needs_utf8, content)


def _fill(mail: EmailMessage, outgoing: Outgoing) -> None:
    rendered = outgoing.rendered
    if len(rendered.text) > MAX_BYTES or len(rendered.html or "") > MAX_BYTES:
        raise Permanent("too_long")
    mail.set_content(_sound(rendered.text))
    if rendered.html:
        mail.add_alternative(_sound(rendered.html), subtype="html")
    if rendered.calendar:
        method = METHOD.search(rendered.calendar)
        mail.add_attachment(
            _sound(rendered.calendar),
            subtype="calendar",
            filename="lesson.ics",
            params={"method": method[1] if method else "PUBLISH"},
        )


def plain(words: str, length: int) -> str:
    """On one line, without what no header may hold."""
    one_line = " ".join(UNPRINTABLE.sub(" ", words[: length * 4]).split())
    return one_line if len(one_line) <= length else one_line[: length - 1] + "…"


def wire_address(address: str) -> tuple[str, bool]:
    """As servers are told it, its domain in ASCII; and whether the rest of it is not. Raises Permanent when it is none."""
    local, separator, domain = address.rpartition("@")
    if (
        not (separator and local and domain)
        or len(address) > 254
        or UNPRINTABLE.search(address)
        or set("<> ") & set(address)
    ):
        raise Permanent("bad_address", is_address=True)
    try:
        return f"{local}@{domain.encode('idna').decode()}", not local.isascii()
    except UnicodeError:
        raise Permanent("bad_address", is_address=True) from None


def _named(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(plain(name, NAME_LENGTH), local, domain)


def _sound(words: str) -> str:
    """Lone surrogates cannot be sent; NUL must not."""
    return words.encode("utf-8", "replace").decode().replace("\x00", "")
