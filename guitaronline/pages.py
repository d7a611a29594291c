"""Pages of the documentation that are made from the code, so that they cannot be wrong for long."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import config
from guitaronline.identity.access import KEY_SCOPES, TABLE, Scope
from guitaronline.notifications.kinds import KINDS, Kind
from guitaronline.notifications.untold import TOLD_TO_NOBODY
from guitaronline.privacy.holding import Holding
from guitaronline.privacy.inventory import CHAPTERS
from guitaronline.states import StateTable

FOLDER = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Made by `make states` from the code; do not edit. -->\n\n"
REACH = {Scope.NO: "–", Scope.OWN: "own", Scope.ANY: "yes"}


def all_pages() -> dict[Path, str]:
    return {
        FOLDER / "states.md": states_page(),
        FOLDER / "permissions.md": permissions_page(),
        FOLDER / "settings.md": settings_page(),
        FOLDER / "messages.md": messages_page(),
        FOLDER / "privacy.md": privacy_page(),
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
        + "\n\n"
        + SERVICE_KEYS
        + "\n".join(f"| `{scope}` | {', '.join(sorted(given))} |" for scope, given in KEY_SCOPES.items())
        + "\n"
    )


SERVICE_KEYS = """## Service keys

A partner's program has no role; its key was made for scopes, each of which reaches the records of everybody.

| scope | |
|---|---|
"""
MESSAGES = """# Messages

Which event tells whom what. A message is planned once for each event, person and channel; when it is about to be sent it is
asked again whether it is still true, wanted and in time. *Until* counts from the event. Quiet ones wait for the end of the
receiver's quiet hours (`QUIET_HOURS`), unless that is too late. About a lesson that starts within 12 hours an urgent one also
goes to the phone (where text messages are set up), and the office gets a task to call.

The words are `templates/messages/<message>.txt`: the first line is the subject. Other languages stand in
`guitaronline/notifications/locale/<language>.po`; a test says which sentences are missing.
"""


def messages_page() -> str:
    rows = [_message_row(kind) for kind in KINDS.values()]
    head = "| event | message | who | by | until | switched off by | |\n|---|---|---|---|---|---|---|"
    untold = "\n".join(f"- `{topic}`: {reason}" for topic, reason in sorted(TOLD_TO_NOBODY.items()))
    return f"{MADE}{MESSAGES}\n" + "\n".join([head, *rows]) + f"\n\n## Told to nobody\n\n{untold}\n"


def _message_row(kind: Kind) -> str:
    event = f"`{kind.topic}`" if kind.topic else "(found by state)"
    who = ", ".join(kind.audience) + (f": {kind.permission.value}" if kind.permission else "")
    until = f"{kind.makes_sense_for.days} d" if kind.makes_sense_for else ""
    notes = [
        word
        for applies, word in ((kind.is_quiet, "quiet"), (kind.is_urgent, "urgent"), (kind.is_money, "money"))
        if applies
    ]
    cells = (event, f"`{kind.name}`", who, ", ".join(kind.channels), until, kind.preference or "", ", ".join(notes))
    return f"| {' | '.join(cells)} |"


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


PRIVACY = """# What is kept about people

Every column of every table: what it holds, who sees it, how long it is kept, and what erasing a person does to it. It is one table
in code (`guitaronline/privacy/inventory.py`), which a test compares with the models; the export of a person's data is made by it, and
erasure does what stands in it.

Kinds: **name**, **contact**, **free text**, **place** (network address, device) and **copy** (bytes and JSON that may quote people) are
personal; **trait** says something about a person and not who it is; **reason** is why staff did something and belongs to the
books and the audit; **secret** are hashes and sealed values; the others lead to nobody by themselves.

Contact data is masked for roles without the right to *see contact data in clear*. Who saw it in clear stands in the console under
*Contact data read*, whoever it was. Backups keep everything until they are overwritten; after a restore the journal of erasures
is done again (`docs/runbooks/data-request.md`).
"""


def privacy_page() -> str:
    parts = [MADE + PRIVACY]
    for chapter, holdings in CHAPTERS.items():
        parts.append(f"## {chapter}\n")
        parts += [_holding(each) for each in holdings]
    return "\n".join(parts)


def _holding(holding: Holding) -> str:
    seen = f"who may *{holding.seen_by.value}*" if holding.seen_by else "no page shows it"
    lines = [f"### {holding.table}\n", f"Kept: {holding.kept}. Seen by: {seen}.\n"]
    if holding.stays:
        lines.append(f"Erasure leaves what is personal in it: {holding.stays}.\n")
    fates: dict[tuple[str, str], list[str]] = {}
    for name, kind in holding.columns.items():
        fates.setdefault((kind.value, holding.fate(name)), []).append(f"`{name}`")
    rows = [f"| {', '.join(names)} | {kind} | {fate} |" for (kind, fate), names in fates.items()]
    return "\n".join([*lines, "| columns | kind | erasure |", "|---|---|---|", *rows, ""])
