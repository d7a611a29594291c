"""Files of more rows than a browser should wait for."""

from __future__ import annotations

import time
from functools import cache

from flask import Flask

import config
from guitaronline.db import new_id
from guitaronline.office import export_runs
from jobs.runtime import job

RUN_SECONDS = 5  # then the next tick goes on: others want the worker too, and one large file may take 20 already


@job
def make() -> int:
    """Exports that wait are made, one after the other; returns how many were taken on."""
    taken, stop_at = 0, time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop_at and (claimed := export_runs.claim(new_id())):
        from guitaronline.admin.export_making import make as make_one

        with console().app_context():
            make_one(claimed)
        taken += 1
    return taken


@cache
def console() -> Flask:
    """The application with its lists. Loaded by the process of the one job that needs it: the worker itself stays small."""
    import flask

    from guitaronline import create_core
    from guitaronline.admin import init_admin

    if "admin" in flask.current_app.extensions:
        return flask.current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001  # the proxy has no public way
    app = create_core(config.load(), pool_size=1, max_overflow=2)
    init_admin(app)
    return app
