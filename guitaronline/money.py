"""Money: whole minor units and an ISO 4217 currency; never a float."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Digits after the decimal sign where they are not 2 (ISO 4217, list one, 2026-01-01).
_PLACES = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip
CURRENCIES = frozenset(
    "AED AUD BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP GEL HKD HUF IDR ILS INR ISK JOD JPY KES KRW KWD KZT MAD MXN MYR "
    "NGN NOK NZD OMR PEN PHP PLN QAR RON RSD RUB SAR SEK SGD THB TND TRY TWD UAH USD UYU VND ZAR".split()
)
LARGEST_MINOR = 10**12


@dataclass(frozen=True)
class Money:
    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{decimal_string(self.amount_minor, self.currency)} {self.currency}"


def places(currency: str) -> int:
    """Digits after the decimal sign: 2 for USD, 0 for JPY, 3 for KWD."""
    return _PLACES.get(currency, 2)


def decimal_string(amount_minor: int, currency: str) -> str:
    """4900 USD → `49.00`; 4900 JPY → `4900`."""
    digits = places(currency)
    if digits == 0:
        return str(amount_minor)
    sign, size = ("-", -amount_minor) if amount_minor < 0 else ("", amount_minor)
    whole, rest = divmod(size, 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}"


def parse_minor(amount: str, currency: str) -> int:
    """`49.00` USD → 4900. Raises ValueError for anything but plain digits with at most the currency's places."""
    digits = places(currency)
    found = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]+))?", amount, re.ASCII)
    if not found or (found[2] and len(found[2]) > digits):
        raise ValueError(f"an amount in {currency} has digits and at most {digits} decimal places")
    minor: int = int(found[1]) * 10**digits + int((found[2] or "").ljust(digits, "0") or 0)
    if minor > LARGEST_MINOR:
        raise ValueError("the amount is too large")
    return minor
