"""People who were erased after a backup was made come back with it. So every restore erases them again.

The journal of erasures is written and replayed by `flask privacy journal` and `flask privacy replay FILE`, each in a
process of its own: one works on the school, the other on what was restored.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import config
from guitaronline.local import folder

ROOT = Path(__file__).resolve().parents[2]
FILE = "erasures.journal"


def replay(settings: config.Settings, *, owner_url: str, application_url: str, scratch: Path) -> list[str]:
    """Whoever was erased from the school is erased from what was restored; what went wrong, in sentences."""
    journal = scratch / FILE
    here = os.environ | folder.as_environment(settings)
    restored = here | {"DATABASE_URL": application_url, "DATABASE_OWNER_URL": owner_url, "DATABASE_READ_URL": ""}
    with journal.open("wb") as written:
        if not _flask(here, "journal", output=written):
            return ["erasures: `flask privacy journal` ended with an error"]
    return [] if _flask(restored, "replay", str(journal)) else ["erasures: `flask privacy replay` ended with an error"]


def _flask(environment: dict[str, str], *words: str, output: IO[bytes] | None = None) -> bool:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "privacy", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, check=False)
    return done.returncode == 0
