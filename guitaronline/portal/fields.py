"""The fields of the portal's forms: what a form checks is shape only, the rules are the commands'."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import InputRequired, Length, Optional, ValidationError
from wtforms.widgets import HiddenInput

from guitaronline import db
from guitaronline.errors import DomainError

REASON_LENGTH = 500


def tidy(value: str | None) -> str | None:
    """Without surrounding space; nothing typed is None."""
    return (value or "").strip() or None


def typeable(form: Any, field: Field) -> None:
    """Only characters that people type: no NUL, no lone surrogates, no other control characters."""
    for character in str(field.data or ""):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\r\n\t":
            raise ValidationError("This has characters that cannot be stored.")


class Version(IntegerField):
    """The version that the person saw; empty for records without one."""

    widget = HiddenInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        given = valuelist[0] if valuelist else ""
        self.data = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


class CommandForm(FlaskForm):
    key = HiddenField(validators=[InputRequired("Reload the page."), Length(8, 64)])
    version = Version()

    @classmethod
    def about(cls, record: Any = None, **values: Any) -> Any:
        """As it stands when it is opened: with a key of its own, about the record as it is now."""
        return cls(data={"key": str(db.new_id()), "version": getattr(record, "version", None), **values})

    def start_anew(self, version: int) -> None:
        """The next time it is sent, it is about this version of the record, and counts as another request."""
        self.version.raw_data = None
        self.version.data = version
        self.key.data = str(db.new_id())

    def visible(self) -> list[Field]:
        return [field for field in self if not isinstance(field.widget, HiddenInput)]


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


def choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    return [SelectChoice(value, words) for value, words in pairs]


def point_out(form: Any, refusal: DomainError) -> None:
    """Reasons that name a field stand at that field too."""
    for each in refusal.reasons:
        name = each.pointer.strip("/").split("/")[0]
        if name and name in form:
            form[name].errors = [*form[name].errors, each.detail]
