"""What can go wrong while starting or running; the text is shown to the person at the keyboard."""

from __future__ import annotations


class StartFailed(Exception):
    """The stack cannot start, or had to stop; the message says why and what to do."""


class Stopped(Exception):
    """Somebody asked for the end: Ctrl-C, SIGTERM, or the parent process is gone."""
