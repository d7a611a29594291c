"""Who sells, at which rates, and to which address: what is refused, and what holds when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from guitaronline.billing.invoices.addresses import address_of, payer_of, set_billing_address
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.refusals import (
    InvalidAddress,
    InvalidSeller,
    InvalidTaxRate,
    TaxRateNeeded,
    TaxRateOver,
    TaxRateOverlaps,
)
from guitaronline.billing.invoices.sellers import seller_on, set_seller
from guitaronline.billing.invoices.taxes import end_tax_rate, rate_on, set_tax_rate
from guitaronline.errors import DomainError, NotAllowed, NotFound
from guitaronline.identity.service import add_guardian
from tests.invoices.office import SELLER, lives_in, opened, rate, today
from tests.world import World, as_actor


def reasons(refusal: pytest.ExceptionInfo[DomainError]) -> list[str]:
    return [each.code for each in refusal.value.reasons]


def days(world: World, number: int) -> date:
    return today(world) + timedelta(days=number)


# Tax rates


def test_the_next_rate_ends_the_one_before(world: World, db: Session) -> None:
    rate(world, "DE", 1900)

    rate(world, "DE", 1600, valid_from=days(world, 5))

    found = [rate_on(db, "DE", days(world, number)) for number in (0, 4, 5, 500)]
    assert [each.rate_bps if each else None for each in found] == [1900, 1900, 1600, 1600]


def test_a_day_before_the_first_rate_has_none(world: World, db: Session) -> None:
    rate(world, "DE", 1900, valid_from=days(world, 1))

    assert rate_on(db, "DE", days(world, 0)) is None


def test_two_rates_never_hold_on_one_day(world: World) -> None:
    rate(world, "DE", 1600, valid_from=days(world, 5), valid_until=days(world, 9))

    with pytest.raises(TaxRateOverlaps):
        rate(world, "DE", 1900)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"country": "XX"}, "country_invalid"),
        ({"country": "de"}, "country_invalid"),
        ({"rate_bps": -1}, "rate_bps_invalid"),
        ({"rate_bps": 10_001}, "rate_bps_invalid"),
        ({"rate_bps": 0}, "exemption_invalid"),
        ({"exemption": "none"}, "exemption_invalid"),
        ({"rate_bps": 0, "exemption": "a\x00b"}, "exemption_invalid"),
        ({"valid_from": date(2020, 1, 1)}, "valid_from_invalid"),
    ],
)
def test_what_is_no_rate_is_refused(world: World, wrong: dict[str, Any], code: str) -> None:
    facts = {"country": "DE", "rate_bps": 1900, "valid_from": today(world), **wrong}

    with pytest.raises(InvalidTaxRate) as refusal:
        set_tax_rate(as_actor(world.finn), **facts)

    assert reasons(refusal) == [code]


def test_a_rate_ends_and_the_country_has_none_any_more(world: World, db: Session) -> None:
    opened(world)
    rate(world, "AT", 2000)
    made = rate_on(db, "AT", today(world))
    assert made is not None

    end_tax_rate(as_actor(world.finn), made.id, valid_until=days(world, 1), reason="no buyers")

    assert (rate_on(db, "AT", days(world, 0)) is None, rate_on(db, "AT", days(world, 1)) is None) == (False, True)


def test_a_rate_does_not_end_in_the_past(world: World, db: Session) -> None:
    rate(world, "AT", 2000)
    made = rate_on(db, "AT", today(world))
    assert made is not None

    with pytest.raises(InvalidTaxRate):
        end_tax_rate(as_actor(world.finn), made.id, valid_until=today(world), reason="at once")


def test_a_rate_that_has_ended_does_not_end_again(world: World, db: Session) -> None:
    from guitaronline import clock

    rate(world, "AT", 2000, valid_until=days(world, 1))
    made = rate_on(db, "AT", today(world))
    assert made is not None

    with clock.moved_by(timedelta(days=2)), pytest.raises(TaxRateOver):
        end_tax_rate(as_actor(world.finn), made.id, valid_until=days(world, 9), reason="late")


def test_the_sellers_country_is_never_without_a_rate(world: World, db: Session) -> None:
    opened(world)
    made = rate_on(db, "DE", today(world))
    assert made is not None

    with pytest.raises(TaxRateNeeded):
        end_tax_rate(as_actor(world.finn), made.id, valid_until=days(world, 9), reason="no more")
    with pytest.raises(TaxRateNeeded):
        rate(world, "DE", 1600, valid_from=days(world, 5), valid_until=days(world, 9))


def test_the_country_of_todays_seller_keeps_its_rate_while_the_next_one_is_planned(world: World, db: Session) -> None:
    opened(world)
    rate(world, "AT", 2000)
    set_seller(as_actor(world.ada), party=replace(SELLER, country="AT"), valid_from=days(world, 30))
    now, then = rate_on(db, "DE", today(world)), rate_on(db, "AT", today(world))
    assert now is not None
    assert then is not None

    with pytest.raises(TaxRateNeeded):
        end_tax_rate(as_actor(world.finn), now.id, valid_until=days(world, 1), reason="we move")
    with pytest.raises(TaxRateNeeded):
        end_tax_rate(as_actor(world.finn), then.id, valid_until=days(world, 9), reason="a mistake")


def test_the_country_of_a_seller_who_was_replaced_needs_no_rate(world: World, db: Session) -> None:
    opened(world)
    rate(world, "AT", 2000)
    set_seller(as_actor(world.ada), party=replace(SELLER, country="AT"))
    made = rate_on(db, "DE", today(world))
    assert made is not None

    ended = end_tax_rate(as_actor(world.finn), made.id, valid_until=days(world, 1), reason="we moved")

    assert ended.valid_until == days(world, 1)


def test_a_seller_whose_country_has_no_rate_later_is_refused(world: World) -> None:
    rate(world, "DE", 1900, valid_until=days(world, 30))
    with pytest.raises(InvalidSeller) as refusal:
        set_seller(as_actor(world.finn), party=SELLER)
    assert reasons(refusal) == ["country_invalid"]

    rate(world, "DE", 1600, valid_from=days(world, 30))

    assert set_seller(as_actor(world.finn), party=SELLER).country == "DE"


# The seller


def test_a_new_seller_holds_from_their_day_on(world: World, db: Session) -> None:
    opened(world)

    set_seller(as_actor(world.ada), party=replace(SELLER, city="Bonn"), valid_from=days(world, 3))

    cities = [found.city for number in (0, 2, 3) if (found := seller_on(db, days(world, number)))]
    assert cities == ["Berlin", "Berlin", "Bonn"]


def test_of_two_for_one_day_the_newer_holds(world: World, db: Session) -> None:
    opened(world)

    set_seller(as_actor(world.ada), party=replace(SELLER, city="Bonn"))

    found = seller_on(db, today(world))
    assert found is not None
    assert found.city == "Bonn"


def test_a_seller_without_a_rate_at_home_is_refused(world: World) -> None:
    with pytest.raises(InvalidSeller) as refusal:
        set_seller(as_actor(world.finn), party=SELLER)

    assert reasons(refusal) == ["country_invalid"]


def test_every_mistake_about_the_seller_is_told(world: World) -> None:
    party = Party(name="", street="x" * 121, postal_code="1", city="Berlin", country="??")

    with pytest.raises(InvalidSeller) as refusal:
        set_seller(as_actor(world.finn), party=party, valid_from=date(2020, 1, 1))

    assert reasons(refusal) == ["name_invalid", "street_invalid", "country_invalid", "valid_from_invalid"]


@pytest.mark.parametrize("who", ["sue", "audrey", "ann", "tom"])
def test_only_finance_and_admins_say_who_sells_and_at_which_rate(world: World, who: str) -> None:
    actor = as_actor(getattr(world, who))

    with pytest.raises(NotAllowed):
        set_seller(actor, party=SELLER)
    with pytest.raises(NotAllowed):
        set_tax_rate(actor, country="DE", rate_bps=1900, valid_from=today(world))


# Addresses


def test_a_student_gives_their_own_address_and_nobody_elses(world: World, db: Session) -> None:
    party = Party("Ann A.", street="Road 1", postal_code="1", city="Town", country="DE")

    set_billing_address(as_actor(world.ann), world.ann.id, party=party)
    with pytest.raises(NotFound):
        set_billing_address(as_actor(world.ann), world.ben.id, party=party)

    found = address_of(db, world.ann.id)
    assert found is not None
    assert (found.name, found.version) == ("Ann A.", 1)


def test_the_same_address_again_changes_nothing(world: World, db: Session) -> None:
    lives_in(world, world.ann, "DE")

    lives_in(world, world.ann, "DE")

    found = address_of(db, world.ann.id)
    assert found is not None
    assert found.version == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"country": ""}, "country_invalid"), ({"city": ""}, "city_invalid"), ({"name": "a\nb"}, "name_invalid")],
)
def test_what_is_no_address_is_refused(world: World, wrong: dict[str, str], code: str) -> None:
    facts = {"name": "Ann", "street": "Road 1", "postal_code": "1", "city": "Town", "country": "DE", **wrong}

    with pytest.raises(InvalidAddress) as refusal:
        set_billing_address(as_actor(world.sue), world.ann.id, party=Party(**facts))

    assert reasons(refusal) == [code]


def test_a_guardian_who_does_not_pay_is_not_the_payer(world: World, db: Session) -> None:
    child = world.person("Mia", world.ann.role, email=None)
    add_guardian(as_actor(world.sue), child.id, guardian_id=world.ben.id, pays=False)

    assert payer_of(db, child).id == child.id
