"""A file of a provider or bank is uploaded: kept as it came, then read by a job. Nothing is imported by that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import PurePath
from typing import Any, BinaryIO

import flask
from flask import Flask
from flask_login import current_user
from sqlalchemy import select
from wtforms import FileField
from wtforms.validators import ValidationError

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.billing.settlements import importing
from guitaronline.billing.settlements.importing import Received
from guitaronline.billing.settlements.models import FileKind, SettlementFile, SettlementProfile
from guitaronline.billing.settlements.originals import MOST_BYTES, PART_BYTES
from guitaronline.billing.settlements.refusals import FileTooLarge
from guitaronline.db import session
from guitaronline.identity.access import Permission

KINDS = {
    FileKind.STRIPE_PAYOUTS: "Stripe: payout reconciliation, itemized (CSV)",
    FileKind.STRIPE_BALANCE: "Stripe: balance or payouts, itemized (CSV)",
    FileKind.PAYPAL: "PayPal: settlement report (CSV)",
    FileKind.CAMT053: "Bank: CAMT.053 (XML)",
    FileKind.MT940: "Bank: MT940",
    FileKind.BANK_CSV: "Bank: CSV by a profile",
}
AROUND_BYTES = 100_000  # of a request beside the file: its other fields and the lines between them
LONGEST_NAME = 200
PROFILES_SHOWN = 200
ACCOUNTS_SHOWN = 10


def init_uploads(app: Flask) -> None:
    """Before the form is read, which is before anything else looks at the request."""
    app.before_request_funcs.setdefault(None, []).insert(1, allow_large_file)


def allow_large_file() -> None:
    """For who may upload, on the one page for it. Everybody else's requests stay small."""
    if flask.request.method != "POST" or flask.request.endpoint != f"console.{UploadFile.__name__}":
        return
    if not current_user.is_authenticated or not gate.may(UploadFile.permission):
        return
    most = MOST_BYTES + AROUND_BYTES
    flask.request.max_content_length = most
    if (flask.request.content_length or 0) > most:
        raise FileTooLarge(limit=MOST_BYTES)


def is_there(form: Any, field: Any) -> None:
    if not field.data or not getattr(field.data, "filename", ""):
        raise ValidationError("Choose a file.")


class UploadForm(forms.CommandForm):
    file = FileField("File", validators=[is_there], description="Up to 200 MB, exactly as you downloaded it.")
    kind = forms.choice("Kind", [(str(kind), words) for kind, words in KINDS.items()])
    account = forms.line("Account", most=64)
    profile = forms.choice("Profile", [], help="For a bank's CSV: how it is read.")
    reason = forms.reason(required=False)


class UploadFile(CommandPage):
    path = "imports/upload"
    title = "Upload a file"
    parent = "desk_imports.index_view"
    button = "Upload and read"
    permission = Permission.EDIT_PAYMENTS
    form = UploadForm
    template = "admin/upload.html"
    lead = "The file is kept and read to its end. Nothing is imported before you have seen what it would bring."

    def prepare(self, form: Any, record: Any) -> None:
        form.profile.choices = forms.choices([("", "none"), *_profiles()])
        known = ", ".join(_accounts())
        form.account.description = (
            "How you call the provider's account, or the bank account's IBAN. CAMT.053 and MT940 name it themselves."
            + (f" Known: {known}." if known else "")
        )

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("Then", "A job reads it; in a minute at most you see its totals or what is wrong with it.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        stream: BinaryIO = form.file.data.stream
        digest, size = _measured(stream)
        received = Received(
            kind=FileKind(form.kind.data),
            file_name=file_name(form.file.data.filename),
            sha256=digest,
            size_bytes=size,
            parts=partial(_parts, stream),
            account=form.account.data,
            profile_id=forms.id_or_none(form.profile.data),
        )
        try:
            return importing.receive_file(actor, received=received, reason=form.reason.data)
        finally:
            stream.close()  # a large one lies on the disk

    def done(self, result: Any) -> Done:
        return Done(
            f"{result.reference} is kept and will be read.", show.record_url("settlement_files", result.id) or ""
        )


def _profiles() -> list[tuple[str, str]]:
    query = select(SettlementProfile).where(SettlementProfile.is_active).order_by(SettlementProfile.name)
    return [(str(each.id), each.name) for each in session().scalars(query.limit(PROFILES_SHOWN))]


def _accounts() -> list[str]:
    """Those of the latest files. Index: the primary key; there are few files."""
    latest = (
        select(SettlementFile.account).where(SettlementFile.account.is_not(None)).order_by(SettlementFile.id.desc())
    )
    return list(dict.fromkeys(each for each in session().scalars(latest.limit(100)) if each))[:ACCOUNTS_SHOWN]


def file_name(given: str | None) -> str:
    """What the person called it; only to recognize it."""
    name = PurePath((given or "").replace("\\", "/")).name
    return "".join(each for each in name if each.isprintable())[:LONGEST_NAME] or "file"


def _parts(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while part := stream.read(PART_BYTES):
        yield part


def _measured(stream: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for part in _parts(stream):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


commands.add(UploadFile)
