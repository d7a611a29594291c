"""What holds for packages and refunds; pure. The list of what fits and the check at the hold use the same functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from guitaronline import money
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.errors import Reason

LESSONS_MOST = 1000
LESSON_MINUTES = range(15, 241)
REFERENCE_LENGTH = 200
LIVING = frozenset({PackageStatus.ACTIVE, PackageStatus.DEPLETED})


def is_lapsed(package: Package, now: datetime) -> bool:
    """Its time is over though no job has written it down yet. A frozen package's clock stands."""
    return (
        package.status in LIVING
        and package.frozen_at is None
        and package.expires_at is not None
        and package.expires_at <= now
    )


def effective_package_status(package: Package, now: datetime) -> PackageStatus:
    """The status that doors show: an overdue package is expired before any job has run."""
    return PackageStatus.EXPIRED if is_lapsed(package, now) else package.status


def living_problems(package: Package, now: datetime) -> list[Reason]:
    """Why the package can neither be extended nor frozen: it is not active or depleted."""
    status = effective_package_status(package, now)
    if status is PackageStatus.EXPIRED:
        return [Reason("package_expired", "The package has expired. Reinstate it first.", "Reinstate it.")]
    if status not in LIVING:
        return [Reason("package_not_active", f"The package is {status.value}.", "Choose another package.")]
    return []


def extension_problems(package: Package, expires_at: datetime | None, now: datetime) -> list[Reason]:
    """Why a living package cannot live until `expires_at` (None: for ever)."""
    problems = order_problems(lessons_total=1, expires_at=expires_at, now=now)
    if package.expires_at is None or (expires_at is not None and expires_at < package.expires_at):
        problems.append(
            Reason("expires_at_invalid", "The package already lives longer than that.", pointer="/expires_at")
        )
    return problems


def package_problems(package: Package, *, minutes: int, lesson_start: datetime, now: datetime) -> list[Reason]:
    """Every reason why a lesson of `minutes` at `lesson_start` cannot be held with the package; empty when it can."""
    status = effective_package_status(package, now)
    wrong_length = package.lesson_minutes is not None and package.lesson_minutes != minutes
    too_early = package.frozen_at is None and package.expires_at is not None and now < package.expires_at < lesson_start
    found = [
        (
            status in (PackageStatus.PENDING, PackageStatus.REVOKED),
            Reason("package_not_active", f"The package is {status.value}.", "Choose another package."),
        ),
        (
            status is PackageStatus.EXPIRED,
            Reason(
                "package_expired",
                "The package has expired.",
                "Choose another package, or ask the school to reinstate this one.",
            ),
        ),
        (
            status is not PackageStatus.EXPIRED and too_early,
            Reason(
                "package_expires_before_lesson",
                "The package expires before the lesson starts.",
                "Choose an earlier slot or another package.",
            ),
        ),
        (
            package.frozen_at is not None,
            Reason("package_frozen", "The package is frozen.", "Ask the school to unfreeze it."),
        ),
        (
            wrong_length,
            Reason(
                "wrong_lesson_length",
                f"The package is for lessons of {package.lesson_minutes} minutes; this one takes {minutes}.",
                "Choose a slot of that length or another package.",
                facts={"lesson_minutes": package.lesson_minutes, "asked": minutes},
            ),
        ),
        (
            status in LIVING and package.available < 1,
            Reason(
                "no_lessons_left",
                "The package has no lesson available.",
                "Choose another package; one can be bought or granted.",
            ),
        ),
    ]
    return [reason for applies, reason in found if applies]


def lives_until(package: Package, now: datetime, days: int) -> datetime | None:
    """When a package that must live `days` more expires; never earlier than it would anyway, None when it never does.

    The days of a frozen package count from when it was frozen: unfreezing adds the time between."""
    if package.expires_at is None:
        return None
    return max(package.expires_at, (package.frozen_at or now) + timedelta(days=days))


def said(words: str | None) -> str | None:
    """What a person wrote, trimmed; None when that is nothing."""
    return (words or "").strip() or None


def order_problems(
    *,
    lessons_total: int,
    lesson_minutes: int | None = None,
    expires_at: datetime | None = None,
    price_minor: int = 0,
    currency: str = "USD",
    now: datetime,
) -> list[Reason]:
    """Every reason why no package can be made like this."""
    last = now.replace(year=9998, month=1, day=1)
    found = [
        (not 1 <= lessons_total <= LESSONS_MOST, "lessons_total", f"A package has 1 to {LESSONS_MOST} lessons."),
        (
            lesson_minutes is not None and lesson_minutes not in LESSON_MINUTES,
            "lesson_minutes",
            "A lesson takes 15 to 240 minutes.",
        ),
        (expires_at is not None and not now < expires_at < last, "expires_at", "The expiry must lie in the future."),
        (not 0 <= price_minor <= money.LARGEST_MINOR, "price", "The price is out of range."),
        (currency not in money.CURRENCIES, "currency", "This is not a currency that is taken."),
    ]
    return [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]


def payment_problems(
    package: Package, *, amount_minor: int, currency: str, external_reference: str | None
) -> list[Reason]:
    """Every reason why no payment of that amount can be recorded for the package. A purchase is paid as a whole."""
    priced = package.price_minor > 0
    bought = package.status is PackageStatus.PENDING
    reference = external_reference or ""
    found = [
        (not 1 <= amount_minor <= money.LARGEST_MINOR, "amount", "The amount is out of range."),
        (currency not in money.CURRENCIES, "currency", "This is not a currency that is taken."),
        (
            priced and currency in money.CURRENCIES and currency != package.currency,
            "currency",
            f"The package is priced in {package.currency}.",
        ),
        (
            bought and amount_minor != package.price_minor,
            "amount",
            f"The package costs {money.decimal_string(package.price_minor, package.currency)} {package.currency}.",
        ),
        (
            len(reference) > REFERENCE_LENGTH or not reference.isprintable(),
            "external_reference",
            f"A reference has at most {REFERENCE_LENGTH} printable characters.",
        ),
    ]
    return [Reason(f"{field}_invalid", detail, pointer=f"/{field}") for wrong, field, detail in found if wrong]


def expiry_when_activated(
    *, now: datetime, ordered_at: datetime, expires_at: datetime | None, valid_days: int | None
) -> datetime | None:
    """When a package that was paid for just now expires: its plan's days count from now; an agreed day stands unless it
    has passed while the money was awaited, then the package lives as long as was agreed."""
    if expires_at is None:
        return now + timedelta(days=valid_days) if valid_days else None
    return expires_at if expires_at > now else now + (expires_at - ordered_at)


@dataclass(frozen=True)
class RefundFigures:
    """What a refund can be and what it does; shown before, and used when it is done."""

    paid_minor: int
    price_minor: int  # what all lessons cost; the payment's amount where the package has no price
    committed_minor: int  # refunds pending and succeeded, credits, lost disputes
    refundable_minor: int  # by the rule; what is offered
    lessons_total: int
    delivered: int
    covered_otherwise: bool  # other payments pay for the whole package: this one came twice
    disputed_minor: int = 0  # open disputes: cannot be given back, and have taken no lesson yet
    others_gone_minor: int = 0  # what other payments brought for the package, if nothing of it is left

    @property
    def left_minor(self) -> int:
        """Never below 0, though a dispute may come for money that is on its way back."""
        return max(0, self.paid_minor - self.committed_minor - self.disputed_minor)


def refund_figures(
    *,
    paid_minor: int,
    committed_minor: int,
    lessons_total: int,
    delivered: int,
    price_minor: int = 0,
    covered_otherwise: bool = False,
    disputed_minor: int = 0,
    others_gone_minor: int = 0,
) -> RefundFigures:
    """refundable = ⌊paid × undelivered ÷ total⌋ − already refunded (pending ones too) or disputed, never below 0;
    everything left when nothing was delivered, or when other money pays for the package."""
    gone = committed_minor + disputed_minor
    if delivered == 0 or covered_otherwise:
        refundable = max(0, paid_minor - gone)
    else:
        refundable = max(0, paid_minor * max(0, lessons_total - delivered) // lessons_total - gone)
    price = max(price_minor, paid_minor)
    return RefundFigures(
        paid_minor=paid_minor,
        price_minor=price,
        committed_minor=committed_minor,
        refundable_minor=refundable,
        lessons_total=lessons_total,
        delivered=delivered,
        covered_otherwise=covered_otherwise,
        disputed_minor=disputed_minor,
        others_gone_minor=others_gone_minor,
    )


def lessons_to_revoke(figures: RefundFigures, amount_minor: int, *, revoked_before: int, available: int) -> int:
    """How many unused lessons a refund takes: all when the whole price has gone back, whichever payments it came by; else
    the money's share of them, rounded down over all refunds of the payment together; none of what other money pays for."""
    if figures.covered_otherwise:
        return 0
    back = figures.committed_minor + amount_minor
    is_last = back >= figures.paid_minor
    if back + (figures.others_gone_minor if is_last else 0) >= figures.price_minor:
        return available
    return min(available, max(0, back * figures.lessons_total // figures.price_minor - revoked_before))


@dataclass(frozen=True)
class CreditLessons:
    """How many lessons can be given instead of an amount: what is offered, and the most."""

    offered: int
    most: int


def credit_lessons(figures: RefundFigures, amount_minor: int, *, revoked: int) -> CreditLessons:
    """Offered are the lessons that are taken back, or, where none is, what the amount is worth; at most the larger of the
    two. Worth = ⌊amount × lessons ÷ price⌋, at the package's own price per lesson."""
    worth = amount_minor * figures.lessons_total // figures.price_minor
    return CreditLessons(revoked or worth, max(revoked, worth))


def needs_approval(amount_minor: int, *, before_minor: int = 0, limit_minor: int) -> bool:
    """Money by hand above the limit (exclusive), summed over the payment, needs a second person."""
    return before_minor + amount_minor > limit_minor
