"""Flask-Admin may show; everything in it that writes is closed for good."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask_admin import BaseView, expose
from flask_admin.contrib.sqla import ModelView

from guitaronline.admin.base import CLOSED, Console, Desk, ReadOnly
from guitaronline.admin.bookings import BookingsDesk
from guitaronline.admin.today import Today
from guitaronline.booking.models import Booking
from guitaronline.db import database


class StrangePage(BaseView):  # type: ignore[misc]
    @expose("/")
    def index(self) -> str:
        return "in"


@pytest.mark.parametrize("name", CLOSED)
def test_every_method_that_writes_raises(app: Flask, name: str) -> None:
    desk = object.__new__(BookingsDesk)

    with pytest.raises(ReadOnly):
        getattr(desk, name)(None, None)


@pytest.mark.parametrize("name", CLOSED)
def test_a_desk_that_opens_one_again_cannot_be_written(name: str) -> None:
    with pytest.raises(TypeError, match="write a command page"):
        type("Sneaky", (Desk,), {name: lambda self, *args: True})


@pytest.mark.parametrize("strange", [StrangePage, partial(ModelView, Booking, database)])
def test_start_up_fails_for_a_view_of_another_kind(strange: Any) -> None:
    with pytest.raises(TypeError, match="must derive from"):
        Console(Today()).add_view(strange())


def test_flask_admins_own_files_are_not_served(app: Flask) -> None:
    served = [rule.rule for rule in app.url_map.iter_rules() if "static" in rule.endpoint]

    assert served == ["/static/<path:filename>"]


def test_only_the_base_knows_flask_admin() -> None:
    from pathlib import Path

    import guitaronline.admin

    folder = Path(guitaronline.admin.__file__).parent
    knowing = [
        path.name
        for path in folder.glob("*.py")
        if "import flask_admin" in path.read_text() or "from flask_admin" in path.read_text()
    ]

    assert knowing == ["base.py"]
