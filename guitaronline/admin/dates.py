"""The days that people mean: presets and how a day, a month or a range is written. Pure: told which day is today."""

from __future__ import annotations

import re
from datetime import date, timedelta

PAST = ("today", "yesterday", "this week", "last week", "this month", "last month", "last 30 days")
PRESETS = (
    "yesterday",
    "today",
    "tomorrow",
    "last week",
    "this week",
    "next week",
    "next 7 days",
    "this month",
    "last month",
    "last 30 days",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
A_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
A_MONTH = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])", re.ASCII)
DAY = timedelta(days=1)
Days = tuple[date | None, date | None]  # first and last; None: open at that end


def days_meant(value: str, *, today: date) -> Days:
    """Raises ValueError when `value` means no days."""
    said = " ".join(value.casefold().split())
    return _preset(said, today) or _weekday(said, today) or _month(value) or _written(value)


def _preset(value: str, today: date) -> Days | None:
    monday = today - today.weekday() * DAY
    first = today.replace(day=1)
    return {
        "yesterday": (today - DAY, today - DAY),
        "today": (today, today),
        "tomorrow": (today + DAY, today + DAY),
        "last week": (monday - 7 * DAY, monday - DAY),
        "this week": (monday, monday + 6 * DAY),
        "next week": (monday + 7 * DAY, monday + 13 * DAY),
        "next 7 days": (today, today + 6 * DAY),
        "this month": (first, _end_of_month(first)),
        "last month": ((first - DAY).replace(day=1), first - DAY),
        "last 30 days": (today - 29 * DAY, today),
    }.get(value)


def _weekday(value: str, today: date) -> Days | None:
    """`last thursday`: the nearest one before today; `next thursday`: the nearest after; `thursday`: the next, today too."""
    word, _, name = value.rpartition(" ")
    if name not in WEEKDAYS or word not in ("", "last", "next"):
        return None
    ahead = (WEEKDAYS.index(name) - today.weekday()) % 7
    if word == "last":
        ahead -= 7
    elif word == "next":
        ahead = ahead or 7
    return today + ahead * DAY, today + ahead * DAY


def _month(value: str) -> Days | None:
    found = A_MONTH.fullmatch(value)
    if not found:
        return None
    first = date(int(found[1]), int(found[2]), 1)
    return first, _end_of_month(first)


def _end_of_month(first: date) -> date:
    return (first + 31 * DAY).replace(day=1) - DAY


def _written(value: str) -> Days:
    first, is_range, last = value.partition("..")
    start = _day(first) if first or not is_range else None
    end = (_day(last) if last else None) if is_range else start
    if (start is None and end is None) or (start and end and end < start):
        raise ValueError
    return start, end


def _day(value: str) -> date:
    if not A_DAY.fullmatch(value):
        raise ValueError
    return date.fromisoformat(value)
