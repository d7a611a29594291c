"""Which reader reads which kind of file."""

from __future__ import annotations

from collections.abc import Iterator

from guitaronline.billing.settlements.models import FileKind
from guitaronline.billing.settlements.profiles import Columns
from guitaronline.billing.settlements.reading.bank_csv import read_bank_csv
from guitaronline.billing.settlements.reading.camt import read_camt
from guitaronline.billing.settlements.reading.lines import Line, Statement
from guitaronline.billing.settlements.reading.mt940 import read_mt940
from guitaronline.billing.settlements.reading.paypal import read_paypal
from guitaronline.billing.settlements.reading.problems import Problems, Unreadable
from guitaronline.billing.settlements.reading.stripe import read_stripe
from guitaronline.billing.settlements.reading.texts import Source

NAME_THEMSELVES = frozenset({FileKind.CAMT053, FileKind.MT940})  # the account stands in the file


class Reading:
    """A file that is read: its problems and statements are complete when its lines have been taken to the end."""

    def __init__(self, kind: FileKind, source: Source, *, account: str | None, columns: Columns | None = None) -> None:
        self.kind, self.source, self.account, self.columns = kind, source, account, columns
        self.problems = Problems()
        self.statements: list[Statement] = []

    def lines(self) -> Iterator[Line]:
        """Good lines only; once there is a problem, none: nothing of the file will be taken.

        A whole file may have none: on some days nothing moves."""
        try:
            for line in self._read():
                if not self.problems.total:
                    yield line
        except Unreadable:
            return  # it stands among the problems

    def _read(self) -> Iterator[Line]:
        source, problems, statements, account = self.source, self.problems, self.statements, self.account
        match self.kind:
            case FileKind.CAMT053:
                return read_camt(source, problems, statements, account=account)
            case FileKind.MT940:
                return read_mt940(source, problems, statements, account=account)
        assert account is not None
        match self.kind:
            case FileKind.PAYPAL:
                return read_paypal(source, problems, statements, account=account)
            case FileKind.BANK_CSV:
                assert self.columns is not None
                return read_bank_csv(source, problems, statements, account=account, columns=self.columns)
        return read_stripe(source, problems, account=account)
