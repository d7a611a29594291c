"""What somebody asked to see of a list: its words, how they are read from an address, and how they are written into one.

The same words stand in links, saved views, exports and bulk actions. A page forgives what it cannot read and says so; whoever
acts on a selection reads it strictly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

LONGEST_SEARCH = 100
LAST_PAGE = 200  # further pages by number cost the database more than a person can read; Next goes on at the same price
WHOLE_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
PLACE = frozenset({"page", "after", "before"})  # where in the list, not what of it
AROUND = frozenset({"columns", "view", "on"})  # how it is shown
UNREADABLE = "That is not a page of this list; here is the first one."

Complain = Callable[[str], None]


@dataclass(frozen=True)
class Column:
    """A column of a list: its heading and how a record's cell looks; sortable when `sort` names an indexed column."""

    name: str
    label: str
    cell: Callable[[Any], Any]
    sort: Any = None
    is_number: bool = False
    is_default: bool = True  # shown until somebody chooses; others can be chosen


@dataclass(frozen=True)
class Selection:
    """What somebody asked to see of a list, in plain words: it can be kept, sent to a job, and means the same there."""

    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)  # name of the filter → value as typed
    sort: str = ""  # name of the column; empty: the list's usual order
    is_descending: bool = False

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "filters": dict(self.filters)}


class Filter(Protocol):
    name: str
    label: str
    widget: str

    def validate(self, value: str) -> bool: ...


class Offer(Protocol):
    """What a desk offers to choose from."""

    columns: Sequence[Column]
    filters: Sequence[Any]
    search_words: str


@dataclass(frozen=True)
class Asked:
    """One request of a list: what of it, shown how, from which place on; and what of the address could not be followed."""

    selection: Selection
    columns: tuple[Column, ...]
    page: int = 0
    after: str = ""
    before: str = ""
    complaints: tuple[str, ...] = ()


def read(offer: Offer, args: Mapping[str, str]) -> Asked:
    """As far as the address can be followed; the rest is told in `complaints`."""
    complaints: list[str] = []
    selection = _selection(offer, args, complaints.append)
    columns = _columns(offer, args.get("columns", ""), complaints.append)
    page = _page(args.get("page", ""), complaints.append)
    sorted_by = next((each for each in offer.columns if each.name == selection.sort), None)
    if sorted_by is not None and sorted_by not in columns:
        complaints.append(f"The list is sorted by “{sorted_by.label}”, a column that is not shown.")
    return Asked(selection, columns, page, args.get("after", ""), args.get("before", ""), tuple(complaints))


def read_strictly(offer: Offer, args: Mapping[str, str]) -> Selection:
    """What `args` say, all of it. Raises ValueError with the sentence for whatever cannot be followed."""

    def refuse(sentence: str) -> None:
        raise ValueError(sentence)

    return _selection(offer, args, refuse)


def to_args(selection: Selection) -> dict[str, str]:
    """The parameters of an address that asks for this."""
    found = {"search": selection.search, **selection.filters, "sort": selection.sort}
    if selection.sort and selection.is_descending:
        found["desc"] = "1"
    return {name: value for name, value in found.items() if value}


def plain(args: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters of an address, one value a name: ticked columns together, a first and a last day as one range."""
    found: dict[str, str] = {}
    for name, value in args:
        if name == "columns" and found.get(name):
            found[name] += f",{value}"
        else:
            found.setdefault(name, value)
    for name in [each.removesuffix(".first") for each in found if each.endswith(".first")]:
        first, last = found.pop(f"{name}.first"), found.pop(f"{name}.last", "")
        if first or last:
            found[name] = f"{first}..{last}"
    return found


def _selection(offer: Offer, args: Mapping[str, str], complain: Complain) -> Selection:
    by_name = {each.name: each for each in offer.filters}
    _tell_unknown(set(args) - set(by_name) - PLACE - AROUND - {"search", "sort", "desc"}, complain)
    given = {name: args.get(name, "").strip() for name in by_name}
    filters = {name: value for name, value in given.items() if value and _means(by_name[name], value, complain)}
    sort = _sort(offer, args.get("sort", ""), complain)
    is_descending = bool(sort) and args.get("desc") == "1"
    return Selection(_search(offer, args.get("search", ""), complain), filters, sort, is_descending)


def _tell_unknown(names: set[str], complain: Complain) -> None:
    told = [name[:40] for name in sorted(names) if name.isprintable()][:5]
    if names:
        complain(f"This list has no filter {', '.join(f'“{name}”' for name in told)}; it was left out.")


def _hint(each: Filter) -> str:
    words = "yesterday, last Thursday, this week, 2026-11-23 or 2026-11-23..2026-11-30"
    return f" Days are written so: {words}." if each.widget == "days" else ""


def _means(each: Filter, value: str, complain: Complain) -> bool:
    if value.isprintable() and each.validate(value):
        return True
    complain(f"“{value[:60]}” means nothing for {each.label}; that filter was left out.{_hint(each)}")
    return False


def _search(offer: Offer, given: str, complain: Complain) -> str:
    words = " ".join(given.split())
    if not words.isprintable():
        complain("The search had characters that nobody can type; it was left out.")
        return ""
    if len(words) > LONGEST_SEARCH:
        complain(f"Search for at most {LONGEST_SEARCH} characters; the search was left out.")
        return ""
    return words if offer.search_words else ""


def _sort(offer: Offer, given: str, complain: Complain) -> str:
    """A column by its name; old links say its number."""
    if not given:
        return ""
    is_number = WHOLE_NUMBER.fullmatch(given) and int(given) < len(offer.columns)
    name = offer.columns[int(given)].name if is_number else given
    if any(each.name == name and each.sort is not None for each in offer.columns):
        return name
    complain("This list cannot be sorted that way; it shows its usual order.")
    return ""


def _columns(offer: Offer, given: str, complain: Complain) -> tuple[Column, ...]:
    """Those that were chosen, in that order; the usual ones when none was."""
    usual = tuple(each for each in offer.columns if each.is_default)
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    by_name = {each.name: each for each in offer.columns}
    unknown = [name[:40] for name in names if name not in by_name and name.isprintable()][:5]
    if any(name not in by_name for name in names):
        complain(f"This list has no column {', '.join(f'“{name}”' for name in unknown)}; it was left out.")
    return tuple(by_name[name] for name in names if name in by_name) or usual


def _page(given: str, complain: Complain) -> int:
    if not given:
        return 0
    if not WHOLE_NUMBER.fullmatch(given):
        complain(UNREADABLE)
        return 0
    if int(given) > LAST_PAGE:
        complain(f"Pages have numbers up to {LAST_PAGE}; go on with Next, or narrow your filter.")
        return 0
    return int(given)
