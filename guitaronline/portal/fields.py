"""The fields of the portal's forms: what a form checks is shape only, the rules are the commands'."""

from __future__ import annotations

from typing import Any

from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from guitaronline import db
from guitaronline.errors import DomainError
from guitaronline.forms import REASON_LENGTH, KeyedForm, choices, tidy, typeable

__all__ = ["choices"]


class CommandForm(KeyedForm):
    @classmethod
    def about(cls, record: Any = None, **values: Any) -> Any:
        """As it stands when it is opened: with a key of its own, about the record as it is now."""
        return cls(data={"key": str(db.new_id()), "version": getattr(record, "version", None), **values})


def line(label: str, *, required: bool = False, most: int = 200, help: str = "", **more: Any) -> StringField:  # noqa: A002
    checks = [InputRequired(f"{label} is needed.") if required else Optional(), Length(max=most), typeable]
    return StringField(label, validators=checks, filters=[tidy], description=help, **more)


def paragraph(label: str, *, most: int = 4000, help: str = "", rows: int = 4) -> TextAreaField:  # noqa: A002
    checks = [Optional(), Length(max=most), typeable]
    return TextAreaField(label, validators=checks, filters=[tidy], description=help, render_kw={"rows": rows})


def reason(*, required: bool = True, help: str = "") -> StringField:  # noqa: A002
    """Kept with the action; people will ask "why?"."""
    checks = [InputRequired("Say why.") if required else Optional(), Length(max=REASON_LENGTH), typeable]
    return StringField("Why", validators=checks, filters=[tidy], description=help)


def point_out(form: Any, refusal: DomainError) -> None:
    """Reasons that name a field stand at that field too."""
    for each in refusal.reasons:
        name = each.pointer.strip("/").split("/")[0]
        if name and name in form:
            form[name].errors = [*form[name].errors, each.detail]
