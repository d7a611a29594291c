"""The audit is sealed link by link, and how far it is sealed is written down outside the database too."""

from __future__ import annotations

from pathlib import Path

from guitaronline import policy
from guitaronline.audit import integrity
from guitaronline.db import session
from jobs.runtime import job

CHECKPOINTS = "audit-checkpoints.log"  # in VAR_DIR; copy it off the machine, `flask audit verify --checkpoint` reads it


@job
def seal() -> int:
    """What was done lately is sealed."""
    return _sealed(everything=False)


@job
def seal_rest() -> int:
    """Everything that has no seal yet is sealed, however old it is."""
    return _sealed(everything=True)


def _sealed(*, everything: bool) -> int:
    sealed = integrity.seal(everything=everything)
    checkpoint = integrity.newest_checkpoint(session())
    if sealed and checkpoint is not None:
        integrity.append_checkpoint(Path(policy.current().VAR_DIR) / CHECKPOINTS, checkpoint)
    return sealed
