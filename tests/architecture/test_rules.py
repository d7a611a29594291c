"""The rules of the house find what they are there for, let pass what is right, and hold in every line."""

from __future__ import annotations

import pytest

from tests.architecture import rules

DOMAIN, DOOR, TEST = "guitaronline/billing/x.py", "guitaronline/admin/x.py", "tests/x/test_x.py"
BAD = [
    ("commit", DOMAIN, "session().commit()"),
    ("float-money", DOMAIN, "share = package.price_minor / 3"),
    ("float-money", DOMAIN, "float(amount)"),
    ("float-money", DOMAIN, "def pay(amount: float) -> None: ..."),
    ("clock", DOMAIN, "datetime.now(UTC)"),
    ("clock", DOMAIN, "dt.date.today()"),
    ("environment", DOMAIN, "os.environ['SECRET_KEY']"),
    ("environment", DOMAIN, "os.getenv('X')"),
    ("door-sql", DOOR, "text('UPDATE bookings SET status = 1')"),
    ("door-sql", DOOR, "text('WITH gone AS (SELECT 1) DELETE FROM bookings')"),
    ("door-session", DOOR, "session().add(thing)"),
    ("door-session", DOOR, "db_session.delete(thing)"),
    ("network", DOMAIN, "import http.client"),
    ("network", DOMAIN, "from urllib.request import urlopen"),
    ("pickle", DOMAIN, "import pickle"),
    ("pickle", "jobs/x.py", "from rq.serializers import PickleSerializer"),
    ("mock", TEST, "from unittest.mock import patch"),
    ("skip", TEST, "@pytest.mark.skip\ndef test_x(): ..."),
    ("skip", TEST, "pytest.skip('later')"),
    ("sleep", TEST, "time.sleep(1)"),
]
GOOD = [
    (DOMAIN, "share = package.price_minor // 3"),
    (DOMAIN, "def pay(amount_minor: int, seconds: float) -> None: ..."),
    (DOMAIN, "clock.now(work)"),
    (DOOR, "text('SELECT updated_at FROM bookings')"),
    (DOOR, "names.add('update')"),
    (DOOR, "sentence = 'Update the list'"),
    (DOMAIN, "from .socket import x"),
    (TEST, "@pytest.mark.skipif(sys.platform != 'linux', reason='looks into /proc')\ndef test_x(): ..."),
    ("guitaronline/unit_of_work.py", "session.commit()"),
    ("guitaronline/notifications/channels/smtp.py", "import smtplib"),
]


@pytest.mark.parametrize(("rule", "path", "line"), BAD)
def test_what_breaks_a_rule_is_found(rule: str, path: str, line: str) -> None:
    assert {each.split(": ")[1] for each in rules.broken(path, line)} == {rule}


@pytest.mark.parametrize(("path", "line"), GOOD)
def test_what_is_right_is_let_pass(path: str, line: str) -> None:
    assert list(rules.broken(path, line)) == []


@pytest.mark.parametrize(
    "line",
    ["{{ name|safe }}", '<b style="x">', '<a onclick="x()">', "<script>x()</script>", '<a href="javascript:x">'],
)
def test_what_the_policy_of_pages_refuses_is_found_in_templates(line: str) -> None:
    assert len(list(rules.drawn_by_hand("templates/x.html", line))) == 1


@pytest.mark.parametrize("line", ['<script src="/x.js"></script>', '<td class="on">', "{{ 'safe' }}"])
def test_other_lines_of_templates_are_let_pass(line: str) -> None:
    assert list(rules.drawn_by_hand("templates/x.html", line)) == []


def test_every_rule_has_an_example() -> None:
    assert {rule for rule, _, _ in BAD} == set(rules.RULES)


def test_who_may_is_there_and_has_a_reason() -> None:
    allowed = [(path, why) for rule in rules.RULES.values() for path, why in rule.may.items()]

    assert [path for path, why in allowed if not why or not (rules.ROOT / path).exists()] == []


def test_the_tree_breaks_no_rule() -> None:
    assert rules.findings() == ()
