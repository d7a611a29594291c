"""The tax table: for each country, which rate from which day on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import exists, func, or_, select, text, tuple_
from sqlalchemy.orm import Session, aliased

from guitaronline.billing.invoices.countries import COUNTRIES
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import Seller, TaxRate
from guitaronline.billing.invoices.parties import is_line
from guitaronline.billing.invoices.refusals import InvalidTaxRate, TaxRateNeeded, TaxRateOver
from guitaronline.billing.invoices.tax import WHOLE_BPS, TaxRule
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

EXEMPTION_LENGTH = 300
COVERED = text("SELECT range_agg(days) @> daterange(:first, NULL) FROM tax_rates WHERE country = :country")


@command("tax_rate.set", creates="tax_rates")
def set_tax_rate(
    work: Work,
    *,
    country: str,
    rate_bps: int,
    valid_from: date,
    valid_until: date | None = None,
    exemption: str | None = None,
    reason: str | None = None,
) -> TaxRate:
    """Lessons for buyers of the country are taxed so from that day on, until before `valid_until` (None: for good).

    A rate that is open ends where the new one begins. A rate of 0 says why. Locks the country's open rate.
    Raises InvalidTaxRate with every reason, TaxRateOverlaps, TaxRateNeeded when the seller's country would be left without."""
    access.require(work.actor, Permission.EDIT_INVOICING)
    free = (exemption or "").strip() or None
    problems = _problems(country, rate_bps, valid_from, valid_until, free, today=school_day(work.now))
    if problems:
        raise InvalidTaxRate(reasons=problems)
    if valid_until is not None:
        _require_others(work, country)
    before = select(TaxRate.id).where(
        TaxRate.country == country, TaxRate.valid_until.is_(None), TaxRate.valid_from < valid_from
    )
    for rate in work.lock_all(TaxRate, work.session.scalars(before)):
        rate.valid_until = valid_from
    work.session.flush()  # the days must be free before they are taken
    rate = TaxRate(
        id=work.record_id,
        country=country,
        rate_bps=rate_bps,
        valid_from=valid_from,
        valid_until=valid_until,
        exemption=free,
    )
    work.add(rate)
    return rate


@command("tax_rate.end", on="tax_rates")
def end_tax_rate(work: Work, rate_id: UUID, *, valid_until: date, reason: str | None = None) -> TaxRate:
    """From that day on the rate holds no more; for that country the seller's counts then.

    Locks the rate. Raises InvalidTaxRate, TaxRateOver, TaxRateNeeded for the seller's own country."""
    access.require(work.actor, Permission.EDIT_INVOICING)
    rate = work.lock(TaxRate, rate_id)
    today = school_day(work.now)
    if rate.valid_until is not None and rate.valid_until <= today:
        raise TaxRateOver(ended=rate.valid_until.isoformat())
    if valid_until <= max(rate.valid_from, today):
        raise InvalidTaxRate(
            reasons=[Reason("valid_until_invalid", "It can end tomorrow at the earliest.", pointer="/valid_until")]
        )
    _require_others(work, rate.country)
    rate.valid_until = valid_until
    return rate


def is_needed(session: Session, country: str, day: date) -> bool:
    """Whether it is the country of a seller who charges tax, on that day or later: its rate ends only where the next begins."""
    newer = aliased(Seller)
    replaced = exists().where(
        newer.valid_from <= func.greatest(Seller.valid_from, day),
        tuple_(newer.valid_from, newer.revision) > tuple_(Seller.valid_from, Seller.revision),
    )
    query = select(Seller.id).where(Seller.country == country, Seller.exemption.is_(None), ~replaced)
    return session.scalar(query.limit(1)) is not None


def has_rate_from(session: Session, country: str, first: date) -> bool:
    """Whether the country has a rate on that day and on every one after it."""
    return bool(session.scalar(COVERED, {"country": country, "first": first}))


def rate_on(session: Session, country: str, day: date) -> TaxRate | None:
    """The country's rate on that day."""
    return rates_on(session, [country], day).get(country)


def rates_on(session: Session, countries: Sequence[str], day: date) -> dict[str, TaxRate]:
    """The rates of these countries that hold on that day. Index: ix_tax_rates_country."""
    query = select(TaxRate).where(
        TaxRate.country.in_(countries),
        TaxRate.valid_from <= day,
        or_(TaxRate.valid_until.is_(None), TaxRate.valid_until > day),
    )
    return {rate.country: rate for rate in session.scalars(query)}


def rule_for(session: Session, seller: Seller, buyer_country: str, day: date) -> TaxRule | None:
    """What holds for that buyer: nothing where the seller is exempt; else the rate of the buyer's country; where it has
    none, or where nobody knows the country, the seller's. None when that has no rate either."""
    if seller.exemption is not None:
        return TaxRule(seller.country, 0, seller.exemption)
    rates = rates_on(session, [buyer_country, seller.country], day)
    found = rates.get(buyer_country) or rates.get(seller.country)
    return TaxRule(found.country, found.rate_bps, found.exemption) if found else None


def _require_others(work: Work, country: str) -> None:
    if is_needed(work.session, country, school_day(work.now)):
        raise TaxRateNeeded(country=country)


def _problems(
    country: str, rate_bps: int, valid_from: date, valid_until: date | None, exemption: str | None, *, today: date
) -> list[Reason]:
    found = [
        (country not in COUNTRIES, "country", "A country is named by its two letters, such as DE."),
        (not 0 <= rate_bps <= WHOLE_BPS, "rate_bps", "A rate lies between 0 and 100 %."),
        (rate_bps == 0 and exemption is None, "exemption", "Say on invoices why no tax is charged."),
        (rate_bps > 0 and exemption is not None, "exemption", "Only a rate of 0 has such a text."),
        (not is_line(exemption or "", EXEMPTION_LENGTH), "exemption", "At most 300 printable characters."),
        (valid_from < today, "valid_from", "What was issued stays as it is: begin today or later."),
        (valid_until is not None and valid_until <= valid_from, "valid_until", "It ends after it begins."),
    ]
    return [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]
