"""What looks like a secret is found, once, and stays known when its line moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import secrets

KEY = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"  # in two parts, so that it is not found here


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(secrets, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    return tmp_path


def test_a_providers_key_is_found_also_in_a_test(tree: Path) -> None:
    (tree / "tests" / "x.py").write_text(f'KEY = "{KEY}"\n')

    _, found = secrets.look_into("tests/x.py")

    assert list(found.values()) == ["1: Stripe Access Key"]


def test_a_made_up_password_counts_in_code_and_not_in_a_test(tree: Path) -> None:
    for name in ("code.py", "tests/x.py"):
        (tree / name).write_text('password = "correct horse battery"\n')

    assert list(secrets.look_into("code.py")[1].values()) == ["1: Secret Keyword"]
    assert secrets.look_into("tests/x.py")[1] == {}


def test_what_somebody_has_looked_at_stays_known_when_its_line_moves() -> None:
    found = {"a.py": {"h1": "7: Secret Keyword", "h2": "9: Secret Keyword"}}

    assert secrets.news(found, {"a.py": ["h1", "h2"]}) == []
    assert secrets.news(found, {"a.py": ["h1"]}) == ["a.py:9: Secret Keyword"]
    assert secrets.news(found, {"a.py": ["h1", "h2", "h3"]}) == ["a.py: h3 is there no more"]


def test_what_is_known_is_known_of_files_that_are_read() -> None:
    known = secrets.json.loads(secrets.KNOWN.read_text())

    assert set(known) <= set(secrets.files())
