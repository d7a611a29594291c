"""A rendered message as a mail (RFC 5322, MIME): text, HTML beside it, the calendar file as an attachment.

Whatever people typed into names cannot make headers: line breaks become spaces, and what is too long is cut. It is put together
here and not by the standard library's `EmailMessage`, which takes longer over the headers of one mail than a server over the mail.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from email.utils import formatdate

from guitaronline.notifications.channels.base import Outgoing, Permanent

NAME_LENGTH, SUBJECT_LENGTH = 100, 200
MAX_BYTES = 1_000_000  # of the whole mail; ours have a few thousand
LINE_LENGTH = 900  # bytes; RFC 5322 allows 998
WORD_BYTES = 42  # of an encoded word (RFC 2047), which may have 75 characters with all around it
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
METHOD = re.compile(r"^METHOD:([A-Z]+)\s*$", re.MULTILINE)
END = "\r\n"


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
    if sum(len(part or "") for part in (rendered.text, rendered.html, rendered.calendar)) > MAX_BYTES // 2:
        raise Permanent("too_long")
    headers = [
        ("From", f"{_phrase(sender_name)} <{sender}>"),
        ("To", f"{_phrase(outgoing.name)} <{recipient}>"),
        ("Subject", _encoded(plain(rendered.subject, SUBJECT_LENGTH))),
        ("Date", formatdate()),
        ("Message-ID", outgoing.reference),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834: nobody's holiday notice shall answer
        ("Content-Language", _encoded(plain(rendered.language, 20))),
        ("MIME-Version", "1.0"),
    ]
    if rendered.unsubscribe_url:
        address = plain(rendered.unsubscribe_url, 800).replace(" ", "%20").encode("ascii", "replace").decode()
        headers.append(("List-Unsubscribe", f"<{address}>"))
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))  # RFC 8058
    head = END.join(f"{name}: {value}" for name, value in headers)
    return Mail(sender, recipient, needs_utf8, f"{head}{END}{_body(outgoing)}".encode())


def _body(outgoing: Outgoing) -> str:
    """Its own headers and what they speak of."""
    rendered, mark = outgoing.rendered, outgoing.message_id.hex
    body = _part("text/plain", rendered.text)
    if rendered.html:
        body = _several("alternative", f"=_{mark}_a", body, _part("text/html", rendered.html))
    if rendered.calendar:
        method = METHOD.search(rendered.calendar)
        kind = f"text/calendar; method={method[1] if method else 'PUBLISH'}"
        attached = _part(kind, rendered.calendar, 'Content-Disposition: attachment; filename="lesson.ics"')
        body = _several("mixed", f"=_{mark}_m", body, attached)
    return body


def _several(kind: str, mark: str, *parts: str) -> str:
    inside = "".join(f"--{mark}{END}{part}{END}" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{mark}"{END}{END}{inside}--{mark}--{END}'


def _part(kind: str, words: str, *more: str) -> str:
    """In clear where every server takes it so; else as base64."""
    data = "".join(f"{line}{END}" for line in words.replace("\x00", "").splitlines()).encode("utf-8", "replace")
    if data.isascii() and max(map(len, data.split(b"\r\n"))) <= LINE_LENGTH:
        encoding, text = "7bit", data.decode()
    else:
        encoding, text = "base64", base64.encodebytes(data).decode().replace("\n", END)
    lines = (f"Content-Type: {kind}; charset=utf-8", f"Content-Transfer-Encoding: {encoding}", *more, "", text)
    return END.join(lines)


def plain(words: str, length: int) -> str:
    """On one line, without what no header may hold."""
    one_line = " ".join(UNPRINTABLE.sub(" ", words[: length * 4]).split())
    return one_line if len(one_line) <= length else one_line[: length - 1] + "…"


def wire_address(address: str) -> tuple[str, bool]:
    """As servers are told it, its domain in ASCII; and whether the rest of it is not. Raises Permanent when it is none."""
    local, separator, domain = address.rpartition("@")
    is_odd = len(address) > 254 or UNPRINTABLE.search(address) or set('<>()[]\\,;:" ') & set(address)
    if not (separator and local and domain) or is_odd:
        raise Permanent("bad_address", is_address=True)
    try:
        return f"{local}@{domain.encode('idna').decode()}", not local.isascii()
    except UnicodeError:
        raise Permanent("bad_address", is_address=True) from None


def _phrase(name: str) -> str:
    """A name before an address."""
    words = plain(name, NAME_LENGTH)
    if not words.isascii():
        return _encoded(words)
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if escaped else ""


def _encoded(words: str) -> str:
    """One line of words as a header's value: other letters than ASCII in encoded words (RFC 2047), cut between letters."""
    if words.isascii() and "=?" not in words:
        return words
    parts, part = [], b""
    for letter in words:
        data = letter.encode("utf-8", "replace")
        if len(part) + len(data) > WORD_BYTES:
            parts.append(part)
            part = b""
        part += data
    return f"{END} ".join(f"=?utf-8?b?{base64.b64encode(each).decode()}?=" for each in [*parts, part])
