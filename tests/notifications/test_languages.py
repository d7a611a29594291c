"""Languages: every sentence of every template is there in each, with the same blanks to fill."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from guitaronline import policy
from guitaronline.identity.models import User
from guitaronline.identity.rules import zones
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.languages import LANGUAGES, SOURCE, catalog_of, language_of, words_of
from guitaronline.notifications.rendering import FOLDER, environment

BLANK = re.compile(r"%\((\w+)\)s")
BERLIN = ZoneInfo("Europe/Berlin")
OTHERS = [language for language in LANGUAGES if language != SOURCE]


def sentences(path: Path) -> list[str]:
    """The first of a pair of singular and plural stands for both."""
    found = environment(SOURCE).extract_translations(path.read_text())  # type: ignore[attr-defined]
    return [message if isinstance(message, str) else message[0] for _, _, message in found]


def every_sentence() -> set[str]:
    titles = {kind.title for kind in KINDS.values()}
    return titles | {each for path in FOLDER.iterdir() for each in sentences(path)}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated(app: Flask, language: str) -> None:
    catalog = catalog_of(language)
    assert catalog is not None

    known = {message.id if isinstance(message.id, str) else message.id[0] for message in catalog if message.string}

    assert every_sentence() - known == set()
    assert known - {""} - every_sentence() == set(), "nothing says this any more"


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_loses_or_invents_a_blank(app: Flask, language: str) -> None:
    catalog = catalog_of(language)
    assert catalog is not None

    wrong = [
        message.id
        for message in catalog
        if message.id and {*BLANK.findall(str(message.id))} != {*BLANK.findall(str(message.string))}
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("German", "de"),
        ("de-AT", "de"),
        ("Deutsch", "de"),
        ("en", "en"),
        ("English, a little German", "en"),
        ("español, deutsch", "de"),
        ("日本語", "en"),
        ("", "en"),
        (None, "en"),
        ("dental", "en"),
    ],
)
def test_what_people_write_into_their_profile_is_understood(app: Flask, written: str | None, language: str) -> None:
    assert language_of(User(language=written)) == language


def test_who_says_nothing_gets_the_schools_language(app: Flask) -> None:
    with policy.changed(DEFAULT_LANGUAGE="de"):
        assert language_of(User(language=None)) == "de"
        assert language_of(User(language="English")) == "en"


def test_moments_name_the_zone() -> None:
    winter = datetime(2026, 11, 27, 14, tzinfo=UTC)
    summer = datetime(2026, 7, 1, 14, tzinfo=UTC)

    assert words_of("en").moment(winter, BERLIN) == "Friday, 27 November 2026, 15:00 (Central European Standard Time)"
    assert words_of("en").moment(summer, BERLIN) == "Wednesday, 1 July 2026, 16:00 (Central European Summer Time)"
    assert words_of("de").moment(winter, BERLIN) == "Freitag, 27. November 2026, 15:00 (Mitteleuropäische Normalzeit)"


def test_in_a_subject_the_zone_is_a_city() -> None:
    moment = datetime(2026, 11, 27, 14, tzinfo=UTC)

    assert words_of("en").brief(moment, ZoneInfo("America/New_York")) == "Fri, 27 Nov 2026, 09:00 (New York)"
    assert words_of("de").brief(moment, ZoneInfo("Europe/Rome")) == "Fr., 27. Nov. 2026, 15:00 (Rom)"
    assert words_of("en").brief(moment, ZoneInfo("UTC")) == "Fri, 27 Nov 2026, 14:00 (UTC)"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_zone_in_which_people_may_live_can_be_named(language: str) -> None:
    moment, words = datetime(2026, 11, 27, 14, tzinfo=UTC), words_of(language)

    named = {zone: (words.moment(moment, ZoneInfo(zone)), words.brief(moment, ZoneInfo(zone))) for zone in zones()}

    assert [zone for zone, both in named.items() if any("()" in each or "Unknown" in each for each in both)] == []


def test_money_is_written_as_the_language_does() -> None:
    assert words_of("en").money(4900, "EUR") == "€49.00"
    assert words_of("de").money(4900, "EUR") == "49,00\N{NO-BREAK SPACE}€"
    assert words_of("en").money(4900, "JPY") == "¥4,900"


def test_plurals_follow_the_number() -> None:
    pair = ("%(num)s lesson left", "%(num)s lessons left")

    assert [words_of("de").ngettext(*pair, number) for number in (1, 2)] == [
        "Noch %(num)s Stunde übrig",
        "Noch %(num)s Stunden übrig",
    ]


def test_an_unknown_sentence_is_said_in_english() -> None:
    assert words_of("de").gettext("Never seen before") == "Never seen before"
    assert words_of("xx").language == "en"
