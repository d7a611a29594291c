"""Everything about a person as one file: made by the job, taken once by who asked, written down."""

from __future__ import annotations

import io
import json
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.audit.models import AuditAction
from guitaronline.errors import NotAllowed
from guitaronline.office import export_runs
from guitaronline.office.export_models import Export, ExportStatus
from guitaronline.office.exports import effective_status
from guitaronline.privacy.giving import give_data
from guitaronline.privacy.refusals import PersonErased
from jobs.exports import make
from tests.admin.browser import Browser, hidden, signed_in
from tests.privacy.life import planted
from tests.privacy.test_erasing import WHY, erased
from tests.world import World, as_actor

THEIRS = ("Zebulon Quagga", "zq@zeb.example", "likes jazz a lot", "scales in thirds", "Quagga Alley 1", "Hello Zebulon")
SECRET = ("password_hash", "token_hash", "argon2", "totp_secret")
OTHERS = ("Tom", "tom@people.example", "sue@people.example", "Ben")


def asked(world: World) -> Export:
    return give_data(as_actor(world.ada), planted(world).id, zone="Europe/Berlin", reason=WHY)


def downloaded(browser: Browser, export: Export) -> Any:
    token = hidden(browser.get("/admin/exports/").text)
    return browser.send("POST", f"/admin/exports/{export.id}/download", data=token)


def test_the_file_has_all_of_theirs_no_secret_and_nobody_elses_name(app: Flask, world: World) -> None:
    export = asked(world)
    make()
    browser = signed_in(app, world.ada)

    answer = downloaded(browser, export)

    archive = ZipFile(io.BytesIO(answer.data))
    everything = "\n".join(archive.read(name).decode("utf-8-sig") for name in archive.namelist())
    assert answer.status_code == 200
    assert [words for words in THEIRS if words not in archive.read("index.html").decode()] == []
    assert [words for words in (*SECRET, *OTHERS) if words in everything] == []
    assert json.loads(archive.read("users.json"))[0]["phone"] == "+49 30 5550177"
    assert "5550177" in archive.read("users.csv").decode()


def test_it_is_taken_once_by_who_asked_for_it(app: Flask, world: World, db: Session) -> None:
    export = asked(world)
    make()
    other, owner = signed_in(app, world.person("Eda", world.ada.role)), signed_in(app, world.ada)

    codes = [downloaded(browser, export).status_code for browser in (other, owner, owner)]

    assert codes == [404, 200, 409]
    db.rollback()
    names = db.scalars(select(AuditAction.name).where(AuditAction.name.in_(["person.give_data", "export.download"])))
    assert sorted(names) == ["export.download", "person.give_data"]


def test_who_may_not_gets_no_file(world: World) -> None:
    for who in (world.sue, world.finn, world.audrey):
        with pytest.raises(NotAllowed):
            give_data(as_actor(who), world.ann.id, zone="UTC", reason=WHY)


def test_an_erasure_takes_the_file_back(world: World, db: Session) -> None:
    export = asked(world)
    make()
    person = world.again(planted_person(db))

    erased(world, person)

    found = world.again(export)
    assert effective_status(found, world.now) is ExportStatus.CANCELED
    assert export_runs.size_of(export.id) == 0
    with pytest.raises(PersonErased):
        give_data(as_actor(world.ada), person.id, zone="UTC", reason=WHY)


def planted_person(db: Session) -> object:
    from guitaronline.identity.models import User

    return db.scalars(select(User).where(User.email == "zq@zeb.example")).one()
