"""The languages of messages: English, in which they are written, and the catalogs beside this file (`locale/<language>.po`).

A catalog is read as it stands when it is first needed; nothing is compiled. A sentence that it lacks is said in English."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from guitaronline import money, policy
from guitaronline.identity.models import User

FOLDER = Path(__file__).parent / "locale"
SOURCE = "en"
LANGUAGES = ("en", "de")
NAMES = {  # how people write it into their profile → the language
    "english": "en", "englisch": "en", "anglais": "en", "inglés": "en", "eng": "en",
    "german": "de", "deutsch": "de", "allemand": "de", "alemán": "de", "tedesco": "de", "ger": "de", "deu": "de",
}  # fmt: skip
WORD = re.compile(r"[^\W\d_]+")
MOMENTS = {"en": "EEEE, d MMMM y, HH:mm", "de": "EEEE, d. MMMM y, HH:mm"}
BRIEF = {"en": "EEE, d MMM y, HH:mm", "de": "EEE, d. MMM y, HH:mm"}
DAYS = {"en": "d MMMM y", "de": "d. MMMM y"}


def language_of(person: User) -> str:
    """The first language in the person's profile that messages are written in; DEFAULT_LANGUAGE where there is none.

    What stands there is free text: `German`, `de-AT`, `Deutsch (ein wenig English)`."""
    for word in map(str, WORD.findall((person.language or "").lower())):
        known = NAMES.get(word, word)
        if known in LANGUAGES:
            return known
    return policy.current().DEFAULT_LANGUAGE


class Words:
    """One language: its sentences, and how it writes moments, days and money."""

    def __init__(self, language: str) -> None:
        self.language, self.locale, self.catalog = language, Locale.parse(language), catalog_of(language)

    def gettext(self, message: str) -> str:
        found = self.catalog.get(message) if self.catalog is not None and message else None
        return str(found.string) if found is not None and found.string else message

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        found = self.catalog.get(singular) if self.catalog is not None else None
        forms = found.string if found is not None else None
        if not isinstance(forms, tuple | list) or not all(forms):
            return singular if number == 1 else plural
        return str(forms[int(number != 1)])  # two forms, as in every language here

    @lru_cache(maxsize=2048)  # noqa: B019  # one of a language, for good; a lesson's start stands in many messages
    def moment(self, moment: datetime, zone: ZoneInfo) -> str:
        """`Friday, 27 November 2026, 15:00 (Central European Standard Time)`"""
        local = moment.astimezone(zone)
        name = dates.get_timezone_name(local, width="long", locale=self.locale)
        return f"{dates.format_datetime(local, MOMENTS[self.language], zone, self.locale)} ({name})"

    @lru_cache(maxsize=2048)  # noqa: B019
    def brief(self, moment: datetime, zone: ZoneInfo) -> str:
        """`Fri, 27 Nov 2026, 15:00 (Berlin)`, for subjects and lists."""
        local = moment.astimezone(zone)
        return f"{dates.format_datetime(local, BRIEF[self.language], zone, self.locale)} ({self._place(local, zone)})"

    def _place(self, local: datetime, zone: ZoneInfo) -> str:
        area, _, city = zone.key.partition("/")
        if not city:
            return area
        if area == "Etc":  # no city, and its sign is the wrong way round
            return dates.get_timezone_gmt(local, locale=self.locale)
        return dates.get_timezone_location(local, self.locale, return_city=True)

    def day(self, moment: datetime | date, zone: ZoneInfo) -> str:
        day = moment.astimezone(zone).date() if isinstance(moment, datetime) else moment
        return dates.format_date(day, DAYS[self.language], self.locale)

    def money(self, amount_minor: int, currency: str) -> str:
        amount = Decimal(money.decimal_string(amount_minor, currency))
        return numbers.format_currency(amount, currency, locale=self.locale)


@cache
def words_of(language: str) -> Words:
    """Of an unknown language: English."""
    return Words(language if language in LANGUAGES else SOURCE)


@cache
def catalog_of(language: str) -> Catalog | None:
    """None for English: the sentences are written in it."""
    if language == SOURCE:
        return None
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)
