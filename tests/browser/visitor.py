"""Somebody at a browser: opens pages, and remembers everything that the browser complained about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    sync_playwright,
)

from guitaronline.actor import Role
from guitaronline.demo import cast
from guitaronline.demo.founding import teacher_email
from tests.browser import chromium

LAPTOP = {"width": 1366, "height": 850}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 20_000  # other tests use the machine
TEACHER = cast.Login(
    Role.TEACHER, cast.TEACHERS[0].full_name, teacher_email(cast.TEACHERS[0].full_name), cast.TEACHER_PASSWORD
)
LOGINS = {login.role.value: login for login in (TEACHER, *reversed(cast.STAFF))}  # the first of each role
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Visitor:
    """One tab. `expected` are the refusals that a test asks for; every other one is a complaint."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.expected: set[int] = set()
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._asked)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def open(self, path: str) -> Response:
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    @property
    def main(self) -> Locator:
        """What the page is about: all but navigation and top bar."""
        return self.page.locator("main")

    @property
    def heading(self) -> Locator:
        return self.page.locator("h1")

    def rows(self) -> Locator:
        return self.main.locator("tbody tr")

    def sideways(self) -> int:
        """By how many pixels the whole page can be moved sideways."""
        return int(self.page.evaluate(SIDEWAYS))

    def _heard(self, message: ConsoleMessage) -> None:
        if not message.text.startswith("Failed to load resource"):  # the answer itself is looked at below
            self.complaints.append(f"console: {message.text} at {self.page.url}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url + "/", "data:", "blob:")):
            self.complaints.append(f"another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a download, or the page was left before all of it had come
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.complaints.append(f"{response.status}: {response.request.method} {response.url}")


def sign_in(visitor: Visitor, role: str) -> None:
    """Through the page, as everybody does."""
    visitor.open("/sign-in")
    fill_in_sign_in(visitor, role)
    visitor.page.wait_for_url(re.compile(r"/(admin|teacher)/$"))


def fill_in_sign_in(visitor: Visitor, role: str) -> None:
    """What the page asks for was typed and sent."""
    login = LOGINS[role]
    visitor.page.get_by_label("E-mail").fill(login.email)
    visitor.page.get_by_label("Password").fill(login.password)
    visitor.page.get_by_role("button", name="Sign in").click()


def context_of(
    browser: Browser, url: str, *, phone: bool = False, dark: bool = False, cookies: object = None
) -> BrowserContext:
    context = browser.new_context(
        base_url=url,
        viewport=PHONE if phone else LAPTOP,
        has_touch=phone,
        is_mobile=phone,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="Europe/Berlin",
        storage_state=cookies,  # type: ignore[arg-type]
    )
    context.set_default_timeout(PATIENCE_MS)
    return context


@contextmanager
def a_browser() -> Iterator[Browser]:
    path = chromium.find()
    assert path is not None, chromium.HOW
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS, chromium_sandbox=None)
        yield browser
        browser.close()
