"""Everything that identity says no with. `service.py` gives these on; doors take them from there."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, TooManyAttempts
from guitaronline.unit_of_work import constraint_errors

__all__ = ["NotSignedIn", "TooManyAttempts"]


class PersonInvalid(Invalid):
    detail = "The person cannot be stored like this."


class PasswordUnfit(Invalid):
    detail = "This password cannot be used."


class ReasonRequired(Invalid):
    detail = "Say why: the reason is kept with the change."


class EmailTaken(Conflict):
    detail = "Somebody is registered with this e-mail address already."


class PersonInactive(Conflict):
    detail = "This person is deactivated. Reactivate them first."


class PersonMerged(Conflict):
    detail = "This record was merged into another one of the same person. Use that one, or undo the merge."


class OwnRole(NotAllowed):
    detail = "Nobody changes their own role. Ask another admin."


class LastAdmin(Conflict):
    detail = "This is the last active admin. Make somebody else admin first."


class NotAStudent(Conflict):
    detail = "Only a student has guardians."


class GuardianUnfit(Invalid):
    detail = "This person cannot be the guardian."


class AlreadyGuardian(Conflict):
    detail = "This person is a guardian of the student already."


class NoteInvalid(Invalid):
    detail = "The note cannot be stored like this."


class TaskInvalid(Invalid):
    detail = "The task cannot be stored like this."


class LinkInvalid(NotFound):
    detail = "This link was used, is too old, or was replaced by a newer one. Ask the school for another."


class NotToBeViewed(NotAllowed):
    detail = "Staff accounts are never viewed. Only students and teachers can be."


class AlreadyViewing(Conflict):
    detail = "You are viewing as somebody already. Leave that view first."


class InvalidCredentials(NotSignedIn):
    detail = "E-mail address or password is wrong."


class OtpRequired(NotSignedIn):
    detail = "Send the code of your authenticator app as well."


class OtpInvalid(NotSignedIn):
    detail = "The code of the authenticator app is wrong or too old."


class OtpUsed(OtpInvalid):
    detail = "This code was used already. Wait for the next one: it comes within 30 seconds."


class TotpUnreadable(NotSignedIn):
    detail = "Your authenticator app cannot be checked any more. Use a recovery code, or ask an admin to reset the app."


class StepUpRequired(NotAllowed):
    detail = "Confirm that it is you: this needs your password, typed within the last minutes."


class SecondFactorChanged(Conflict):
    detail = "No authenticator app is set up for this person."


class OwnSecondFactor(NotAllowed):
    detail = "Nobody resets their own authenticator app. Set up another one on your account page, or ask another admin."


class NotForStaff(NotAllowed):
    detail = "Authenticator apps are for staff."


class MailIsOff(Conflict):
    detail = "No mail is sent from here, so nobody can confirm an address. Ask an admin to change it."


class SameAddress(Invalid):
    detail = "This is your address already."


class TotpNotSetUp(NotAllowed):
    detail = "Staff sign in with an authenticator app here, and yours is not set up. Sign in to the console: it begins with that."


class ConsoleNotForStudents(NotAllowed):
    detail = "Students sign in with the app. This door is for teachers and staff."


class RefreshTokenInvalid(NotSignedIn):
    detail = "This refresh token is not valid any more. Sign in again."


class ServiceKeyInvalid(Invalid):
    detail = "A service key cannot be made like this."


class ServiceKeyOver(Conflict):
    detail = "This key does not work any more. Make a new one."


class ServiceKeyReplaced(Conflict):
    detail = "Another key has taken over from this one already."


constraint_errors["uq_users_email_key"] = EmailTaken
constraint_errors["users_role_by_another"] = OwnRole
constraint_errors["uq_service_keys_replaces_id"] = ServiceKeyReplaced
constraint_errors["uq_guardians_pair"] = AlreadyGuardian
