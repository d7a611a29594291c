"""The settings that business rules depend on, for code that knows nothing of Flask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import config

_current: list[config.Settings] = []


def set_current(settings: config.Settings) -> None:
    """Called once by `create_app`; a later app of the same process replaces it."""
    _current[:] = [settings]


def current() -> config.Settings:
    return _current[-1]


@contextmanager
def changed(**values: Any) -> Iterator[None]:
    """Other values for a while; for tests."""
    _current.append(replace(current(), **values))
    try:
        yield
    finally:
        _current.pop()
