"""State tables: one per record, at the top of its domain's `models.py`. `docs/states.md` is made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import inspect as sqlalchemy_inspect

from guitaronline.errors import Conflict


class IllegalMove(Conflict):
    detail = "The record's present state does not lead there."


@dataclass(frozen=True)
class Move:
    """A legal move. `source` None means: made in this state. `event` is the outbox topic."""

    source: StrEnum | None
    target: StrEnum
    event: str


class StateTable:
    """The states of one record, what each means, and every legal move between them."""

    known: dict[str, StateTable] = {}  # noqa: RUF012  # the one list that docs and tests walk

    def __init__(self, record: str, meanings: Mapping[StrEnum, str], moves: Sequence[Move]) -> None:
        self.record, self.meanings, self.moves = record, dict(meanings), tuple(moves)
        StateTable.known[record] = self

    def events(self, source: StrEnum | None, target: StrEnum) -> list[str]:
        """Topics of the moves from `source` to `target`; empty when there is none."""
        return [move.event for move in self.moves if move.source == source and move.target == target]

    def event(self, source: StrEnum | None, target: StrEnum, chosen: str | None = None) -> str:
        """The topic that the move emits. Raises IllegalMove; ValueError when several fit and none was chosen."""
        legal = self.events(source, target)
        if not legal:
            raise IllegalMove(record=self.record, source=source, target=target)
        if chosen is None and len(legal) > 1:
            raise ValueError(f"{self.record}: {source} → {target} has several events, name one of {legal}")
        if chosen is not None and chosen not in legal:
            raise ValueError(f"{self.record}: {chosen} is not an event of {source} → {target}")
        return chosen or legal[0]

    def targets(self, source: StrEnum) -> set[StrEnum]:
        return {move.target for move in self.moves if move.source == source}


_moving: ContextVar[bool] = ContextVar("moving", default=False)


@contextmanager
def moving() -> Iterator[None]:
    """Only inside this may a status be set; `Work.create` and `Work.move` use it."""
    token = _moving.set(True)
    try:
        yield
    finally:
        _moving.reset(token)


def guard_status(model: type[Any]) -> type[Any]:
    """Class decorator: a status that is set by hand on a stored record raises at once."""

    def refuse(target: Any, value: Any, old: Any, initiator: Any) -> None:
        if not _moving.get() and sqlalchemy_inspect(target).key is not None:
            raise RuntimeError(f"{type(target).__name__}.status is moved by Work.move(), never set")

    sqlalchemy_event.listen(model.status, "set", refuse)
    return model
