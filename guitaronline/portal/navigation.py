"""The portal's pages: four that a thumb reaches, and the others behind "More"."""

from __future__ import annotations

from dataclasses import dataclass

import flask

MAIN = (
    ("today", "Today", "layout-dashboard"),
    ("calendar", "Calendar", "calendar-week"),
    ("hours", "Hours", "clock"),
    ("students", "Students", "users"),
)
MORE = (
    ("time_off", "Time off", "calendar-event"),
    ("lessons", "Lessons taught", "notes"),
    ("statements", "Statements", "cash"),
    ("profile", "Profile and calendar feed", "user"),
    ("account", "Your account", "lock"),
)
PARTS = {  # pages that belong to one of these
    "new_calendar_feed": "profile", "new_time_off": "time_off", "cancel_time_off": "time_off", "student": "students", "statement": "statements", "slot": "calendar", "new_slot": "calendar",
    "password": "account", "change_email": "account", "sign_out_device": "account", "sign_out_elsewhere": "account",
    "booking": "calendar", "cancel_booking": "calendar", "move_booking": "calendar", "report": "today", "not_taken": "today",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    title: str
    url: str
    icon: str
    is_current: bool


def navigation() -> tuple[list[Item], list[Item]]:
    """Main pages and further ones."""
    here = (flask.request.endpoint or "").rpartition(".")[2]
    here = PARTS.get(here, here)
    main, more = ([_item(*each, here) for each in group] for group in (MAIN, MORE))
    return main, more


def _item(name: str, title: str, icon: str, here: str) -> Item:
    return Item(title, flask.url_for(f"portal.{name}"), icon, name == here)
