"""A move is a cancellation and a new booking in one: what both rules say together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from guitaronline import policy
from guitaronline.billing.models import Package
from guitaronline.booking import cancellation
from guitaronline.booking.cancellation import Decision
from guitaronline.booking.facts import Scene
from guitaronline.booking.models import Booking, CancelCause
from guitaronline.booking.rules import Liberties, Purse
from guitaronline.errors import Reason
from guitaronline.lessons.models import Lesson


@dataclass(frozen=True)
class Move:
    """What becomes of the old lesson, which package pays for the new one, and everything that says no."""

    decision: Decision
    purse: Purse | None
    reasons: list[Reason]


def judge_move(
    scene: Scene,
    booking: Booking,
    lesson: Lesson | None,
    package: Package,
    *,
    cause: CancelCause,
    waive: bool,
    override: bool,
    far_ahead: bool = False,
) -> Move:
    """The confirmed booking, paid by `package`, is to move to the scene's slot.

    A returned lesson pays for the new one when its package allows it; a forfeited one costs another, from the package
    that expires first."""
    decision = cancellation.cancel_decision(
        booking,
        package,
        cause=cause,
        waive=waive,
        now=scene.now,
        reinstate_days=policy.current().PACKAGE_REINSTATE_DAYS,
    )
    liberties = Liberties(
        override=override,
        moving=booking.id,
        preferred_package=package.id if decision.is_returned else None,
        far_ahead=far_ahead,
    )
    purse, reasons = scene.judge(purses_after(scene, package.id, decision), liberties, to_confirm=True)
    return Move(decision, purse, cancellation.cancel_problems(booking, lesson, scene.now) + reasons)


def purses_after(scene: Scene, package_id: UUID, decision: Decision) -> list[Purse]:
    """The student's packages as they stand once the old lesson is where the decision puts it."""
    if not decision.is_returned:
        return scene.purses()
    before = next(each for each in scene.packages if each.id == package_id)
    after = cancellation.package_after_return(
        before,
        now=scene.now,
        students_fault=decision.is_students_fault,
        reinstate_days=policy.current().PACKAGE_REINSTATE_DAYS,
        more=sum(each.package_id == package_id for each in scene.lapsed),
    )
    return [after, *(purse for purse in scene.purses() if purse.id != package_id)]
