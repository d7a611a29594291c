"""How the inventory describes a table: what its columns hold, whose rows they are, and what erasure does to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from guitaronline.identity.access import Permission


class Kind(StrEnum):
    KEY = "key"  # ids, references, links between records
    NAME = "name"
    CONTACT = "contact"  # e-mail, phone, postal address, where somebody can be met
    WORDS = "free text"  # may say anything about anybody
    TRAIT = "trait"  # says something about a person and not who it is: zone, language, level
    PLACE = "place"  # network address, device
    COPY = "copy"  # bytes or JSON made of other columns or sent by others; may quote people
    REASON = "reason"  # why staff did it; belongs to the books and the audit
    MONEY = "money"
    TIME = "time"
    STATE = "state"  # statuses, counts, settings
    SECRET = "secret"  # noqa: S105  # a kind of column: hashes of passwords and tokens
    TECHNICAL = "technical"  # leases, attempts, codes of failures


PERSONAL = frozenset({Kind.NAME, Kind.CONTACT, Kind.WORDS, Kind.PLACE, Kind.COPY})
NEVER_GIVEN_OUT = frozenset({Kind.SECRET, Kind.TECHNICAL})


@dataclass(frozen=True)
class Holding:
    """One table. `whose` is an SQL condition over its rows with `:person`; empty where no row is about one person.

    `emptied` says what erasure puts into which column, as SQL; `goes` that it removes the rows. What is personal and does
    neither stays, and `stays` says why. `given` is the condition for what the person gets who asks for their data; empty:
    nothing of it."""

    table: str
    columns: Mapping[str, Kind]
    kept: str
    seen_by: Permission | None
    whose: str
    emptied: Mapping[str, str]
    goes: bool
    stays: str
    given: str

    @property
    def personal(self) -> list[str]:
        return [name for name, kind in self.columns.items() if kind in PERSONAL]

    @property
    def given_out(self) -> list[str]:
        """The columns that a person gets who asks for their data."""
        return [name for name, kind in self.columns.items() if kind not in NEVER_GIVEN_OUT]

    def fate(self, column: str) -> str:
        """What erasure does to the column, in words."""
        if not self.whose and not self.emptied:
            return "–"
        if self.goes:
            return "the row goes"
        if column in self.emptied:
            return "emptied"
        return "stays"


def holding(
    table: str,
    *,
    kept: str,
    seen: Permission | None = None,
    whose: str = "",
    emptied: str = "",
    goes: bool = False,
    stays: str = "",
    given: str | None = None,
    **columns: str,
) -> Holding:
    """`key="id reference"` and so on: the columns of each kind. `emptied="phone=NULL; full_name=''"`."""
    values = dict(each.strip().split("=", 1) for each in emptied.split(";") if each)
    kinds = {name: Kind[kind.upper()] for kind, names in columns.items() for name in names.split()}
    return Holding(table, kinds, kept, seen, whose, values, goes, stays, whose if given is None else given)
