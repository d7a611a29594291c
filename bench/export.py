"""A large list as CSV, as a person takes it: asked for, made by the worker, downloaded; how long, and how much memory more."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass

from bench import memory
from bench.browser import Browser
from bench.instance import Instance

TWO_DAYS = "2020-01-06..2020-01-07"  # 120,000 bookings of the whole school
WAITED = 120  # seconds at most
LOOK = 0.05


@dataclass(frozen=True)
class Taken:
    rows: int
    seconds: float
    extra_bytes: int  # of all Python processes together, at their highest

    @property
    def seconds_of_100_000(self) -> float:
        return self.seconds * 100_000 / self.rows


def take(instance: Instance, browser: Browser) -> Taken:
    """Raises SystemExit when the file does not come."""
    page = browser.get(f"/admin/bookings/?day={TWO_DAYS}")
    with Memory(instance.supervisor) as seen:
        began = time.monotonic()
        url, file = browser.post("/admin/bookings/export", page, day=TWO_DAYS, format="csv", reason="bench")
        asked = re.search(r"[?&]id=([0-9a-f-]{36})", url)
        if asked:  # of a small school the rows come at once
            _wait(browser, asked[1])
            _, file = browser.post(f"/admin/exports/{asked[1]}/download", page)
        took = time.monotonic() - began
    return Taken(file.count(b"\r\n") - 1, took, seen.highest - seen.before)


def _wait(browser: Browser, export_id: str) -> None:
    give_up_at = time.monotonic() + WAITED
    while time.monotonic() < give_up_at:
        at = json.loads(browser.get(f"/admin/exports/{export_id}/progress"))
        if at["is_over"]:
            return
        time.sleep(LOOK)
    raise SystemExit(f"the export was not ready within {WAITED} s")


class Memory:
    """The highest that the Python processes below `root` had, looked at again and again while the block runs."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.before = self.highest = memory.of_tree(root, without=memory.SERVERS)
        self._over = threading.Event()
        self._looks = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(LOOK * 2):
            self.highest = max(self.highest, memory.of_tree(self.root, without=memory.SERVERS))

    def __enter__(self) -> Memory:
        self._looks.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._over.set()
        self._looks.join()
