"""GuitarOnline: the operations console and internal API of an online guitar school."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import config

if TYPE_CHECKING:
    from flask import Flask


# A machine that is cut off says nothing: without these a connection to it would be waited for by the quarter of an hour.
PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}


def create_app(settings: config.Settings | None = None) -> Flask:
    """All wiring, read top to bottom."""
    app = create_core(settings)
    from guitaronline.admin import init_admin
    from guitaronline.api import init_api
    from guitaronline.checkout import init_checkout
    from guitaronline.cli import init_cli
    from guitaronline.compression import init_compression
    from guitaronline.db import database
    from guitaronline.health import init_health
    from guitaronline.logs import init_logs
    from guitaronline.portal import init_portal
    from guitaronline.rights import check as check_rights
    from guitaronline.standby import init_standby
    from guitaronline.unsubscribe import init_unsubscribe
    from guitaronline.web import init_web

    init_logs(app)
    init_compression(app)  # before the others: it acts last on an answer
    init_web(app)
    init_health(app)
    init_api(app)
    init_admin(app)
    init_portal(app)
    init_checkout(app)
    init_unsubscribe(app)
    init_cli(app)
    init_standby(app)  # last: it acts when the gates have let a request in
    check_rights(app)
    if "FLASK_RUN_FROM_CLI" in os.environ:  # only `flask db` needs Alembic; it would cost every web process 10 MB
        from flask_migrate import Migrate

        Migrate(app, database, directory=f"{app.root_path}/../migrations", compare_type=True)
    return app


def create_core(settings: config.Settings | None = None, **engine_options: Any) -> Flask:
    """Settings, database and domains without any door: what the jobs run in, small enough to be forked.

    `engine_options` go before the web's. Imports stand inside: `guitaronline.local`, which watches the processes, must
    stay small and quick to start."""
    from flask import Flask

    from guitaronline import clock, doorbell, policy
    from guitaronline.crash_reports import init_crash_reports
    from guitaronline.db import STANDBY, database, database_url, watch_connections

    settings = settings or config.load()
    app = Flask("guitaronline", root_path=None, template_folder="../templates")
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]  # none is async; Flask asks before each call
    app.config["SETTINGS"] = settings
    app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"] = settings.secrets_believed
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url(
        settings.DATABASE_URL or "postgresql://not-configured.invalid/none"
    )
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options or _pool_options(settings)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] |= _connection_options(settings)
    if settings.DATABASE_READ_URL:
        standby = {"url": database_url(settings.DATABASE_READ_URL), **app.config["SQLALCHEMY_ENGINE_OPTIONS"]}
        app.config["SQLALCHEMY_BINDS"] = {STANDBY: standby}
    policy.set_current(settings)
    init_crash_reports(settings)
    doorbell.install()
    if settings.is_production:
        clock.forbid_shifting()
    database.init_app(app)
    with app.app_context():
        for engine in database.engines.values():
            watch_connections(engine)
    from guitaronline import models  # noqa: F401  # every table is known before anything uses the metadata
    from guitaronline.teachers.service import init_teachers

    init_teachers()
    return app


def _pool_options(settings: config.Settings) -> dict[str, Any]:
    return {"pool_size": settings.DATABASE_POOL_SIZE, "max_overflow": 0}


def _connection_options(settings: config.Settings) -> dict[str, Any]:
    from guitaronline import watching

    limits = f"-c lock_timeout={settings.LOCK_TIMEOUT_MS} -c statement_timeout={settings.STATEMENT_TIMEOUT_MS}"
    arguments: dict[str, Any] = {
        "options": f"{limits} -c timezone=UTC",
        "application_name": "guitaronline",
        **PATIENCE,
    }
    if settings.SLOW_QUERY_MS:
        arguments["cursor_factory"] = watching.cursor_that_tells(settings.SLOW_QUERY_MS)
    return {
        "json_serializer": lambda value: json.dumps(value, default=str, allow_nan=False),
        "connect_args": arguments,
    }
