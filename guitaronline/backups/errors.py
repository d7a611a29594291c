"""What stops a backup or a restore; the text is shown to the person at the keyboard and kept with the run."""

from __future__ import annotations


class BackupFailed(Exception):
    """It could not be done; the sentence says why and what to do."""


class AlreadyRuns(Exception):
    """Another process is at the same thing."""
