"""How values look: times in the viewer's zone, money, states as chips, contact data by role, links to records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from markupsafe import Markup, escape

from guitaronline.admin import gate
from guitaronline.db import Base
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.money import Money

NOTHING = Markup('<span class="nothing">–</span>')
TONES = {
    "open": "azure", "active": "green", "scheduled": "azure", "hold": "yellow", "pending": "yellow", "confirmed": "green",
    "completed": "green", "succeeded": "green", "approved": "green", "done": "green", "booked": "green", "held": "yellow",
    "blocked": "orange", "no_show": "orange", "frozen": "cyan", "depleted": "secondary", "expired": "secondary",
    "withdrawn": "secondary", "canceled": "red", "failed": "red", "revoked": "red", "rejected": "red", "disabled": "red",
    "deactivated": "red", "refunded": "purple", "holds": "green", "dead": "red", "sent": "green", "ready": "green",
    "will happen": "green", "planned": "azure", "new": "green", "changed": "yellow", "unusable": "red", "requested": "yellow", "running": "azure", "waiting": "yellow", "refused": "red", "stopped": "orange", "received": "azure", "applied": "green", "parked": "yellow", "ignored": "secondary", "escalated": "orange", "resolved": "green", "written_off": "purple", "undone": "secondary", "prepared": "yellow", "closed": "green", "checked": "yellow", "imported": "green", "discarded": "secondary", "queued": "yellow", "suppressed": "secondary", "uncertain": "orange", "accepted": "green", "temporary": "yellow", "permanent": "red", "unknown": "orange", "bounced": "red", "won": "green", "lost": "red", "delivered": "green", "to look at": "orange",
}  # fmt: skip
desk_endpoints: dict[str, str] = {}  # table → endpoint of its record page; each desk adds itself


@dataclass(frozen=True)
class Fact:
    """One line of a record page."""

    label: str
    value: Any


def html(pattern: str, *values: Any) -> Markup:
    """`pattern` is ours, the values are escaped."""
    return Markup(pattern).format(*values)  # noqa: S704


def zone() -> ZoneInfo:
    return ZoneInfo(gate.viewer().timezone)


def when(moment: datetime | None, *people: User) -> Markup:
    """`Mon 23 Nov, 16:00 CET` (with the year, when it is another one) in the viewer's zone; on hover the zones of the people it concerns, and UTC."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(zone())
    others = [
        f"{moment.astimezone(ZoneInfo(each.timezone)):%a %H:%M} {each.full_name} ({each.timezone})" for each in people
    ]
    title = " · ".join([*others, f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"])
    stamp = moment.astimezone(UTC).isoformat()
    day = (
        f"{local:%a} {local.day} {local:%b}"
        if local.year == gate.now().astimezone(zone()).year
        else f"{local:%a} {local.day} {local:%b %Y}"
    )
    return Markup('<time datetime="{}" title="{}">{}</time>').format(stamp, title, f"{day}, {local:%H:%M %Z}")


def stamp(moment: datetime | None) -> Markup:
    """The short form, for columns that say when something was written down; its zone is named below the page."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(zone())
    year = "" if local.year == gate.now().astimezone(zone()).year else f"{local: %Y}"
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S}", f"{local.day} {local:%b}{year}, {local:%H:%M}"
    )


def span(start: datetime, end: datetime, *people: User) -> Markup:
    """When it starts, and how long it takes."""
    return Markup('{} <span class="muted nowrap">{}</span>').format(when(start, *people), minutes(end - start))


def minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} min"


def day(value: date | None) -> Any:
    return NOTHING if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def money(amount_minor: int | None, currency: str) -> Any:
    return (
        NOTHING
        if amount_minor is None
        else Markup('<span class="money">{}</span>').format(str(Money(amount_minor, currency)))
    )


def word(value: object) -> str:
    """`no_show` → `no show`."""
    return str(value).replace("_", " ")


def chip(state: StrEnum | str, meaning: str = "") -> Markup:
    """A state as colour **and** word."""
    tone = TONES.get(str(state), "secondary")
    return Markup('<span class="badge chip bg-{}-lt" title="{}">{}</span>').format(tone, meaning, word(state))


def state(record: Any, effective: StrEnum | None = None) -> Markup:
    """The record's state with its meaning from the state table."""
    status = effective or record.status
    return chip(status, record.states.meanings.get(status, ""))


def yes(value: bool) -> str:
    return "yes" if value else "no"


def text(value: object) -> Any:
    return NOTHING if value in (None, "") else value


def prose(value: str | None) -> Any:
    """Text of several lines."""
    return Markup('<div class="prose">{}</div>').format(value) if value else NOTHING


def joined(values: Iterable[object]) -> Any:
    words = Markup(" · ").join(escape(each) for each in values)
    return html('<span class="joined">{}</span>', words) if words else NOTHING


def email(person: User) -> Any:
    if not person.email:
        return NOTHING
    return read_by_viewer(person.id, person.email) if gate.may(Permission.READ_CONTACTS) else masked_email(person.email)


def phone(person: User) -> Any:
    if not person.phone:
        return NOTHING
    return read_by_viewer(person.id, person.phone) if gate.may(Permission.READ_CONTACTS) else masked_phone(person.phone)


def read_by_viewer(person_id: UUID, value: str) -> str:
    """Contact data that this page shows in clear; that the viewer saw it is written down with the answer (admin/readings.py)."""
    flask.g.setdefault("contacts_read", set()).add(person_id)
    return value


def email_hint(person: User) -> Any:
    """Enough to recognize it; masked for everybody: in lists and pickers nobody needs more (decision 0010)."""
    return masked_email(person.email) if person.email else NOTHING


def phone_hint(person: User) -> Any:
    return masked_phone(person.phone) if person.phone else NOTHING


def masked_email(address: str) -> str:
    local, _, host = address.rpartition("@")
    return f"{local[:1]}•••@{host[:1]}•••.{host.rpartition('.')[2]}"


def masked_phone(number: str) -> str:
    return f"•••{number[-2:]}"


def record_url(table: str, record_id: UUID | str) -> str | None:
    """Where the record is shown; None for tables without a desk."""
    endpoint = desk_endpoints.get(table)
    return gate.address(f"{endpoint}.details_view", record_id) if endpoint else None


def link(record: Base | None, label: str = "") -> Any:
    """The record by its reference or name."""
    if record is None:
        return NOTHING
    return link_to(record.__tablename__, record.id, label or label_of(record))  # type: ignore[attr-defined]


def link_to(table: str, record_id: UUID | str, label: str) -> Any:
    """A link where there is a desk that the viewer may open; the bare label elsewhere."""
    endpoint = f"{desk_endpoints.get(table)}.details_view"
    permission = gate.permission_of(flask.current_app, endpoint) if table in desk_endpoints else None
    if permission is None or not gate.may(permission):
        return label
    return html('<a href="{}">{}</a>', gate.address(endpoint, record_id), label)


def label_of(record: Any) -> str:
    """What people call the record."""
    for name in ("full_name", "display_name", "name", "reference", "title"):
        found = getattr(record, name, None)
        if found:
            return str(found)
    return f"{type(record).__name__.lower()} {str(record.id)[-6:]}"


def action_link(button: Any) -> Any:
    """A small link to a command page; nothing when it cannot be used now."""
    return Markup('<a href="{}">{}</a>').format(button.url, button.title) if not button.why_not else ""
