"""What is done to people: created, edited, invited, given roles and guardians, deactivated; and one's own password."""

from __future__ import annotations

from typing import Any, ClassVar

import flask
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from guitaronline import policy
from guitaronline.actor import PERSON_ROLES, STAFF_ROLES, Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.errors import DomainError
from guitaronline.identity import links, service
from guitaronline.identity.access import Permission
from guitaronline.identity.address_problems import clear_address_problem
from guitaronline.identity.models import Guardian, User
from guitaronline.identity.people import require_over

ROLES = [str(role) for role in Role if role in PERSON_ROLES]
FIELDS = ("full_name", "email", "phone", "timezone", "language", "instrument", "level")


class PersonForm(forms.CommandForm):
    full_name = forms.line("Full name", required=True)
    email = forms.line("E-mail", most=320, help="A child may have none; staff and teachers need one.")
    phone = forms.line("Phone", most=40)
    timezone = forms.timezone()
    language = forms.line("Language", most=35)
    instrument = forms.line("Instrument", most=80)
    level = forms.line("Level", most=80)


class CreateForm(PersonForm):
    role = forms.choice("Role", [(role, role) for role in ROLES], help="Only admins create teachers and staff.")
    reason = forms.reason(required=False)


class CreatePerson(CommandPage):
    path = "people/new"
    title = "New person"
    parent = "desk_people.index_view"
    button = "Create"
    permission = Permission.EDIT_PEOPLE
    form = CreateForm
    lead = "Somebody with an e-mail address can be invited afterwards: they choose their password themselves."

    def initial(self, record: Any) -> dict[str, Any]:
        return {"timezone": gate.viewer().timezone, "role": "student"}

    def asks_step_up(self, record: Any, form: Any) -> bool:
        return form.role.data in STAFF_ROLES

    def prepare(self, form: Any, record: Any) -> None:
        if not gate.may(Permission.ADMINISTER):
            form.role.choices = forms.choices([("student", "student")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        typed = {name: form[name].data for name in FIELDS}
        return service.create_person(actor, role=Role(form.role.data), reason=form.reason.data, **typed)

    def done(self, result: Any) -> Done:
        return Done(f"{result.full_name or 'The person'} is created.", show.record_url("users", result.id) or "")


class PersonCommand(CommandPage):
    """An action on a person; afterwards their page is shown."""

    record = User
    permission = Permission.EDIT_PEOPLE
    sentence: ClassVar[str] = "Done."

    def done(self, result: Any) -> Done:
        return Done(
            self.sentence.format(result.full_name or result.reference), show.record_url("users", result.id) or ""
        )

    def refused_because(self, record: Any) -> str | None:
        """Staff accounts are in the hands of admins; who was erased is in nobody's."""
        return "The person was erased." if record.erased_at else staff_only_by_admins(record)


def staff_only_by_admins(person: Any) -> str | None:
    try:
        require_over(gate.viewer().actor, person)
    except DomainError:
        return "Staff accounts are changed by admins only."
    return None


class EditForm(PersonForm):
    reason = forms.reason(required=False)


class EditPerson(PersonCommand):
    path = "people/<uuid:id>/edit"
    title = "Edit"
    button = "Save"
    form = EditForm
    sentence = "{} is saved."

    def asks_step_up(self, record: Any, form: Any) -> bool:
        return record.role in STAFF_ROLES and form.email.data != record.email  # who gets that mail could become them

    def initial(self, record: Any) -> dict[str, Any]:
        show.read_by_viewer(record.id, "")  # the form shows them
        return {name: getattr(record, name) for name in FIELDS}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.edit_person(
            actor, record.id, changes={name: form[name].data for name in FIELDS}, reason=form.reason.data
        )


class InvitePerson(PersonCommand):
    path = "people/<uuid:id>/invite"
    title = "Invite"

    def asks_step_up(self, record: Any, form: Any) -> bool:
        return record.role in STAFF_ROLES

    @property
    def is_secret(self) -> bool:  # type: ignore[override]
        return not links.is_mailed()  # then a second click sends nothing more

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        once = f"It works once, for {policy.current().INVITE_HOURS} hours; an older one stops working."
        if links.is_mailed():
            return Consequences([("Message", f"A link is mailed to {show.email(record)}. {once}")])
        return Consequences(
            [("Link", f"A link is shown once. {once}"), ("Message", "Nothing is sent; you pass the link on.")]
        )

    def refused_because(self, record: Any) -> str | None:
        if not record.email:
            return "There is no e-mail address to sign in with; add one first."
        if record.role is not Role.STUDENT and not gate.may(Permission.ADMINISTER):
            return "Teachers and staff are invited by admins only."
        return super().refused_because(record) if record.is_active else "The person is deactivated."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.invite_person(actor, record.id)

    def prepare(self, form: Any, record: Any) -> None:
        form.person_id = record.id

    def done_with(self, result: Any, form: Any) -> Done:
        url = show.record_url("users", form.person_id) or ""
        if links.is_mailed():
            return Done("The invitation is on its way.", url)
        link = policy.current().PUBLIC_BASE_URL.rstrip("/") + flask.url_for("links.invitation", token=result)
        return Done("The invitation is ready", url, shown_once=link)


class RoleForm(forms.CommandForm):
    role = forms.choice("Role", [(role, role) for role in ROLES])
    reason = forms.reason()


class AddressWorks(PersonCommand):
    path = "people/<uuid:id>/address-works"
    title = "Mail arrives again"
    form = forms.MaybeReasonForm
    sentence = "Mail is sent to {} again."
    lead = "As when a full mailbox has room again. A new address needs no such word: it is tried by itself."

    def concerns(self, record: Any) -> bool:
        return record.address_problem is not None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Until now", record.address_problem), ("Since", show.when(record.address_problem_at))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return clear_address_problem(actor, record.id, reason=form.reason.data)


class SetRole(PersonCommand):
    path = "people/<uuid:id>/role"
    title = "Change role"
    is_rare = True
    needs_step_up = True
    permission = Permission.ADMINISTER
    form = RoleForm
    sentence = "{} has another role now."

    def initial(self, record: Any) -> dict[str, Any]:
        return {"role": record.role}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Now", show.word(record.role)),
                (
                    "From the next request",
                    "The new role holds; the person signs in again. A new teacher gets a profile.",
                ),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        return "Nobody changes their own role." if record.id == gate.viewer().id else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_role(actor, record.id, role=Role(form.role.data), reason=form.reason.data)


class DeactivatePerson(PersonCommand):
    path = "people/<uuid:id>/deactivate"
    title = "Deactivate"
    is_rare = True
    form = forms.ReasonForm
    tone = "danger"
    sentence = "{} is deactivated."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Sign-in", "Ends at once, on every device."),
                ("Bookings", "Stand as they are; those of a teacher wait for a decision on Today."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        return super().refused_because(record) if record.is_active else "The person is deactivated already."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.deactivate_person(actor, record.id, reason=form.reason.data)


class ReactivatePerson(PersonCommand):
    path = "people/<uuid:id>/reactivate"
    title = "Reactivate"
    form = forms.MaybeReasonForm
    sentence = "{} is active again."

    def refused_because(self, record: Any) -> str | None:
        if record.merged_into_id is not None:
            return "It was merged into another record of the same person; undo the merge instead."
        return "The person is active." if record.is_active else super().refused_because(record)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.reactivate_person(actor, record.id, reason=form.reason.data)


class GuardianForm(forms.CommandForm):
    linkable = frozenset({"find", "guardian_id"})
    find = people_picker.find("Who? Name, e-mail or USR-…")
    guardian_id = people_picker.chosen("Guardian")
    relation = forms.line("Relation", required=True, most=40, default="parent")
    pays = forms.BooleanField("Pays", default=True)
    receives_messages = forms.BooleanField("Gets messages", default=True)


class AddGuardian(PersonCommand):
    path = "people/<uuid:id>/guardians/new"
    title = "Add guardian"
    form = GuardianForm
    looks = "Look for the person"
    lead = "An adult who stands for the child: pays, is written to, is shown to staff. Somebody new is made under People first."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.guardian_id, form.find.data, without=record.id)

    def refused_because(self, record: Any) -> str | None:
        return None if record.role is Role.STUDENT else "Only a student has guardians."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.add_guardian(
            actor,
            record.id,
            guardian_id=people_picker.picked(form.guardian_id),
            relation=form.relation.data,
            pays=form.pays.data,
            receives_messages=form.receives_messages.data,
        )

    def done(self, result: Any) -> Done:
        return Done("The guardian is added.", show.record_url("users", result.student_id) or "")


class RemoveGuardian(CommandPage):
    record = Guardian
    path = "guardians/<uuid:id>/remove"
    title = "Remove"
    tone = "danger"
    permission = Permission.EDIT_PEOPLE
    form = forms.ReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Guardian", record.guardian.full_name),
                ("Child", record.student.full_name),
                ("Afterwards", "The two are not linked any more; both stay in People."),
            ]
        )

    def prepare(self, form: Any, record: Any) -> None:
        form.student_id = record.student_id  # the link will be gone

    def back(self, record: Any) -> tuple[str, str]:
        return record.student.full_name, show.record_url("users", record.student_id) or ""

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        service.remove_guardian(actor, record.id, reason=form.reason.data)

    def done_with(self, result: Any, form: Any) -> Done:
        return Done("The two are not linked any more.", show.record_url("users", form.student_id) or "")


class PasswordForm(forms.CommandForm):
    account = StringField("Account", render_kw={"autocomplete": "username", "readonly": True})  # for password managers
    old_password = PasswordField(
        "Present password",
        validators=[InputRequired("Your present password is needed."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
    new_password = PasswordField(
        "New password",
        validators=[InputRequired("A new password is needed."), Length(max=128)],
        render_kw={"autocomplete": "new-password"},
        description="At least 15 characters; a sentence is good.",
    )


class ChangePassword(CommandPage):
    path = "account/password"
    title = "Change your password"
    parent = "desk_account.index"
    permission = Permission.OWN_PROFILE
    form = PasswordForm
    is_secret = True
    lead = "Everywhere else you are signed in, you will be signed out."

    def initial(self, record: Any) -> dict[str, Any]:
        return {"account": gate.viewer().email}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        service.change_password(
            actor,
            old=form.old_password.data,
            new=form.new_password.data,
            keep_session=gate.viewer().session_id,
            address=flask.request.remote_addr,
        )

    def done(self, result: Any) -> Done:
        return Done("Your password is changed.", flask.url_for(self.parent))


commands.add(
    CreatePerson,
    EditPerson,
    InvitePerson,
    AddressWorks,
    AddGuardian,
    SetRole,
    DeactivatePerson,
    ReactivatePerson,
    RemoveGuardian,
    ChangePassword,
)
