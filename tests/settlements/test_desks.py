"""The desks: a file is uploaded, looked at, imported; its lines are found; the original is taken."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from guitaronline.actor import Actor
from guitaronline.admin import settlement_upload
from guitaronline.audit.models import AuditAction
from guitaronline.billing.settlements.models import FileKind, FileStatus, SettlementFile, SettlementProfile
from guitaronline.billing.settlements.profiles import create_profile
from jobs.settlements import read as read_files
from tests.admin.browser import Browser, hidden, signed_in, words
from tests.settlements import files
from tests.settlements.files import IBAN, camt, entry, statement, stripe, stripe_row
from tests.settlements.imports import again, checked, imported, lines, uploaded
from tests.world import World, as_actor

TWO = stripe(stripe_row(1), stripe_row(2, category="refund", gross="-10.00", fee="0.00", net="-10.00", source="re_2"))


@pytest.fixture
def finn(app: Flask, world: World) -> Browser:
    return signed_in(app, world.finn)


@pytest.fixture
def actor(world: World) -> Actor:
    return as_actor(world.finn)


def upload(
    browser: Browser, content: bytes, *, name: str = "report.csv", kind: str = "stripe_payouts", **more: Any
) -> TestResponse:
    page = browser.get("/admin/imports/upload").text
    typed = {
        **hidden(page),
        "kind": kind,
        "account": "shop",
        "profile": "",
        "file": (io.BytesIO(content), name),
        **more,
    }
    return browser.send("POST", "/admin/imports/upload", data=typed)


def only_file(db: Session) -> SettlementFile:
    db.rollback()
    return db.scalars(select(SettlementFile).execution_options(populate_existing=True)).one()


def test_a_file_goes_from_upload_to_lines(db: Session, finn: Browser) -> None:
    sent = upload(finn, TWO)
    assert sent.status_code == 303
    waiting = words(finn.get(sent.headers["Location"]).text)
    assert "waits to be read" in waiting

    read_files()
    page = finn.get(sent.headers["Location"]).text
    assert "Would be new 2" in words(page)
    assert "47.33 USD" in words(page)
    url = f"/admin/imports/{only_file(db).id}/import"
    assert "2 of 2" in words(finn.get(url).text)
    assert finn.post(url, {}).status_code == 303
    read_files()

    assert only_file(db).status is FileStatus.IMPORTED
    assert "txn_1" in finn.get(sent.headers["Location"]).text
    assert len(lines()) == 2


def test_a_report_of_a_quiet_day_says_that_nothing_moved(db: Session, finn: Browser, actor: Actor) -> None:
    file = checked(actor, stripe())

    assert "Lines in the file 0 nothing moved" in words(finn.get(f"/admin/imports/details/?id={file.id}").text)
    assert "none: nothing moved" in words(finn.get(f"/admin/imports/{file.id}/import").text)


def test_the_first_file_of_an_account_asks_whether_its_name_is_right(db: Session, finn: Browser, actor: Actor) -> None:
    first = checked(actor, TWO)
    assert "shop, the first file of it: is it written as before?" in words(
        finn.get(f"/admin/imports/{first.id}/import").text
    )
    imported(actor, stripe(stripe_row(9)))

    assert "the first file of it" not in words(finn.get(f"/admin/imports/{first.id}/import").text)


def test_the_same_days_of_a_bank_in_another_form_are_told_before_they_would_count_twice(
    db: Session, finn: Browser, actor: Actor
) -> None:
    before = imported(actor, camt(statement(entry("49.00", ref="A"))), FileKind.CAMT053)
    profile = create_profile(actor, name="Hausbank", mapping=files.GERMAN)
    row = "03.11.2026;03.11.2026;Ann Field;Rechnung;49,00;EUR;149,00"

    file = checked(actor, files.german(row), FileKind.BANK_CSV, account=IBAN, profile_id=profile.id)

    page = words(finn.get(f"/admin/imports/{file.id}/import").text)
    assert f"Look twice {before.reference} told of the same days in another form." in page


def test_what_is_wrong_is_listed_by_line_and_column(db: Session, finn: Browser, actor: Actor) -> None:
    file = checked(actor, stripe(stripe_row(1, gross="<b>1</b>")))

    page = finn.get(f"/admin/imports/details/?id={file.id}").text

    assert "What is wrong: 1" in words(page)
    assert "2 gross “<b>1</b>” is not an amount." in words(page)
    assert "<b>1</b>" not in page


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"file": (io.BytesIO(b""), "")}, "Choose a file."),
        ({"account": ""}, "Say of which account the file is."),
        ({"kind": "bank_csv"}, "needs a profile"),
        ({"kind": "nonsense"}, "Not a valid choice"),
        ({"account": "4111 1111 1111 1111"}, "looks like a card number"),
    ],
)
def test_an_upload_that_cannot_be_is_refused_in_words(
    db: Session, finn: Browser, more: dict[str, Any], sentence: str
) -> None:
    answer = upload(finn, TWO, **more)

    assert answer.status_code == 422
    assert sentence in words(answer.text)
    assert db.scalar(select(func.count()).select_from(SettlementFile)) == 0


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe\x01", b"PK\x03\x04 a workbook", b"<html>", "Grün".encode("utf-16-le")]
)
def test_whatever_bytes_come_they_are_refused_by_the_job_in_words(db: Session, finn: Browser, content: bytes) -> None:
    assert upload(finn, content).status_code == 303
    read_files()

    file = only_file(db)
    page = finn.get(f"/admin/imports/details/?id={file.id}")
    assert (file.status, page.status_code) == (FileStatus.REFUSED, 200)
    assert "What is wrong" in page.text


def test_the_same_file_again_names_the_import_that_had_it(db: Session, finn: Browser, actor: Actor) -> None:
    file = imported(actor, TWO)

    answer = upload(finn, TWO, name="again.csv")

    assert answer.status_code == 409
    assert f"This file is here already: {file.reference}." in words(answer.text)


def test_a_file_above_the_bound_is_refused_before_it_is_read(
    db: Session, finn: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = finn.get("/admin/imports/upload").text
    monkeypatch.setattr(settlement_upload, "MOST_BYTES", 1000)
    monkeypatch.setattr(settlement_upload, "AROUND_BYTES", 1000)

    typed = {
        **hidden(page),
        "kind": "paypal",
        "account": "x",
        "profile": "",
        "file": (io.BytesIO(b"x" * 5000), "large.csv"),
    }
    answer = finn.send("POST", "/admin/imports/upload", data=typed)

    assert answer.status_code == 422
    assert "A file may have 200 MB." in words(answer.text)


def test_two_megabytes_are_taken_from_finance_and_from_nobody_else(
    app: Flask, db: Session, world: World, finn: Browser
) -> None:
    large = stripe(*(stripe_row(number) for number in range(16_000)))
    assert len(large) > 2_000_000

    typed = {
        **hidden(finn.get("/admin/imports/upload").text),
        "kind": "stripe_payouts",
        "account": "shop",
        "profile": "",
    }
    assert sent_blindly(finn, encoded(typed, large)).status_code == 303
    assert sent_blindly(Browser(app), large).status_code == 413
    assert sent_blindly(signed_in(app, world.sue), large).status_code == 413
    assert finn.send("POST", "/admin/bank-profiles/new", data={"name": "x" * 2_000_000}).status_code == 413


def encoded(typed: dict[str, str], content: bytes) -> bytes:
    """The request of a form with a file, in memory."""
    fields = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in typed.items()
    )
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="large.csv"\r\n\r\n'
    return f"{fields}{file}".encode() + content + b"\r\n--b--\r\n"


def sent_blindly(browser: Browser, content: bytes) -> TestResponse:
    return browser.send("POST", "/admin/imports/upload", data=content, content_type="multipart/form-data; boundary=b")


def test_the_original_is_taken_byte_by_byte_and_that_is_written_down(db: Session, finn: Browser, actor: Actor) -> None:
    file = uploaded(actor, TWO, file_name="Bank\u202e “März”.csv")
    page = finn.get(f"/admin/imports/details/?id={file.id}").text

    answer = finn.send("POST", f"/admin/imports/{file.id}/original", data=hidden(page))

    assert answer.data == TWO
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert db.scalars(select(AuditAction).where(AuditAction.name == "settlement.download")).one().record_id == file.id


def test_support_reads_and_takes_no_original(app: Flask, db: Session, world: World, actor: Actor) -> None:
    file = imported(actor, TWO)
    sue = signed_in(app, world.sue)

    page = sue.get(f"/admin/imports/details/?id={file.id}")

    assert page.status_code == 200
    assert "Download the original" not in page.text
    assert sue.send("POST", f"/admin/imports/{file.id}/original", data=hidden(page.text)).status_code == 403


def test_the_bar_is_kept_current(db: Session, finn: Browser, actor: Actor) -> None:
    file = uploaded(actor, TWO)
    url = f"/admin/imports/{file.id}/progress"
    assert finn.get(url).json == {"words": "waits to be read", "percent": 0, "status": "received", "is_over": False}

    read_files()

    assert finn.get(url).json == {"words": "checked", "percent": 0, "status": "checked", "is_over": True}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=txn_1", ["txn_1"]),
        ("search=re_2", ["txn_2"]),
        ("search=pi_1", ["txn_1"]),
        ("search=txn", []),
        ("kind=refund", ["txn_2"]),
        ("account=shop&kind=charge", ["txn_1"]),
        ("account=other", []),
        ("booked=2026-11-03", ["txn_1", "txn_2"]),
        ("booked=2026-11-04..", []),
        ("amount=49", ["txn_1"]),
    ],
)
def test_lines_are_found(db: Session, finn: Browser, actor: Actor, query: str, found: list[str]) -> None:
    imported(actor, TWO)

    page = finn.get(f"/admin/settlement-lines/?{query}").text

    assert [name for name in ("txn_1", "txn_2") if f">{name}</a>" in page] == found


def test_a_line_says_what_another_file_says_differently(db: Session, finn: Browser, actor: Actor) -> None:
    imported(actor, TWO)
    second = imported(actor, stripe(stripe_row(1, gross="59.00", net="57.33")))

    page = words(finn.get(f"/admin/settlement-lines/details/?id={lines()[0].id}").text)

    assert "Another file says something else" in page
    assert "amount: 49.00 USD → 59.00 USD" in page
    assert "1 than what came first" in words(finn.get(f"/admin/imports/details/?id={second.id}").text)


MAPPING = {
    "booked_on": "Buchungstag", "value_on": "Valuta", "amount": "Betrag", "currency": "Währung", "texts": "Verwendungszweck",
    "counterparty": "Name", "balance": "Saldo", "delimiter": ";", "encoding": "cp1252", "decimal": ",", "thousands": ".",
    "day": "%d.%m.%Y", "one_currency": "",
}  # fmt: skip


def test_a_profile_is_made_and_used_at_the_desk(db: Session, finn: Browser) -> None:
    made = finn.post("/admin/bank-profiles/new", {"name": "Hausbank", **MAPPING})
    assert made.status_code == 303
    profile = db.scalars(select(SettlementProfile)).one()

    content = files.german("03.11.2026;03.11.2026;Grün;Rechnung;1.049,00;EUR;1.149,00")
    upload(finn, content, kind="bank_csv", account=IBAN, profile=str(profile.id))
    read_files()

    assert (only_file(db).status, only_file(db).closing_minor) == (FileStatus.CHECKED, 114_900)


def test_a_profile_is_edited_and_put_out_of_use(db: Session, finn: Browser, actor: Actor) -> None:
    profile = create_profile(actor, name="Hausbank", mapping=files.GERMAN)
    page = finn.get(f"/admin/bank-profiles/{profile.id}/edit").text
    assert 'value="Buchungstag"' in page

    answer = finn.post(f"/admin/bank-profiles/{profile.id}/edit", {"name": "Alte Bank", **MAPPING})

    assert answer.status_code == 303
    assert ">Alte Bank</option>" not in finn.get("/admin/imports/upload").text
    assert "not in use" in finn.get("/admin/bank-profiles/").text


def test_a_profile_that_cannot_work_is_refused_at_its_field(db: Session, finn: Browser) -> None:
    answer = finn.post("/admin/bank-profiles/new", {"name": "Bank", **MAPPING, "thousands": ","})

    assert answer.status_code == 422
    assert "must differ" in words(answer.text)


def test_a_name_is_given_once(db: Session, finn: Browser, actor: Actor) -> None:
    create_profile(actor, name="Hausbank", mapping=files.GERMAN)

    assert finn.post("/admin/bank-profiles/new", {"name": "Hausbank", **MAPPING}).status_code == 409


def test_a_discarded_file_says_so(db: Session, finn: Browser, actor: Actor) -> None:
    file = checked(actor, TWO, FileKind.STRIPE_BALANCE)

    finn.post(f"/admin/imports/{file.id}/discard", {"reason": "wrong month"})

    assert again(file).status is FileStatus.DISCARDED
