"""Bytes → text, line by line and in bounded memory. Whatever cannot be read is named by its line."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from guitaronline.billing.settlements.reading.problems import Problems, Unreadable

LONGEST_LINE = 1_000_000  # characters; nothing honest is longer
MARKS = (  # the longer ones first: the mark of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NAMES = {
    "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
}  # fmt: skip


class Source(Protocol):
    """The original; may be opened several times."""

    def open(self) -> BinaryIO: ...


class Text:
    """The lines of a file. `encoding` is what is expected; a mark at the beginning of the file knows better."""

    def __init__(self, source: Source, problems: Problems, encoding: str = "utf-8") -> None:
        self.source, self.problems = source, problems
        self.encoding = encoding_of(source, problems, encoding)
        self.line_no = 0
        self.ends_with_newline = True

    def __iter__(self) -> Iterator[str]:
        """Lines with their ends. Raises Unreadable."""
        text = io.TextIOWrapper(self.source.open(), encoding=self.encoding, errors="strict", newline="")
        try:
            while line := text.readline(LONGEST_LINE):
                self.line_no += 1
                if "\0" in line:
                    raise self.problems.stop("The line has NUL characters: this is not a text file.", line=self.line_no)
                self.ends_with_newline = line[-1] in "\r\n"
                if len(line) >= LONGEST_LINE and not self.ends_with_newline:
                    raise self.problems.stop(f"The line is longer than {LONGEST_LINE:,} characters.", line=self.line_no)
                yield line
        except UnicodeError:
            raise self._undecodable() from None
        finally:
            text.detach()

    def _undecodable(self) -> Unreadable:
        """Looks for the first line that cannot be decoded, and says what to do."""
        name = NAMES.get(self.encoding, self.encoding)
        if not self.encoding.startswith("utf-8"):
            return self.problems.stop(f"This is no whole {name} text: it may be cut off.", line=self.line_no + 1)
        with self.source.open() as raw:
            for number, line in enumerate(iter(lambda: raw.readline(LONGEST_LINE), b""), start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as error:
                    place = len(line[: error.start].decode("utf-8")) + 1
                    sentence = (
                        f"Character {place} is not {name} (byte {line[error.start]:02X}). Save the file as UTF-8, or take a"
                        " profile that names its encoding."
                    )
                    return self.problems.stop(sentence, line=number)
        return self.problems.stop(f"This is no whole {name} text: it may be cut off.")


def encoding_of(source: Source, problems: Problems, expected: str) -> str:
    """What the mark at the beginning says, else what is expected. Raises Unreadable for an empty file and for bytes that are
    no text."""
    with source.open() as raw:
        head = raw.read(4)
    if not head:
        raise problems.stop("The file is empty.")
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    if expected == "utf-16":  # without its mark
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    if b"\0" in head:
        raise problems.stop("The file begins with NUL bytes: save it as UTF-8 text.", line=1)
    return expected
