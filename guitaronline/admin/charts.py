"""Bars as SVG, drawn here: no script, colours by class, the numbers in words for who does not see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, TOP, FOOT = 600, 150, 18, 20


@dataclass(frozen=True)
class Bar:
    x: int
    y: int
    width: int
    height: int
    words: str


@dataclass(frozen=True)
class Chart:
    """`title` says what is drawn and the range of it; `rows` are the table beside it."""

    title: str
    bars: list[Bar]
    base: int
    top_words: str
    first: str
    last: str
    rows: list[tuple[str, str]]


def bars(title: str, points: Sequence[tuple[str, int]], shown: Callable[[int], str]) -> Chart:
    """One bar a point; what is below zero is drawn as nothing, and told in the table."""
    most = max([value for _, value in points] + [1])
    room = HEIGHT - TOP - FOOT
    step = max(WIDTH // max(len(points), 1), 2)
    width = min(max(step - 2, 1), 48)
    drawn = []
    for place, (label, value) in enumerate(points):
        height = max(value, 0) * room // most
        if value > 0:
            height = max(height, 1)
        x = place * WIDTH // len(points)
        drawn.append(Bar(x, HEIGHT - FOOT - height, width, height, f"{label}: {shown(value)}"))
    total = [value for _, value in points] or [0]
    said = f"{title}: between {shown(min(total))} and {shown(max(total))}"
    return Chart(
        said,
        drawn,
        HEIGHT - FOOT,
        shown(most) if max(total) > 0 else "",
        points[0][0] if points else "",
        points[-1][0] if points else "",
        [(label, shown(value)) for label, value in points],
    )
