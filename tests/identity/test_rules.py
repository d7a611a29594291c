"""E-mail addresses, passwords, zones and texts: what is one and what is not."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from guitaronline import policy
from guitaronline.actor import PERSON_ROLES, Role
from guitaronline.errors import Busy
from guitaronline.identity import emails, passwords, rules

GOOD = "twelve signs and more"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@People.Example", "ann@people.example"),
        ("ａｎｎ@people.example", "ann@people.example"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@BÜCHER.example", "ann@bücher.example"),
        ("ÜLI@people.example", "üli@people.example"),
        ("stra\u00dfe@people.example", "STRASSE@people.example"),
        (" ann@people.example ", "ann@people.example"),
    ],
)
def test_two_ways_to_write_one_address(one: str, other: str) -> None:
    assert emails.read_email(one).key == emails.read_email(other).key
    assert emails.read_email(one).address == one.strip()


@pytest.mark.parametrize(
    "other", ["ann.b@people.example", "ann+b@people.example", "ann@people2.example", "anm@people.example"]
)
def test_other_addresses_stay_others(other: str) -> None:
    assert emails.read_email(other).key != emails.read_email("annb@people.example").key


@pytest.mark.parametrize(
    "typed",
    ["", "ann", "ann@", "@people.example", "a b@people.example", "ann@people", "ann@localhost", "ann@[127.0.0.1]", '"a b"@people.example',
     "ann\x00@people.example", "ann\ud800@people.example", "ann@people.example\nBcc: x@y.example", "a＠b@people.example",
     "a" * 250 + "@people.example", "ann@people..example", "ann@-people.example"],
)  # fmt: skip
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(ValueError, match="e-mail address"):
        emails.read_email(typed)
    assert emails.email_key(typed) is None


@given(st.text(max_size=40))
def test_whatever_is_typed_is_an_address_or_a_sentence(typed: str) -> None:
    key = emails.email_key(typed)

    assert key is None or emails.email_key(key) == key


def test_a_masked_address_keeps_its_first_letter_and_its_domain() -> None:
    assert emails.masked_email("ann@people.example") == "a…@people.example"
    assert emails.masked_email(None) == ""
    assert emails.masked_phone("+44 20 7946 0018") == "…18"


@pytest.mark.parametrize(
    ("role", "least"), [(role, 12 if role is Role.STUDENT else 15) for role in sorted(PERSON_ROLES)]
)
def test_a_password_is_long_enough_for_its_role(role: Role, least: int) -> None:
    whole = "zq vkx wpj mbf hd"
    assert [each.code for each in passwords.password_problems(whole[: least - 1], role)] == ["password_too_short"]
    assert passwords.password_problems(whole[:least], role) == []


def test_a_password_has_at_most_128_characters_of_any_kind() -> None:
    assert passwords.password_problems("€" * 127 + " ", Role.STUDENT) == []
    assert [each.code for each in passwords.password_problems("€" * 129, Role.STUDENT)] == ["password_too_long"]


@pytest.mark.parametrize(
    "common",
    ["password1234", "PASSWORD1234", "qwertyuiop12", "123456789012", "iloveyou2024", "aaaaaaaaaaaa", "Ｐassword1234"],
)
def test_a_common_password_is_refused_however_it_is_written(common: str) -> None:
    assert [each.code for each in passwords.password_problems(common, Role.STUDENT)] == ["password_too_common"]


def test_the_list_is_long_and_holds_nothing_that_is_too_short_anyway() -> None:
    listed = passwords.common_passwords()

    assert len(listed) > 10_000
    assert min(map(len, listed)) == 12
    assert all(each == each.casefold() for each in listed)


def test_half_a_character_is_no_password_and_no_crash(app: Flask) -> None:
    assert "password_not_text" in [each.code for each in passwords.password_problems("\ud800" * 12, Role.STUDENT)]
    assert passwords.fits(passwords.hash_password(GOOD), "\ud800") is False


def test_a_password_fits_itself_however_its_accents_are_composed(app: Flask) -> None:
    stored = passwords.hash_password("caf\u00e9 caf\u00e9 caf\u00e9")

    assert passwords.fits(stored, "cafe\u0301 cafe\u0301 cafe\u0301")
    assert not passwords.fits(stored, "cafe cafe cafe")
    assert stored.startswith("$argon2id$")


def test_the_settings_say_how_hard_a_hash_is(app: Flask) -> None:
    with policy.changed(ARGON2_TIME_COST=3, ARGON2_MEMORY_KIB=128):
        assert "$m=128,t=3,p=1$" in passwords.hash_password(GOOD)


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=64,t=1,p=1$xx$yy"])
def test_nothing_fits_what_is_no_hash(app: Flask, stored: str | None) -> None:
    assert not passwords.fits(stored, GOOD)


def test_an_unknown_person_costs_the_time_of_a_known_one(app: Flask) -> None:
    with policy.changed(ARGON2_TIME_COST=4, ARGON2_MEMORY_KIB=8192):
        stored = passwords.hash_password(GOOD)
        known = min(seconds(lambda: passwords.fits(stored, "wrong wrong wrong")) for _ in range(7))
        unknown = min(seconds(lambda: passwords.fits(None, "wrong wrong wrong")) for _ in range(7))

    assert 0.2 < unknown / known < 5  # without the hash it is a thousandth


def seconds(call: object) -> float:
    start = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - start


def test_only_two_hashes_run_at_once_and_a_third_is_told_to_wait(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    inside, free = threading.Barrier(3, timeout=10), threading.Event()

    def occupy() -> None:
        with passwords._turn():
            inside.wait()
            free.wait(10)

    threads = [threading.Thread(target=occupy) for _ in range(2)]
    for each in threads:
        each.start()
    inside.wait()

    with pytest.raises(Busy):
        passwords.fits(None, GOOD)
    free.set()
    for each in threads:
        each.join()
    assert passwords.fits(None, GOOD) is False


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Asia/Kolkata", "Etc/GMT+5"])
def test_a_zone_of_the_iana_list(zone: str) -> None:
    assert rules.zone_problems(zone) == []


@pytest.mark.parametrize(
    "zone",
    [
        "",
        None,
        "Paris",
        "europe/paris",
        "Factory",
        "localtime",
        "posixrules",
        "posix/Europe/Paris",
        "+02:00",
        "../etc/passwd",
        "Europe/Paris\x00",
        "\ud800",
    ],
)
def test_what_is_no_zone(zone: str | None) -> None:
    assert [each.code for each in rules.zone_problems(zone)] == ["timezone_unknown"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("full_name", "x" * 201, "full_name_too_long"),
        ("full_name", "Ann\x00", "full_name_not_text"),
        ("full_name", "Ann\nBcc: x", "full_name_not_text"),
        ("full_name", "\udfff", "full_name_not_text"),
        ("phone", "call me", "phone_invalid"),
        ("level", "x" * 81, "level_too_long"),
    ],
)
def test_what_cannot_stand_in_a_field(name: str, value: str, code: str) -> None:
    assert code in [each.code for each in rules.field_problems(name, value)]


@pytest.mark.parametrize(
    ("name", "value"), [("full_name", "Zoë 李"), ("phone", "+44 20 7946 0018"), ("phone", None), ("level", "")]
)
def test_what_can_stand_in_a_field(name: str, value: str | None) -> None:
    assert rules.field_problems(name, value) == []


def test_what_a_device_says_about_itself_is_cut_to_what_can_be_stored() -> None:
    assert rules.label("Ann's\x00 phone\ud800\n") == "Ann's phone"
    assert rules.label("x" * 500) == "x" * 100
    assert rules.label(" ") is None
