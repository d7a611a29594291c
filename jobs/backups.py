"""Backups and their rehearsal, each in a process of its own: they start programs and servers, as the command line does."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from guitaronline import policy
from jobs.runtime import job

ROOT = Path(__file__).resolve().parent.parent


class NotDone(Exception):
    """The process ended with an error; what was wrong is in `backup_runs` and in the worker's log."""


@job
def make() -> int:
    """There is a backup younger than a day; 0 where none is made here."""
    return _run("make")


@job
def rehearse() -> int:
    """The newest backup was restored and proved within BACKUP_REHEARSE_DAYS; 0 where none is made here.

    On the first day of an installation, or after a night without, there is nothing to restore yet: so one is made."""
    return _run("make") and _run("rehearse")


def _run(verb: str) -> int:
    """1 when it ended well. Raises NotDone."""
    if not policy.current().BACKUP_DIR:
        return 0
    from jobs.worker import end_with  # which loads RQ

    command = [sys.executable, "-m", "flask", "--app", "wsgi", "backup", verb, "--when-due"]
    ended = subprocess.run(  # noqa: S603  # words of this file
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        check=False,
        preexec_fn=partial(end_with, os.getpid()),  # a job's process that is killed takes it along
    )
    if ended.returncode != 0:
        raise NotDone()
    return 1
