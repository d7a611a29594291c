"""Profiles: how the CSV of one bank is read. Made by people at the desk, checked here, kept as plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from guitaronline.billing.settlements.models import SettlementProfile
from guitaronline.billing.settlements.refusals import ProfileInvalid, ProfileNameTaken
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.money import CURRENCIES
from guitaronline.unit_of_work import Work, command, constraint_errors

constraint_errors["uq_settlement_profiles_name"] = ProfileNameTaken

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
ENCODINGS = {"utf-8": "UTF-8", "cp1252": "Windows-1252", "iso-8859-15": "Latin-9", "utf-16": "UTF-16"}
DECIMALS = {".": "point: 1234.50", ",": "comma: 1234,50"}
THOUSANDS = {"": "none", ".": "point: 1.234", ",": "comma: 1,234", " ": "space: 1 234", "'": "apostrophe: 1'234"}
DAYS = {
    "%Y-%m-%d": "2026-11-30",
    "%d.%m.%Y": "30.11.2026",
    "%d.%m.%y": "30.11.26",
    "%d/%m/%Y": "30/11/2026",
    "%m/%d/%Y": "11/30/2026",
    "%d-%m-%Y": "30-11-2026",
    "%Y%m%d": "20261130",
}
LONGEST_HEADING = 100


@dataclass(frozen=True)
class Columns:
    """Headings of the bank's columns, and how it writes. Empty: there is no such column.

    The amount stands in `amount` with its sign, or with `sign` beside it, or in `credit` and `debit`."""

    booked_on: str
    value_on: str = ""
    amount: str = ""
    sign: str = ""
    credit: str = ""
    debit: str = ""
    currency: str = ""
    one_currency: str = ""  # of all lines, where the file does not say
    texts: list[str] = field(default_factory=list)
    counterparty: str = ""
    external_id: str = ""
    balance: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""
    day: str = "%Y-%m-%d"
    debit_words: list[str] = field(default_factory=list)  # in `sign`: D, DBIT, S, -


def read_mapping(facts: Mapping[str, Any]) -> Columns:
    """As it was kept."""
    return Columns(**facts)


def mapping_problems(mapping: Columns) -> list[Reason]:
    """Every reason why no file can be read like this."""
    headings = [mapping.booked_on, mapping.value_on, mapping.amount, mapping.sign, mapping.credit, mapping.debit]
    headings += [mapping.currency, *mapping.texts, mapping.counterparty, mapping.external_id, mapping.balance]
    has_amount, has_halves = bool(mapping.amount), bool(mapping.credit and mapping.debit)
    found = [
        (not mapping.booked_on, "booked_on", "Name the column with the day."),
        (has_amount == has_halves, "amount", "Name one column with the amount, or one for credits and one for debits."),
        (bool(mapping.sign) and not has_amount, "sign", "A sign needs the column with the amount."),
        (bool(mapping.sign) and not mapping.debit_words, "debit_words", "Say which words mean a debit."),
        (bool(mapping.currency) == bool(mapping.one_currency), "currency", "Name the column with the currency, or the one currency of all lines."),
        (bool(mapping.one_currency) and mapping.one_currency not in CURRENCIES, "one_currency", "This is not a currency that is taken."),
        (mapping.delimiter not in DELIMITERS, "delimiter", "This is not a separator that is known."),
        (mapping.encoding not in ENCODINGS, "encoding", "This is not an encoding that is known."),
        (mapping.decimal not in DECIMALS, "decimal", "The decimal sign is a point or a comma."),
        (mapping.thousands not in THOUSANDS, "thousands", "This is not a mark between thousands that is known."),
        (mapping.decimal == mapping.thousands, "thousands", "The decimal sign and the mark between thousands must differ."),
        (mapping.day not in DAYS, "day", "This is not a way to write days that is known."),
        (any(len(each) > LONGEST_HEADING for each in headings), "booked_on", f"A heading has at most {LONGEST_HEADING} characters."),
    ]  # fmt: skip
    return [Reason(f"{name}_invalid", detail, pointer=f"/{name}") for wrong, name, detail in found if wrong]


@command("settlement.create_profile", creates="settlement_profiles")
def create_profile(work: Work, *, name: str, mapping: Columns, reason: str | None = None) -> SettlementProfile:
    """Files can be uploaded with it. Raises ProfileInvalid, ProfileNameTaken."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    _check(mapping)
    made = SettlementProfile(id=work.record_id, name=name, mapping=asdict(mapping))
    work.add(made)
    return made


@command("settlement.edit_profile", on="settlement_profiles")
def edit_profile(
    work: Work, profile_id: UUID, *, name: str, mapping: Columns, is_active: bool, reason: str | None = None
) -> SettlementProfile:
    """Holds for files that are uploaded from now on. Raises ProfileInvalid, ProfileNameTaken."""
    access.require(work.actor, Permission.EDIT_PAYMENTS)
    profile = work.lock(SettlementProfile, profile_id)
    _check(mapping)
    profile.name, profile.mapping, profile.is_active = name, asdict(mapping), is_active
    return profile


def _check(mapping: Columns) -> None:
    problems = mapping_problems(mapping)
    if problems:
        raise ProfileInvalid(reasons=problems)
