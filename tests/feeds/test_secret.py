"""Who has the link reads; nobody else, and the link stands nowhere but with its owner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import checks, logs
from guitaronline.booking import feeds
from guitaronline.booking.feed_models import CalendarFeed
from guitaronline.errors import NotAllowed
from tests.api.conftest import Api, api, components, documented
from tests.concurrency import at_once
from tests.world import World, as_actor

__all__ = ["api", "components", "documented"]  # fixtures of another folder


@pytest.fixture
def talkative() -> Iterator[None]:
    logs.configure("debug")
    yield
    logs.configure("error")


def path_of(url: str) -> str:
    return url.partition("/api/v1")[2]


def made(api: Api, who: Any) -> str:
    answer = api.post("/calendar/secret", {}, who)
    assert answer.status == 201
    return str(answer.json["url"])


def test_the_link_answers_with_a_calendar_to_anybody_who_has_it(api: Api, world: World) -> None:
    world.package()
    booking = world.booking()

    url = made(api, world.ann)
    answer = api.get(path_of(url))

    assert url.startswith("http://127.0.0.1:8000/api/v1/calendar/gol_cf_")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["Cache-Control"].startswith("private")
    assert f"UID:{booking.id}" in answer.text


def test_who_has_seen_it_is_told_so_in_few_bytes(api: Api, world: World) -> None:
    url = made(api, world.ann)
    first = api.get(path_of(url))

    again = api.get(path_of(url), headers={"If-None-Match": first.headers["ETag"]})
    world.package()
    world.booking()
    changed = api.get(path_of(url), headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
    assert changed.status == 200


def test_a_new_link_ends_the_old_one(api: Api, world: World) -> None:
    old, new = made(api, world.ann), made(api, world.ann)

    assert [api.get(path_of(each)).status for each in (old, new)] == [404, 200]


def test_a_revoked_link_is_as_one_that_never_was(api: Api, world: World) -> None:
    url = made(api, world.ann)
    feeds.revoke_feed(as_actor(world.sue), world.ann.id, reason="lost phone")
    feeds.revoke_feed(as_actor(world.sue), world.ann.id, reason="lost phone")

    answer = api.get(path_of(url))

    assert (answer.status, answer.code) == (404, "not_found")
    assert answer.text.replace(answer.json["request_id"], "") == _unknown(api)


def _unknown(api: Api) -> str:
    answer = api.get("/calendar/gol_cf_never.ics")
    return answer.text.replace(answer.json["request_id"], "")


@pytest.mark.parametrize("secret", ["x", "%00", "%ED%A0%80", "..", "a" * 3000, "%F0%9F%8E%B8", "gol_cf_"])
def test_what_is_no_secret_is_not_found(api: Api, secret: str) -> None:
    assert api.get(f"/calendar/{secret}.ics", documented=False).status == 404


def test_only_staff_end_the_feed_of_another(db: Session, world: World) -> None:
    feeds.new_feed(as_actor(world.ann))
    feeds.new_feed(as_actor(world.finn))

    for actor in (world.ben, world.tom, world.finn):
        with pytest.raises(NotAllowed):
            feeds.revoke_feed(as_actor(actor), world.ann.id, reason="curious")
    with pytest.raises(NotAllowed):
        feeds.revoke_feed(as_actor(world.sue), world.finn.id, reason="curious")

    assert db.scalar(select(func.count()).where(CalendarFeed.revoked_at.is_(None))) == 2


def test_the_secret_stands_in_no_log_and_in_no_table(
    api: Api, db: Session, world: World, owner: Connection, talkative: None, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = path_of(made(api, world.ann)).removeprefix("/calendar/").removesuffix(".ics")
    api.get(f"/calendar/{secret}.ics")
    api.get(f"/calendar/{secret}x.ics")
    said = capsys.readouterr().out

    assert '"route": "/api/v1/calendar/<secret>.ics"' in said
    assert secret not in said
    assert secret not in _everything(owner)
    assert sha256(secret.encode()).hexdigest() not in _audit(owner)
    assert checks.run_all(db) == []


def _everything(owner: Connection) -> str:
    tables = _rows(owner, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return json.dumps([_rows(owner, f'SELECT to_jsonb(t)::text FROM "{name}" t') for [name] in tables])


def _audit(owner: Connection) -> str:
    return json.dumps(_rows(owner, "SELECT before::text, after::text FROM audit_changes"))


def _rows(owner: Connection, sql: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_two_new_links_at_once_leave_one_that_works(app: Flask, db: Session, world: World) -> None:
    ann = as_actor(world.ann)
    db.rollback()

    urls = at_once(app, *[lambda: feeds.new_feed(ann)] * 4)

    assert len(set(urls)) == 4
    assert db.scalar(select(func.count()).where(CalendarFeed.revoked_at.is_(None))) == 1
