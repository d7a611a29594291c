"""Many dates judged one after the other: each by the rule of every hold, on what the dates before it leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import cast
from uuid import UUID

from guitaronline import db
from guitaronline.billing.models import Package
from guitaronline.booking import rules
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.facts import Scene
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.booking.moving import judge_move, purses_after
from guitaronline.booking.rules import ActiveBooking, Liberties, Place, Purse
from guitaronline.booking.series_ground import Ground
from guitaronline.booking.series_rules import NO_SUCH_TIME, Occurrence
from guitaronline.errors import Reason
from guitaronline.lessons.models import Lesson
from guitaronline.scheduling.models import Slot, SlotStatus


@dataclass(frozen=True)
class Judged:
    """What becomes of one date. Nothing of a date that is left out was judged."""

    date: Occurrence
    scene: Scene | None = None
    is_new_slot: bool = False
    purse: Purse | None = None
    reasons: list[Reason] = field(default_factory=list)
    is_left_out: bool = False
    booking: Booking | None = None  # the one that moves here
    decision: Decision | None = None  # what becomes of its lesson
    vacated: Slot | None = None  # its own slot, which lies in the way and goes

    @property
    def is_fine(self) -> bool:
        return not self.is_left_out and not self.reasons


class Walk:
    """The dates are gone through in order; what a date takes, or gives back, is so for those after it."""

    def __init__(self, ground: Ground, *, order: Sequence[UUID] = (), override: bool = False) -> None:
        self.ground, self.order, self.override = ground, list(order), override
        lapsed = [each for each in ground.active if rules.is_lapsed(each, ground.now)]
        self.active = {each.id: each for each in ground.active if each not in lapsed}
        own = [each for each in ground.packages if each.student_id == ground.student.id]
        self.purses = {each.id: each for each in rules.purses(own, lapsed)}
        self.day_counts = Counter(ground.day_counts)

    def book(self, date: Occurrence) -> Judged:
        """The date as a new booking."""
        if date.start_at is None or date.end_at is None:
            return Judged(date, reasons=[NO_SUCH_TIME])
        place, is_new, in_the_way = self._place(date.start_at, date.end_at, None)
        scene = self._scene(place)
        purse, reasons = scene.judge(
            self._payers(place), Liberties(override=self.override, far_ahead=True), to_confirm=True
        )
        return self._taken(Judged(date, scene, is_new, purse, [*map(_overlap, in_the_way), *reasons]))

    def move(
        self, date: Occurrence, booking: Booking, lesson: Lesson | None, *, cause: CancelCause, waive: bool
    ) -> Judged:
        """The date as the booking's new one."""
        if date.start_at is None or date.end_at is None:
            return Judged(date, reasons=[NO_SUCH_TIME], booking=booking)
        place, is_new, touching = self._place(date.start_at, date.end_at, booking)
        vacated = next((each for each in touching if each.id == booking.slot_id), None)
        scene = self._scene(place)
        package = cast(Package, self.purses[booking.package_id])
        move = judge_move(
            scene, booking, lesson, package, cause=cause, waive=waive, override=self.override, far_ahead=True
        )
        others = [_overlap(each) for each in touching if each is not vacated]
        judged = Judged(
            date, scene, is_new, move.purse, others + move.reasons,
            booking=booking, decision=move.decision, vacated=vacated,
        )  # fmt: skip
        if judged.is_fine:
            self.purses = {each.id: each for each in purses_after(scene, package.id, move.decision)}
            self.active.pop(booking.id, None)
            if booking.teacher_id == place.teacher_id:
                self.day_counts[self._day(booking.start_at)] -= 1
        return self._taken(judged)

    def _taken(self, judged: Judged) -> Judged:
        """What a fine date takes is gone for the next."""
        if not judged.is_fine or judged.scene is None or judged.purse is None:
            return judged
        place, purse = judged.scene.place, self.purses[judged.purse.id]
        self.purses[purse.id] = replace(purse, available=purse.available - 1)
        self.day_counts[self._day(place.start_at)] += 1
        booked = ActiveBooking(
            db.new_id(), place.slot_id, self.ground.student.id, purse.id, place.start_at, place.end_at,
            BookingStatus.CONFIRMED, None,
        )  # fmt: skip
        self.active[booked.id] = booked
        return judged

    def _scene(self, place: Place) -> Scene:
        packages = cast("list[Package]", list(self.purses.values()))  # the rules read of both the same
        return Scene(self.ground.student, place, list(self.active.values()), packages, self.ground.now)

    def _payers(self, place: Place) -> list[Purse]:
        """The packages in the order that was asked for: the first that fits alone; without an order, or a fit, all."""
        asked = [self.purses[each] for each in self.order]
        liberties = Liberties(override=self.override)
        for purse in asked:
            if not rules.choose_package(place, [purse], now=self.ground.now, liberties=liberties)[1]:
                return [purse]
        return asked or list(self.purses.values())

    def _place(self, start: datetime, end: datetime, moving: Booking | None) -> tuple[Place, bool, list[Slot]]:
        """The slot at exactly these times, else one that will be made, and what of the teacher's lies in its way."""
        touching = [each for each in self.ground.standing if each.start_at < end and each.ends_busy > start]
        exact = next((each for each in touching if (each.start_at, each.end_at) == (start, end)), None)
        same_day = self._day(start)
        own = moving is not None and moving.teacher_id == self.ground.teacher_id
        leaves = moving is not None and own and self._day(moving.start_at) == same_day
        place = Place(
            slot_id=exact.id if exact else db.new_id(),
            teacher_id=self.ground.teacher_id,
            start_at=start,
            end_at=end,
            status=exact.status if exact else SlotStatus.OPEN,
            is_teacher_active=self.ground.is_teacher_active,
            kept_until=exact.kept_until if exact else None,
            is_teacher_away=any(first < end and last > start for first, last in self.ground.away),
            closed_for=next((name for first, last, name in self.ground.closed if first < end and last > start), None),
            teacher_bookings_that_day=self.day_counts[same_day] - leaves,
        )
        return place, exact is None, [] if exact else touching

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.ground.zone).date()


def _overlap(slot: Slot) -> Reason:
    return Reason(
        "slot_overlap",
        f"The teacher has another slot at this time: {slot.reference}.",
        "Leave this date out, choose another time, or withdraw that slot first.",
        facts={"slot_id": str(slot.id), "reference": slot.reference},
    )
