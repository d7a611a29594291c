"""What is wrong with a file, by line and column: the first fifty are listed, all are counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LISTED_MOST = 50
QUOTED_MOST = 40  # characters of the file in a sentence


class Unreadable(Exception):
    """The file cannot be read any further; why stands among its problems."""


@dataclass(frozen=True)
class Problem:
    """`line` None: the file as a whole; `column` is the heading or element, empty where it is the line as a whole."""

    sentence: str
    line: int | None = None
    column: str = ""

    def facts(self) -> dict[str, Any]:
        return {"line": self.line, "column": self.column, "sentence": self.sentence}


@dataclass
class Problems:
    listed: list[Problem] = field(default_factory=list)
    total: int = 0

    def add(self, sentence: str, *, line: int | None = None, column: str = "") -> None:
        self.total += 1
        if len(self.listed) < LISTED_MOST:
            self.listed.append(Problem(sentence, line, column))

    def stop(self, sentence: str, *, line: int | None = None, column: str = "") -> Unreadable:
        """`raise problems.stop(…)`: nothing that follows can be trusted."""
        self.add(sentence, line=line, column=column)
        return Unreadable(sentence)

    def facts(self) -> list[dict[str, Any]]:
        return [each.facts() for each in self.listed]


def quoted(value: str) -> str:
    """A piece of the file inside a sentence: short, without control characters, card numbers masked."""
    from guitaronline.billing.cards import masked

    plain = masked("".join(each if each.isprintable() else "�" for each in value))
    return f"“{plain[:QUOTED_MOST]}{'…' if len(plain) > QUOTED_MOST else ''}”"
