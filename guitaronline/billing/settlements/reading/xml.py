"""XML from outside, piece by piece and in bounded memory: no document types, no entities, nothing from other places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from xml.sax import ContentHandler, SAXParseException

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from guitaronline.billing.settlements.reading.problems import Problems
from guitaronline.billing.settlements.reading.texts import Source

CHUNK_BYTES = 65_536
DEEPEST = 64
LONGEST_TEXT = 100_000  # characters in one element
MOST_NODES = 400_000  # of one piece: a batch of ten thousand payments has half of that
HEAD = 2


class Node:
    """An element by its local name, with its text and where it begins."""

    __slots__ = ("attributes", "children", "line", "name", "texts")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name, self.attributes, self.line = name, attributes, line
        self.texts: list[str] = []
        self.children: list[Node] = []

    @property
    def text(self) -> str:
        return "".join(self.texts).strip()

    def all(self, path: str) -> list[Node]:
        """Elements below, by names with `/` between."""
        found = [self]
        for name in path.split("/"):
            found = [child for each in found for child in each.children if child.name == name]
        return found

    def first(self, *paths: str) -> Node | None:
        """The first element of the first path that leads anywhere."""
        return next((found[0] for found in map(self.all, paths) if found), None)

    def said(self, *paths: str) -> str:
        """Its text; empty where there is none."""
        found = self.first(*paths)
        return found.text if found else ""


class _TooMuch(Exception):
    pass


class _Pieces(ContentHandler):
    """Builds the children of `parent` that are `wanted`, and forgets the others."""

    def __init__(self, parent: str, wanted: frozenset[str], line: Callable[[], int]) -> None:
        super().__init__()
        self.parent, self.wanted = parent, wanted
        self.line = line
        self.path: list[str] = []
        self.open: list[Node] = []
        self.ready: list[Node] = []
        self.length = self.size = 0

    def startElementNS(self, name: tuple[str | None, str], qname: str | None, attrs: Any) -> None:
        uri, local = name
        parent = self.path[-1] if self.path else ""
        self.path.append(local)
        self.length = 0
        if len(self.path) > DEEPEST:
            raise _TooMuch(f"Elements stand inside each other more than {DEEPEST} deep.")
        if len(self.path) <= HEAD:
            self.ready.append(Node(local, {"namespace": uri or ""}, self.line()))
        if self.open or (parent == self.parent and local in self.wanted):
            self._begin(local, attrs)

    def _begin(self, local: str, attrs: Any) -> None:
        given = {key[1]: value for key, value in attrs.items()} if len(attrs) else {}
        node = Node(local, given, self.line())
        if self.open:
            self.open[-1].children.append(node)
        self.open.append(node)
        self.size = self.size + 1 if len(self.open) > 1 else 1
        if self.size > MOST_NODES:
            raise _TooMuch(f"An entry has more than {MOST_NODES:,} elements.")

    def characters(self, content: str) -> None:
        self.length += len(content)
        if self.length > LONGEST_TEXT:
            raise _TooMuch(f"An element has more than {LONGEST_TEXT:,} characters.")
        if self.open:
            self.open[-1].texts.append(content)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:
        self.path.pop()
        if self.open:
            node = self.open.pop()
            if not self.open:
                self.ready.append(node)
        elif name[1] == self.parent:
            self.ready.append(Node(f"/{self.parent}", {}, self.line()))


def pieces(source: Source, problems: Problems, parent: str, wanted: frozenset[str]) -> Iterator[Node]:
    """The two outermost elements (without children), then each wanted child of a `parent` when it is whole, and `/parent` when
    that ends. Raises Unreadable."""
    parser = DefusedExpatParser(forbid_dtd=True)
    handler = _Pieces(parent, wanted, parser.getLineNumber)
    parser.setFeature("http://xml.org/sax/features/namespaces", True)
    parser.setContentHandler(handler)
    with source.open() as raw:
        first = raw.read(CHUNK_BYTES)
        if not first.strip():
            raise problems.stop("The file is empty.")
        chunk = first
        while True:
            try:
                parser.feed(chunk) if chunk else parser.close()
            except DefusedXmlException:
                raise problems.stop(
                    "The file declares a document type or entities; bank statements have none. It was not read.",
                    line=parser.getLineNumber(),
                ) from None
            except SAXParseException as error:
                raise problems.stop(_broken(error), line=error.getLineNumber()) from None
            except _TooMuch as error:
                raise problems.stop(str(error), line=parser.getLineNumber()) from None
            yield from handler.ready
            handler.ready.clear()
            if not chunk:
                return
            chunk = raw.read(CHUNK_BYTES)


def _broken(error: SAXParseException) -> str:
    words = error.getMessage()
    if "no element found" in words or "unclosed" in words:
        return "The file ends in the middle: it is cut off."
    return f"This is not well-formed XML ({words}, column {error.getColumnNumber()})."
