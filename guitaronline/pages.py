"""Pages of the documentation that are made from the code, so that they cannot be wrong for long."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import config
from guitaronline.identity.access import TABLE, Scope
from guitaronline.states import StateTable

FOLDER = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Made by `make states` from the code; do not edit. -->\n\n"
REACH = {Scope.NO: "–", Scope.OWN: "own", Scope.ANY: "yes"}


def all_pages() -> dict[Path, str]:
    return {
        FOLDER / "states.md": states_page(),
        FOLDER / "permissions.md": permissions_page(),
        FOLDER / "settings.md": settings_page(),
    }


def states_page() -> str:
    parts = [
        "# States\n",
        "A record's `status` changes only along these lines; each move puts its event into the outbox.\n",
    ]
    for record, table in sorted(StateTable.known.items()):
        parts.append(f"## {record}\n")
        parts.append("\n".join(f"- `{state}`: {meaning}" for state, meaning in table.meanings.items()) + "\n")
        rows = [f"| {move.source or '(new)'} | {move.target} | `{move.event}` |" for move in table.moves]
        parts.append("\n".join(["| from | to | event |", "|---|---|---|", *rows]) + "\n")
    return MADE + "\n".join(parts)


def permissions_page() -> str:
    roles = list(next(iter(TABLE.values())))
    head = f"| | {' | '.join(roles)} |\n|---|{'---|' * len(roles)}"
    rows = [
        f"| {permission.value} | {' | '.join(REACH[reach] for reach in row.values())} |"
        for permission, row in TABLE.items()
    ]
    return (
        MADE
        + "# Who may do what\n\n`own`: one's own records; anybody else's look as if they did not exist.\n\n"
        + "\n".join([head, *rows])
        + "\n"
    )


def settings_page() -> str:
    rows = []
    for each in dataclasses.fields(config.Settings):
        default = "random" if each.default is dataclasses.MISSING else each.default
        facts = each.metadata
        rows.append(f"| `{each.name}` | {default!s} | {facts['unit']} | {facts['why']} |")
    return (
        MADE
        + "# Settings\n\nRead from environment variables of the same name.\n\n"
        + "\n".join(["| name | default | unit | why |", "|---|---|---|---|", *rows])
        + "\n"
    )
