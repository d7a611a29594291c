"""Memory of a process and all below it, shared pages divided among those who share them (PSS)."""

from __future__ import annotations

import re
from pathlib import Path

SERVERS = ("postgres", "valkey-server", "redis-server")


def of_tree(root: int, *, without: tuple[str, ...] = ()) -> int:
    """Bytes. A process that ended meanwhile counts nothing, nor do those of a name in `without` and all below them."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = int(re.search(r"PPid:\s+(\d+)", status.read_text())[1])  # type: ignore[index]
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    waiting, total = [root], 0
    while waiting:
        process = waiting.pop()
        if without and name_of(process) in without:
            continue
        waiting += children.get(process, [])
        total += of_process(process)
    return total


def of_process(process: int) -> int:
    try:
        return 1024 * int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)[1])  # type: ignore[index]
    except (FileNotFoundError, ProcessLookupError):
        return 0


def name_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
