"""Seller and buyer as an invoice names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from guitaronline.billing.invoices.countries import COUNTRIES, name_of
from guitaronline.errors import Reason

LINE_LENGTH = 120
ADDRESS = ("street", "postal_code", "city")


@dataclass(frozen=True)
class Party:
    """Lines that are empty are not printed. `country` is ISO 3166-1 alpha-2, or empty where nobody said it."""

    name: str
    company: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""
    tax_id: str = ""
    registration: str = ""
    contact: str = ""
    bank: str = ""

    @classmethod
    def of(cls, record: Any) -> Party:
        """From a row with columns of these names."""
        return cls(**{each.name: getattr(record, each.name, "") for each in fields(cls)})

    @classmethod
    def stored(cls, facts: dict[str, Any]) -> Party:
        return cls(**facts)

    def facts(self) -> dict[str, str]:
        """As it is stored on what was issued."""
        return {name: value for name, value in asdict(self).items() if value or name == "name"}

    @property
    def address_lines(self) -> list[str]:
        """As it stands on an envelope."""
        place = f"{self.postal_code} {self.city}".strip()
        lines = [self.company, self.name, self.street, place, name_of(self.country) if self.country else ""]
        return [line for line in lines if line]


def party_problems(party: Party, *, needed: Iterable[str]) -> list[Reason]:
    """Every reason why invoices cannot name this party."""
    problems = [
        Reason(
            f"{name}_invalid", "This is needed." if not value else "At most 120 printable characters.", "", f"/{name}"
        )
        for name, value in asdict(party).items()
        if name != "country" and ((name in needed and not value) or not is_line(value))
    ]
    if party.country not in COUNTRIES:
        problems.append(
            Reason("country_invalid", "A country is named by its two letters, such as DE.", pointer="/country")
        )
    return problems


def is_line(words: str, most: int = LINE_LENGTH) -> bool:
    """One line of text that can be printed."""
    return len(words) <= most and words.isprintable()
