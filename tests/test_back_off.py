"""What failed waits longer each time, and then no more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from guitaronline.back_off import wait_after


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 30), (2, 120), (3, 600), (4, 3600), (5, 4 * 3600), (6, 12 * 3600), (7, None), (99, None)],
)
def test_the_waits_grow_and_end(attempts: int, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)

    assert wait_after(attempts, spread=0) == expected
    assert wait_after(attempts, spread=1) == (expected and expected * 1.2)
