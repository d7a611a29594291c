"""What privacy says no with. Each name is the `code` that clients see."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid
from guitaronline.unit_of_work import constraint_errors


class StillOpen(Conflict):
    detail = "The person cannot be erased yet."


class PersonErased(Conflict):
    detail = "The person was erased. Nobody can fill their record again: make a new one."


class NotThisPerson(Invalid):
    detail = "This is not the person's reference."


class JournalInvalid(Invalid):
    detail = "This is no journal of erasures."


constraint_errors["ck_users_erased_is_empty"] = PersonErased
constraint_errors["uq_erasures_person_id"] = PersonErased
