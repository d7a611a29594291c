"""What it runs on is named, pinned and hashed, and the bill of materials names the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("requirements", "requirements-dev", "bench/requirements")


def pinned(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.\[\]-]+)==(\S+) \\$", (ROOT / f"{name}.txt").read_text(), re.MULTILINE))


def plain(name: str) -> str:
    return re.sub(r"\[.*|[-_.]+", lambda m: "" if m[0].startswith("[") else "-", name.lower())


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_and_every_pin_has_hashes(name: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", (ROOT / f"{name}.txt").read_text(), flags=re.MULTILINE))
    wanted = re.findall(r"^(\w[\w-]*)[~<>=!\[\s]", (ROOT / f"{name}.in").read_text() + "\n", re.MULTILINE)

    assert [each for each in blocks if each.strip() and not re.search(r"--hash=sha256:[0-9a-f]{64}", each)] == []
    assert {plain(each) for each in wanted} - set(map(plain, pinned(name))) == set()


def test_what_tests_and_checks_need_is_the_same_where_the_product_needs_it_too() -> None:
    product, tools = pinned("requirements"), pinned("requirements-dev")

    assert {name: version for name, version in tools.items() if product.get(name, version) != version} == {}


def test_the_bill_of_materials_names_what_is_installed(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.json"
    program = Path(sys.executable).parent / "cyclonedx-py"
    words = ["requirements", "requirements.txt", "--pyproject", "pyproject.toml", "--output-reproducible", "--validate"]
    subprocess.run([program, *words, "--output-file", bill], cwd=ROOT, check=True, capture_output=True)

    written: dict[str, Any] = json.loads(bill.read_text())

    assert {each["name"]: each["version"] for each in written["components"]} == pinned("requirements")
    assert written["metadata"]["component"]["name"] == "guitaronline"
    assert all(each["externalReferences"][0]["hashes"] for each in written["components"])
