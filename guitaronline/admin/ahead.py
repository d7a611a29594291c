"""What buttons and cells need beside their record: read at once for the rows of a list, singly elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import flask

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Ahead(Generic[K, V]):
    """A value by key, read once a request; keys that `read` does not answer have None.

    A desk calls `look` for its rows, so that `of` asks the database no more for any of them."""

    def __init__(self, name: str, read: Callable[[Collection[K]], Mapping[K, V]]) -> None:
        self._name = f"ahead_{name}"
        self._read = read

    def look(self, keys: Iterable[K]) -> None:
        known = self._known()
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        if missing:
            found = self._read(missing)
            known.update({key: found.get(key) for key in missing})

    def of(self, key: K) -> V | None:
        self.look([key])
        return self._known()[key]

    def _known(self) -> dict[K, V | None]:
        known: Any = flask.g.setdefault(self._name, {})
        return known  # type: ignore[no-any-return]
