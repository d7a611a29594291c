"""What a bulk action would do to each record, and the digest by which it is known that nothing has changed since. Pure."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from guitaronline.errors import Reason

MARK = 16  # characters that stand for one row
TOLD_AT_MOST = 20  # sentences about what changed


@dataclass(frozen=True)
class Forecast:
    """One row of a preview: what will become of the record, or why nothing will."""

    record_id: UUID
    version: int
    label: str
    code: str  # stable: what becomes of it, or the first reason of the refusal
    sentence: str
    is_possible: bool = True
    people: frozenset[UUID] = frozenset()  # who hears of it

    @property
    def mark(self) -> str:
        """Six bytes for the record, six for what was foreseen; the sentence may age without harm."""
        foreseen = f"{self.version} {self.code} {self.is_possible}"
        return urlsafe_b64encode(_short(self.record_id.bytes) + _short(foreseen.encode())).decode()

    def says(self) -> str:
        return self.sentence if self.is_possible else f"will be refused: {self.sentence}"


def refused(record: Any, label: str, reasons: Sequence[Reason]) -> Forecast:
    details = " ".join(each.detail for each in reasons)
    return Forecast(record.id, record.version, label, reasons[0].code, details, is_possible=False)


def marks(forecasts: Iterable[Forecast]) -> str:
    """What the person has seen, small enough to go through a form."""
    return "".join(each.mark for each in forecasts)


def digest(action: str, arguments: Mapping[str, Any], forecasts: Sequence[Forecast]) -> str:
    """Equal only for the same action, arguments, records, versions and outcomes, in the same order."""
    whole = json.dumps([action, dict(arguments), marks(forecasts)], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def difference(seen: str, forecasts: Sequence[Forecast]) -> list[Reason]:
    """What is not as it was in the preview whose marks are `seen`."""
    before = {seen[at : at + MARK][:8]: seen[at : at + MARK] for at in range(0, len(seen), MARK)}
    gone = before.keys() - {each.mark[:8] for each in forecasts}
    told = [_changed(each, before.get(each.mark[:8])) for each in forecasts if before.get(each.mark[:8]) != each.mark]
    if len(told) > TOLD_AT_MOST:
        told = [*told[:TOLD_AT_MOST], Reason("more_changed", f"… and {len(told) - TOLD_AT_MOST} more.")]
    if gone:
        told.append(Reason("rows_gone", f"{len(gone)} of the records do not match any more."))
    return told or [Reason("asked_otherwise", "You changed what is to be done after it was shown.")]


def _changed(now: Forecast, before: str | None) -> Reason:
    was = "is new here" if before is None else "is not as it was"
    return Reason("row_changed", f"{now.label} {was}; now: {now.says()}")


def _short(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:6]
