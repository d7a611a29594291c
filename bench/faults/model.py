"""The school in memory, for one thread: what hold, confirm, cancel, reschedule, expire and refund come to.

Written from the design and not from the product, so that the two can disagree. Ids are whatever the product gave; nothing
here asks for their order but that of packages, which is the order in which they were made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from bench.faults.records import LIVING, Booking, Package, Payment, Refund, Refused, Slot

HOLD_TIME, NOTICE, HORIZON = timedelta(minutes=10), timedelta(minutes=60), timedelta(days=56)
LONGEST = timedelta(hours=4)  # of a slot
WINDOW, REINSTATED, MOST_HOLDS = timedelta(hours=24), timedelta(days=30), 3
FOREVER = float("inf")


@dataclass
class Model:
    now: datetime
    slots: list[Slot] = field(default_factory=list)
    packages: list[Package] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    active: dict[UUID, Booking] = field(default_factory=dict)  # holds, lapsed ones too, and confirmed ones

    # What commands do

    def offer(self, slot: Slot) -> None:
        same = [each for each in self.slots if each.teacher == slot.teacher]
        if any(each.start < slot.end and slot.start < each.end for each in same):
            raise Refused("slot_overlap")
        self.slots.append(slot)

    def hold(self, student: int, slot: Slot, booking_id: UUID) -> Booking:
        lapsed = self._lapsed(student, slot)
        purses = self._purses(student, lapsed)
        chosen, unfit = self._choose(purses, slot)
        codes = self._slot_reasons(slot) | self._student_reasons(student, slot) | unfit
        if codes or chosen is None:
            raise Refused(*codes)
        self._expire_all(lapsed)
        chosen.post(available=-1, reserved=1)
        ends = min(self.now + HOLD_TIME, slot.start)
        return self._add(Booking(booking_id, slot, student, chosen, "hold", ends))

    def confirm(self, booking: Booking) -> None:
        if booking.status == "confirmed":
            return
        self._refuse_ended(booking)
        if booking.status == "canceled":
            raise Refused("booking_canceled")
        booking.status, booking.was_confirmed = "confirmed", True
        booking.package.post(reserved=-1, consumed=1)

    def cancel(self, booking: Booking, *, by_student: bool, waived: bool = False) -> None:
        """By the student, or by the school; `by_student` is the cause, whoever says it."""
        if booking.status == "canceled":
            return
        self._refuse_ended(booking)
        if booking.status == "confirmed" and booking.slot.start <= self.now:
            raise Refused("lesson_already_started")
        self._call_off(booking, by_student=by_student, waived=waived)

    def reschedule(self, booking: Booking, slot: Slot, new_id: UUID, *, by_student: bool) -> Booking:
        if booking.status == "canceled":
            return self._live_successor(booking, slot)
        self._refuse_ended(booking)
        if booking.status != "confirmed":
            raise Refused("booking_not_confirmed")
        if booking.slot is slot:
            raise Refused("same_slot")
        lapsed = self._lapsed(booking.student, slot)
        returns = self._returns(booking, by_student=by_student, waived=False)
        purses = self._purses_after(booking, lapsed, returns=returns, by_student=by_student)
        chosen, unfit = self._choose(purses, slot, preferred=booking.package if returns else None)
        codes = self._slot_reasons(slot, moving=booking) | unfit
        codes |= self._student_reasons(booking.student, slot, moving=booking, to_confirm=True)
        codes |= {"lesson_already_started"} if booking.slot.start <= self.now else set()
        if codes or chosen is None:
            raise Refused(*codes)
        self._expire_all(lapsed)
        self._call_off(booking, by_student=by_student, waived=False)
        chosen.post(available=-1, reserved=1)
        chosen.post(reserved=-1, consumed=1)
        made = Booking(new_id, slot, booking.student, chosen, "confirmed", was_confirmed=True, moved_from=booking)
        booking.successor = made
        return self._add(made)

    def expire_holds(self) -> int:
        lapsed = [each for each in self.active.values() if each.is_lapsed(self.now)]
        self._expire_all(lapsed)
        return len(lapsed)

    def expire_packages(self) -> int:
        over = [each for each in self.packages if each.status in LIVING and each.effective(self.now) == "expired"]
        for package in over:
            package.expire()
        return len(over)

    def refund(self, payment: Payment, amount: int | None, refund_id: UUID) -> Refund:
        if payment.status == "refunded":
            raise Refused("nothing_to_refund")
        package, committed = payment.package, payment.committed()
        gone = sum(each.amount for each in committed)
        delivered = sum(
            each.package is package and each.was_confirmed and each.returned is False for each in self.bookings
        )
        total = package.lessons_total
        offered = payment.amount * max(0, total - delivered) // total if delivered else payment.amount
        asked, left = max(0, offered - gone) if amount is None else amount, payment.amount - gone
        if left == 0 or (amount is None and asked == 0):
            raise Refused("nothing_to_refund")
        if not 1 <= asked <= left:
            raise Refused("refund_exceeds_payment")
        available = package.available if package.status in LIVING else 0
        share = (gone + asked) * total // max(package.price, payment.amount) - sum(each.lessons for each in committed)
        lessons = available if gone + asked >= package.price else min(available, max(0, share))
        payment.refunds.append(Refund(refund_id, asked, lessons))
        if lessons:
            package.post(available=-lessons, revoked=lessons)
        return payment.refunds[-1]

    def close_refund(self, payment: Payment, refund: Refund, status: str) -> None:
        if refund.status == status:
            return
        if refund.status != "pending":
            raise Refused("illegal_move")
        refund.status = status
        package = payment.package
        if status != "succeeded":
            back = min(refund.lessons, package.revoked)
            home = package.home(self.now)
            if back and home != "revoked":
                package.post(**{"revoked": -back, home: back})
            return
        if sum(each.amount for each in payment.refunds if each.status == "succeeded") >= payment.amount:
            payment.status = "refunded"
            if sum(each.lessons for each in payment.committed()) and package.status == "depleted":
                package.status = "revoked"

    # How they decide

    def _slot_reasons(self, slot: Slot, *, moving: Booking | None = None) -> set[str]:
        live = [each for each in self._live(moving) if each.slot is slot]
        found = {
            "slot_started": slot.start <= self.now,
            "too_short_notice": self.now < slot.start <= self.now + NOTICE,
            "beyond_horizon": slot.start > self.now + HORIZON,
            "slot_taken": bool(live),
        }
        return {code for code, applies in found.items() if applies}

    def _student_reasons(
        self, student: int, slot: Slot, *, moving: Booking | None = None, to_confirm: bool = False
    ) -> set[str]:
        own = [each for each in self._live(moving) if each.student == student]
        others = [
            each.slot
            for each in own
            if each.slot is not slot and (each.status == "hold" or each.slot.start > self.now - LONGEST)
        ]  # what is long over is not told of beside "it has started"
        found = {
            "student_busy": any(each.start < slot.end and slot.start < each.end for each in others),
            "too_many_holds": not to_confirm and sum(each.status == "hold" for each in own) >= MOST_HOLDS,
        }
        return {code for code, applies in found.items() if applies}

    def _live(self, without: Booking | None) -> list[Booking]:
        return [each for each in self.active.values() if each is not without and not each.is_lapsed(self.now)]

    def _lapsed(self, student: int, slot: Slot) -> list[Booking]:
        """Those in the way of this student and slot."""
        near = [each for each in self.active.values() if each.slot is slot or each.student == student]
        return [each for each in near if each.is_lapsed(self.now)]

    def _purses(
        self, student: int, lapsed: list[Booking], also: Package | None = None
    ) -> list[tuple[Package, Package]]:
        """Each usable package, beside how it stands once the lapsed holds are back in it."""
        coming = Counter(each.package.number for each in lapsed)
        own = [
            each
            for each in self.packages
            if each.student == student and (each.status == "active" or each is also or coming[each.number])
        ]
        return [(each, replace(each, available=each.available + coming[each.number])) for each in own]

    def _purses_after(
        self, booking: Booking, lapsed: list[Booking], *, returns: bool, by_student: bool
    ) -> list[tuple[Package, Package]]:
        purses = self._purses(booking.student, lapsed, booking.package)
        return [
            (package, self._with_return(package, seen, by_student) if returns and package is booking.package else seen)
            for package, seen in purses
        ]

    def _with_return(self, package: Package, seen: Package, by_student: bool) -> Package:
        status = package.effective(self.now)
        if package.status in LIVING and status == "expired":
            seen = replace(seen, status="expired", available=0)
        if status == "revoked" or (status == "expired" and by_student):
            return seen
        ends = package.expires_at if by_student else self._prolonged(package)
        return replace(seen, status="active", available=seen.available + 1, expires_at=ends)

    def _choose(
        self, purses: list[tuple[Package, Package]], slot: Slot, preferred: Package | None = None
    ) -> tuple[Package | None, set[str]]:
        """The package that pays, or why none does."""

        def order(pair: tuple[Package, Package]) -> tuple[bool, float, int]:
            ends = pair[1].expires_at
            return (pair[0] is not preferred, ends.timestamp() if ends else FOREVER, pair[0].number)

        unfit: set[str] = set()
        for package, seen in sorted(purses, key=order):
            codes = self._unfit(seen, slot)
            if not codes:
                return package, set()
            unfit |= codes
        return None, unfit or {"no_lessons_left"}

    def _unfit(self, seen: Package, slot: Slot) -> set[str]:
        status, ends = seen.effective(self.now), seen.expires_at
        found = {
            "package_not_active": status == "revoked",
            "package_expired": status == "expired",
            "package_expires_before_lesson": status != "expired" and ends is not None and self.now < ends < slot.start,
            "no_lessons_left": status in LIVING and seen.available < 1,
        }
        return {code for code, applies in found.items() if applies}

    def _returns(self, booking: Booking, *, by_student: bool, waived: bool) -> bool:
        is_late = booking.slot.start - self.now < WINDOW
        return booking.status == "hold" or not (by_student and is_late and not waived)

    # What becomes of them

    def _add(self, booking: Booking) -> Booking:
        self.bookings.append(booking)
        self.active[booking.id] = booking
        return booking

    def _refuse_ended(self, booking: Booking) -> None:
        if booking.is_lapsed(self.now):
            self._expire_all([booking])  # this stays, though the command is refused
        if booking.status == "expired":
            raise Refused("hold_expired")

    def _expire_all(self, lapsed: list[Booking]) -> None:
        for booking in lapsed:
            booking.status = "expired"
            self.active.pop(booking.id)
            booking.package.post(**{"reserved": -1, booking.package.home(self.now): 1})

    def _call_off(self, booking: Booking, *, by_student: bool, waived: bool) -> None:
        package, was_hold = booking.package, booking.status == "hold"
        booking.returned = self._returns(booking, by_student=by_student, waived=waived)
        booking.status = "canceled"
        self.active.pop(booking.id)
        if was_hold:
            package.post(**{"reserved": -1, package.home(self.now): 1})
        elif booking.returned:
            self._give_back(package, by_student=by_student)

    def _give_back(self, package: Package, *, by_student: bool) -> None:
        if package.status in LIVING and package.effective(self.now) == "expired":
            package.expire()
        home = package.home(self.now)
        if not by_student and home != "revoked":
            home, package.expires_at = "available", self._prolonged(package)
            package.status = "active" if package.status == "expired" else package.status
        package.post(**{"consumed": -1, home: 1})

    def _prolonged(self, package: Package) -> datetime | None:
        return None if package.expires_at is None else max(package.expires_at, self.now + REINSTATED)

    def _live_successor(self, booking: Booking, slot: Slot) -> Booking:
        if booking.successor is None:
            raise Refused("booking_canceled")
        if booking.successor.slot is not slot or booking.successor.status == "canceled":
            raise Refused("already_rescheduled")
        return booking.successor
