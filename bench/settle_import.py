"""How long a report of so many lines takes to be read and imported by the job, and how much memory.

`python -m guitaronline.local exec -- python -m bench.settle_import 1000000`, on servers that live as long as this."""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from bench import settlement_files
from guitaronline.actor import SYSTEM
from guitaronline.billing.settlements import importing, originals, running
from guitaronline.billing.settlements.importing import Received
from guitaronline.billing.settlements.models import FileKind
from guitaronline.billing.settlements.originals import Original
from guitaronline.billing.settlements.reading.readers import Reading
from guitaronline.db import new_id
from jobs.runtime import app


def main(lines: int) -> None:
    with tempfile.TemporaryDirectory() as folder, app().app_context():
        path = Path(folder) / "report.csv"
        settlement_files.write(path, lines)
        before = memory()
        file = importing.receive_file(SYSTEM, received=of(path))
        say("parse alone", lambda: parse(file.id))
        say("check", step)
        importing.confirm_file(SYSTEM, file.id)
        say("import", step)
        print(f"memory {before} MB before, {memory()} MB at most; {path.stat().st_size / 1e6:.0f} MB of file")


def of(path: Path) -> Received:
    def parts() -> Iterator[bytes]:
        with path.open("rb") as content:
            while part := content.read(originals.PART_BYTES):
                yield part

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Received(FileKind.STRIPE_PAYOUTS, path.name, digest, path.stat().st_size, parts, account="shop")


def parse(file_id: UUID) -> int:
    lines = Reading(FileKind.STRIPE_PAYOUTS, Original(file_id), account="shop").lines()
    return sum(line.fee_minor >= 0 for line in lines)


def step() -> int:
    claimed = running.claim(new_id())
    assert claimed is not None
    return running.carry_out(claimed).lines_new


def say(what: str, act: Callable[[], int]) -> None:
    began, busy = time.perf_counter(), time.process_time()
    done = act()
    took, own = time.perf_counter() - began, time.process_time() - busy
    print(f"{what:12} {done:>9,} lines in {took:6.2f} s, {own:6.2f} s of it our own CPU, {memory()} MB", flush=True)


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
