"""The bulk actions there are, by name."""

from __future__ import annotations

from guitaronline.office import bulk_absences, bulk_bookings, bulk_messages, bulk_others
from guitaronline.office.bulk_kinds import BulkAction

ALL: tuple[BulkAction, ...] = (*bulk_bookings.ALL, *bulk_others.ALL, *bulk_absences.ALL, *bulk_messages.ALL)
ACTIONS = {action.name: action for action in ALL}
