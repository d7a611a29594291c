"""What the mails about an account say beside their templates: links that are derived anew each time, and a few facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.identity import devices, links
from guitaronline.identity.address_change import change_of
from guitaronline.identity.former_addresses import former_address, whose
from guitaronline.identity.models import LinkPurpose, SignInLink, User
from guitaronline.identity.sign_in_models import AddressChange
from guitaronline.notifications.models import Message

PURPOSES = {
    "account_reset": LinkPurpose.RESET,
    "account_verify": LinkPurpose.VERIFY,
    "account_invitation": LinkPurpose.INVITE,
    "account_new_address": LinkPurpose.ADDRESS,
    "account_address_undo": LinkPurpose.UNDO,
}


def links_for(session: Session, message: Message) -> dict[str, str]:
    """The addresses that this message leads to, by the name in its template. Whoever has one can act with it: they are
    secrets. Empty where the kind has none, or the link is over."""
    link = _link(session, message)
    url = links.url_of(link) if link else None
    return {"link": url} if url else {}


def facts_for(session: Session, kind_name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What else the template of that kind may say. `link_life`: a number and its unit; `device` is empty and `signed_in_at`
    None where nothing is known of it (any more)."""
    told: dict[str, Any] = {"forgot_url": policy.current().PUBLIC_BASE_URL.rstrip("/") + "/forgot"}
    if kind_name in PURPOSES:
        told["link_life"], told["link_unit"] = life_in_units(PURPOSES[kind_name])
    if kind_name == "account_new_device":
        seen = devices.sign_in_of(session, session_id=_id(facts, "session_id"), family_id=_id(facts, "family_id"))
        told["device"], told["signed_in_at"] = seen if seen else ("", None)
    return told


def life_in_units(purpose: LinkPurpose) -> tuple[int, str]:
    """`(3, "day")`, `(5, "hour")`, `(45, "minute")`: what divides it, the longest first."""
    minutes = int(links.life_of(purpose).total_seconds() // 60)
    found = ((minutes // size, unit) for size, unit in ((1440, "day"), (60, "hour")) if minutes % size == 0)
    return next(found, (minutes, "minute"))


def untrue(session: Session, message: Message, now: datetime) -> str | None:
    """Why it is not sent any more, a code; None: it still makes sense."""
    if message.kind == "address_changed":
        return None if whose(session, message.record_id) == message.person_id else "gone"
    if message.kind == "account_address_undone":
        return None if _change(session, message) else "gone"
    if message.kind not in PURPOSES:
        return None
    link = _link(session, message)
    if link is None or links.url_of(link) is None:
        return "gone"
    return None if links.is_good(link, now) else "link_over"


def address_before(session: Session, message: Message, person: User) -> str | None:
    """Where the notice of another address goes: to the one given up, in the hand of the person alone."""
    return former_address(session, message.record_id) if whose(session, message.record_id) == person.id else None


def new_address(session: Session, message: Message, person: User) -> str | None:
    """Where the question goes whether an address is theirs, and the news that it is not any more: to that one."""
    change = _change(session, message)
    return change.new_email if change else None


def address_to_undo(session: Session, message: Message, person: User) -> str | None:
    """Where the link goes that takes an address back: to the one before."""
    change = _change(session, message)
    return change.former_email if change else None


def _change(session: Session, message: Message) -> AddressChange | None:
    """The change of address that the message is about, when it is this person's."""
    change = change_of(session, message.record_id)
    return change if change is not None and change.user_id == message.person_id else None


def _link(session: Session, message: Message) -> SignInLink | None:
    """The link of the event, as it is now, when it is this person's and for this purpose."""
    link_id = _id(message.facts, "link_id")
    link = session.get(SignInLink, link_id, populate_existing=True) if link_id else None
    is_theirs = link is not None and link.user_id == message.person_id and link.purpose is PURPOSES.get(message.kind)
    return link if is_theirs else None


def _id(facts: Mapping[str, Any], name: str) -> UUID | None:
    value = facts.get(name)
    return UUID(str(value)) if value else None
