"""What merging says no with."""

from __future__ import annotations

from guitaronline.errors import Conflict, DomainError, Invalid, code_of
from guitaronline.unit_of_work import constraint_errors


class MergeInvalid(Invalid):
    detail = "The two cannot be merged like this."


class SameRecord(Invalid):
    detail = "This is one and the same record."


class NotMergeable(Conflict):
    detail = "Only students are merged."


class AlreadyMerged(Conflict):
    detail = "One of the two was merged already."


class BookedTwice(Conflict):
    detail = "Both have a lesson at the same time."


class MergeUndone(Conflict):
    detail = "This merge was undone already."


class MergeTooOld(Conflict):
    detail = "A merge can be undone for 30 days."


class MergedSince(Conflict):
    detail = "The person was merged into another one since. Undo that merge first."


class ErasedSince(Conflict):
    detail = "The person was erased since."


REFUSALS: dict[str, type[DomainError]] = {
    code_of(kind): kind
    for kind in (
        MergeInvalid,
        SameRecord,
        NotMergeable,
        AlreadyMerged,
        BookedTwice,
        MergeUndone,
        MergeTooOld,
        MergedSince,
        ErasedSince,
    )
}
constraint_errors["uq_person_merges_standing"] = AlreadyMerged
