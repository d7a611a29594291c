"""PostgreSQL and Valkey for one run: those the settings name, else embedded ones."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import config
from guitaronline.local import postgres, process, valkey
from guitaronline.local.errors import StartFailed
from guitaronline.local.folder import Folder, Secrets


@dataclass(frozen=True)
class Servers:
    """The servers of a run. `settings` has their addresses filled in; `children` are those we started and must end."""

    settings: config.Settings
    children: list[process.Child]

    def stop(self) -> None:
        """In reverse order of starting, so that PostgreSQL is the last to go."""
        for child in reversed(self.children):
            child.ask_to_stop()
            child.end(until=time.monotonic() + 15)


def start(
    settings: config.Settings,
    folder: Folder,
    secrets: Secrets,
    *,
    durable: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Servers:
    """Both servers answer. A server that the settings name is used as it is and never stopped."""
    servers = Servers(filled_in(settings), [])
    try:
        if not settings.DATABASE_URL:
            say("PostgreSQL" if folder.postgres.exists() else "PostgreSQL: making a new cluster")
            database = postgres.start(folder.postgres, folder.log("postgres"), secrets.database, durable=durable)
            servers.children.append(database.child)
            urls = (database.url(postgres.APPLICATION), database.url(postgres.OWNER))
            known = dataclasses.replace(servers.settings, DATABASE_URL=urls[0], DATABASE_OWNER_URL=urls[1])
            servers = dataclasses.replace(servers, settings=known)
        if not settings.REDIS_URL:
            say("Valkey")
            redis = valkey.start(folder.redis, folder.log("valkey"), secrets.REDIS_PASSWORD, durable=durable)
            servers.children.append(redis.child)
            known = dataclasses.replace(servers.settings, REDIS_URL=redis.url)
            servers = dataclasses.replace(servers, settings=known)
    except BaseException:  # Ctrl-C too: what has started must not stay behind
        servers.stop()
        raise
    return servers


def filled_in(settings: config.Settings) -> config.Settings:
    """Where only one address of an outside database is given, it migrates as well."""
    if settings.DATABASE_OWNER_URL and not settings.DATABASE_URL:
        raise StartFailed("DATABASE_OWNER_URL is set and DATABASE_URL is not: set both, or neither")
    return dataclasses.replace(settings, DATABASE_OWNER_URL=settings.DATABASE_OWNER_URL or settings.DATABASE_URL)
