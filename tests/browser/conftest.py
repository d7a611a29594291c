"""People at browsers, in one school that all tests of this folder share: each test takes records that no other needs.

    def test_something(visit):
        support = visit("support", phone=True)      # signed in; laptop and light unless told otherwise
        support.open("/admin/bookings/")            # `support.page` is Playwright's page

What a browser complains about fails the test: console messages, refused policies, other hosts, failed requests, answers of
400 and above that are not in `visitor.expected`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser import chromium
from tests.browser.school import DemoSchool, demo_school
from tests.browser.visitor import PATIENCE_MS, Visitor, a_browser, context_of, sign_in

collect_ignore_glob = [] if chromium.find() else ["test_*.py"]  # the run's last lines say so

STUDENTS = 28  # enough for a record of every kind

expect.set_options(timeout=PATIENCE_MS)

Visit = Callable[..., Visitor]


@pytest.fixture(scope="package")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSchool]:
    with demo_school(tmp_path_factory.mktemp("browser"), students=STUDENTS) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Gone with this folder: while it lives, no other event loop runs in this process."""
    with a_browser() as started:
        yield started


@pytest.fixture(scope="package")
def cookies(school: DemoSchool, browser: Browser) -> Callable[[str], object]:
    """The cookies of somebody of that role, who has signed in once for all tests."""
    known: dict[str, object] = {}

    def of(role: str) -> object:
        if role not in known:
            context = context_of(browser, school.url)
            sign_in(Visitor(context, school.url), role)
            known[role] = context.storage_state()
            context.close()
        return known[role]

    return of


@pytest.fixture
def visit(school: DemoSchool, browser: Browser, cookies: Callable[[str], object]) -> Iterator[Visit]:
    """Somebody comes: `visit("admin")`, `visit("support", phone=True)`, `visit()` for a stranger. Nobody may complain."""
    open_: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def comes(role: str | None = None, *, phone: bool = False, dark: bool = False) -> Visitor:
        signed_in = cookies(role) if role else None
        open_.append(context_of(browser, school.url, phone=phone, dark=dark, cookies=signed_in))
        visitors.append(Visitor(open_[-1], school.url))
        return visitors[-1]

    yield comes
    for context in open_:
        context.close()
    assert [complaint for each in visitors for complaint in each.complaints] == []
