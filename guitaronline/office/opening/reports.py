"""What came out of trying the files: counts, what is wrong with which line, and what somebody should look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from guitaronline.errors import Reason
from guitaronline.office.opening.sheets import file_name
from guitaronline.office.opening_models import Sheet

COLUMN_OF = {
    "start_at": "start",
    "end_at": "minutes",
    "expires_at": "expires_on",
}  # as the files call what the steps name
TOLD_MOST = 500  # lines of a report; more are counted


@dataclass(frozen=True)
class Finding:
    """A sentence about a place in a file; `line` as a text editor counts, 0: the file as a whole."""

    file: str
    line: int
    column: str
    code: str
    words: str


@dataclass
class Report:
    new: Counter[str] = field(default_factory=Counter)  # by sheet
    same: Counter[str] = field(default_factory=Counter)  # came in before, and say the same
    problems: list[Finding] = field(default_factory=list)  # as long as there is one, nothing comes in
    notices: list[Finding] = field(default_factory=list)  # to be looked at; they stop nothing
    problems_total: int = 0
    notices_total: int = 0
    sold_minor: Counter[str] = field(default_factory=Counter)  # by currency: prices of the packages
    used_minor: Counter[str] = field(default_factory=Counter)  # of that, what lessons used before were worth
    _failed: defaultdict[Sheet, set[str]] = field(default_factory=lambda: defaultdict(set))

    def wrong(self, sheet: Sheet, line: int, column: str, code: str, words: str) -> None:
        self.problems_total += 1
        if len(self.problems) < TOLD_MOST:
            self.problems.append(Finding(file_name(sheet), line, column, code, words))

    def refused(self, sheet: Sheet, line: int, reasons: Sequence[Reason]) -> None:
        """Every reason of a refusal stands at its line, and at its column where it names one."""
        for each in reasons:
            words = f"{each.detail} {each.fix}".strip()
            column = each.pointer.strip("/")
            self.wrong(sheet, line, COLUMN_OF.get(column, column), each.code, words)

    def note(self, sheet: Sheet, line: int, column: str, code: str, words: str) -> None:
        self.notices_total += 1
        if len(self.notices) < TOLD_MOST:
            self.notices.append(Finding(file_name(sheet), line, column, code, words))

    def fail(self, sheet: Sheet, external_id: str) -> None:
        self._failed[sheet].add(external_id)

    def has_failed(self, sheet: Sheet, external_id: str) -> bool:
        return external_id in self._failed[sheet]

    @property
    def rows_new(self) -> int:
        return sum(self.new.values())

    def as_stored(self) -> dict[str, Any]:
        return {
            "new": dict(self.new),
            "same": dict(self.same),
            "problems": [asdict(each) for each in self.problems],
            "notices": [asdict(each) for each in self.notices],
            "notices_total": self.notices_total,
            "sold_minor": dict(self.sold_minor),
            "used_minor": dict(self.used_minor),
        }
