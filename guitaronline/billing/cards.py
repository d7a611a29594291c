"""Card numbers in text: found, so that forms can refuse them, and masked where a file brings them.

A card number has 13 to 19 digits, written together or in groups, begins as cards of the known networks do (ISO/IEC 7812)
and passes the Luhn check. IBANs, UUIDs and phone numbers with their + are none; nor is a part of a longer word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LEAST, MOST = 13, 19
SEPARATORS = r" \-.\u00a0\u2009\u202f\u2010\u2011\u2013"
LONG_ENOUGH = re.compile(rf"[0-9](?:[{SEPARATORS}]?[0-9]){{{LEAST - 1}}}", re.ASCII)
GROUPS = re.compile(rf"(?<![0-9A-Za-z_+])[0-9]+(?:[{SEPARATORS}][0-9]+)*(?![0-9A-Za-z_])", re.ASCII)
GROUP = re.compile("[0-9]+", re.ASCII)
NO_CARDS = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # UUID
    r"|\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",  # IBAN
    re.ASCII | re.IGNORECASE,
)
LENGTHS = {  # how a number of the network begins → how many digits it has
    r"4": (13, 16, 19),  # Visa
    r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720": (16,),  # Mastercard
    r"3[47]": (15,),  # American Express
    r"6011|64[4-9]|65": (16, 17, 18, 19),  # Discover
    r"30[0-5]|36|3[89]": (14, 15, 16, 17, 18, 19),  # Diners Club
    r"352[89]|35[3-8]": (16, 17, 18, 19),  # JCB
    r"62|81": (16, 17, 18, 19),  # UnionPay
    r"50|5[6-8]|6[037]": (13, 14, 15, 16, 17, 18, 19),  # Maestro
}
NETWORKS = [(re.compile(begins, re.ASCII), lengths) for begins, lengths in LENGTHS.items()]


def has_card_number(text: str | None) -> bool:
    return next(_found(text), None) is not None if text else False


def masked(text: str) -> str:
    """The text with only the last four digits of each card number left."""
    parts, at = [], 0
    for start, end in _found(text):
        parts += [text[at:start], "•••• ", text[end - 4 : end]]
        at = end
    return "".join([*parts, text[at:]]) if parts else text


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand, from left to right; none overlaps another."""
    plain = text if text.isascii() else _with_plain_digits(text)
    if not LONG_ENOUGH.search(plain):
        return
    plain = NO_CARDS.sub(_blanked, plain)
    for groups in GROUPS.finditer(plain):
        yield from _in_groups(plain, groups.start(), groups.end())


def _with_plain_digits(text: str) -> str:
    """Digits of other scripts as 0–9, one character for one."""
    return "".join(str(int(each)) if each.isdecimal() else each for each in text)


def _blanked(found: re.Match[str]) -> str:
    """An IBAN or UUID does not count; what only looks like an IBAN does."""
    word = found[0].replace(" ", "").upper()
    return "x" * len(found[0]) if "-" in word or _is_iban(word) else found[0]


def _is_iban(word: str) -> bool:
    """ISO 13616: the first four characters at the end, letters as numbers, remainder 1."""
    return int("".join(str(int(each, 36)) for each in word[4:] + word[:4])) % 97 == 1


def _in_groups(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A number may stand beside others (`4111 1111 1111 1111 12/29`): it begins and ends where a group does."""
    groups = [found.span() for found in GROUP.finditer(text, start, end)]
    first = 0
    while first < len(groups):
        furthest = min(
            len(groups), first + MOST
        )  # each group has a digit at least: a text of a thousand groups took minutes
        last = next((each for each in range(furthest, first, -1) if _is_card(text, groups[first:each])), None)
        if last is None:
            first += 1
            continue
        yield groups[first][0], groups[last - 1][1]
        first = last


def _is_card(text: str, groups: list[tuple[int, int]]) -> bool:
    digits = "".join(text[start:end] for start, end in groups)
    if not LEAST <= len(digits) <= MOST:
        return False
    is_known = any(len(digits) in lengths and begins.match(digits) for begins, lengths in NETWORKS)
    return is_known and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(each), 10)) for each in digits[-2::-2]]
    return (sum(doubled) + sum(int(each) for each in digits[-1::-2])) % 10 == 0
