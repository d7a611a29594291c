"""The authenticator app in the hands of its owner: set up by a code, replaced, given new recovery codes; reset by an admin."""

from __future__ import annotations

from uuid import UUID

from guitaronline import policy
from guitaronline.actor import STAFF_ROLES, Role
from guitaronline.identity import access, recovery, totp
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.refusals import NotForStaff, OtpInvalid, OwnSecondFactor, SecondFactorChanged, TotpNotSetUp
from guitaronline.identity.revocation import revoke_sign_ins
from guitaronline.identity.standing import require_reason
from guitaronline.unit_of_work import Work, command

BECAUSE = "second factor changed"


def is_missing(role: Role, stored: str | None) -> bool:
    """Whether somebody has to set up their app before they may do anything else."""
    return role in STAFF_ROLES and stored is None and policy.current().STAFF_TOTP == "required"


@command("person.enroll_totp", on="users")
def enroll(work: Work, user_id: UUID, *, code: str, session_id: UUID) -> list[str]:
    """The app that this browser was shown the secret of counts from now on; an earlier one is void. Their new recovery codes,
    in clear this once. Everywhere else they are signed out.

    `session_id`: the browser's. Locks the person. Raises OtpInvalid, NotForStaff."""
    access.require(work.actor, Permission.OWN_PROFILE, own=work.actor.id == user_id)
    user = work.lock(User, user_id)
    if user.role not in STAFF_ROLES:
        raise NotForStaff()
    secret, step = _typed(user, code, session_id, work)
    user.totp_secret = totp.sealed(secret)
    totp.use(work.session, user.id, step)  # may be an old step where the app before had a later code; harmless
    revoke_sign_ins(work, user.id, because=BECAUSE, keep_session=session_id)
    work.emit("person.totp_enrolled", user)
    return recovery.renew(work, user)


def _typed(user: User, code: str, session_id: UUID, work: Work) -> tuple[str, int]:
    """The secret whose code was typed, and its step."""
    for secret in totp.new_secrets(session_id, user.totp_secret):
        step = totp.step_of(secret, code, work.now)
        if step is not None:
            return secret, step
    raise OtpInvalid(
        "This is not the code that the app shows for this secret. Look again: it changes every 30 seconds."
    )


@command("person.renew_recovery_codes", on="users")
def renew_codes(work: Work, user_id: UUID) -> list[str]:
    """Their new recovery codes, in clear this once; the ones before are worth nothing. Locks the person. Raises TotpNotSetUp."""
    access.require(work.actor, Permission.OWN_PROFILE, own=work.actor.id == user_id)
    user = work.lock(User, user_id)
    if user.totp_secret is None:
        raise TotpNotSetUp("Set up your authenticator app first: the codes stand in for it.")
    work.emit("person.recovery_renewed", user)
    return recovery.renew(work, user)


@command("person.reset_totp", on="users")
def reset(work: Work, user_id: UUID, *, reason: str) -> User:
    """The person has no authenticator app and no recovery codes any more, is signed out everywhere, and is told so.

    Locks the person. Nobody resets their own: whoever holds their browser could. Raises OwnSecondFactor, SecondFactorChanged."""
    access.require(work.actor, Permission.ADMINISTER)
    require_reason(reason)
    if work.actor.id == user_id:
        raise OwnSecondFactor()
    user = work.lock(User, user_id)
    if user.totp_secret is None:
        raise SecondFactorChanged()
    user.totp_secret = None
    recovery.forget(work, user.id)
    revoke_sign_ins(work, user.id, because=BECAUSE)
    work.emit("person.totp_reset", user)
    return user
