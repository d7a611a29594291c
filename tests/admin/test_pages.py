"""What every page of the console keeps: it changes nothing by being read, and a strict browser finds nothing to refuse."""

from __future__ import annotations

import re

from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from guitaronline.db import Base, session
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School

INLINE = re.compile(r"\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:|<script(?![^>]*\snonce=)", re.IGNORECASE)
TECHNICAL = {"console_sessions", "failed_logins", "contact_readings"}  # that contacts were read is written down
MOST = 250  # pages of one crawl


LOADED = re.compile(r'(?:src|<link[^>]*href|action)="(?:https?:)?//')
READABLE = ('<html lang="en"', "<main ", 'class="skip"', "<title>", 'aria-label="Breadcrumbs"')


def test_reading_every_page_changes_no_business_row_and_a_strict_browser_refuses_nothing(
    app: Flask, school: School
) -> None:
    assert school.everything()
    browser = signed_in(app, school.world.ada)
    before = fingerprint()

    pages = crawl(browser)

    assert len(pages) > 80
    assert {url: page.status_code for url, page in pages.items() if page.status_code != 200} == {}
    assert {url: wrong for url, page in pages.items() if (wrong := wrong_with(page))} == {}
    assert len({nonce_of(page) for page in pages.values()}) == len(pages)
    assert fingerprint() == before


def wrong_with(page: TestResponse) -> list[str]:
    """What a strict browser, a screen reader or a person without a network would miss."""
    text = page.text
    labels, ids = re.findall(r'<label[^>]*for="([^"]+)"', text), re.findall(r'\sid="([^"]+)"', text)
    found = {
        "inline script, style or handler": bool(INLINE.search(text)),
        "loads from another host": bool(LOADED.search(text)),
        "weak policy": not page.headers["Content-Security-Policy"].startswith(
            "default-src 'self'; script-src 'self' 'nonce-"
        ),
        "scripts without the policy's nonce": text.count(f'nonce="{nonce_of(page)}"') != text.count("<script"),
        "headings": text.count("<h1") != 1,
        "labels of nothing": not set(labels) <= set(ids),
        "ids used twice": len(ids) != len(set(ids)),
    }
    return [name for name, wrong in found.items() if wrong] + [mark for mark in READABLE if mark not in text]


def nonce_of(page: TestResponse) -> str:
    found = re.search(r"'nonce-([^']+)'", page.headers["Content-Security-Policy"])
    return found[1] if found else ""


def crawl(browser: Browser) -> dict[str, TestResponse]:
    """Every page that is reached by links, one of each kind of address."""
    seen: dict[str, TestResponse] = {}
    kinds: set[str] = set()
    waiting = ["/admin/"]
    while waiting and len(seen) < MOST:
        url = waiting.pop()
        kind = re.sub(r"[0-9a-f-]{36}|=[^&]*", "*", url)
        if kind not in kinds:
            kinds.add(kind)
            page = browser.get(url)
            if page.mimetype == "text/html" or page.status_code != 200:  # a paper to print is no page
                seen[url] = page
                waiting += links(page.text)
    return seen


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
    rows = {
        name: session().scalar(text(f"SELECT count(*) || ':' || coalesce(max(xmin::text::bigint), 0) FROM {name}"))
        for name in tables
    }
    session().rollback()
    return rows
