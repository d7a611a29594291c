"""The page that says who works here and what each role may do."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask

from guitaronline import clock
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.admin import gate
from guitaronline.identity import access
from guitaronline.identity.access import KEY_SCOPES, TABLE, Permission, Scope
from guitaronline.identity.service import deactivate_person, set_up_totp
from tests.admin.browser import Browser, signed_in, words
from tests.world import World, as_actor

WORD = {Scope.NO: "–", Scope.OWN: "own", Scope.ANY: "yes"}
ROW = re.compile(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', re.S)


def test_the_matrix_is_the_permission_table(ada: Browser) -> None:
    page = ada.get("/admin/roles/").text

    shown = {unescape(name): words(cells).split() for name, cells in ROW.findall(page)}

    assert shown == {each.value: [WORD[reach] for reach in row.values()] for each, row in TABLE.items()}


def test_the_page_says_what_each_scope_of_a_service_key_opens(ada: Browser) -> None:
    page = words(ada.get("/admin/roles/").text)

    assert [scope for scope, given in KEY_SCOPES.items() if f"{scope} {', '.join(sorted(given))}" not in page] == []


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE, Role.AUDITOR, Role.ADMIN])
def test_a_roles_page_lists_what_the_gate_opens_to_it(app: Flask, ada: Browser, role: Role) -> None:
    page = ada.get(f"/admin/roles/?role={role}").text
    listed = {unescape(path) for path in re.findall(r"<code>(/admin[^<]*)</code>", page)}

    assert listed == {
        rule.rule.replace("<uuid:id>", "…")
        for rule in app.url_map.iter_rules()
        if rule.endpoint in gate.console_endpoints(app)
        and "GET" in (rule.methods or ())
        and not rule.endpoint.endswith(".details_view")
        and _may(role, gate.permission_of(app, rule.endpoint))
    }


def _may(role: Role, permission: Permission | None) -> bool:
    assert permission
    return access.may(Actor(None, role), permission, own=permission is Permission.OWN_PROFILE)


def test_a_student_finds_nothing_in_the_console(ada: Browser) -> None:
    page = words(ada.get("/admin/roles/?role=student").text)

    assert "This role uses the app" in page
    assert "hold and confirm a booking one's own only" in page


@pytest.mark.parametrize("role", ["owner", "system", "anonymous", "", "%00", "x" * 5000])
def test_an_unknown_role_is_said_in_words(ada: Browser, role: str) -> None:
    answer = ada.get(f"/admin/roles/?role={role}")

    assert answer.status_code == 404
    assert "no such role" in words(answer.text)


def test_staff_stand_there_with_standing_second_factor_and_last_sign_in(app: Flask, world: World) -> None:
    with clock.moved_by(timedelta(hours=-2)):
        signed_in(app, world.sue)
    set_up_totp(SYSTEM, world.finn.id)
    deactivate_person(as_actor(world.ada), world.audrey.id, reason="left")
    assert world.ann

    page = signed_in(app, world.ada).get("/admin/roles/").text
    rows = {row.split()[0]: row for row in (words(each) for each in re.findall(r"<tr>(.*?)</tr>", page, re.S)) if row}

    assert "deactivated no not in the last weeks" in rows["Audrey"]
    assert "active yes not in the last weeks" in rows["Finn"]
    assert "UTC" in rows["Sue"]
    assert "Ann" not in rows


def test_nobody_changes_their_own_role_there(app: Flask, ada: Browser, world: World) -> None:
    assert world.sue

    page = ada.get("/admin/roles/").text

    assert f"/admin/people/{world.sue.id}/role" in page
    assert f"/admin/people/{world.ada.id}/role" not in page
