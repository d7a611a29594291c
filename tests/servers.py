"""PostgreSQL and Valkey for the tests: one pair of embedded servers a run, one database and one Redis number a process.

How `tests/conftest.py` uses it:

    def pytest_configure(config):        # runs in the controller before xdist starts its workers
        servers.start_shared()           # starts them and migrates TEMPLATE once; workers find them in the environment

    def pytest_unconfigure(config):
        servers.stop_shared()            # does nothing in a worker

    # in a session fixture, in every process:
    mine = servers.start_shared().for_worker(os.environ.get("PYTEST_XDIST_WORKER", "main"))
    mine.owner_url, mine.app_url, mine.redis_url      # a database of its own, copied from TEMPLATE

`create_database(name, template=TEMPLATE)` makes further ones (a copy takes about 0.1 s; nobody may be connected to the
template), `template="template0"` an empty one, for tests of the migrations; `drop_database(name)` removes one.

The servers keep nothing (no fsync) and end with the process that started them, also when that is killed.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace

import config
from guitaronline.local import postgres, schema, supervisor, throwaway

TEMPLATE = "guitaronline_template"
VARIABLES = {
    "owner_url": "TEST_SERVERS_OWNER_URL",
    "app_url": "TEST_SERVERS_APP_URL",
    "redis_url": "TEST_SERVERS_REDIS_URL",
}

running = ExitStack()  # what this process started


@dataclass(frozen=True)
class Servers:
    owner_url: str
    app_url: str
    redis_url: str

    def database(self, name: str) -> Servers:
        """The same servers, another database."""
        return replace(self, owner_url=with_database(self.owner_url, name), app_url=with_database(self.app_url, name))

    def for_worker(self, worker: str) -> Servers:
        """A fresh copy of the template and a Redis number for one xdist worker (`gw0`, `gw1`, … or `main`)."""
        number = 1 + int(re.sub(r"\D", "", worker) or 0)
        name = f"guitaronline_{worker}"
        drop_database(name)
        create_database(name)
        return replace(self.database(name), redis_url=re.sub(r"/\d+$", f"/{number}", self.redis_url))


def start_shared() -> Servers:
    """The servers of this test run: those of the controller, else started here, with the migrated template."""
    if all(name in os.environ for name in VARIABLES.values()):
        return Servers(**{field: os.environ[name] for field, name in VARIABLES.items()})
    settings, place = running.enter_context(throwaway.running(config.load({"ENVIRONMENT": "test"})))
    servers = Servers(settings.DATABASE_OWNER_URL, settings.DATABASE_URL, settings.REDIS_URL)
    running.callback(forget)
    os.environ.update({name: getattr(servers, field) for field, name in VARIABLES.items()})
    create_database(TEMPLATE, template="template0")
    template = servers.database(TEMPLATE)
    settings = replace(settings, DATABASE_OWNER_URL=template.owner_url, DATABASE_URL=template.app_url)
    supervisor.upgrade(place, supervisor.environment_of(settings))
    return servers


def stop_shared() -> None:
    """The servers are gone, if it was this process that started them."""
    running.close()


def forget() -> None:
    for name in VARIABLES.values():
        os.environ.pop(name, None)


def create_database(name: str, template: str = TEMPLATE) -> Servers:
    """A database of that name exists, a copy of `template`; returns its addresses."""
    servers = start_shared()
    connection = schema.connect(with_database(servers.owner_url, "postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            postgres.create_database(cursor, name, template)
    finally:
        connection.close()
    return servers.database(name)


def drop_database(name: str) -> None:
    """There is no database of that name; who was connected to it is not any more."""
    connection = schema.connect(with_database(start_shared().owner_url, "postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        connection.close()


def with_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"
