"""Which pages the console has: found by following its own links, so that a new desk is looked at without being listed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urldefrag, urljoin, urlsplit

from playwright.sync_api import APIRequestContext

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LINK = re.compile(r'<a\b[^>]*\bhref="([^"]+)"')
OF_A_KIND = 2  # pages of one kind that are read for links to further kinds; the first of them stands for its kind
FILES = (".pdf", ".csv")  # answers that are no pages
ALONE = ("/", "/sign-in", "/forgot", "/reset/gone", "/admin/no-such-page")  # what no link of the console leads to


@dataclass
class Found:
    """One address of each kind of page; a list, a record, a command are kinds, whichever record they are about."""

    waiting: list[str] = field(default_factory=lambda: ["/admin/"])
    seen: dict[str, list[str]] = field(default_factory=dict)  # kind → addresses read

    def follow(self, request: APIRequestContext) -> None:
        """Every page that the links of `/admin/` lead to, kind by kind, is found."""
        while self.waiting:
            for path in self.links_of(request, self.waiting.pop(0)):
                of_a_kind = self.seen.setdefault(kind(path), [])
                if path not in of_a_kind and len(of_a_kind) < OF_A_KIND:
                    of_a_kind.append(path)
                    self.waiting.append(path)

    def links_of(self, request: APIRequestContext, path: str) -> Iterator[str]:
        answer = request.get(path)
        if "text/html" in answer.headers.get("content-type", ""):
            for link in LINK.findall(answer.text()):
                url = urldefrag(urljoin(path, unescape(link))).url
                if url.startswith("/admin/") and not urlsplit(url).path.endswith(FILES):
                    yield url
        answer.dispose()


def every_page(request: APIRequestContext) -> list[str]:
    """An address of each kind of page that this person's links lead to, and those that no link leads to."""
    found = Found()
    found.follow(request)
    return [*ALONE, *(addresses[0] for addresses in found.seen.values())]


def kind(path: str) -> str:
    """The address without what tells records and selections apart."""
    return UUID.sub("…", urlsplit(path).path)
