"""Whoever takes the school's payments, behind one small interface."""

from __future__ import annotations

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

__all__ = [
    "BadSignature",
    "Checkout",
    "FactKind",
    "Provider",
    "ProviderFact",
    "ProviderRefused",
    "ProviderUnknown",
    "provider_of",
]


def provider_of(name: PaymentProvider) -> Provider:
    """The provider of that name, set up as the settings say. Raises NotFound when it is not in use; nobody to ask is behind `manual`."""
    raise NotFound(provider=name.value)
