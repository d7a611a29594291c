"""Guards that remember for us."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import pytest
from flask import Flask

from guitaronline import pages
from guitaronline.states import IllegalMove, StateTable

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted([*(ROOT / "guitaronline").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def test_generated_pages_are_current(app: Flask) -> None:
    stale = [path.name for path, text in pages.all_pages().items() if not path.exists() or path.read_text() != text]

    assert stale == [], "run `make states`"


@pytest.mark.parametrize("table", StateTable.known.values(), ids=list(StateTable.known))
def test_every_pair_of_states_is_legal_or_refused(table: StateTable) -> None:
    for source, target in product([None, *table.meanings], table.meanings):
        legal = table.events(source, target)
        if legal:
            assert table.event(source, target, legal[0]) == legal[0]
        else:
            with pytest.raises(IllegalMove):
                table.event(source, target)


@pytest.mark.parametrize("table", StateTable.known.values(), ids=list(StateTable.known))
def test_every_state_can_be_reached_and_means_something(table: StateTable) -> None:
    reached = {move.target for move in table.moves}

    assert reached == set(table.meanings) == set(type(next(iter(reached))))
    assert all(table.meanings.values())


def test_no_status_is_set_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        if path.name != "unit_of_work.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
        and target.attr == "status"
        and isinstance(target.value, ast.Name)
        and target.value.id not in ("self", "response")
    ]

    assert found == []


def test_nobody_catches_everything_and_goes_on() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        if node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "BaseException")
        if not any(isinstance(each, ast.Raise) for each in node.body)
    ]

    assert found == []


def test_what_looks_like_a_test_is_run() -> None:
    """A `test_…` inside another function, twice of a name, or in a file that pytest does not collect, never runs."""
    lost = []
    for path in TESTS:
        tree = ast.parse(path.read_text())
        for scope in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            names = [
                node.name for node in scope.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            ]
            lost += [
                f"{path.relative_to(ROOT)}: {name} twice" for name in {each for each in names if names.count(each) > 1}
            ]
            if names and not path.name.startswith("test_"):
                lost.append(f"{path.relative_to(ROOT)}: not collected")
        for outer in ast.walk(tree):
            if isinstance(outer, ast.FunctionDef):
                inner = [
                    n.name
                    for n in ast.walk(outer)
                    if isinstance(n, ast.FunctionDef) and n is not outer and n.name.startswith("test_")
                ]
                lost += [f"{path.relative_to(ROOT)}: {name} inside {outer.name}" for name in inner]

    assert lost == []


def test_modules_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in CODE
        if len(path.read_text().splitlines()) > 400
    }

    assert long == {}
