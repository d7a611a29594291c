"""The table of kinds: every event is told or left untold for a reason, and every kind has its words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guitaronline import models as _every_table  # noqa: F401  # all state tables are known
from guitaronline.notifications.kinds import KINDS, Audience, Kind, kinds_of, topics
from guitaronline.notifications.models import Channel, Preference
from guitaronline.notifications.rendering import FOLDER
from guitaronline.notifications.truth import TRUTHS
from guitaronline.notifications.untold import TOLD_TO_NOBODY
from guitaronline.states import StateTable
from jobs import outbox

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted((ROOT / "guitaronline").rglob("*.py"))
MIGRATIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))
TOPIC = re.compile(r"[a-z_]+\.[a-z_]+")
EMITS = {
    "emit": 0,
    "_tell": 1,
    "add": 0,
}  # functions that put an event into the outbox, and where they are given its topic
IN_SQL = re.compile(r"INSERT INTO outbox_events.*?VALUES\s*\([^']*'([a-z_.]+)'", re.DOTALL)


def of_states() -> set[str]:
    return {move.event for table in StateTable.known.values() for move in table.moves}


def written_out() -> Iterator[str]:
    """Topics that code names where it emits them, as a text or by a constant of the same file."""
    for path in CODE:
        tree = ast.parse(path.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            place = EMITS.get(name)
            given = call.args[place] if place is not None and len(call.args) > place else None
            topic = constants.get(given.id, "") if isinstance(given, ast.Name) else getattr(given, "value", "")
            if isinstance(topic, str) and TOPIC.fullmatch(topic):
                yield topic


def emitted() -> set[str]:
    in_sql = {topic for path in MIGRATIONS for topic in IN_SQL.findall(path.read_text())}
    return of_states() | set(written_out()) | in_sql


def test_the_search_finds_each_way_of_emitting() -> None:
    assert {"booking.canceled", "booking.teacher_changed", "package.expiring", "lesson.reported"} <= emitted()
    assert "booking.held" in {topic for path in MIGRATIONS for topic in IN_SQL.findall(path.read_text())}


def test_every_event_is_told_or_told_to_nobody_for_a_reason() -> None:
    forgotten = emitted() - topics() - TOLD_TO_NOBODY.keys()

    assert forgotten == set(), "put it into kinds.py or untold.py"


def test_no_event_stands_in_both_tables() -> None:
    assert topics() & TOLD_TO_NOBODY.keys() == set()


def test_nothing_stands_in_the_tables_that_never_happens() -> None:
    assert (topics() | TOLD_TO_NOBODY.keys()) - emitted() == set()


def test_every_told_event_has_a_handler() -> None:
    assert topics() <= outbox.HANDLERS.keys()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.name != "template_test"], ids=lambda kind: kind.name
)
def test_every_kind_has_words_and_somebody_to_read_them(kind: Kind) -> None:
    assert (FOLDER / f"{kind.name}.txt").exists()
    assert kind.title
    assert kind.audience
    assert Channel.EMAIL in kind.channels
    assert (kind.permission is not None) == (Audience.STAFF in kind.audience)


def test_every_check_of_truth_is_of_a_kind() -> None:
    assert TRUTHS.keys() <= KINDS.keys()


def test_only_reminders_offers_and_news_of_packages_may_be_switched_off() -> None:
    assert {kind.name: kind.preference for kind in KINDS.values() if kind.preference} == {
        "lesson_reminder": Preference.REMINDERS,
        "package_expiring": Preference.PACKAGES,
        "package_low": Preference.PACKAGES,
        "waitlist_offer": Preference.OFFERS,
    }


def test_nothing_about_a_change_of_a_lesson_waits_for_the_morning() -> None:
    assert [kind.name for kind in KINDS.values() if kind.is_quiet and (kind.is_urgent or kind.is_money)] == []


def test_of_a_move_only_the_new_booking_speaks_to_the_student() -> None:
    old = kinds_of("booking.rescheduled", {"successor": "…"})
    new = kinds_of("booking.rescheduled", {"rescheduled_from": "…"})

    assert [kind.name for kind in new] == ["booking_moved"]
    assert [(kind.name, tuple(kind.audience)) for kind in old] == [("lesson_moved_away", (Audience.FORMER_TEACHER,))]
