"""How long ago, and how soon: the words beside an absolute time."""

from __future__ import annotations

from datetime import datetime, timedelta

UNITS = (("day", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def length(span: timedelta) -> str:
    """`3 days`, `5 h`, `12 min`: the largest unit that fits, rounded down."""
    for word, unit in UNITS:
        number = span // unit
        if number:
            return f"{number:,} {word}{'s' if word == 'day' and number > 1 else ''}"
    return "less than a minute"


def ago(moment: datetime, now: datetime) -> str:
    """`3 h ago`; `in 3 h` for what is ahead."""
    span = now - moment
    if abs(span) < timedelta(minutes=1):
        return "just now" if span >= timedelta(0) else "in a moment"
    return f"{length(span)} ago" if span > timedelta(0) else f"in {length(-span)}"
