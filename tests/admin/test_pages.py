"""What every page of the console keeps: it changes nothing by being read, and a strict browser finds nothing to refuse."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from guitaronline.db import Base, session
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School

INLINE = re.compile(r"\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:|<script(?![^>]*\snonce=)", re.IGNORECASE)
TECHNICAL = {"console_sessions", "failed_logins"}
MOST = 250  # pages of one crawl


@pytest.fixture
def crawled(app: Flask, school: School) -> dict[str, TestResponse]:
    """Every page that an admin reaches by links, once for each kind of address."""
    browser = signed_in(app, school.world.ada)
    return crawl(browser)


def crawl(browser: Browser) -> dict[str, TestResponse]:
    seen: dict[str, TestResponse] = {}
    kinds: set[str] = set()
    waiting = ["/admin/"]
    while waiting and len(seen) < MOST:
        url = waiting.pop()
        kind = re.sub(r"[0-9a-f-]{36}|=[^&]*", "*", url)
        if kind not in kinds:
            kinds.add(kind)
            seen[url] = browser.get(url)
            waiting += links(seen[url].text)
    return seen


def test_reading_every_page_changes_no_business_row(app: Flask, school: School) -> None:
    browser = signed_in(app, school.world.ada)
    before = fingerprint()

    pages = crawl(browser)

    assert {url: page.status_code for url, page in pages.items() if page.status_code != 200} == {}
    assert len(pages) > 80
    assert fingerprint() == before


def test_no_page_has_inline_scripts_styles_or_handlers(crawled: dict[str, TestResponse]) -> None:
    assert [url for url, page in crawled.items() if INLINE.search(page.text)] == []


def test_every_page_has_the_strict_policy_with_its_own_nonce(crawled: dict[str, TestResponse]) -> None:
    policies = [page.headers["Content-Security-Policy"] for page in crawled.values()]
    nonces = [re.search(r"'nonce-([^']+)'", policy)[1] for policy in policies]  # type: ignore[index]

    assert all(policy.startswith("default-src 'self'; script-src 'self' 'nonce-") for policy in policies)
    assert all(f'nonce="{nonce}"' in page.text for nonce, page in zip(nonces, crawled.values(), strict=True))
    assert len(set(nonces)) == len(nonces)


def test_every_page_can_be_read_by_everybody(crawled: dict[str, TestResponse]) -> None:
    marks = ('<html lang="en"', "<main ", 'class="skip"', "<title>", 'aria-label="Breadcrumbs"')

    missing = {url: [mark for mark in marks if mark not in page.text] for url, page in crawled.items()}
    headings = {url: page.text.count("<h1") for url, page in crawled.items()}

    assert {url: each for url, each in missing.items() if each} == {}
    assert {url: each for url, each in headings.items() if each != 1} == {}


def test_no_page_loads_anything_from_another_host(crawled: dict[str, TestResponse]) -> None:
    loaded = re.compile(r'(?:src|<link[^>]*href|action)="(?:https?:)?//')

    assert [url for url, page in crawled.items() if loaded.search(page.text)] == []


def test_labels_belong_to_their_fields(crawled: dict[str, TestResponse]) -> None:
    lost = {
        url: set(re.findall(r'<label[^>]*for="([^"]+)"', page.text)) - set(re.findall(r'\sid="([^"]+)"', page.text))
        for url, page in crawled.items()
    }

    assert {url: each for url, each in lost.items() if each} == {}


def test_every_style_and_script_is_served_by_us(app: Flask) -> None:
    browser = Browser(app)
    files = re.findall(r'(?:href|src)="(/static/[^"#]+)', browser.get("/").text)

    assert len(files) >= 5
    assert {browser.get(each).status_code for each in files} == {200}


def test_the_vendored_style_has_no_data_addresses(app: Flask) -> None:
    style = Browser(app).get("/static/vendor/tabler/tabler.min.css").text

    assert "url(data:" not in style
    assert 'url("data:' not in style


def test_the_root_says_what_this_is_to_strangers(app: Flask) -> None:
    page = Browser(app).get("/")

    assert page.status_code == 200
    assert "sign in" in words(page.text)


def fingerprint() -> dict[str, int]:
    """How many rows each table has, and how often its rows were written."""
    session().rollback()
    tables = [table.name for table in Base.metadata.sorted_tables if table.name not in TECHNICAL]
    rows = {name: session().scalar(text(f"SELECT count(*) || ':' || coalesce(max(xmin::text::bigint), 0) FROM {name}")) for name in tables}
    session().rollback()
    return rows
