"""The fields of command pages: what a form checks is shape only, the rules are the commands'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import available_timezones

from wtforms import (
    BooleanField,
    DateField,
    Field,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from guitaronline import money
from guitaronline.errors import DomainError, Reason
from guitaronline.forms import REASON_LENGTH, KeyedForm, choices, tidy, typeable

__all__ = ["BooleanField", "DateField", "SelectField", "TimeField", "choices", "tidy", "typeable"]


class CommandForm(KeyedForm):
    linkable: ClassVar[frozenset[str]] = frozenset()  # fields that a link may fill in

    def typed_values(self) -> dict[str, Any]:
        return {field.name: field.data for field in self.visible()}


def line(
    label: str,
    *,
    required: bool = False,
    most: int = 200,
    help: str = "",  # noqa: A002
    checks: Sequence[Any] = (),
    **more: Any,  # the word on screen
) -> StringField:
    first = [InputRequired(f"{label} is needed.")] if required else [] if checks else [Optional()]
    return StringField(
        label, validators=[*first, Length(max=most), typeable, *checks], filters=[tidy], description=help, **more
    )


def paragraph(label: str, *, required: bool = False, most: int = 4000, help: str = "", **more: Any) -> TextAreaField:  # noqa: A002
    checks = [InputRequired(f"{label} is needed.") if required else Optional(), Length(max=most), typeable]
    return TextAreaField(label, validators=checks, filters=[tidy], description=help, **more)


def reason(*, required: bool = True, help: str = "") -> TextAreaField:  # noqa: A002
    """Kept with the action; people will ask "why?"."""
    checks = [
        InputRequired("Say why: people will ask.") if required else Optional(),
        Length(max=REASON_LENGTH),
        typeable,
    ]
    words = help or "Kept in the history. Write what you would tell a colleague."
    return TextAreaField("Reason", validators=checks, filters=[tidy], description=words)


def number(label: str, *, least: int, most: int, required: bool = True, help: str = "", **more: Any) -> IntegerField:  # noqa: A002
    checks = [InputRequired(f"{label} is needed.") if required else Optional(), NumberRange(least, most)]
    return IntegerField(label, validators=checks, description=help, **more)


def choice(label: str, options: Sequence[tuple[str, str]], *, help: str = "", **more: Any) -> SelectField:  # noqa: A002
    return SelectField(label, choices=choices(options), description=help, **more)


def is_id(form: Any, field: Field) -> None:
    try:
        UUID(field.data)
    except ValueError:
        raise ValidationError("This is not the id of a record.") from None


class RecordField(StringField):
    """The id of a record, usually filled in by a link or chosen from a list."""

    @property
    def id_typed(self) -> UUID | None:
        return UUID(self.data) if self.data else None


def record(label: str, *, required: bool = True, help: str = "") -> RecordField:  # noqa: A002
    checks = [InputRequired(f"{label} is needed.") if required else Optional(), is_id]
    return RecordField(label, validators=checks, filters=[tidy], description=help)


class AmountField(StringField):
    """An amount in major units as people write it (`49.00`), in the form's `currency` or the record's."""

    in_currency: str | None = None

    def minor(self, currency: str) -> int | None:
        return money.parse_minor(self.data, currency) if self.data else None


def currency(default: str = "USD") -> SelectField:
    return SelectField("Currency", choices=choices((code, code) for code in sorted(money.CURRENCIES)), default=default)


def amount_fits(form: Any, field: AmountField) -> None:
    try:
        field.minor(field.in_currency or form.currency.data)
    except ValueError as error:
        raise ValidationError(str(error)[:1].upper() + str(error)[1:] + ".") from None


def amount(label: str, *, required: bool = True, help: str = "") -> AmountField:  # noqa: A002
    checks = [InputRequired(f"{label} is needed.") if required else Optional(), Length(max=16), amount_fits]
    return AmountField(label, validators=checks, filters=[tidy], description=help)


def zone_exists(form: Any, field: Field) -> None:
    if field.data and field.data not in available_timezones():
        raise ValidationError("Name a time zone such as Europe/Berlin.")


def timezone(label: str = "Time zone") -> StringField:
    return StringField(
        label,
        validators=[InputRequired(), Length(max=64), zone_exists],
        filters=[tidy],
        description="Such as Europe/Berlin.",
        default="UTC",
    )


def point_out(form: Any, refusal: DomainError) -> DomainError:
    """Reasons that name a field stand at that field too."""
    for each in refusal.reasons:
        name = each.pointer.strip("/").split("/")[0]
        if name and name in form:
            form[name].errors = [*form[name].errors, each.detail]
    return refusal


def reasons_of(refusal: DomainError | ValueError) -> list[Reason]:
    """Every reason of a refusal; of one without single reasons, the refusal itself."""
    if isinstance(refusal, DomainError):
        return refusal.reasons or [Reason(refusal.code, refusal.text)]
    return [Reason("invalid", str(refusal))]


def hidden() -> HiddenField:
    """A value that the link to the page gave."""
    return HiddenField(
        validators=[InputRequired("Open this page from the record that it is about."), Length(max=64), typeable]
    )


def unseen() -> HiddenField:
    """A value that the page itself puts in and gets back."""
    return HiddenField(validators=[Optional(), Length(max=64), typeable])


def id_or_none(value: str | None) -> UUID | None:
    try:
        return UUID(value or "")
    except ValueError:
        return None


class ReasonForm(CommandForm):
    reason = reason()


class MaybeReasonForm(CommandForm):
    reason = reason(required=False)
