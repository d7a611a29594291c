"""What an opening import says no with."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid
from guitaronline.unit_of_work import constraint_errors


class OpeningEmpty(Invalid):
    detail = "There is no file to check. Choose at least one."


class OpeningTooLarge(Invalid):
    detail = "That is more than this page takes. Use the command line: flask opening check."


class OpeningRefused(Conflict):
    detail = "There is something wrong with the files; nothing of them came in. Correct them and check again."


class OpeningDiscarded(Conflict):
    detail = "This import was discarded. Check the files again."


class OpeningFilesGone(Conflict):
    detail = "The files were kept for a month and are gone. Check them again."


class RowKnown(Conflict):
    detail = "Another import brought a row of these files at this moment. Check them again."


constraint_errors["uq_opening_rows_once"] = RowKnown
