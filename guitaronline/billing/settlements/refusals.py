"""What the import of files refuses; doors get it through `importing` and `profiles`."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid


class ProfileInvalid(Invalid):
    detail = "No file can be read like this."


class ProfileNameTaken(Conflict):
    detail = "There is a profile of this name."


class ProfileNeeded(Invalid):
    detail = "A bank's CSV needs a profile that says how it is read."


class AccountNeeded(Invalid):
    detail = "Say of which account the file is."


class FileTooLarge(Invalid):
    detail = "A file may have 200 MB."


class FileKnown(Conflict):
    detail = "This file is here already."


class TakenOver(Conflict):
    detail = "Somebody else reads this file now."
