"""Backups, their restore, and the rehearsal that proves that they can be restored.

`models` and `runs` are what the console and /metrics read. Everything else is for the command line: it starts PostgreSQL's own
programs, and for a rehearsal a server of its own.
"""
