"""Mail that the embedded run's own mail server took: nothing leaves the machine, and here it is read."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import flask

import config
from guitaronline.admin import show
from guitaronline.admin.base import ConsolePage
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission

NAME = re.compile(r"[0-9]{1,19}-[0-9]{1,9}\.eml", re.ASCII)
SHOWN = 50
LARGEST = 5_000_000  # bytes that are read of one
UNREADABLE = "(cannot be read)"
HEADINGS = ("Caught", "Subject", "To")


@dataclass(frozen=True)
class Mail:
    """One file of the folder. `name` begins with the moment at which it was taken, in nanoseconds."""

    name: str
    caught_at: datetime
    subject: str
    sender: str
    to: str
    text: str
    html: str
    calendar: str
    headers: list[tuple[str, str]]


class CaughtMail(ConsolePage):
    """Whoever reads it could use the links in it, so it is for admins; there is none of it in production."""

    path = "caught-mail"
    title = "Caught mail"
    permission = Permission.ADMINISTER

    def page(self) -> Any:
        asked = flask.request.args.get("mail")
        if asked is not None:
            found = mail_of(asked)
            return self.render("admin/caught_mail.html", mail=found, caught=show.when(found.caught_at))
        names = newest() if is_on() else []
        rows = [_row(each) for each in (read(name) for name in names) if each is not None]
        return self.render("admin/caught_mail.html", mail=None, headings=HEADINGS, rows=rows, is_on=is_on(), most=SHOWN)


def is_on() -> bool:
    settings: config.Settings = flask.current_app.config["SETTINGS"]
    return settings.MAIL_TRANSPORT == "catcher" and not settings.is_production


def folder() -> Path:
    settings: config.Settings = flask.current_app.config["SETTINGS"]
    return Path(settings.VAR_DIR) / "mail"


def newest() -> list[str]:
    """The names of the newest mails, newest first."""
    if not folder().is_dir():
        return []
    return heapq.nlargest(SHOWN, (each.name for each in folder().iterdir() if NAME.fullmatch(each.name)), key=_moment)


def mail_of(name: str) -> Mail:
    """Raises NotFound for whatever is no mail of that folder."""
    found = read(name) if is_on() and NAME.fullmatch(name) else None
    if found is None:
        raise NotFound("There is no such mail.")
    return found


def read(name: str) -> Mail | None:
    """None when it is gone by now."""
    try:
        with (folder() / name).open("rb") as file:
            raw = file.read(LARGEST)
    except OSError:
        return None
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return Mail(
        name,
        datetime.fromtimestamp(_moment(name)[0] / 1e9, UTC),
        _header(mail, "Subject") or "(no subject)",
        _header(mail, "From"),
        _header(mail, "To"),
        _part(mail, "text/plain"),
        _part(mail, "text/html"),
        _part(mail, "text/calendar"),
        [(header, str(value)) for header, value in mail.raw_items()],
    )


def _moment(name: str) -> tuple[int, int]:
    at, _, number = name.removesuffix(".eml").partition("-")
    return int(at), int(number)


def _header(mail: EmailMessage, name: str) -> str:
    try:
        return str(mail.get(name, ""))
    except (ValueError, LookupError, AttributeError):  # what a broken header makes of the parser
        return UNREADABLE


def _part(mail: EmailMessage, kind: str) -> str:
    """The first part of that kind, as text."""
    for part in mail.walk():
        if part.get_content_type() == kind:
            raw = part.get_payload(decode=True)
            charset = part.get_content_charset("utf-8") or "utf-8"
            try:
                return raw.decode(charset, "replace") if isinstance(raw, bytes) else UNREADABLE
            except LookupError:
                return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else UNREADABLE
    return ""


def _row(mail: Mail) -> list[Any]:
    url = flask.url_for("desk_caught-mail.index", mail=mail.name)
    return [show.when(mail.caught_at), show.html('<a href="{}">{}</a>', url, mail.subject), mail.to]
