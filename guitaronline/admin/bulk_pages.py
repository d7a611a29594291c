"""The bulk actions that lists offer, each with its own page."""

from __future__ import annotations

from typing import Any

from guitaronline.admin import forms
from guitaronline.admin.bookings import CAUSES
from guitaronline.admin.bulk import BulkForm, BulkPage
from guitaronline.admin.command_page import commands
from guitaronline.booking.models import CancelCause
from guitaronline.identity.access import Permission
from guitaronline.office.bulk_others import DAYS_MOST

LOOK = "Show what will happen"


class BulkCancelForm(BulkForm):
    cause = forms.choice(
        "Because of",
        CAUSES,
        default=str(CancelCause.SCHOOL),
        help="Whose doing it is decides what becomes of the lessons.",
    )
    waive = forms.BooleanField("Give the lessons back although the notice was too short")
    reason = forms.reason()


class BulkCancelBookings(BulkPage):
    action = "bookings.cancel"
    desk = "bookings"
    path = "bookings/bulk/cancel"
    title = "Cancel bookings"
    button = "Cancel them"
    tone = "danger"
    looks = LOOK
    permission = Permission.CANCEL
    form = BulkCancelForm

    def arguments(self, form: Any) -> dict[str, Any]:
        return {"cause": form.cause.data, "waive": bool(form.waive.data)}


class BulkConfirmBookings(BulkPage):
    action = "bookings.confirm"
    desk = "bookings"
    path = "bookings/bulk/confirm"
    title = "Confirm holds"
    button = "Confirm them"
    permission = Permission.BOOK


class BulkCompleteLessons(BulkPage):
    action = "lessons.complete"
    desk = "lessons"
    path = "lessons/bulk/complete"
    title = "Mark as taken"
    button = "They were given"
    permission = Permission.RECORD_OUTCOME


class BulkBlockSlots(BulkPage):
    action = "slots.block"
    desk = "slots"
    path = "slots/bulk/block"
    title = "Block"
    button = "Block them"
    permission = Permission.MANAGE_SLOTS


class BulkUnblockSlots(BulkPage):
    action = "slots.unblock"
    desk = "slots"
    path = "slots/bulk/unblock"
    title = "Unblock"
    button = "Unblock them"
    permission = Permission.MANAGE_SLOTS


class BulkWithdrawSlots(BulkPage):
    action = "slots.withdraw"
    desk = "slots"
    path = "slots/bulk/withdraw"
    title = "Withdraw"
    button = "Withdraw them"
    tone = "danger"
    permission = Permission.MANAGE_SLOTS


class BulkExtendForm(BulkForm):
    days = forms.number("Days longer", least=1, most=DAYS_MOST, default=14)
    reason = forms.reason()


class BulkExtendPackages(BulkPage):
    action = "packages.extend"
    desk = "packages"
    path = "packages/bulk/extend"
    title = "Extend"
    button = "Extend them"
    looks = LOOK
    permission = Permission.EXTEND_PACKAGES
    form = BulkExtendForm

    def arguments(self, form: Any) -> dict[str, Any]:
        return {"days": form.days.data}


class BulkFreezePackages(BulkPage):
    action = "packages.freeze"
    desk = "packages"
    path = "packages/bulk/freeze"
    title = "Freeze"
    button = "Freeze them"
    permission = Permission.EXTEND_PACKAGES


class BulkUnfreezePackages(BulkPage):
    action = "packages.unfreeze"
    desk = "packages"
    path = "packages/bulk/unfreeze"
    title = "Unfreeze"
    button = "Unfreeze them"
    permission = Permission.EXTEND_PACKAGES


class BulkFinishTasks(BulkPage):
    action = "tasks.finish"
    desk = "tasks"
    path = "tasks/bulk/finish"
    title = "Finish tasks"
    button = "They are done"
    permission = Permission.WRITE_NOTES


commands.add(
    BulkCancelBookings,
    BulkConfirmBookings,
    BulkCompleteLessons,
    BulkBlockSlots,
    BulkUnblockSlots,
    BulkWithdrawSlots,
    BulkExtendPackages,
    BulkFreezePackages,
    BulkUnfreezePackages,
    BulkFinishTasks,
)
