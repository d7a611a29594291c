"""Reports are fetched from their provider: each step is a claim, one call outside of every transaction, and a note of what came.

A worker that dies in between leaves the lease to run out; the next one asks with the same key for the same run, or downloads
the same file again, which is one file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.billing.providers import ProviderRefused, ProviderUnknown, reports
from guitaronline.billing.settlements import fetch_queue, importing
from guitaronline.billing.settlements.fetch_models import ReportKind
from guitaronline.billing.settlements.fetch_queue import Claimed
from guitaronline.billing.settlements.importing import Received
from guitaronline.billing.settlements.models import FileKind
from guitaronline.billing.settlements.originals import MOST_BYTES, PART_BYTES
from guitaronline.billing.settlements.refusals import FileKnown, TakenOver
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.errors import NotFound

if TYPE_CHECKING:  # their library takes a while to load
    from guitaronline.billing.providers.stripe_reports import Report, StripeReports

LINES = (
    "balance_transaction_id", "created_utc", "available_on_utc", "currency", "gross", "fee", "net", "reporting_category", "source_id",
    "description", "customer_email", "payment_intent_id", "automatic_payout_id", "payment_metadata[payment_id]", "refund_metadata[refund_id]",
)  # fmt: skip
PAYOUTS = (
    "payout_id", "effective_at_utc", "balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category", "description",
)  # fmt: skip
REPORTS = {  # → their type, the columns that are read of it, the kind of file
    ReportKind.ACTIVITY: ("balance_change_from_activity.itemized.6", LINES, FileKind.STRIPE_BALANCE),
    ReportKind.PAYOUTS: ("payouts.itemized.3", PAYOUTS, FileKind.STRIPE_BALANCE),
    ReportKind.PAYOUT_LINES: ("payout_reconciliation.itemized.5", LINES, FileKind.STRIPE_PAYOUTS),
}


def wanted() -> Sequence[ReportKind]:
    """The reports that the settings name; none: people upload them."""
    return [ReportKind(each.strip()) for each in policy.current().STRIPE_REPORTS.split(",") if each.strip()]


def plan() -> None:
    """The reports of all days that are over stand in the queue."""
    kinds = wanted()
    if kinds:
        fetch_queue.plan(kinds)


def fetch_next() -> bool:
    """The report that is due longest is a step further, or will be asked for again; False: none is due."""
    kinds = wanted()
    claimed = fetch_queue.claim(kinds, new_id()) if kinds else None
    if claimed is None:
        return False
    session().rollback()  # no connection is kept while somebody else thinks
    try:
        _step(claimed, reports())
    except ProviderRefused as no:
        fetch_queue.put_off(claimed, error=f"refused: {no.facts.get('reason', no.code)}", is_over=True)
    except ProviderUnknown:
        fetch_queue.put_off(claimed, error="no answer")
    except NotFound:
        fetch_queue.put_off(claimed, error="its key is not set")
    except TakenOver:
        pass  # whoever has it now notes what comes of it
    return True


def _step(claimed: Claimed, provider: StripeReports) -> None:
    """Raises ProviderUnknown, ProviderRefused."""
    report_type, columns, _ = REPORTS[claimed.kind]
    if claimed.reference is None:
        report = provider.ask(report_type, columns, claimed.day, key=claimed.key)
    else:
        report = provider.look(claimed.reference)
    if report.failed:
        fetch_queue.put_off(claimed, error=f"failed: {report.failed}", is_over=True)
    elif report.file is None:
        fetch_queue.under_way(claimed, report.reference)
    else:
        _keep(claimed, report, provider)


def _keep(claimed: Claimed, report: Report, provider: StripeReports) -> None:
    """The report is a file of ours. Raises ProviderUnknown, ProviderRefused."""
    with tempfile.TemporaryFile() as content:
        provider.download(report, content, most_bytes=MOST_BYTES)
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        received = Received(
            kind=REPORTS[claimed.kind][2],
            file_name=f"stripe-{claimed.kind}-{claimed.day}.csv".replace("_", "-"),
            sha256=hashlib.file_digest(content, "sha256").hexdigest(),
            size_bytes=size,
            parts=partial(_parts, content),
            account=policy.current().STRIPE_REPORTS_ACCOUNT,
        )
        try:
            importing.keep_fetched(SYSTEM, received=received, claimed=claimed)
        except FileKnown:  # a quiet day's report is like that of every other; or somebody uploaded it
            _is_known(claimed, received.sha256)


def _is_known(claimed: Claimed, sha256: str) -> None:
    with technical_transaction() as current:
        known = importing.known_file(current, sha256)
        if known is not None:  # else it was discarded a moment ago, and is kept when it comes again
            fetch_queue.close(current, claimed, known.id, clock.read(current))


def _parts(content: BinaryIO) -> Iterator[bytes]:
    content.seek(0)
    while part := content.read(PART_BYTES):
        yield part
