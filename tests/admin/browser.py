"""A browser in the hand of a test: signs in, follows links, fills in forms as a person does."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextvars import Context
from datetime import timedelta
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.db import new_id, technical_transaction
from guitaronline.identity.models import ConsoleSession, User
from guitaronline.identity.service import set_password
from tests.world import PASSWORD

HIDDEN = re.compile(
    r'<input[^>]*name="(csrf_token|key|version|record_type|record_id|chosen|digest|seen)"[^>]*value="([^"]*)"'
)
LINK = re.compile(r'href="(/[^"]*)"')


class Browser:
    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, url: str, **more: Any) -> TestResponse:
        return self.send("GET", url, **more)

    def send(self, method: str, url: str, **more: Any) -> TestResponse:
        """In a context of its own: inside the test's application context all requests would share `g`."""
        answer: TestResponse = Context().run(self.client.open, url, method=method, **more)
        answer.get_data()
        answer.close()  # a static file is still open
        return answer

    def post(self, url: str, typed: dict[str, Any], *, opened: str | None = None) -> TestResponse:
        """Open the page (or take `opened`, a page opened before), type, send."""
        page = opened if opened is not None else self.get(url).text
        return self.send("POST", url, data={**hidden(page), **typed})

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
        return self.post("/sign-in", {"email": email, "password": password, **more})


def signed_in(app: Flask, person: User) -> Browser:
    """A browser in which the person has signed in. By which page and password is what other tests are about."""
    token = secrets.token_urlsafe(16)
    with technical_transaction() as session:
        now = clock.read(session)
        ends = now + timedelta(hours=policy.current().SESSION_MAX_HOURS)
        known = hashlib.sha256(token.encode()).digest()
        moments = {"created_at": now, "last_seen_at": now, "expires_at": ends}
        session.add(ConsoleSession(id=new_id(), user_id=person.id, token_hash=known, **moments))
    browser = Browser(app)
    browser.client.set_cookie("gol", token)
    return browser


def signed_in_by_password(app: Flask, person: User) -> Browser:
    """The same through the page, for what asks for the password again."""
    set_password(SYSTEM, person.id, password=PASSWORD)
    browser = Browser(app)
    assert browser.sign_in(person.email or "").status_code == 303
    return browser


def hidden(page: str) -> dict[str, str]:
    """The values that a form carries without being asked."""
    found = {name: unescape(value) for name, value in HIDDEN.findall(page)}
    again = re.search(r'name="csrf_token"[^>]*value="([^"]*)"', page)
    return found | ({"csrf_token": unescape(again[1])} if again else {})


def links(page: str) -> list[str]:
    """Addresses of the console that the page leads to."""
    return [unescape(url) for url in LINK.findall(page) if url.startswith("/admin")]


def words(page: str) -> str:
    """The page as it is read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
