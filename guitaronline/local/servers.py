"""PostgreSQL and Valkey for one run: those that the settings name, else embedded ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import config
from guitaronline.local import postgres, process, valkey
from guitaronline.local.errors import StartFailed
from guitaronline.local.folder import Folder, Secrets

PATIENCE_SECONDS = 15.0  # for a checkpoint


def start(
    settings: config.Settings,
    place: Folder,
    secrets: Secrets,
    started: list[process.Child],
    *,
    durable: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> config.Settings:
    """Both servers answer; returns the settings with their addresses. Those we start, and must stop, are added to `started`."""
    if settings.DATABASE_OWNER_URL and not settings.DATABASE_URL:
        raise StartFailed("DATABASE_OWNER_URL is set and DATABASE_URL is not: set both, or neither")
    if not settings.DATABASE_URL:
        say("PostgreSQL" if place.postgres.exists() else "PostgreSQL, a new cluster")
        database = postgres.start(place.postgres, place.log("postgres"), secrets.database, durable=durable)
        started.append(database.child)
        app_url, owner_url = database.url(postgres.APPLICATION), database.url(postgres.OWNER)
        settings = replace(settings, DATABASE_URL=app_url, DATABASE_OWNER_URL=owner_url)
    if not settings.REDIS_URL:
        say("Valkey")
        redis = valkey.start(place.redis, place.log("valkey"), secrets.REDIS_PASSWORD, durable=durable)
        started.append(redis.child)
        settings = replace(settings, REDIS_URL=redis.url)
    return replace(settings, DATABASE_OWNER_URL=settings.DATABASE_OWNER_URL or settings.DATABASE_URL)


def stop(started: list[process.Child]) -> None:
    """In reverse order of starting, so that PostgreSQL is the last to go."""
    for child in reversed(started):
        child.ask_to_stop()
        child.end(until=time.monotonic() + PATIENCE_SECONDS)
