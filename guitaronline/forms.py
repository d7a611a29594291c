"""What the forms of the console and of the portal share: what a form checks is shape only, the rules are the commands'."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import InputRequired, Length, ValidationError
from wtforms.widgets import HiddenInput

from guitaronline import db
from guitaronline.billing.cards import has_card_number

NO_CARDS = (
    "This looks like a card number. Card numbers must not be kept here: leave it out, or write its last four digits."
)
REASON_LENGTH = 500
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def tidy(value: str | None) -> str | None:
    """Without surrounding space; nothing typed is None."""
    return (value or "").strip() or None


def typeable(form: Any, field: Field) -> None:
    """Only characters that people type: no NUL, no lone surrogates, no other control characters; and no card number."""
    for character in str(field.data or ""):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\r\n\t":
            raise ValidationError("This has characters that cannot be stored.")
    if has_card_number(str(field.data or "")):
        raise ValidationError(NO_CARDS)


class Version(IntegerField):
    """The version that the person saw; empty for records without one."""

    widget = HiddenInput()

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        given = valuelist[0] if valuelist else ""
        self.data = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


class KeyedForm(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """A form that is sent once: a second click with the same key changes nothing, a stale version is refused."""

    key = HiddenField(validators=[InputRequired("Reload the page."), Length(8, 64)])
    version = Version()

    def start_anew(self, version: int) -> None:
        """The next time it is sent, it is about this version of the record, and counts as another request."""
        self.version.raw_data = None
        self.version.data = version
        self.key.data = str(db.new_id())

    def visible(self) -> list[Field]:
        return [field for field in self if not isinstance(field.widget, HiddenInput)]


def choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """What a select or radio field offers: value and words."""
    return [SelectChoice(value, words) for value, words in pairs]
