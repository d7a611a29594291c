"""What the model keeps in memory: packages with their buckets, slots, bookings, payments, refunds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

LIVING = ("active", "depleted")


class Refused(Exception):
    """The model says no, for these reasons."""

    def __init__(self, *codes: str) -> None:
        self.codes = frozenset(codes)
        super().__init__(", ".join(sorted(codes)))


@dataclass
class Package:
    id: UUID
    number: int
    student: int
    lessons_total: int
    expires_at: datetime | None
    price: int
    available: int
    reserved: int = 0
    consumed: int = 0
    expired: int = 0
    revoked: int = 0
    status: str = "active"

    def effective(self, now: datetime) -> str:
        is_over = self.status in LIVING and self.expires_at is not None and self.expires_at <= now
        return "expired" if is_over else self.status

    def home(self, now: datetime) -> str:
        """The bucket into which a lesson falls back."""
        return {"expired": "expired", "revoked": "revoked"}.get(self.effective(now), "available")

    def post(self, **deltas: int) -> None:
        for bucket, delta in deltas.items():
            setattr(self, bucket, getattr(self, bucket) + delta)
        has_lessons = self.available + self.reserved > 0
        if self.status in LIVING:
            self.status = "active" if has_lessons else "depleted"

    def expire(self) -> None:
        self.status = "expired"
        self.post(available=-self.available, expired=self.available)

    def buckets(self) -> tuple[Any, ...]:
        held = (self.available, self.reserved, self.consumed, self.expired, self.revoked)
        return (*held, self.status, self.expires_at)


@dataclass
class Slot:
    id: UUID
    teacher: int
    start: datetime
    end: datetime


@dataclass
class Booking:
    id: UUID
    slot: Slot
    student: int
    package: Package
    status: str
    ends: datetime | None = None  # of a hold
    was_confirmed: bool = False
    returned: bool | None = None
    successor: Booking | None = None
    moved_from: Booking | None = None

    def is_lapsed(self, now: datetime) -> bool:
        return self.status == "hold" and self.ends is not None and self.ends <= now


@dataclass
class Refund:
    id: UUID
    amount: int
    lessons: int
    status: str = "pending"


@dataclass
class Payment:
    id: UUID
    package: Package
    amount: int
    status: str = "succeeded"
    refunds: list[Refund] = field(default_factory=list)

    def committed(self) -> list[Refund]:
        return [each for each in self.refunds if each.status in ("pending", "succeeded")]
