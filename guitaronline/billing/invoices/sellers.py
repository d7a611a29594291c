"""Who sells, from which day on. What was issued keeps the seller that it named."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline.billing.invoices import taxes
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import Seller
from guitaronline.billing.invoices.parties import ADDRESS, Party, is_line, party_problems
from guitaronline.billing.invoices.refusals import InvalidSeller
from guitaronline.errors import Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.unit_of_work import Work, command

TEXT_LENGTH = 500


@command("seller.set", creates="invoice_sellers")
def set_seller(
    work: Work,
    *,
    party: Party,
    valid_from: date | None = None,
    exemption: str | None = None,
    footer: str = "",
    reason: str | None = None,
) -> Seller:
    """Invoices of that day (None: today) and later name this seller. `exemption`: no tax is charged, and why.

    Raises InvalidSeller with every reason: also when the seller's country has no rate on a day from then on."""
    access.require(work.actor, Permission.EDIT_INVOICING)
    today = school_day(work.now)
    first = valid_from or today
    free = (exemption or "").strip() or None
    problems = party_problems(party, needed=("name", *ADDRESS)) + _text_problems(footer, free)
    if first < today:
        problems.append(
            Reason("valid_from_invalid", "What was issued stays as it is: begin today or later.", "", "/valid_from")
        )
    if free is None and not problems and not taxes.has_rate_from(work.session, party.country, first):
        problems.append(
            Reason(
                "country_invalid",
                f"There is no tax rate for {party.country} on {first}, or not on every day after it.",
                "Set the rate first, or say why no tax is charged.",
                "/country",
            )
        )
    if problems:
        raise InvalidSeller(reasons=problems)
    last = work.session.scalar(select(func.coalesce(func.max(Seller.revision), 0))) or 0
    facts = {name: value for name, value in vars(party).items() if name != "company"}
    seller = Seller(
        id=work.record_id, revision=last + 1, valid_from=first, exemption=free, footer=footer.strip(), **facts
    )
    work.add(seller)
    return seller


def seller_on(session: Session, day: date) -> Seller | None:
    """The newest version that has begun by that day; None before the first. There are a handful."""
    query = select(Seller).where(Seller.valid_from <= day).order_by(Seller.valid_from.desc(), Seller.revision.desc())
    return session.scalars(query.limit(1)).one_or_none()


def _text_problems(footer: str, exemption: str | None) -> list[Reason]:
    texts = {"footer": footer.replace("\n", " ").replace("\r", ""), "exemption": exemption or ""}
    return [
        Reason(f"{name}_invalid", f"At most {TEXT_LENGTH} printable characters.", "", f"/{name}")
        for name, words in texts.items()
        if not is_line(words, TEXT_LENGTH)
    ]
