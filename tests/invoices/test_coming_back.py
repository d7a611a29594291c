"""A refund that was paid out and came back: its credit note holds no more, and the next refund has its own."""

from __future__ import annotations

from guitaronline.billing.invoices import documents
from guitaronline.billing.invoices.models import CreditNote
from guitaronline.billing.models import PaymentStatus
from guitaronline.billing.providers.base import FactKind
from tests.invoices.office import by_id, credit_notes, invoice_of, opened
from tests.refunds.scripted import bought, came_back, say
from tests.world import World

REFUNDED, FAILED = FactKind.REFUNDED, FactKind.REFUND_FAILED


def amounts(note: CreditNote) -> tuple[int, int, bool]:
    return note.gross_minor, note.tax_minor, note.cancels_id is not None


def test_its_credit_note_is_canceled_by_another(world: World) -> None:
    opened(world)
    payment = bought(world)

    came_back(payment, 49_000)

    credit, cancel = credit_notes(payment)
    assert [amounts(each) for each in (credit, cancel)] == [(49_000, 7_824, False), (49_000, 7_824, True)]
    assert (cancel.cancels_id, cancel.refund_id, cancel.sequence) == (credit.id, credit.refund_id, 2)


def test_all_of_it_can_go_back_afterwards(world: World) -> None:
    opened(world)
    payment = bought(world)
    came_back(payment, 49_000)

    say(payment, REFUNDED, 4, 49_000, "re_b")

    assert [amounts(each) for each in credit_notes(payment)][2:] == [(49_000, 7_824, False)]
    assert world.again(payment).status is PaymentStatus.REFUNDED


def test_what_came_back_leaves_the_tax_of_the_others_whole(world: World) -> None:
    opened(world)
    payment = bought(world, amount_minor=100)
    came_back(payment, 33)

    say(payment, REFUNDED, 4, 33, "re_b")
    say(payment, REFUNDED, 5, 67, "re_c")

    assert sum(each.tax_minor for each in credit_notes(payment)[2:]) == invoice_of(payment).tax_minor


def test_told_again_it_is_canceled_once(world: World) -> None:
    opened(world)
    payment = bought(world)
    came_back(payment, 4_900)

    say(payment, FAILED, 3, 4_900, "re_a")
    say(payment, FAILED, 9, 4_900, "re_a")

    assert len(credit_notes(payment)) == 2


def test_a_refund_that_never_had_a_credit_note_cancels_none(world: World) -> None:
    payment = bought(world)
    say(payment, REFUNDED, 2, 4_900, "re_a")
    opened(world)

    say(payment, FAILED, 3, 4_900, "re_a")

    assert world.again(payment).status is PaymentStatus.SUCCEEDED


def test_the_paper_says_what_it_cancels(world: World) -> None:
    opened(world)
    payment = bought(world)
    came_back(payment, 4_900)
    credit, cancel = credit_notes(payment)

    page = documents.of_credit_note(by_id(CreditNote, cancel.id))

    assert page.title == "Cancellation of a credit note"
    assert credit.reference in page.texts[0]
    assert invoice_of(payment).reference in page.texts[0]
