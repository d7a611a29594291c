"""Devices seen before. A sign-in from another one is told to the person: if it was not them, they hear of it.

A browser is known by a cookie of its own, which signs nobody in; an app, which keeps none, by what it calls itself. The
first device of a person is no news."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.db import new_id
from guitaronline.errors import Busy
from guitaronline.identity.models import ConsoleSession, KnownDevice, TokenFamily, User
from guitaronline.identity.revocation import BULK
from guitaronline.unit_of_work import Work, command

PREFIX = "gol_dv_"
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"),
)  # fmt: skip


def new_browser() -> str:
    """What the cookie of a browser holds that has none yet."""
    return PREFIX + secrets.token_urlsafe(24)


def mark_of_browser(cookie: str) -> bytes:
    return sha256(f"browser {cookie}".encode("utf-8", "surrogatepass")).digest()


def mark_of_app(label: str | None, agent: str | None) -> bytes:
    """The name that the app gives the device, and what program it is; a new version of it is the same."""
    program = re.sub(r"[\d.]+", "", agent or "")
    return sha256(f"app {label or ''} {program}".encode("utf-8", "surrogatepass")).digest()


def is_news(session: Session, user_id: UUID, mark: bytes, now: datetime) -> bool:
    """Whether the person has signed in before, but never from there. Known and first devices are written down here.

    Inside the transaction of the sign-in. uq_known_devices_once"""
    known = update(KnownDevice).where(KnownDevice.user_id == user_id, KnownDevice.mark == mark)
    if session.execute(known.values(last_seen_at=now), execution_options=BULK).rowcount:  # type: ignore[attr-defined]
        return False
    if session.scalar(select(exists().where(KnownDevice.user_id == user_id))):
        return True
    session.execute(_device(user_id, mark, now))
    return False


def tell_of(user_id: UUID, mark: bytes, **opened: UUID) -> None:
    """The person is told of the device that just signed in; `opened` is its `session_id` or `family_id`.

    When that cannot be written now, the next sign-in from there will be news again."""
    with suppress(Busy):
        _notice(SYSTEM, user_id, mark=mark, opened=opened)  # nobody knows yet that it was them


@command("person.notice_device", on="users", quiet=True)
def _notice(work: Work, user_id: UUID, *, mark: bytes, opened: dict[str, UUID]) -> bool:
    """The device is known from now on, and the person is told of it: once, also when it signs in twice at a time."""
    is_made = bool(work.session.execute(_device(user_id, mark, work.now)).rowcount)  # type: ignore[attr-defined]
    if is_made:
        work.emit("person.new_device", work.find(User, user_id), **{name: str(each) for name, each in opened.items()})
    return is_made


def in_words(device: str | None) -> str:
    """`Firefox on Linux` out of what a browser says about itself; an app's own name as it is; else empty."""
    said = device or ""
    if not said.startswith("Mozilla/"):
        return said
    browser = next((name for sign, name in BROWSERS if sign in said), "")
    system = next((name for sign, name in SYSTEMS if sign in said), "")
    return " on ".join(each for each in (browser, system) if each)


def sign_in_of(
    session: Session, *, session_id: UUID | None = None, family_id: UUID | None = None
) -> tuple[str, datetime] | None:
    """Query: what signed in, in words (empty when it did not say), and when; None when that was forgotten since."""
    browser = select(ConsoleSession.device, ConsoleSession.created_at).where(ConsoleSession.id == session_id)
    app = select(TokenFamily.device_label, TokenFamily.created_at).where(TokenFamily.id == family_id)
    found = session.execute(browser if session_id else app).one_or_none()
    return (in_words(found[0]), found[1]) if found else None


def _device(user_id: UUID, mark: bytes, now: datetime) -> Insert:
    made = insert(KnownDevice).values(id=new_id(), user_id=user_id, mark=mark, created_at=now, last_seen_at=now)
    return made.on_conflict_do_nothing(constraint="uq_known_devices_once")
