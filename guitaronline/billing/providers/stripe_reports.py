"""Stripe's reports through its API: a run is asked for, is ready some minutes later, and its file is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, BinaryIO

import stripe
from urllib3.exceptions import HTTPError

from guitaronline.billing.providers import stripe as provider
from guitaronline.billing.providers.base import ProviderRefused, ProviderUnknown
from guitaronline.billing.providers.stripe import Stripe

PIECE_BYTES = 65_536


@dataclass(frozen=True)
class Report:
    """A run as it stands. `file`: the id of what it made; `failed`: nothing will come of it."""

    reference: str
    file: str | None = None
    size: int | None = None
    failed: str | None = None


class StripeReports(Stripe):
    def ask(self, report_type: str, columns: tuple[str, ...], day: date, *, key: str) -> Report:
        """They begin to make the report of that day (UTC); the same run for the same key. Raises ProviderUnknown, ProviderRefused."""
        start = datetime.combine(day, time(), UTC)
        asked = {
            "report_type": report_type,
            "parameters": {
                "interval_start": int(start.timestamp()),
                "interval_end": int((start + timedelta(days=1)).timestamp()),
                "columns": list(columns),
            },
        }
        return _report(self._answer(lambda: self.api.reporting.report_runs.create(asked, {"idempotency_key": key})))

    def look(self, reference: str) -> Report:
        """Raises ProviderUnknown, ProviderRefused."""
        return _report(self._answer(lambda: self.api.reporting.report_runs.retrieve(reference)))

    def download(self, report: Report, into: BinaryIO, *, most_bytes: int) -> None:
        """The file is in `into`, whole. Raises ProviderUnknown, ProviderRefused; then what is in it counts for nothing.

        The key goes to our setting's address only, whatever address the answer names."""
        url = f"{self.base.replace('//api.', '//files.')}/v1/files/{report.file}/contents"
        http = stripe.RequestsClient(timeout=provider.TIMEOUT_SECONDS)
        try:
            stream, status, _ = http.request_stream("get", url, {"Authorization": f"Bearer {self.key}"})
            if status != 200:
                is_unknown = status >= 500 or status in provider.NOBODY_KNOWS
                raise (ProviderUnknown if is_unknown else ProviderRefused)(reason=f"http_{status}", status=status)
            size = _copied(stream, into, most_bytes)
        except (stripe.APIConnectionError, HTTPError) as error:
            raise ProviderUnknown(status=None) from error
        finally:
            http.close()  # type: ignore[no-untyped-call]
        if report.size is not None and size != report.size:
            raise ProviderUnknown(status=200)  # it was cut off


def _copied(stream: Any, into: BinaryIO, most_bytes: int) -> int:
    size = 0
    while piece := stream.read(PIECE_BYTES, decode_content=True):
        size += len(piece)
        if size > most_bytes:
            raise ProviderRefused(reason="too_large")
        into.write(piece)
    return size


def _report(run: dict[str, Any]) -> Report:
    made = run.get("result") or {}
    if run["status"] == "failed":
        return Report(run["id"], failed=str(run.get("error") or "failed")[:200])
    is_ready = run["status"] == "succeeded"
    return Report(run["id"], made.get("id") if is_ready else None, made.get("size") if is_ready else None)
