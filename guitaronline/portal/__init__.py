"""The teacher portal: a teacher's own day, calendar, hours and students. `init_portal` puts it together, top to bottom."""

from __future__ import annotations

from flask import Flask

from guitaronline.portal import (  # noqa: F401  # pages add their routes themselves
    account,
    bookings,
    calendar,
    gate,
    hours,
    lessons,
    navigation,
    password,
    profile,
    slots,
    statements,
    students,
    time_off,
    times,
    today,
)


def init_portal(app: Flask) -> None:
    app.register_blueprint(gate.blueprint)
    app.jinja_env.globals.update(
        portal_navigation=navigation.navigation,
        clock_of=times.clock_of,
        a_day=times.day,
        portal_zone=times.zone,
        place_of=times.place_of,
    )
    gate.guard(app)  # last: every route stands, and each must name what it needs
