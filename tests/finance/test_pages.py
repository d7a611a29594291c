"""The books in console and portal: who sees what, what a month says, and files that are written down before they leave."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.audit.models import AuditAction
from guitaronline.finance import accounts, months
from guitaronline.finance.service import map_accounts
from guitaronline.office.export_models import Export
from guitaronline.teachers.models import TeacherProfile
from tests.admin.browser import signed_in, words
from tests.finance.school import APRIL, MARCH, School
from tests.world import World, as_actor

DAY = timedelta(days=1)


def sent(db: Session) -> list[tuple[str, int | None]]:
    db.rollback()
    return [(each.desk, each.rows) for each in db.scalars(select(Export).order_by(Export.id))]


def rows_of(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def names(db: Session, name: str) -> int:
    db.rollback()
    return len(db.scalars(select(AuditAction).where(AuditAction.name == name)).all())


def profile_of(world: World, db: Session) -> TeacherProfile:
    return db.scalars(select(TeacherProfile).where(TeacherProfile.user_id == world.tom.id)).one()


# Liability


def test_the_liability_page_says_what_is_owed_and_leads_to_the_packages(app: Flask, world: World) -> None:
    package = world.package(lessons=3, price_minor=10_000)
    finn = signed_in(app, world.finn)

    page = finn.get("/admin/liability/")
    packages = finn.get("/admin/liability/?currency=USD&plan=none")

    assert "Owed in USD 100.00 USD 3 lessons" in words(page.text)
    assert "currency=USD&amp;plan=none" in page.text
    assert package.reference in packages.text


@pytest.mark.parametrize(
    "query",
    ["month=2026-13", "month=x", "currency=XXX&plan=none", "currency=USD&plan=x", "currency=USD&plan=none&after=1"],
)
def test_an_address_that_means_nothing_still_shows_the_report(app: Flask, world: World, query: str) -> None:
    world.package(lessons=3, price_minor=10_000)

    assert signed_in(app, world.finn).get(f"/admin/liability/?{query}").status_code == 200


def test_the_liability_goes_out_as_a_file_and_is_written_down(app: Flask, world: World, db: Session) -> None:
    package = world.package(lessons=3, price_minor=10_000)
    finn, month = signed_in(app, world.finn), months.month_of(world.now).written()
    opened = finn.get("/admin/liability/").text

    report = finn.post("/admin/liability/export", {"month": month}, opened=opened)
    packages = finn.post("/admin/liability/export", {"month": month, "currency": "USD", "plan": "none"}, opened=opened)
    wrong = finn.post("/admin/liability/export", {"month": "2026-1"}, opened=opened)

    assert rows_of(report)[1][:5] == ["USD", "", "1", "3", "100.00"]
    assert rows_of(packages)[1][0] == package.reference
    assert wrong.status_code == 422
    assert sent(db) == [("liability", 1), ("liability-packages", 1)]


@pytest.mark.parametrize(("who", "status"), [("sue", 403), ("finn", 200), ("audrey", 200), ("ada", 200)])
@pytest.mark.parametrize("page", ["liability/", "journal/", "accounts/"])
def test_the_books_are_read_by_finance_auditor_and_admin(
    app: Flask, world: World, who: str, status: int, page: str
) -> None:
    assert signed_in(app, getattr(world, who)).get(f"/admin/{page}").status_code == status


# Journal


def test_the_journal_is_downloaded_once_every_event_has_accounts(app: Flask, taught: School, db: Session) -> None:
    taught.rate(2_000)
    taught.given(3, 3)
    taught.approved(MARCH)
    finn = signed_in(app, taught.world.finn)
    page = "/admin/journal/?month=2026-04"

    before = finn.get(page)
    refused = finn.post("/admin/journal/download", {"month": "2026-04"}, opened=before.text)
    map_accounts(taught.finance, kind="teacher_cost", debit_account="5000", credit_account="2100")
    ready = finn.get(page)
    journal = finn.post("/admin/journal/download", {"month": "2026-04"}, opened=ready.text)

    assert "Some events have no accounts" in words(before.text)
    assert refused.status_code == 409
    assert "Download the journal" in words(ready.text)
    assert [row[4:7] for row in rows_of(journal)[1:]] == [["5000", "20.00", ""], ["2100", "", "20.00"]]
    assert sent(db) == [("journal", 2)]


def test_the_form_of_accounts_offers_what_is_usual(app: Flask, world: World) -> None:
    page = signed_in(app, world.finn).get("/admin/accounts/set?kind=breakage").text

    debit, credit = accounts.USUAL[accounts.EventKind.BREAKAGE]
    assert f'value="{debit}"' in page
    assert f'value="{credit}"' in page


# Statements


def test_the_round_leads_to_the_approval_and_then_to_the_statement(app: Flask, taught: School, db: Session) -> None:
    last = months.month_of(taught.world.now).before()
    taught.extra(last)
    profile, finn = profile_of(taught.world, db), signed_in(app, taught.world.finn)
    url = f"/admin/teachers/{profile.id}/statement?month={last.written()}"

    before = words(finn.get(f"/admin/statement-round/?month={last.written()}").text)
    opened = finn.get(url)
    approved = finn.post(url, {"month": last.written()}, opened=opened.text)
    after = words(finn.get(f"/admin/statement-round/?month={last.written()}").text)
    statement = finn.get(approved.headers["Location"])

    assert "Tom open 1 line 50.00 USD" in before
    assert "open evening" in opened.text
    assert approved.status_code == 303
    assert "Tom approved 50.00 USD" in after
    assert "open evening" in statement.text


def test_a_month_long_past_can_still_be_approved(app: Flask, taught: School, db: Session) -> None:
    long_past = months.read("2021-02")
    taught.extra(long_past)
    finn = signed_in(app, taught.world.finn)
    url = f"/admin/teachers/{profile_of(taught.world, db).id}/statement?month=2021-02"

    approved = finn.post(url, {"month": "2021-02"})
    nonsense = finn.post(url, {"month": "2021-22"})

    assert (approved.status_code, nonsense.status_code) == (303, 422)


def test_an_approval_of_what_changed_meanwhile_shows_the_new_lines(app: Flask, taught: School, db: Session) -> None:
    last = months.month_of(taught.world.now).before()
    taught.extra(last)
    profile, finn = profile_of(taught.world, db), signed_in(app, taught.world.finn)
    url = f"/admin/teachers/{profile.id}/statement?month={last.written()}"
    opened = finn.get(url).text
    taught.extra(last, amount_minor=100)

    refused = finn.post(url, {"month": last.written()}, opened=opened)
    again = finn.post(url, {"month": last.written()}, opened=refused.text)

    assert refused.status_code == 409
    assert "Look again" in refused.text
    assert again.status_code == 303


def test_a_statement_is_handed_out_as_csv_and_pdf(app: Flask, taught: School, db: Session) -> None:
    taught.extra(MARCH)
    statement = taught.approved(MARCH)
    finn = signed_in(app, taught.world.finn)
    url = f"/admin/teacher-statements/{statement.id}/files"

    table = finn.post(url, {"kind": "csv"})
    paper = finn.post(url, {"kind": "pdf"})
    wrong = finn.post(url, {"kind": "exe"})

    assert [row[1:] for row in rows_of(table)[1:]] == [["work", "", "open evening", "", "50.00", "USD"]]
    text = PdfReader(io.BytesIO(paper.data)).pages[0].extract_text()
    assert all(each in text for each in (statement.reference, "Tom", "March 2026", "open evening", "50.00 USD"))
    assert wrong.status_code == 422
    assert names(db, "statement.take_out") == 2


def test_the_list_of_statements_goes_out_with_its_totals(app: Flask, taught: School) -> None:
    taught.extra(MARCH)
    taught.approved(MARCH)
    finn = signed_in(app, taught.world.finn)

    table = finn.post("/admin/teacher-statements/export", {"format": "csv"}, opened=finn.get("/admin/statements/").text)

    assert rows_of(table)[1][1:4] == ["Tom", "2026-03-01", "50.00 USD"]


def test_a_teacher_sees_their_own_statements_and_nobody_elses(app: Flask, taught: School, db: Session) -> None:
    taught.extra(MARCH)
    statement = taught.approved(MARCH)
    tom, tina = signed_in(app, taught.world.tom), signed_in(app, taught.world.tina)
    url = f"/teacher/statements/{statement.id}"

    assert "March 2026" in words(tom.get("/teacher/statements").text)
    assert "open evening" in tom.get(url).text
    assert tom.post(url, {"kind": "pdf"}).data.startswith(b"%PDF")
    assert "No statement yet" in tina.get("/teacher/statements").text
    assert [tina.get(url).status_code, tina.send("POST", url).status_code] == [404, 400]
    assert names(db, "statement.take_out") == 1


def test_the_demo_of_formulas_in_reasons_is_harmless(
    app: Flask, taught: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guitaronline.finance.service import add_extra

    facts = {"teacher_id": taught.world.tom.id, "kind": "work", "amount_minor": 1, "currency": "USD"}
    add_extra(as_actor(taught.world.ada), month=APRIL, reason='=HYPERLINK("x")', **facts)  # type: ignore[arg-type]
    statement = taught.approved(APRIL)
    finn = signed_in(app, taught.world.finn)

    table = finn.post(f"/admin/teacher-statements/{statement.id}/files", {"kind": "csv"})

    assert rows_of(table)[1][3] == '\'=HYPERLINK("x")'
