"""What buyers are told about their right to withdraw, and what they agreed to when they bought."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.billing.invoices.models import WithdrawalConsent
from guitaronline.billing.invoices.refusals import NoticeUnknown
from guitaronline.billing.models import Package
from guitaronline.unit_of_work import Work

# A text that buyers have read is never changed: a new one gets a new version, and the old one stays.
NOTICES = {
    "2026-11": (
        "You may withdraw from this purchase within {days} days without giving a reason. The days begin with the day after"
        " the purchase; it is enough to tell the school before they are over. Everything you paid is then paid back within"
        " 14 days, by the way it came. If you agree that lessons begin before the days are over and then withdraw, you pay"
        " for the lessons that were given until then."
    ),
}
CURRENT = "2026-11"
NO_RIGHT = "There is no right to withdraw from this purchase."


@dataclass(frozen=True)
class Notice:
    """What is shown before somebody buys."""

    version: str
    days: int
    text: str


def notice_now() -> Notice:
    """The text that holds today."""
    return notice_of(CURRENT, policy.current().WITHDRAWAL_DAYS)


def notice_of(version: str, days: int) -> Notice:
    """Raises NoticeUnknown."""
    if version not in NOTICES:
        raise NoticeUnknown(version=version)
    return Notice(version, days, NOTICES[version].format(days=days) if days else NO_RIGHT)


def note(work: Work, package: Package, *, given: bool, text_version: str = CURRENT) -> WithdrawalConsent:
    """Step of a purchase: it is written down which notice the buyer was shown, and whether lessons may begin before the
    days are over. Once a package. Raises NoticeUnknown."""
    notice = notice_of(text_version, policy.current().WITHDRAWAL_DAYS)
    consent = WithdrawalConsent(
        package_id=package.id, is_given=given, text_version=notice.version, days=notice.days, created_at=work.now
    )
    work.add(consent)
    return consent


def consent_of(session: Session, package: Package) -> WithdrawalConsent | None:
    """None for packages that nobody bought at a distance. Index: uq_withdrawal_consents_package_id."""
    query = select(WithdrawalConsent).where(WithdrawalConsent.package_id == package.id)
    return session.scalars(query).one_or_none()
