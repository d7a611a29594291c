"""Whoever takes the school's payments, behind one small interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guitaronline import policy
from guitaronline.billing.models import PaymentProvider
from guitaronline.billing.providers.base import (
    BadSignature,
    Checkout,
    FactKind,
    Provider,
    ProviderFact,
    ProviderRefused,
    ProviderUnknown,
)
from guitaronline.errors import NotFound

if TYPE_CHECKING:
    from guitaronline.billing.providers.stripe_reports import StripeReports

__all__ = [
    "BadSignature",
    "Checkout",
    "FactKind",
    "Provider",
    "ProviderFact",
    "ProviderRefused",
    "ProviderUnknown",
    "provider_of",
    "reports",
]


def provider_of(name: PaymentProvider) -> Provider:
    """The provider of that name, set up as the settings say; also one that takes no new payments, while its keys are there.

    Raises NotFound when there are none. Nobody is behind `manual`."""
    settings = policy.current()
    if name is PaymentProvider.SANDBOX and not settings.is_production:
        from guitaronline.billing.providers.sandbox import Sandbox

        return Sandbox(settings.PUBLIC_BASE_URL.rstrip("/"), settings.SANDBOX_SECRET)
    if name is PaymentProvider.STRIPE and settings.STRIPE_SECRET_KEY:
        from guitaronline.billing.providers.stripe import Stripe

        secrets = [each.strip() for each in settings.STRIPE_WEBHOOK_SECRETS.split(",") if each.strip()]
        return Stripe(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, secrets)
    raise NotFound(provider=name.value)


def reports() -> StripeReports:
    """Whoever makes the reports that are fetched. Raises NotFound when its key is not there."""
    settings = policy.current()
    if not settings.STRIPE_SECRET_KEY:
        raise NotFound(provider=PaymentProvider.STRIPE.value)
    from guitaronline.billing.providers.stripe_reports import StripeReports

    return StripeReports(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, ())
