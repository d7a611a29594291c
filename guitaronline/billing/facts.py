"""What providers say becomes the state of payments. The end depends on which facts were told, never on their order."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from guitaronline.billing.models import Package, Payment
from guitaronline.billing.providers.base import FactKind, ProviderFact
from guitaronline.unit_of_work import Work


class Outcome(StrEnum):
    APPLIED = "applied"
    NOTHING_NEW = "nothing_new"  # known before, or it changes nothing
    NOT_FOR_US = "not_for_us"  # kept in the inbox, nobody here acts on it


# The caller has locked the payment, then its package. Told twice, or in another order, it must end in the same state.
Applier = Callable[[Work, Payment, Package, ProviderFact], Outcome]
appliers: dict[FactKind, Applier] = {}  # each chapter of money adds its own
