"""A file is imported as a whole or not at all, once, and never contradicts what came first."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from random import Random
from typing import Any

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.billing.settlements import importing, running, staging
from guitaronline.billing.settlements.importing import (
    confirm_file,
    discard_file,
    import_file,
    receive_file,
    record_download,
)
from guitaronline.billing.settlements.models import (
    FileKind,
    FileStatus,
    SettlementFile,
    SettlementLine,
    SettlementProblem,
    SettlementRun,
    SettlementStatement,
)
from guitaronline.billing.settlements.originals import Original
from guitaronline.billing.settlements.profiles import create_profile, edit_profile
from guitaronline.billing.settlements.refusals import AccountNeeded, FileKnown, FileTooLarge, ProfileNeeded, TakenOver
from guitaronline.db import new_id, technical_transaction
from guitaronline.errors import Busy, NotAllowed
from guitaronline.states import IllegalMove
from jobs.settlements import read as read_files
from tests.concurrency import at_once, refused
from tests.conftest import empty
from tests.servers import Servers
from tests.settlements import files
from tests.settlements.files import IBAN, camt, entry, statement, stripe, stripe_row
from tests.settlements.imports import again, checked, content_of, imported, lines, received, uploaded
from tests.world import World, as_actor

TWO = stripe(stripe_row(1), stripe_row(2, category="refund", gross="-10.00", fee="0.00", net="-10.00", source="re_2"))


@pytest.fixture
def finn(world: World) -> Actor:
    return as_actor(world.finn)


def count(db: Session, model: Any) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(model)) or 0


def test_an_uploaded_file_is_kept_byte_by_byte_and_waits_to_be_read(db: Session, finn: Actor) -> None:
    file = uploaded(finn, TWO)

    assert file.status is FileStatus.RECEIVED
    assert file.reference.startswith("STF-")
    with Original(file.id).open() as original:
        assert original.read() == TWO


def test_a_checked_file_says_what_an_import_would_bring_and_brings_nothing(db: Session, finn: Actor) -> None:
    file = checked(finn, TWO)

    assert (file.status, file.lines_total, file.lines_new, file.lines_known) == (FileStatus.CHECKED, 2, 2, 0)
    assert (str(file.first_on), str(file.last_on), file.currency) == ("2026-11-03", "2026-11-03", "USD")
    assert file.totals == [
        {"currency": "USD", "kind": "charge", "lines": 1, "amount_minor": 4900, "fee_minor": 167, "net_minor": 4733},
        {"currency": "USD", "kind": "refund", "lines": 1, "amount_minor": -1000, "fee_minor": 0, "net_minor": -1000},
    ]
    assert (count(db, SettlementLine), count(db, staging_table())) == (0, 0)


def staging_table() -> Any:
    from guitaronline.billing.settlements.models import staging as table

    return table


def test_a_confirmed_file_is_imported_as_a_whole(db: Session, finn: Actor) -> None:
    file = imported(finn, TWO)

    assert (file.status, file.lines_new, file.lines_known) == (FileStatus.IMPORTED, 2, 0)
    assert file.imported_at is not None
    first, second = lines()
    assert (first.external_id, first.kind, first.net_minor, first.source_id, first.intent_id) == (
        "txn_1", "charge", 4733, "ch_1", "pi_1",
    )  # fmt: skip
    assert (second.external_id, second.kind, second.net_minor, second.line_no) == ("txn_2", "refund", -1000, 3)
    assert (count(db, SettlementRun), count(db, staging_table())) == (0, 0)


def test_nothing_is_imported_that_nobody_confirmed(db: Session, finn: Actor) -> None:
    checked(finn, TWO)

    assert read_files() == 0
    assert lines() == []


def test_one_wrong_line_refuses_the_whole_file_and_is_named(db: Session, finn: Actor) -> None:
    file = checked(finn, stripe(stripe_row(1), stripe_row(2, gross="NaN")))

    assert (file.status, file.problems_total) == (FileStatus.REFUSED, 1)
    assert file.problems == [{"line": 3, "column": "gross", "sentence": "“NaN” is not a number."}]
    assert (lines(), count(db, staging_table()), count(db, SettlementRun)) == ([], 0, 0)


def test_fifty_problems_are_listed_and_all_are_counted(db: Session, finn: Actor) -> None:
    file = checked(finn, stripe(*(stripe_row(number, gross="x") for number in range(120))))

    assert (len(file.problems), file.problems_total) == (50, 120)


def test_the_same_file_again_says_which_import_had_it(db: Session, finn: Actor) -> None:
    first = imported(finn, TWO)

    with pytest.raises(FileKnown, match=first.reference):
        uploaded(finn, TWO, file_name="other.csv")
    assert count(db, SettlementFile) == 1


def test_two_same_uploads_at_once_are_one(app: Flask, db: Session, finn: Actor) -> None:
    db.rollback()

    results = at_once(app, *[lambda: uploaded(finn, TWO).id] * 3)

    assert refused(results) == ["file_known", "file_known"]
    assert count(db, SettlementFile) == 1


def test_a_refused_file_may_come_again(db: Session, finn: Actor) -> None:
    wrong = stripe(stripe_row(1, gross="x"))
    first = checked(finn, wrong)

    second = uploaded(finn, wrong)

    assert first.id != second.id


def test_the_same_lines_in_another_file_change_nothing(db: Session, finn: Actor) -> None:
    imported(finn, TWO)
    before = [content_of(line) for line in lines()]

    file = imported(finn, stripe(stripe_row(3), *reversed(TWO.decode().splitlines()[1:])))

    assert (file.lines_total, file.lines_new, file.lines_known, file.lines_changed) == (3, 1, 2, 0)
    assert [content_of(line) for line in lines()][:2] == before
    assert count(db, SettlementProblem) == 0


def test_a_line_that_comes_changed_stays_as_it_came_and_becomes_a_problem(db: Session, finn: Actor) -> None:
    imported(finn, TWO)
    changed = stripe(stripe_row(1, gross="59.00", net="57.33"))

    preview = checked(finn, changed)
    assert (preview.lines_new, preview.lines_known, preview.lines_changed) == (0, 1, 1)
    confirm_file(finn, preview.id)
    read_files()

    assert lines()[0].amount_minor == 4900
    problem = db.scalars(select(SettlementProblem)).one()
    assert (problem.kind, problem.file_id, problem.line_id, problem.line_no) == (
        "line_changed", preview.id, lines()[0].id, 2,
    )  # fmt: skip
    assert (problem.before, problem.after) == ({"amount_minor": 4900}, {"amount_minor": 5900})


def test_an_id_that_was_not_known_becomes_known_and_is_no_change(db: Session, finn: Actor) -> None:
    imported(finn, stripe(stripe_row(1, payout="")))
    assert lines()[0].payout_id is None

    file = imported(finn, stripe(stripe_row(1, payout="po_9")))

    assert (file.lines_new, file.lines_changed, lines()[0].payout_id) == (0, 0, "po_9")


def test_another_payout_for_the_same_line_is_a_change(db: Session, finn: Actor) -> None:
    imported(finn, stripe(stripe_row(1, payout="po_1")))

    file = imported(finn, stripe(stripe_row(1, payout="po_2")))

    assert (file.lines_changed, lines()[0].payout_id) == (1, "po_1")


def test_a_file_that_says_two_things_about_a_line_is_refused(db: Session, finn: Actor) -> None:
    file = checked(finn, stripe(stripe_row(1), stripe_row(2), stripe_row(1, gross="59.00", net="57.33")))

    assert file.status is FileStatus.REFUSED
    assert file.problems[0]["sentence"] == "The line says something else about txn_1 than line 2."
    assert file.problems[0]["line"] == 4


def test_a_line_that_is_twice_in_a_file_counts_once(db: Session, finn: Actor) -> None:
    file = imported(finn, stripe(stripe_row(1), stripe_row(1), stripe_row(2)))

    assert (file.lines_total, file.lines_new, file.lines_known) == (3, 2, 1)


def test_the_same_id_on_another_account_is_another_line(db: Session, finn: Actor) -> None:
    imported(finn, TWO)

    file = imported(finn, TWO + stripe_row(3).encode() + b"\n", account="shop 2")

    assert (file.lines_new, len({line.id for line in lines()})) == (3, 5)


def test_verified_balances_of_every_statement_are_kept(db: Session, finn: Actor) -> None:
    second = statement(entry("1.00", ref="B", sign="DBIT"), opening="149.00", closing="148.00")
    content = camt(statement(entry("49.00", ref="A")), second)

    file = imported(finn, content, FileKind.CAMT053, file_name="bank.xml")

    kept = db.scalars(select(SettlementStatement).order_by(SettlementStatement.sequence)).all()
    assert [(each.opening_minor, each.movements_minor, each.closing_minor) for each in kept] == [
        (10000, 4900, 14900), (14900, -100, 14800),
    ]  # fmt: skip
    assert (file.account, file.opening_minor) == (IBAN, None)


def test_a_file_with_statements_of_two_accounts_is_imported_as_a_whole(db: Session, finn: Actor) -> None:
    other = "GB33BUKB20201555555555"
    second = statement(entry("9.00", ref="R1", sign="DBIT"), opening="20.00", closing="11.00", iban=other)

    file = imported(finn, camt(statement(entry("49.00", ref="R1")), second), FileKind.CAMT053)

    assert (file.status, file.problems) == (FileStatus.IMPORTED, [])
    assert [(line.account, line.amount_minor) for line in lines()] == [(IBAN, 4900), (other, -900)]


def test_a_report_of_a_day_on_which_nothing_moved_is_imported(db: Session, finn: Actor) -> None:
    file = imported(finn, stripe())

    assert (file.status, file.lines_total, file.totals, file.first_on) == (FileStatus.IMPORTED, 0, [], None)
    assert lines() == []


def test_an_id_that_no_index_takes_is_refused_by_its_line(db: Session, finn: Actor) -> None:
    long = "".join(Random(1).choices("0123456789abcdef", k=9000))  # what does not compress

    file = checked(finn, stripe(stripe_row(1), stripe_row(2, source=long)))

    assert (file.status, file.problems) == (
        FileStatus.REFUSED,
        [{"line": 3, "column": "", "sentence": "An id of the line has more than 255 characters."}],
    )


def test_our_payment_called_by_its_reference_and_by_its_id_is_no_change(db: Session, finn: Actor) -> None:
    imported(finn, stripe(stripe_row(1, description="for PAY-7Q4M2")))

    file = imported(finn, stripe(stripe_row(1, description="for PAY-7Q4M2", payment=files.PAYMENT_ID)))

    assert (file.lines_known, file.lines_changed, lines()[0].payment_reference) == (1, 0, "PAY-7Q4M2")


def test_another_payment_of_ours_for_the_same_line_is_a_change(db: Session, finn: Actor) -> None:
    imported(finn, stripe(stripe_row(1, description="for PAY-7Q4M2")))

    assert imported(finn, stripe(stripe_row(1, description="for PAY-7Q4M3"))).lines_changed == 1


def test_a_statement_of_another_account_than_chosen_is_refused(db: Session, finn: Actor) -> None:
    content = camt(statement(entry("49.00", ref="A")))

    file = checked(finn, content, FileKind.CAMT053, account="GB33 BUKB 2020 1555 5555 55")

    assert file.status is FileStatus.REFUSED
    assert "not of “GB33BUKB20201555555555”" in file.problems[0]["sentence"]


def test_a_discarded_file_is_never_imported_and_may_come_again(db: Session, finn: Actor) -> None:
    file = checked(finn, TWO)
    discard_file(finn, file.id, reason="the wrong month")

    with pytest.raises(IllegalMove):
        confirm_file(finn, file.id)
    assert uploaded(finn, TWO).id != file.id


def test_confirming_twice_imports_once(db: Session, finn: Actor) -> None:
    file = checked(finn, TWO)

    confirm_file(finn, file.id)
    confirm_file(finn, file.id)
    read_files()
    confirm_file(finn, file.id)

    assert (read_files(), again(file).status, len(lines())) == (0, FileStatus.IMPORTED, 2)


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.TEACHER, Role.STUDENT])
def test_only_finance_and_admins_upload(db: Session, role: Role) -> None:
    with pytest.raises(NotAllowed):
        receive_file(Actor(new_id(), role), received=received(TWO))


def test_a_csv_needs_an_account_and_a_banks_csv_a_profile_in_use(db: Session, finn: Actor) -> None:
    with pytest.raises(AccountNeeded):
        uploaded(finn, TWO, account="  ")
    with pytest.raises(ProfileNeeded):
        uploaded(finn, TWO, FileKind.BANK_CSV)
    with pytest.raises(ProfileNeeded):
        uploaded(finn, TWO, FileKind.BANK_CSV, profile_id=new_id())


def test_more_than_200_megabytes_are_refused(db: Session, finn: Actor) -> None:
    with pytest.raises(FileTooLarge):
        receive_file(finn, received=importing.Received(FileKind.PAYPAL, "x", "0" * 64, 200_000_001, list, account="p"))


def test_a_banks_csv_is_read_by_its_profile(db: Session, finn: Actor) -> None:
    profile = create_profile(finn, name="Hausbank", mapping=files.GERMAN)
    content = files.german("03.11.2026;03.11.2026;Grün;Rechnung PAY-7Q4M2;1.049,00;EUR;1.149,00")

    file = imported(finn, content, FileKind.BANK_CSV, account=IBAN, profile_id=profile.id)

    assert (file.opening_minor, file.closing_minor) == (10000, 114900)
    assert (lines()[0].counterparty, lines()[0].payment_reference) == ("Grün", "PAY-7Q4M2")


def test_a_file_is_imported_as_it_was_checked_whatever_becomes_of_its_profile(db: Session, finn: Actor) -> None:
    profile = create_profile(finn, name="Hausbank", mapping=files.GERMAN)
    content = files.german("03.11.2026;03.11.2026;Grün;Rechnung;1.049,00;EUR;1.149,00")
    file = checked(finn, content, FileKind.BANK_CSV, account=IBAN, profile_id=profile.id)
    english = replace(files.GERMAN, decimal=".", thousands=",")
    edit_profile(finn, profile.id, name="Hausbank", mapping=english, is_active=False)

    confirm_file(finn, file.id)
    read_files()

    assert lines()[0].amount_minor == 104_900


def test_card_numbers_are_masked_in_what_is_kept_of_a_line(db: Session, finn: Actor) -> None:
    imported(finn, stripe(stripe_row(1, description="card 4111 1111 1111 1111")))

    assert lines()[0].remittance == "card •••• 1111"


def test_taking_the_original_is_written_down(db: Session, world: World, finn: Actor) -> None:
    file = uploaded(finn, TWO)

    record_download(as_actor(world.audrey), file.id)

    action = db.scalars(select(AuditAction).where(AuditAction.name == "settlement.download")).one()
    assert (action.actor_id, action.record_id) == (world.audrey.id, file.id)
    with pytest.raises(NotAllowed):
        record_download(as_actor(world.sue), file.id)


def test_lines_are_summarised_on_the_action_and_the_file_is_told(db: Session, finn: Actor) -> None:
    file = imported(finn, TWO)

    action = db.scalars(select(AuditAction).where(AuditAction.name == "settlement.import")).one()
    changes = db.scalars(select(AuditChange).where(AuditChange.action_id == action.id)).all()
    assert {each.table_name for each in changes} == {"settlement_files"}
    assert changes[0].row_id == file.id
    assert changes[0].after is not None
    assert changes[0].after["status"] == "imported"


@pytest.mark.parametrize(
    "odd",
    [
        "UPDATE settlement_lines SET payout_id = 'po_2'",
        "UPDATE settlement_lines SET payout_id = NULL",
        "DELETE FROM settlement_lines",
        "DELETE FROM settlement_parts",
        "UPDATE settlement_parts SET bytes = ''",
        "TRUNCATE settlement_lines CASCADE",
    ],
)
def test_what_was_imported_stays_even_for_the_owner(mine: Servers, db: Session, finn: Actor, odd: str) -> None:
    imported(finn, TWO)
    begun = "SELECT begin_action(gen_random_uuid(), NULL, 'system', 'odd', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"

    with closing(psycopg2.connect(mine.owner_url)) as owner, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        owner.cursor().execute(f"{begun}; {odd}")


def test_the_application_may_not_change_an_amount(db: Session, finn: Actor) -> None:
    imported(finn, TWO)

    with pytest.raises(ProgrammingError, match="permission denied"), technical_transaction() as current:
        current.execute(update(SettlementLine).values(amount_minor=1))


# Leases


def test_a_file_is_claimed_by_one_and_free_again_when_the_lease_ran_out(db: Session, finn: Actor) -> None:
    uploaded(finn, TWO)
    first = running.claim(new_id())

    assert running.claim(new_id()) is None
    over(db)
    second = running.claim(new_id())

    assert first
    assert second
    assert (first.attempts, second.attempts) == (1, 2)


def over(db: Session) -> None:
    """The lease of whoever reads now has run out."""
    with technical_transaction() as current:
        current.execute(text("UPDATE settlement_runs SET lease_until = clock_timestamp() - interval '1 second'"))


def test_who_was_taken_over_writes_nothing(db: Session, finn: Actor) -> None:
    file = checked(finn, TWO)
    confirm_file(finn, file.id)
    slow = running.claim(new_id())
    assert slow
    over(db)
    quick = running.claim(new_id())
    assert quick

    with pytest.raises(TakenOver):
        import_file(SYSTEM, file.id, token=slow.token)
    assert lines() == []
    running.carry_out(quick)
    assert (again(file).status, len(lines())) == (FileStatus.IMPORTED, 2)


def test_one_that_is_taken_over_while_it_reads_stops_there(db: Session, finn: Actor) -> None:
    file = uploaded(finn, TWO)
    claimed = running.claim(new_id())
    assert claimed

    def taken_over(done: int) -> None:
        raise TakenOver()

    with pytest.raises(TakenOver):
        importing.check_file(SYSTEM, file.id, token=claimed.token, went_on=taken_over)
    assert (again(file).status, count(db, staging_table())) == (FileStatus.RECEIVED, 0)


class Killed(BaseException):
    """The worker is gone."""


POINTS = ["copy_in", "take_over", "note_known", "clear"]


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_leaves_nothing_and_the_next_one_makes_the_same(
    db: Session, finn: Actor, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    imported(finn, stripe(stripe_row(2, category="refund", gross="-10.00", fee="0.00", net="-10.00", source="re_2")))
    file = checked(finn, TWO)
    confirm_file(finn, file.id)
    real = getattr(staging, point)

    def dies(*args: Any) -> Any:
        real(*args)
        raise Killed()

    monkeypatch.setattr(staging, point, dies)
    with pytest.raises(Killed):
        read_files()
    monkeypatch.setattr(staging, point, real)
    assert len(lines()) == 1
    over(db)
    read_files()

    assert (again(file).status, again(file).lines_new, len(lines())) == (FileStatus.IMPORTED, 1, 2)


def test_a_file_that_kills_its_worker_is_given_up_in_words(db: Session, finn: Actor) -> None:
    file = uploaded(finn, TWO)
    with technical_transaction() as current:
        current.execute(update(SettlementRun).values(attempts=running.ATTEMPTS_MOST))

    read_files()

    assert again(file).status is FileStatus.REFUSED
    assert "never came to an end" in again(file).problems[0]["sentence"]


def test_two_imports_do_not_stage_at_once(mine: Servers, db: Session, finn: Actor) -> None:
    file = uploaded(finn, TWO)
    claimed = running.claim(new_id())
    assert claimed

    with closing(psycopg2.connect(mine.app_url)) as other:
        other.cursor().execute(str(staging.ALONE))
        with pytest.raises(Busy):
            importing.check_file(SYSTEM, file.id, token=claimed.token)
    running.let_go(claimed)

    assert read_files() == 1


# However the lines come, the books are the same

ROWS = [
    stripe_row(1),
    stripe_row(2, category="refund", gross="-10.00", fee="0.00", net="-10.00", source="re_2"),
    stripe_row(3, created="2026-11-04 10:00:00"),
    stripe_row(4, currency="eur"),
    stripe_row(5, category="payout", gross="-90.00", fee="0.00", net="-90.00", source="po_1"),
]


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_split_and_repeated_files_give_the_same_lines(db: Session, finn: Actor, seed: int) -> None:
    chance = Random(seed)  # no secret
    order = chance.sample(ROWS, len(ROWS))
    cut = chance.randint(1, len(ROWS) - 1)
    imported(finn, stripe(*ROWS), account="straight")

    imported(finn, stripe(*order[:cut], order[0]), account="shuffled")
    imported(finn, stripe(*chance.choices(order, k=2), *order[cut:]), account="shuffled")

    straight, shuffled = ([said(line) for line in lines() if line.account == name] for name in ("straight", "shuffled"))
    assert len(straight) == len(ROWS)
    assert shuffled == straight


def said(line: SettlementLine) -> tuple[Any, ...]:
    return content_of(line, but=("file_id", "line_no", "account", "id"))


def test_the_same_line_has_the_same_id_whatever_file_brought_it(db: Session, finn: Actor, owner: Connection) -> None:
    imported(finn, stripe(*ROWS))
    first = [content_of(line) for line in lines()]
    empty(owner)

    imported(as_actor(World().finn), stripe(*reversed(ROWS)))

    assert [content_of(line) for line in lines()] == first
