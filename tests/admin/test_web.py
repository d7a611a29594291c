"""What every answer has: a request id, security headers, and errors in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask, request

import config
from guitaronline import clock, create_app
from guitaronline.audit.models import AuditAction
from guitaronline.db import session
from guitaronline.web import safe_next
from tests.admin.browser import Browser, signed_in, words
from tests.world import World


@pytest.mark.parametrize("path", ["/", "/sign-in", "/admin/", "/nothing/here", "/api/v1/nothing", "/static/app.css"])
def test_every_answer_has_the_security_headers(app: Flask, path: str) -> None:
    headers = Browser(app).get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src ")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_a_usable_request_id_is_kept_and_stands_on_the_action(app: Flask, world: World) -> None:
    browser = signed_in(app, world.ada)
    opened = browser.get("/admin/plans/new").text
    typed = {"name": "Five", "lessons_total": "5", "amount": "49", "currency": "EUR"}
    from tests.admin.browser import hidden

    answer = browser.send(
        "POST", "/admin/plans/new", data={**hidden(opened), **typed}, headers={"X-Request-ID": "phone-call-17"}
    )

    session().rollback()
    stored = session().query(AuditAction).filter_by(name="plan.create").one()
    assert answer.headers["X-Request-ID"] == stored.request_id == "phone-call-17"


@pytest.mark.parametrize("given", ["", "x" * 65, "ünïcode-id", "a b c d e f g", "<script>alert(1)"])
def test_an_unusable_request_id_is_replaced(app: Flask, given: str) -> None:
    answer = Browser(app).get("/", headers={"X-Request-ID": given.encode().decode("latin-1")})

    assert len(answer.headers["X-Request-ID"]) == 32


def test_an_unknown_host_is_refused(app: Flask) -> None:
    answer = Browser(app).get("/", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert "evil.example" not in answer.text


def test_an_unknown_page_is_said_in_words_with_the_request_id(app: Flask) -> None:
    answer = Browser(app).get("/nothing/here")

    assert answer.status_code == 404
    assert "There is no such page" in words(answer.text)
    assert answer.headers["X-Request-ID"] in answer.text


def test_a_bug_is_said_in_words_and_never_shown(settings: config.Settings) -> None:
    broken = create_app(settings)
    broken.add_url_rule("/broken", "broken", lambda: 1 / 0)

    answer = Browser(broken).get("/broken")

    assert answer.status_code == 500
    assert "Nothing was changed" in words(answer.text)
    assert "ZeroDivisionError" not in answer.text


def test_a_method_that_a_page_does_not_know_is_refused_in_words(app: Flask) -> None:
    answer = Browser(app).send("PUT", "/sign-in")

    assert answer.status_code == 405
    assert "cannot be used that way" in words(answer.text)


def test_production_asks_for_encryption_for_a_year(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "forbid_shifting", lambda: None)  # the other tests of this process go on
    made = create_app(replace(settings, ENVIRONMENT="production", COOKIE_SECURE=True))

    answer = Browser(made).get("/sign-in", base_url="https://localhost")

    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert any(
        cookie.startswith("__Host-gol-form=") and "Secure" in cookie for cookie in answer.headers.getlist("Set-Cookie")
    )


@pytest.mark.parametrize(("count", "seen"), [(0, "127.0.0.1"), (1, "203.0.113.7")])
def test_forwarded_addresses_are_believed_from_our_proxies_only(
    settings: config.Settings, count: int, seen: str
) -> None:
    made = create_app(replace(settings, PROXY_COUNT=count))
    made.add_url_rule("/address", "address", lambda: request.remote_addr)

    answer = Browser(made).get("/address", headers={"X-Forwarded-For": "203.0.113.7"})

    assert answer.text == seen


@pytest.mark.parametrize(
    "target", ["//evil", "https://evil", "/\\evil", "\\\\evil", "javascript:x", "", None, "admin", "/a\nb", "/\t/evil"]
)
def test_only_paths_of_this_site_are_gone_on_to(target: str | None) -> None:
    assert safe_next(target, "/home") == "/home"


def test_a_path_of_this_site_is_gone_on_to() -> None:
    assert safe_next("/admin/bookings/?state=hold", "/home") == "/admin/bookings/?state=hold"
