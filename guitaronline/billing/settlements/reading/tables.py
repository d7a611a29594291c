"""CSV → rows whose columns are known by name. What does not fit the heading is a problem of its line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from guitaronline.billing.settlements.reading.problems import Problems, quoted
from guitaronline.billing.settlements.reading.texts import Text

HEADING_WITHIN = 60  # rows; banks put words in front of the heading

Names = Mapping[str, Sequence[str]]  # our word → headings that mean it, the best first


def csv_rows(text: Text, problems: Problems, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Number of the line on which the row ends, and its cells; blank lines are left out. Raises Unreadable."""
    reader = csv.reader(iter(text), delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise problems.stop(_broken(str(error)), line=reader.line_num) from None
        if row:
            yield reader.line_num, row


def _broken(error: str) -> str:
    if "unexpected end" in error:
        return "A quotation mark is not closed before the file ends: the file may be cut off."
    if "field larger" in error:
        return "A cell is longer than 131,072 characters: a quotation mark before it may not be closed."
    return "A quotation mark stands in the middle of a cell."


class Heading:
    """Where each of our columns stands."""

    def __init__(self, cells: Sequence[str], names: Names) -> None:
        self.cells = [cell.strip() for cell in cells]
        places = {cell.lower(): place for place, cell in reversed(list(enumerate(self.cells)))}
        self.places: dict[str, int] = {}
        for ours, theirs in names.items():
            place = next((places[each.lower()] for each in theirs if each.lower() in places), None)
            if place is not None:
                self.places[ours] = place

    def lacks(self, names: Names, required: Sequence[str]) -> list[str]:
        return [names[ours][0] for ours in required if ours not in self.places]

    def title(self, ours: str) -> str:
        """As the file calls it."""
        return self.cells[self.places[ours]] if ours in self.places else ours

    def reader(self, ours: str) -> Callable[[Sequence[str]], str]:
        """The cell of a row; empty where the file has no such column."""
        place = self.places.get(ours)
        return (lambda row: "") if place is None else (lambda row: row[place])


def find_heading(
    rows: Iterator[tuple[int, list[str]]], names: Names, required: Sequence[str], problems: Problems, *, within: int = 1
) -> Heading:
    """The heading, among the first `within` rows. Raises Unreadable and names what is missing or may have been renamed."""
    closest: tuple[int, Heading] | None = None
    for _, (line, row) in zip(range(within), rows, strict=False):
        heading = Heading(row, names)
        lacking = heading.lacks(names, required)
        if not lacking:
            _refuse_twice(heading, names, problems, line)
            return heading
        if closest is None or len(lacking) < len(closest[1].lacks(names, required)):
            closest = line, heading
    if closest is None:
        raise problems.stop("The file has no line with headings.", line=1)
    line, heading = closest
    for name in heading.lacks(names, required):
        alike = get_close_matches(name.lower(), [cell.lower() for cell in heading.cells], n=1, cutoff=0.5)
        hint = f" There is {quoted(alike[0])}: was it renamed?" if alike else ""
        stop = problems.stop(f"The column “{name}” is missing.{hint}", line=line, column=name)
    raise stop


def _refuse_twice(heading: Heading, names: Names, problems: Problems, line: int) -> None:
    """Two columns of the same name: nobody can tell which one is meant."""
    cells = [cell.lower() for cell in heading.cells]
    twice = [heading.title(ours) for ours in heading.places if cells.count(heading.title(ours).lower()) > 1]
    if twice:
        raise problems.stop(f"The column “{twice[0]}” is there twice.", line=line, column=twice[0])


def body_rows(
    rows: Iterator[tuple[int, list[str]]], heading: Heading, problems: Problems
) -> Iterator[tuple[int, list[str]]]:
    """Rows of the heading's width; others are problems."""
    width, cells = len(heading.cells), heading.cells
    for line, row in rows:
        if len(row) != width:
            hint = (
                ": it may be cut off"
                if len(row) < width
                else ": a separator may stand in a cell without quotation marks"
            )
            problems.add(f"The line has {len(row)} cells, the heading has {width}{hint}.", line=line)
        elif row[-1].strip() == cells[-1] and [each.strip() for each in row] == cells:
            problems.add("The heading is repeated: two files may have been put together.", line=line)
        else:
            yield line, row
