"""The inventory names every column, and says of each what the rest of the product does."""

from __future__ import annotations

import dataclasses
import re

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import config
from guitaronline import models as _every_table  # noqa: F401  # the metadata is whole
from guitaronline.db import Base, new_id
from guitaronline.privacy.holding import Holding
from guitaronline.privacy.inventory import CHAPTERS, HOLDINGS
from jobs.cleaning import DONE_WITH

SIGN_INS = {  # identity/housekeeping.py
    *("api_tokens", "token_families", "console_sessions", "sign_in_links", "former_addresses", "known_devices"),
    *("failed_logins", "address_changes"),
}
SETTINGS = {each.name for each in dataclasses.fields(config.Settings)}


def test_every_column_of_every_table_is_named_once() -> None:
    named = {table: sorted(each.columns) for table, each in HOLDINGS.items()}

    assert named == {name: sorted(table.columns.keys()) for name, table in Base.metadata.tables.items()}
    assert sum(map(len, CHAPTERS.values())) == len(HOLDINGS)


@pytest.mark.parametrize("holding", HOLDINGS.values(), ids=list(HOLDINGS))
def test_what_is_personal_goes_or_says_why_it_stays(holding: Holding) -> None:
    left = [name for name in holding.personal if not holding.goes and name not in holding.emptied]

    assert not left or holding.stays
    assert set(holding.emptied) <= set(holding.columns)
    assert holding.kept
    assert set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", holding.kept + holding.stays)) <= SETTINGS


def test_conditions_are_sql_that_finds_nothing_of_a_stranger(db: Session) -> None:
    stranger = {"person": new_id()}
    found = [
        db.scalar(text(f"SELECT count(*) FROM {each.table} WHERE {condition}"), stranger)  # the inventory's
        for each in HOLDINGS.values()
        for condition in {each.whose, each.given} - {""}
    ]

    assert set(found) == {0}


def test_what_the_nightly_job_removes_is_not_said_to_be_kept_for_good() -> None:
    kept = {table: HOLDINGS[table].kept for table in DONE_WITH}

    assert [table for table, words in kept.items() if "for good" in words or "ten years" in words] == []


def test_what_is_kept_for_days_is_removed_by_a_job() -> None:
    timed = {table for table, each in HOLDINGS.items() if re.search(r"days|_DAYS", each.kept)}

    assert timed == set(DONE_WITH) | SIGN_INS | {"export_parts"}
