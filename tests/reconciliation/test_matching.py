"""Which line is which payment: the rules in order, and what is never matched."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.billing.facts import hear
from guitaronline.billing.models import RefundStatus
from guitaronline.billing.providers import FactKind
from guitaronline.billing.reconciliation import matching, running
from guitaronline.billing.reconciliation.models import Category, Rule
from guitaronline.billing.reconciliation.service import run_matching, undo_match
from guitaronline.billing.service import refund_payment
from tests.billing.books import is_refund, payment
from tests.reconciliation.statements import DAY, charged, credit, elsewhere, line, matches, the_exception, told, waiting
from tests.refunds.scripted import bought
from tests.refunds.scripted import told as say
from tests.world import World, as_actor


def today(world: World) -> date:
    return world.now.date()


def run() -> None:
    assert run_matching(SYSTEM) is not None


def test_a_line_is_the_payment_whose_provider_id_it_has(world: World, db: Session) -> None:
    paid = charged(world, "pi_1")
    told([line("txn_1", 4_900, today(world), intent_id="pi_1", source_id="ch_1")])

    run()

    (made,) = matches(db)
    assert (made.payment_id, made.rule, made.evidence, made.matched_by) == (
        paid.id,
        Rule.PROVIDER_ID,
        {"source_id": "pi_1"},
        None,
    )
    assert waiting(db) == []


def test_the_charges_own_id_is_as_good(world: World, db: Session) -> None:
    paid = charged(world, "ch_1")
    told([line("txn_1", 4_900, today(world), intent_id="pi_1", source_id="ch_1")])

    run()

    assert [(each.payment_id, each.rule) for each in matches(db)] == [(paid.id, Rule.PROVIDER_ID)]


def test_our_id_in_the_metadata_comes_second(world: World, db: Session) -> None:
    paid = charged(world)
    told([line("txn_1", 4_900, today(world), intent_id="pi_1", payment_reference=str(paid.id))])

    run()

    assert [(each.payment_id, each.rule) for each in matches(db)] == [(paid.id, Rule.OUR_ID)]


def test_our_reference_in_a_transfers_text_finds_the_payment_by_hand(world: World, db: Session) -> None:
    awaited = payment(world, world.package(), 4_900)
    told([credit("b1", 4_900, today(world), payment_reference=awaited.reference)])

    run()

    assert [(each.payment_id, each.rule) for each in matches(db)] == [(awaited.id, Rule.OUR_ID)]
    assert waiting(db) == [Category.STATE]


def test_the_same_amount_by_the_same_customer_within_days_is_matched_when_nothing_else_could_be(
    world: World, db: Session
) -> None:
    paid = charged(world)
    told([line("txn_1", 4_900, today(world) + 3 * DAY, counterparty="  ANN ")])

    run()

    assert [(each.payment_id, each.rule) for each in matches(db)] == [(paid.id, Rule.AMOUNT_AND_CUSTOMER)]


def test_outside_of_the_window_or_of_another_customer_nothing_is_matched(world: World, db: Session) -> None:
    charged(world)
    told(
        [
            line("txn_1", 4_900, today(world) + 5 * DAY, counterparty="Ann"),
            line("txn_2", 4_900, today(world), counterparty="Ben"),
            line("txn_3", 4_900, today(world)),
        ]
    )

    run()

    assert matches(db) == []
    assert waiting(db) == [Category.MISSING_HERE] * 3 + [Category.MISSING_THERE]


def test_two_payments_that_fit_are_never_matched(world: World, db: Session) -> None:
    charged(world)
    charged(world)
    told([line("txn_1", 4_900, today(world), counterparty="Ann")])

    run()

    assert matches(db) == []
    assert waiting(db) == [Category.AMBIGUOUS]


def test_two_lines_that_fit_one_payment_are_never_matched(world: World, db: Session) -> None:
    charged(world)
    told([line(each, 4_900, today(world), counterparty="Ann") for each in ("txn_1", "txn_2")])

    run()

    assert matches(db) == []
    assert waiting(db) == [Category.AMBIGUOUS] * 2


def test_one_minor_unit_is_a_difference(world: World, db: Session) -> None:
    paid = charged(world, "pi_1")
    told([line("txn_1", 4_901, today(world), intent_id="pi_1")])

    run()

    found = the_exception(db)
    assert matches(db) == []
    assert (found.category, found.value_minor, found.payment_id) == (Category.AMOUNT, 1, paid.id)


def test_currencies_are_never_mixed(world: World, db: Session) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_900, today(world), intent_id="pi_1", currency="EUR")])

    run()

    assert matches(db) == []
    assert waiting(db) == [Category.CURRENCY]


def test_the_second_line_of_a_payment_is_a_duplicate(world: World, db: Session) -> None:
    charged(world, "pi_1")
    first = line("txn_1", 4_900, today(world), intent_id="pi_1")
    told([line("txn_2", 4_900, today(world) + DAY, intent_id="pi_1"), first])

    run()

    assert [each.line_id for each in matches(db)] == [first["id"]]
    assert waiting(db) == [Category.DUPLICATE]


def test_a_refund_is_found_by_our_id_and_an_unknown_one_is_told(world: World, db: Session) -> None:
    paid = charged(world, "pi_1")
    refund = is_refund(refund_payment(as_actor(world.finn), paid.id, amount_minor=900, reason="half"))
    told(
        [
            line("txn_1", 4_900, today(world), intent_id="pi_1"),
            line("txn_2", -900, today(world), kind="refund", refund_reference=refund.reference),
            line("txn_3", -100, today(world), kind="refund"),
        ]
    )

    run()

    assert {each.refund_id for each in matches(db)} == {None, refund.id}
    assert refund.status is RefundStatus.PENDING
    assert waiting(db) == [Category.STATE, Category.UNKNOWN_REFUND]


def test_a_refund_that_the_provider_made_is_found_by_its_id(world: World, db: Session) -> None:
    paid = bought(world)
    facts = [say(paid, FactKind.REFUNDED, 2, 4_900, refund_reference="re_own")]
    hear(SYSTEM, paid.id, facts=facts)
    told([line("txn_2", -4_900, today(world), kind="refund", source_id="re_own")])

    run()

    assert [each.rule for each in matches(db)] == [Rule.PROVIDER_ID]
    assert Category.UNKNOWN_REFUND not in waiting(db)


def test_a_dispute_that_is_known_is_no_surprise_and_another_is(world: World, db: Session) -> None:
    paid = bought(world)
    hear(SYSTEM, paid.id, facts=[say(paid, FactKind.DISPUTE_OPENED, 2, 4_900, refund_reference="dp_1")])
    told(
        [
            line("txn_2", -4_900, today(world), kind="dispute", source_id="dp_1"),
            line("txn_3", -100, today(world), kind="dispute", source_id="dp_other"),
        ]
    )

    run()

    assert [each for each in waiting(db) if each is Category.DISPUTE] == [Category.DISPUTE]


def test_a_refund_of_a_payment_that_the_line_names_is_found_when_its_amount_is_the_only_one(
    world: World, db: Session
) -> None:
    paid = charged(world, "pi_1")
    refund = is_refund(refund_payment(as_actor(world.finn), paid.id, amount_minor=900, reason="half"))
    told([line("txn_2", -900, today(world), kind="refund", intent_id="pi_1")])

    run()

    assert [(each.refund_id, each.rule) for each in matches(db)] == [(refund.id, Rule.OUR_ID)]


def test_a_payout_arrives_by_its_reference_or_as_the_only_one_of_its_amount(world: World, db: Session) -> None:
    day = today(world)
    told([line(f"txn_{each}", -each, day, kind="payout", source_id=f"po_{each}") for each in (700, 800)])
    told([credit("b1", 700, day + DAY, remittance="STRIPE po_700"), credit("b2", 700, day), credit("b3", 800, day)])

    run()

    assert sorted(each.rule for each in matches(db)) == [Rule.PAYOUT_AMOUNT, Rule.PAYOUT_REFERENCE]
    assert Category.MISSING_HERE in waiting(db)  # the other 700


def test_a_payout_that_is_not_the_sum_of_its_lines_or_never_arrives_is_told(world: World, db: Session) -> None:
    day = today(world)
    charged(world, "pi_1")
    told(
        [
            line("txn_1", 4_900, day, intent_id="pi_1", fee=172, payout_id="po_1"),
            line("txn_2", -4_729, day, kind="payout", source_id="po_1"),
        ]
    )
    told([credit("b1", 55, day + 7 * DAY)])

    run()

    assert waiting(db) == [Category.MISSING_HERE, Category.PAYOUT_NOT_IN_BANK, Category.PAYOUT_SUM]


def test_what_a_person_undid_is_not_made_again(world: World, db: Session) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_900, today(world), intent_id="pi_1")])
    run()
    undo_match(as_actor(world.finn), matches(db)[0].id, reason="it was somebody else's")

    run()

    assert matches(db) == []
    assert waiting(db) == [Category.MISSING_HERE]


def test_a_second_candidate_that_comes_later_undoes_the_match(world: World, db: Session) -> None:
    charged(world)
    told([line("txn_1", 4_900, today(world), counterparty="Ann")])
    run()
    assert len(matches(db)) == 1
    told([line("txn_2", 4_900, today(world), counterparty="Ann")])

    run()

    assert matches(db) == []
    assert waiting(db) == [Category.AMBIGUOUS] * 2


def test_running_again_changes_nothing(world: World, db: Session) -> None:
    charged(world, "pi_1")
    told([line("txn_1", 4_900, today(world), intent_id="pi_1"), line("txn_2", 1, today(world))])
    run()

    again = run_matching(SYSTEM)

    assert again is not None
    assert (again.made, again.undone, again.opened, again.resolved) == (0, 0, 0, 0)


def test_an_exception_that_is_gone_is_resolved_and_opens_again_when_it_comes_back(world: World, db: Session) -> None:
    told([line("txn_1", 4_900, today(world), intent_id="pi_1")])
    run()
    first = the_exception(db)
    charged(world, "pi_1")
    run()
    assert waiting(db) == []
    undo_match(as_actor(world.finn), matches(db)[0].id, reason="a mistake")

    run()

    assert the_exception(db).id == first.id


def test_a_file_that_comes_while_a_run_is_at_work_is_no_proof_of_what_is_missing(
    world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged(world, "pi_1")
    told([line("txn_0", 1, today(world) - DAY, kind="fee")])
    late = [line("txn_1", 4_900, today(world), intent_id="pi_1")]
    find = matching.find

    def found_and_overtaken(session: Session) -> None:
        find(session)
        elsewhere(lambda: told(late, until=today(world) + 9 * DAY))

    monkeypatch.setattr(matching, "find", found_and_overtaken)
    run()
    monkeypatch.undo()

    assert waiting(db) == []
    assert running.is_due(db, world.now)


def test_a_refund_that_came_back_is_both_of_its_lines(world: World, db: Session) -> None:
    paid = bought(world)
    out = line("txn_1", -4_900, today(world), kind="refund", source_id="re_own")
    back = line("txn_2", 4_900, today(world) + DAY, kind="refund", source_id="re_own")
    told([out, back])
    hear(SYSTEM, paid.id, facts=[say(paid, FactKind.REFUNDED, 2, 4_900, refund_reference="re_own")])
    run()
    assert ([each.line_id for each in matches(db)], waiting(db)) == ([out["id"]], [Category.STATE])

    hear(SYSTEM, paid.id, facts=[say(paid, FactKind.REFUND_FAILED, 3, 4_900, refund_reference="re_own")])
    run()

    assert ({each.line_id for each in matches(db)}, waiting(db)) == ({out["id"], back["id"]}, [])


def test_the_third_line_of_a_refund_is_a_duplicate(world: World, db: Session) -> None:
    paid = bought(world)
    hear(SYSTEM, paid.id, facts=[say(paid, FactKind.REFUNDED, 2, 4_900, refund_reference="re_own")])
    hear(SYSTEM, paid.id, facts=[say(paid, FactKind.REFUND_FAILED, 3, 4_900, refund_reference="re_own")])
    amounts = {"txn_1": -4_900, "txn_2": 4_900, "txn_3": 4_900}
    told([line(each, amount, today(world), kind="refund", source_id="re_own") for each, amount in amounts.items()])

    run()

    assert (len(matches(db)), waiting(db)) == (2, [Category.DUPLICATE])
