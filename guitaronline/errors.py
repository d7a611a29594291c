"""Refusals are facts under six kinds. The doors turn kinds into HTTP numbers and codes into sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Reason:
    """One rule that says no: its stable code, what is the matter, and what would fix it."""

    code: str
    detail: str
    fix: str = ""
    pointer: str = ""  # JSON pointer into the request, where one field is to blame
    facts: dict[str, Any] = field(default_factory=dict)


class DomainError(Exception):
    """A refusal. `code` derives from the class name and is a promise to clients."""

    detail: ClassVar[str] = "This is not possible."
    retry_after_seconds: int | None = None

    def __init__(self, detail: str | None = None, *, reasons: list[Reason] | None = None, **facts: Any) -> None:
        self.reasons = reasons or []
        self.facts = facts
        self.text = detail or (self.reasons[0].detail if self.reasons else type(self).detail)
        super().__init__(self.text)

    @property
    def code(self) -> str:
        return code_of(type(self))


class NotFound(DomainError):
    detail = "There is no such record, or it is not yours."


class NotSignedIn(DomainError):
    detail = "Sign in first."


class NotAllowed(DomainError):
    detail = "Your role does not allow this."


class Invalid(DomainError):
    detail = "The request is not valid."


class Conflict(DomainError):
    detail = "The record's present state does not allow this."


class Busy(DomainError):
    detail = "Somebody else is changing this record. Try again in a moment."
    retry_after_seconds = 1


class TooManyAttempts(DomainError):
    detail = "Too many attempts. Wait a little."

    def __init__(self, detail: str | None = None, *, retry_after: int = 60, **facts: Any) -> None:
        self.retry_after_seconds = retry_after
        super().__init__(detail, retry_after=retry_after, **facts)


class ProviderFailed(DomainError):
    detail = "An outside service did not answer."


def code_of(kind: type[DomainError]) -> str:
    """`HoldExpired` → `hold_expired`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
